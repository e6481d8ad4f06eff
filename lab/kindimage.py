"""The node image of kind, without a download: the root of a container node, the files of kind's own image out of its module, and etcd.

Programs and images of Kubernetes are what a node has mounted at /opt/lab, or what is put there in an image that is to stand for itself.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from lab import archive, cachedir, component, network, nodeimage, toolchain
from lab.component import Image
from lab.engine import Engine
from lab.host import NodeNeeds

TREE = Path(__file__).parent / "data" / "kind" / "root"
REPOSITORY = "localhost/spraylab/kind-node"
KIND, ROOT = "kind-node", "root.tar"  # of the cache: only while an image is made
LAYOUT = "2"  # a change here makes the old images unused
COMPONENTS = ("kind", "etcd")
FILES = "kind-node"  # of the component kind: what its module has for its own image
# Of those, what a Debian root has in its own way: its containerd is another version, in another place.
LEFT = ("etc/containerd", "etc/crictl.yaml", "etc/systemd/system/containerd", "usr/local/bin/clean-install", "LICENSES")
PROGRAMS = ("kubeadm", "kubectl", "kubelet")
UNITS = ("kubelet", "undo-mount-hacks", "spraylab-images")
WANTS = "/etc/systemd/system/multi-user.target.wants"
LAB = "/opt/lab"
ALONE = ("kubelet", "crictl.tar.gz", "cni.tgz")  # of the artifacts, beside images/


def ensure(engine: Engine, needs: NodeNeeds, *, say: Callable[[str], None] = lambda _: None) -> str:
    """Tag of the node image in `engine`, made on first use; its nodes have artifacts mounted at /opt/lab.

    Raises HostError and BuildError as nodeimage.ensure and component.build do.
    """
    return _image(engine, needs, {}, say=say)


def alone(engine: Engine, needs: NodeNeeds, artifacts: Path, kube_version: str, *, say: Callable[[str], None] = lambda _: None) -> str:
    """Tag of an image that holds `artifacts` too, so that kind alone makes a cluster of it, with a plain bridge for pods."""
    inside: dict[str, Path | str] = {f"{LAB}/{name}": artifacts / name for name in ALONE}
    inside |= {f"{LAB}/images/{path.name}": path for path in sorted((artifacts / "images").glob("*.tar"))}
    inside |= {"/kind/version": kube_version, network.CONFLIST: network.conflist(0)}
    return _image(engine, needs, inside, say=say, of=(artifacts.name,))


def changes(needs: NodeNeeds) -> tuple[str, ...]:
    """What stands in the image beside its files, as lines of a Dockerfile: what the entry script is told where nobody tells it."""
    told = {
        "SPRAYLAB_CGROUP_DRIVER": needs.cgroup_driver,
        "SPRAYLAB_RESTRICT_OOM": "true" if needs.restrict_oom else "false",
        "SPRAYLAB_CGROUP2": needs.cgroup2,
    }
    return (*nodeimage.CHANGES, *(f"ENV {name}={value}" for name, value in told.items() if value))


def extra_args(needs: NodeNeeds) -> str:
    """The file of kubelet's further arguments: kind's own, and what this host asks for; they win over its configuration."""
    told = ["--runtime-cgroups=/system.slice/containerd.service"]
    told += [f"--cgroup-driver={needs.cgroup_driver}"] if needs.cgroup_driver != "systemd" else []
    told += [f"--feature-gates={','.join(needs.feature_gates)}"] if needs.feature_gates else []
    return f"KUBELET_EXTRA_ARGS={' '.join(told)}\n"


def _image(
    engine: Engine, needs: NodeNeeds, inside: Mapping[str, Path | str], *, say: Callable[[str], None], of: tuple[str, ...] = ()
) -> str:
    built = component.build(COMPONENTS)
    own = {f"/{path.relative_to(TREE)}": path for path in sorted(TREE.rglob("*")) if path.is_file()}
    parts = [part for path, source in own.items() for part in (path, source.read_bytes())]
    texts = [text for text in inside.values() if isinstance(text, str)]
    key = cachedir.digest(
        [LAYOUT, nodeimage.key(), *(built[name].name for name in COMPONENTS), *changes(needs), extra_args(needs), *parts, *texts, *of]
    )
    tag = f"{REPOSITORY}:{key}"
    if engine.has_image(tag):
        return tag
    root = nodeimage.root_tar(say=say)
    cachedir.need_room(2 * root.stat().st_size, "make the node image of kind")
    files = {
        **_of_module(built["kind"] / "files" / FILES),
        **own,
        **_etcd(built["etcd"]),
        "/etc/default/kubelet": extra_args(needs),
        **inside,
    }
    links = {f"/usr/bin/{name}": f"{LAB}/kubelet" for name in PROGRAMS} | {
        f"{WANTS}/{name}.service": f"../{name}.service" for name in UNITS
    }
    with cachedir.growing(KIND, key) as folder:  # one makes it, others wait
        if not engine.has_image(tag):
            say("making the node image of kind")
            archive.over(root, files=files, links=links, to=folder / ROOT)
            engine.import_root(folder / ROOT, repository=REPOSITORY, tag=key, changes=changes(needs))
        (folder / ROOT).unlink(missing_ok=True)
    return tag


def _of_module(folder: Path) -> Mapping[str, Path | str]:
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {f"/{name}": path for name, path in found.items() if not name.startswith(LEFT)}


def _etcd(built: Path) -> Mapping[str, Path | str]:
    """The image that kubeadm's static pod of etcd has, under the name it has there, and the program that asks it."""
    tag = f"registry.k8s.io/etcd:{component.load('etcd').version.removeprefix('v')}-0"
    declared = Image(name="etcd", tags=(tag,), files={"/usr/local/bin/etcd": "etcd", "/usr/local/bin/etcdctl": "etcdctl"})
    made = archive.image(declared, programs=built / "bin", arch=toolchain.find().arch)
    return {"/kind/images/etcd.tar": made, "/usr/local/bin/etcdctl": built / "bin" / "etcdctl"}
