"""What the replica tells nodes that join, as real Ansible renders it: which kubeconfig kube-vip mounts there, and where they look."""

import sys
from typing import Any

import pytest
import yaml

from lab import playbooks, release
from lab.command import run

ADDRESSES = {"cp1": "10.9.7.10", "cp2": "10.9.7.11", "w1": "10.9.7.30"}
VIP = {"loadbalancer_apiserver": {"address": "10.9.7.100", "port": 6443}}
KEY, TOKEN = "ab" * 32, "abcdef.0123456789abcdef"


def group(*names: str) -> dict[str, object]:
    return {"hosts": {name: {} for name in names}}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """`<release>-<endpoint>-<host>` -> the endpoint of its kubeconfigs, how it joins and, of a control plane, kube-vip's pod."""
    folder = tmp_path_factory.mktemp("joins")
    roles = playbooks.REPLICA / "roles"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    uploaded = {"kubeadm_upload_cert": {"stdout_lines": ["Using key:", KEY]}}
    hosts = {name: {"ip": address, **local, **uploaded} for name, address in ADDRESSES.items()}
    groups = {"kube_control_plane": group("cp1", "cp2"), "etcd": group("cp1", "cp2"), "kube_node": group("w1")}
    (folder / "hosts.yaml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "children": groups}}))
    control_plane = [roles / "control_plane/templates/kubeadm-controlplane.yaml.j2", roles / "node/templates/kube-vip.yml.j2"]
    worker = [roles / "join/templates/kubeadm-client.conf.j2"]
    looked_up = {
        who: " ~ '\n---\n' ~ ".join(f"lookup('template', '{path}')" for path in paths)
        for who, paths in (("control_plane", control_plane), ("worker", worker))
    }
    text = (
        f"{{{{ kube_apiserver_endpoint ~ '\n---\n' ~ ({looked_up['control_plane']}"
        f" if inventory_hostname in groups['kube_control_plane'] else {looked_up['worker']}) }}}}"
    )
    registered = {"replica_token": {"stdout": TOKEN}, "kubeadm_ca_hash": {"stdout": "cd" * 32}, "discovery_timeout": "60s"}
    plays = [
        {
            "hosts": "all",
            "gather_facts": False,
            "vars": {"kube_vip_enabled": True, "kube_vip_address": "10.9.7.100", **registered, **more},
            "vars_files": [str(playbooks.REPLICA / "releases" / f"{name}.yml")],
            "roles": [{"role": "defaults"}],
            "tasks": [{"copy": {"content": text, "dest": f"{folder}/{name}-{endpoint}-{{{{ inventory_hostname }}}}"}}],
        }
        for name, endpoint, more in (("v2.25.0", "vip", VIP), ("v2.25.1", "vip", VIP), ("v2.25.1", "node", {}))
    ]
    (folder / "play.yml").write_text(yaml.safe_dump(plays))
    made = playbooks.replica(release.load("v2.25.1"))
    argv = (*made.ansible_playbook, "-i", str(folder / "hosts.yaml"), str(folder / "play.yml"))
    done = run(argv, limit_s=300, env={"ANSIBLE_ROLES_PATH": str(roles), "ANSIBLE_LOCAL_TEMP": str(folder / "tmp")})
    assert done.rc == 0, done.stdout
    return {path.name: path.read_text() for path in folder.glob("v2*")}


def parts(text: str) -> list[Any]:
    server, *more = text.split("\n---\n")
    return [server.strip(), *(yaml.safe_load(one) for one in more)]


@pytest.mark.parametrize(
    ("name", "host", "mounted"),
    [
        ("v2.25.0", "cp1", "admin.conf"),
        ("v2.25.0", "cp2", "admin.conf"),
        ("v2.25.1", "cp1", "super-admin.conf"),
        ("v2.25.1", "cp2", "admin.conf"),
    ],
)
def test_kube_vip_mounts_super_admin_conf_on_the_first_control_plane_alone(
    rendered: dict[str, str], name: str, host: str, mounted: str
) -> None:
    _, _, pod = parts(rendered[f"{name}-vip-{host}"])
    assert pod["spec"]["volumes"][0]["hostPath"]["path"] == f"/etc/kubernetes/{mounted}"


@pytest.mark.parametrize(("endpoint", "asked"), [("vip", "lb-apiserver.kubernetes.local:6443"), ("node", "10.9.7.10:6443")])
def test_nodes_join_by_the_vip_or_else_by_the_first_control_plane(rendered: dict[str, str], endpoint: str, asked: str) -> None:
    _, second, _ = parts(rendered[f"v2.25.1-{endpoint}-cp2"])
    _, worker = parts(rendered[f"v2.25.1-{endpoint}-w1"])
    for join in (second, worker):
        assert join["discovery"]["bootstrapToken"]["apiServerEndpoint"] == asked
        assert join["discovery"]["bootstrapToken"]["token"] == TOKEN
    assert second["controlPlane"]["certificateKey"] == KEY
    assert second["controlPlane"]["localAPIEndpoint"]["advertiseAddress"] == "10.9.7.11"
    assert "controlPlane" not in worker


@pytest.mark.parametrize(
    ("endpoint", "host", "server"),
    [
        ("vip", "cp2", "https://lb-apiserver.kubernetes.local:6443"),
        ("vip", "w1", "https://lb-apiserver.kubernetes.local:6443"),
        ("node", "cp2", "https://127.0.0.1:6443"),
        ("node", "w1", "https://10.9.7.10:6443"),
    ],
)
def test_a_kubeconfig_names_the_vip_or_the_nearest_api_server(rendered: dict[str, str], endpoint: str, host: str, server: str) -> None:
    assert parts(rendered[f"v2.25.1-{endpoint}-{host}"])[0] == server
