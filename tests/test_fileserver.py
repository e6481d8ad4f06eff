from pathlib import Path

import pytest

from lab import fileserver
from lab.errors import BedError
from lab.model import Completed, Node, Site
from tests import made


def test_files_of_the_node_become_urls_and_nothing_else_changes() -> None:
    assert fileserver.instead("file:///opt/lab/kubelet") == f"{fileserver.URL}/kubelet"
    assert fileserver.instead("https://example.org/kubelet") == "https://example.org/kubelet"
    assert fileserver.instead({"a": 1}) == {"a": 1}


def test_every_member_serves_its_own_artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ssh(_: Site, node: Node, script: str, *, limit_s: float) -> Completed:
        asked.append(node.name)
        assert "127.0.0.1" in script
        assert limit_s > 0
        return Completed(argv=("ssh",), rc=0, stdout="", stderr="", started_at_s=0, duration_s=0)

    monkeypatch.setattr(fileserver, "ssh", ssh)
    fileserver.place(made.site_of_three(tmp_path))
    assert asked == ["cp1", "cp2", "cp3", "w1"]


def test_a_node_that_cannot_serve_is_named_with_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Completed(argv=("ssh",), rc=1, stdout="", stderr="Address already in use", started_at_s=0, duration_s=0)
    monkeypatch.setattr(fileserver, "ssh", lambda *_, **__: said)
    with pytest.raises(BedError, match=r"cp1 cannot serve(.|\n)*Address already in use"):
        fileserver.place(made.site(tmp_path))
