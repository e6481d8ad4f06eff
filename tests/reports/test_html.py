import base64
import hashlib
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lab import journal, picture
from lab.journal import Journal
from lab.matrix import CellResult, Matrix
from lab.reports import html
from tests import made, orderings

VOID = {"meta", "input", "br", "link", "img"}
REFERRING = {"src", "href", "action", "data", "poster", "srcset", "background", "formaction"}


class Page(HTMLParser):
    """A page taken apart: open elements, texts of scripts and styles, what it refers to; it must be well-formed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.attributes: list[tuple[str, str, str]] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag in self.inside:
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        tag = self.open[-1] if self.open else ""
        if tag in self.inside:
            self.inside[tag][-1] += data
        else:
            self.said.append(data)

    def values(self, name: str, *, tag: str = "") -> list[str]:
        return [value for of, one, value in self.attributes if one == name and tag in ("", of)]

    @property
    def told(self) -> dict[str, object]:
        found = json.loads(self.inside["script"][0])
        assert isinstance(found, dict)
        return found


def page(matrix: Matrix, pictures: dict[str, str] | None = None) -> Page:
    return Page(html.text(matrix, pictures or {}))


def ran(folder: Path, *results: CellResult) -> Matrix:
    """A matrix whose cells have left a journal and folders."""
    written = Journal(folder)
    for result in results:
        evidence = folder / result.evidence / "evidence"
        evidence.mkdir(parents=True, exist_ok=True)
        (evidence / "facts.json").write_text(json.dumps({"context": {"vip": orderings.VIP, "nodes": []}, "facts": []}))
        for line in orderings.lines(result.id):
            written.write(line)
    written.close()
    return made.matrix(*results)


def test_every_cell_is_in_the_grid_in_the_list_and_in_the_data() -> None:
    whole = orderings.matrix()
    ids = [result.id for result in whole.cells] + [one.id for one in whole.left_out]
    seen = page(whole)
    linked = seen.values("data-cell", tag="a")
    assert sorted(linked) == sorted([*ids, *ids])
    assert sorted(seen.values("data-cell", tag="tr")) == sorted(ids)
    cells = seen.told["cells"]
    assert isinstance(cells, list)
    assert [cell["id"] for cell in cells] == ids


def test_without_a_script_grid_and_reasons_are_there_and_links_lead_to_the_reasons() -> None:
    seen = page(orderings.matrix())
    said = " ".join(seen.said)
    assert "two-controllers-for-one-service: two controllers quarrel over one Service" in said
    assert "the installer cannot express it" in said
    assert "predicted pool-overlap: not seen" in said
    targets = {f"#{one}" for one in seen.values("id", tag="tr")}
    assert set(seen.values("href", tag="a")) == targets


def test_it_refers_to_nothing_outside_and_its_policy_lets_nothing_be_loaded() -> None:
    seen = page(orderings.matrix())
    assert not [value for _, name, value in seen.attributes if name in REFERRING and not value.startswith("#cell-")]
    assert not [name for _, name, _ in seen.attributes if name.startswith("on") or name == "style"]
    (policy,) = (value for value in seen.values("content", tag="meta") if "default-src" in value)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "@import" not in "".join(seen.inside["style"])
    assert "url(" not in "".join(seen.inside["style"])


def test_the_policy_allows_the_very_script_and_styles_that_are_there() -> None:
    seen = page(orderings.matrix())
    (policy,) = (value for value in seen.values("content", tag="meta") if "default-src" in value)
    for text in (seen.inside["script"][1], *seen.inside["style"], picture.STYLE):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy


def test_whatever_evidence_says_is_text() -> None:
    hostile = orderings.HOSTILE
    result = replace(made.result(replace(made.LOST, summary=hostile), name=hostile), because=hostile, ref=hostile, host_load=hostile)
    text = html.text(made.matrix(result), {hostile: hostile})
    seen = Page(text)
    assert len(seen.inside["script"]) == 2
    assert "alert(" not in seen.inside["script"][1]
    assert "<img" not in text
    cells = seen.told["cells"]
    assert isinstance(cells, list)
    cell = cells[0]
    assert cell["summary"] == cell["because"] == hostile
    assert seen.told["pictures"] == {hostile: hostile}


def test_details_have_all_that_the_verdict_rests_on() -> None:
    seen = page(orderings.matrix()).told
    cells, shared = seen["cells"], seen["shared"]
    assert isinstance(cells, list)
    assert isinstance(shared, list)
    red = next(cell for cell in cells if cell["id"].startswith("replica-v2.25.1") and cell["ordering"] == "kube-vip+metallb")
    (finding,) = (shared[number] for number in red["findings"])
    assert finding["chain"][1] == {
        "says": "kube-vip marks it as its own",
        "probe": "events",
        "node": "cp1",
        "line": "kube-vip.io/vipHost: cp1",
    }
    assert [shared[number]["signature"] for number in red["ruled_out"]] == [one.signature for one in orderings.RULED_OUT]
    assert red["predicted"] == [
        {"name": "two-controllers-for-one-service", "says": "kube-vip and MetalLB both serve Services", "come": "seen"}
    ]
    assert red["memory_mib"] == {"cp1": 1013.4, "client": 41.0}
    assert {check["outcome"] for check in red["checks"]} == {"PASS"}
    assert [shared[number] for number in red["limits"]] == ["All nodes share the host's kernel."]
    assert red["stages"][0]["stage"] == "kube-vip+metallb"


def test_details_have_where_each_stage_failed_and_its_slowest_tasks() -> None:
    page = Page(html.text(made.matrix(replace(made.result(made.RED), stages=(made.REFUSED,))), {}))
    (cell,) = [one for one in page.told["cells"] if one["outcome"] == "FAIL"]  # type: ignore[attr-defined]
    (stage,) = cell["stages"]
    assert stage["failed_at"] == "roles/kubernetes-apps/metallb/tasks/main.yml:2 of kubespray v2.25.0"
    assert (stage["failed_node"], stage["failed_rc"], stage["failed_first"]) == ("cp1", None, "it said something else at first")
    assert stage["slowest"] == [["etcd : Start", 12.34], ["kubeadm : Init", 9.0]]


def test_what_many_cells_say_alike_stands_once() -> None:
    shared = page(orderings.matrix()).told["shared"]
    assert isinstance(shared, list)
    texts = [json.dumps(one, sort_keys=True) for one in shared]
    assert len(texts) == len(set(texts))


def test_a_timeline_is_drawn_beside_the_evidence_and_put_into_the_page(tmp_path: Path) -> None:
    matrix = ran(tmp_path, made.result(made.RED))
    seen = Page(html.write(matrix, tmp_path).read_text())
    drawn = (tmp_path / matrix.cells[0].evidence / picture.FILE).read_text()
    assert "VIP on cp1" in drawn
    assert seen.told["pictures"] == {matrix.cells[0].id: drawn}


def test_a_timeline_is_drawn_once_and_again_when_its_cell_ran_again(tmp_path: Path) -> None:
    matrix = ran(tmp_path, made.result())
    path = tmp_path / matrix.cells[0].evidence / picture.FILE
    html.draw(matrix, tmp_path)
    path.write_text("kept")
    html.draw(matrix, tmp_path)
    assert path.read_text() == "kept"
    os.utime(path, (100.0, 100.0))  # before the cell ended
    html.draw(matrix, tmp_path)
    assert path.read_text().startswith("<svg")


def test_a_cell_judged_on_other_nodes_has_their_timeline(tmp_path: Path) -> None:
    own = made.result(name="own")
    matrix = ran(tmp_path, own, replace(made.result(name="shared"), judged_in="own", evidence=own.evidence))
    told = Page(html.write(matrix, tmp_path).read_text()).told
    assert list(told["pictures"]) == ["own"]  # type: ignore[call-overload]


def test_without_a_journal_or_evidence_there_is_a_page_without_timelines(tmp_path: Path) -> None:
    assert Page(html.write(made.matrix(made.result(made.BROKEN)), tmp_path).read_text()).told["pictures"] == {}
    lost = ran(tmp_path, made.result(made.BROKEN))
    (tmp_path / lost.cells[0].evidence / "evidence" / "facts.json").unlink()
    assert "VIP on" not in str(Page(html.write(lost, tmp_path).read_text()).told["pictures"])


def test_timelines_for_which_the_page_has_no_room_are_files_and_red_cells_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = ran(tmp_path, made.result(name="green"), made.result(made.RED, name="red"))
    html.draw(matrix, tmp_path)
    monkeypatch.setattr(html, "PICTURES_BYTES", int(1.5 * (tmp_path / "cells/red/timeline.svg").stat().st_size))
    pictures = Page(html.write(matrix, tmp_path).read_text()).told["pictures"]
    assert isinstance(pictures, dict)
    assert pictures["green"] == ""
    assert pictures["red"].startswith("<svg")


def test_a_page_that_was_begun_replaces_the_old_one_only_when_it_is_whole(tmp_path: Path) -> None:
    html.write(made.matrix(made.result()), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [html.FILE]


def test_an_empty_matrix_is_a_page_too() -> None:
    said = " ".join(page(replace(made.matrix(), left_out=())).said)
    assert "Reasons" in said
    assert "Orderings by refs" not in said


def test_sizes_do_not_grow_with_what_is_said_again() -> None:
    whole = orderings.matrix()
    twice = replace(whole, cells=(*whole.cells, *(replace(one, id=f"{one.id}:with-x", mitigations=("x",)) for one in whole.cells)))
    texts = [re.sub(r"\s+", " ", html.text(one, {})) for one in (whole, twice)]
    assert texts[1].count("kubelet restarts again and again") == texts[0].count("kubelet restarts again and again") == 1


def test_journal_lines_of_other_cells_are_not_drawn(tmp_path: Path) -> None:
    matrix = ran(tmp_path, made.result(name="mine"), made.result(name="other"))
    html.draw(replace(matrix, cells=matrix.cells[:1]), tmp_path)
    assert (tmp_path / "cells/mine" / picture.FILE).exists()
    assert not (tmp_path / "cells/other" / picture.FILE).exists()
    assert len(list(journal.read(tmp_path / journal.FILE))) == 2 * len(orderings.lines(""))


def test_what_went_wrong_beside_the_cells_is_told_above_them() -> None:
    said = " ".join(page(replace(made.matrix(made.result()), troubles=("nodes were not taken down: <b>",))).said)
    assert said.index("nodes were not taken down: <b>") < said.index("Reasons")
