from dataclasses import replace

from lab import result
from lab.model import Deviation
from lab.result import Seen
from tests import made

DEVIATION = Deviation(what="a", released="b", used="c", why="d")


def seen(**changed: object) -> Seen:
    return Seen(**{"course": "longest", "began_s": 0.0, "started_at_s": 1.0, **changed})  # type: ignore[arg-type]


def test_a_cell_judged_on_the_way_says_on_whose_nodes_and_has_its_own_deviations() -> None:
    cell = made.cell()
    shown = seen(deviations={cell.id: (DEVIATION, DEVIATION), "longest": ()}, evidence=cell.id, host_load="short of cores for 9 s")
    given = result.of(cell, made.GREEN, shown, because="asked")
    assert (given.judged_in, given.deviations, given.evidence) == ("longest", (DEVIATION,), f"cells/{cell.id}")
    assert (given.because, given.host_load, given.verdict_after_s) == ("asked", "short of cores for 9 s", None)


def test_the_longest_cell_is_judged_on_its_own_nodes() -> None:
    cell = made.cell()
    assert result.of(cell, made.GREEN, seen(course=cell.id, node_s=0.0), because="").judged_in == ""


def test_a_result_has_what_the_mitigations_of_its_cell_changed() -> None:
    cell = replace(made.cell(), mitigations=("slow",), variables=(("kube_vip_leaseduration", "15"),))
    assert result.of(cell, made.GREEN, seen(), because="").variables == {"kube_vip_leaseduration": "15"}


def test_what_no_stage_has_evidence_of_lies_in_the_folder_of_its_course() -> None:
    given = result.of(made.cell(), made.BROKEN, seen(), because="")
    assert given.evidence == "cells/longest"


def test_where_to_look_is_below_the_folder_that_has_the_evidence() -> None:
    given = result.of(made.cell(), made.LOST, seen(evidence="longest/stage-1"), because="")
    assert given.verdict.look_at == ("cells/longest/stage-1/cells/a/evidence/cp1/kubelet-journal.txt",)
    assert given.evidence == "cells/longest/stage-1"
    beside = replace(made.LOST, look_at=("../ansible.log",))
    assert result.of(made.cell(), beside, seen(evidence="longest/stage-1"), because="").verdict.look_at == ("cells/longest/ansible.log",)
