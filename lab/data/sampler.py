"""Runs on a node, not in the lab: what it sees of a virtual IP every 100 ms, one line of JSON each, until it is ended.

    sampler.py api FILE LIMIT_S VIP INTERFACE ANSWER_S PORT    a client: does the API answer there in that time, who answers ARP for it
    sampler.py address FILE LIMIT_S VIP                        a control plane: does this node have that address

A line is [Unix time at which the sample began, yes or no, MACs heard until then since the line before].
"""
# ruff: noqa: INP001 - a script that is sent to nodes, no module of a package

import contextlib
import itertools
import json
import socket
import ssl
import struct
import sys
import threading
import time
from pathlib import Path

EVERY_S = 0.1
ETH_P_ARP, REPLY, REQUEST = 0x0806, 2, 1
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1
# Asking from a MAC and an address of nobody (RFC 5227) leaves the caches of this client and of the nodes alone: what is measured is
# how long a client is without the API whom nobody helps.
ASKER = bytes.fromhex("020000535052")


def main() -> None:
    """Sample until the limit has passed."""
    what, path, limit_s, vip = sys.argv[1:5]
    end_s = time.monotonic() + float(limit_s)
    with Path(path).open("a", buffering=1) as out:
        if what == "address":
            every(end_s, lambda: out.write(json.dumps([time.time(), has(vip), []]) + "\n"))
            return
        heard, answer_s, port = Heard(vip, sys.argv[5]), float(sys.argv[6]), int(sys.argv[7])
        writing = threading.Lock()

        def ask() -> None:
            at_s = time.time()
            macs = heard.ask()

            def answer() -> None:
                yes = answers(vip, port, answer_s)
                with writing:
                    out.write(json.dumps([at_s, yes, macs]) + "\n")

            threading.Thread(target=answer, daemon=True).start()

        every(end_s, ask)
        time.sleep(2 * answer_s)


def every(end_s, sample) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Call `sample` every 100 ms until `end_s`, however long it takes."""
    due_s = time.monotonic()
    while due_s < end_s:
        sample()
        due_s = max(due_s + EVERY_S, time.monotonic())
        time.sleep(max(0.0, due_s - time.monotonic()))


def has(address: str) -> bool:
    """Whether the kernel of this node takes `address` for its own."""
    lines = [line.strip() for line in Path("/proc/net/fib_trie").read_text().splitlines()]
    return any(line == f"|-- {address}" and "host LOCAL" in below for line, below in itertools.pairwise(lines))


def answers(vip: str, port: int, limit_s: float) -> bool:
    """Whether /livez at that port of `vip` says ok, over a connection of its own, each step within `limit_s`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    said = b""
    try:
        with socket.create_connection((vip, port), timeout=limit_s) as plain, context.wrap_socket(plain) as wrapped:
            wrapped.sendall(b"GET /livez HTTP/1.0\r\nHost: vip\r\n\r\n")
            while piece := wrapped.recv(4096):
                said += piece
    except OSError:
        pass
    return said.startswith(b"HTTP/1.0 200") and said.endswith(b"\r\n\r\nok")


class Heard:
    """Asks by ARP who has an address, and collects who answers."""

    def __init__(self, vip: str, interface: str) -> None:
        self._vip = socket.inet_aton(vip)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
        self._socket.bind((interface, ETH_P_ARP))
        joined = struct.pack("iHH8s", socket.if_nametoindex(interface), PACKET_MR_PROMISC, 0, b"")
        self._socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, joined)
        self._macs: set[str] = set()
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self) -> list[str]:
        """Ask once; tells who answered since the last time."""
        macs, self._macs = self._macs, set()
        frame = b"\xff" * 6 + ASKER + struct.pack("!HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, REQUEST)
        with contextlib.suppress(OSError):
            self._socket.send(frame + ASKER + bytes(4) + bytes(6) + self._vip)
        return sorted(macs)

    def _listen(self) -> None:
        while True:
            frame = self._socket.recv(128)
            if frame[:6] == ASKER and frame[20:22] == struct.pack("!H", REPLY) and frame[28:32] == self._vip:
                self._macs.add(frame[22:28].hex(":"))


main()
