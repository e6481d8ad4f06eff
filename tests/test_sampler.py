"""The script that nodes run: here on this machine, on an address it has and one it has not."""

import os
import shutil
import ssl
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest

from lab import outage
from lab.command import run
from lab.disturbances.failover import SAMPLER


@pytest.mark.parametrize(("address", "has"), [("127.0.0.1", True), ("10.231.255.254", False)])
def test_a_node_tells_whether_it_has_an_address(tmp_path: Path, address: str, has: bool) -> None:
    done = run((sys.executable, str(SAMPLER), "address", str(tmp_path / "samples"), "0.35", address), limit_s=20)
    assert (done.rc, done.stderr) == (0, "")
    samples = outage.read((tmp_path / "samples").read_text())
    assert len(samples) >= 2
    assert {sample.yes for sample in samples} == {has}
    assert all(later.at_s > earlier.at_s for earlier, later in pairwise(samples))


@pytest.fixture
def api(tmp_path: Path) -> Iterator[int]:
    """The port of an API server that is well."""
    made = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=vip")
    assert run(("openssl", *made, "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")), limit_s=20).rc == 0

    class Well(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with ThreadingHTTPServer(("127.0.0.1", 0), Well) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("openssl"), reason="needs root, to ask by ARP, and openssl")
def test_a_client_asks_the_api_at_the_port_that_it_is_told(tmp_path: Path, api: int) -> None:
    def seen(port: int) -> set[bool]:
        path = tmp_path / f"samples-{port}"
        done = run((sys.executable, str(SAMPLER), "api", str(path), "0.35", "127.0.0.1", "lo", "1", str(port)), limit_s=40)
        assert (done.rc, done.stderr) == (0, "")
        return {sample.yes for sample in outage.read(path.read_text())}

    assert True in seen(api)
    assert seen(1) == {False}, "where nobody listens"


def test_samples_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "samples"
    path.write_text("[100.0, true, []]\n")
    assert run((sys.executable, str(SAMPLER), "address", str(path), "0.05", "127.0.0.1"), limit_s=20).rc == 0
    first, *rest = outage.read(path.read_text())
    assert (first.at_s, first.yes) == (100.0, True)
    assert rest
