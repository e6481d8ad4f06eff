"""Runs podman's API as a private service: with limits this host can give, on a socket of its own, never longer than the lab."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from lab import owner
from lab.command import MARK, run
from lab.deadline import until
from lab.errors import HostError
from lab.host import HostFacts, node_needs

UP_LIMIT_S = 20.0
END_LIMIT_S = 15.0
EVER_S = float("inf")


@contextmanager
def service(seen: HostFacts, answers: Callable[[str], bool]) -> Iterator[Path]:
    """Run podman's API on a socket of our own.

    The kernel ends it when the lab dies: its parent is a thread that lives as long as the lab.
    answers: whether an API answers at a URL. It does not carry the lab's mark, as what podman starts for the whole host would inherit it.
    """
    with owner.folder("podman") as folder:
        socket, conf, stop = folder / "podman.sock", folder / "containers.conf", Event()
        conf.write_text(containers_conf(seen, runc=shutil.which("runc")))
        argv = ("setpriv", "--pdeathsig", "TERM", "--", "podman", "system", "service", "--time=0", f"unix://{socket}")
        ended: list[str] = []

        def serve() -> None:
            done = run(argv, limit_s=EVER_S, env={"CONTAINERS_CONF": str(conf), MARK: ""}, stop=stop)
            ended.append(done.stderr.strip() or f"it ended with {done.rc}")

        thread = Thread(target=serve, name="podman-service", daemon=True)
        thread.start()
        try:
            if not until(lambda: bool(ended) or answers(f"unix://{socket}"), bool, limit_s=UP_LIMIT_S, every_s=0.1) or ended:
                said = ended[0] if ended else f"{socket} did not answer within {UP_LIMIT_S:.0f} s"
                raise HostError(
                    "podman's service did not start", said[-800:], "`podman info` as root shows the same; correct what it names"
                )
            yield socket
        finally:
            stop.set()
            thread.join(timeout=END_LIMIT_S)


def containers_conf(seen: HostFacts, *, runc: str | None) -> str:
    """Write podman's settings for a host with the facts `seen`. runc: path of that program, if there is one."""
    needs = node_needs(seen)
    limits = [f"{name}={hard}:{hard}" for name, hard in (("nofile", needs.nofile), ("nproc", needs.nproc)) if hard is not None]
    lines = ["[containers]", f"default_ulimits = {json.dumps(limits)}"] if limits else []
    if seen.cgroup != "v2" and runc:
        lines += ["[engine]", 'runtime = "runc"', "[engine.runtimes]", f"runc = {json.dumps([runc])}"]  # crun refuses hybrid cgroups
    return "\n".join([*lines, ""])
