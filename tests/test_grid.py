from dataclasses import replace

import pytest

from lab.grid import counts, entries, grid, notes, predicted
from lab.matrix import CellResult, LeftOutCell
from lab.model import Outcome, Prediction, Ref
from tests import made, orderings


def cell(ordering: str, ref: str = "replica of v2.25.0", **other: object) -> CellResult:
    given = replace(made.result(), ref=ref, ordering=ordering, endpoint="vip" if "kube-vip" in ordering else "node")
    return replace(given, **other, id=f"{ordering} {ref} {other}")  # type: ignore[arg-type]


def test_rows_are_orderings_fewer_addons_first_and_columns_are_refs() -> None:
    laid = grid(replace(made.matrix(cell("cilium > kube-vip"), cell("base"), cell("base", "replica of v2.10")), left_out=()))
    assert laid.rows == ("base", "cilium > kube-vip")
    assert laid.columns == (("replica of v2.10",), ("replica of v2.25.0",))
    assert {place: found[0].id for place, found in laid.cells.items()} == {
        (1, 1): "cilium > kube-vip replica of v2.25.0 {}",
        (0, 1): "base replica of v2.25.0 {}",
        (0, 0): "base replica of v2.10 {}",
    }


def test_what_varies_beside_the_ref_makes_columns_and_what_does_not_is_said_once() -> None:
    laid = grid(made.matrix(cell("kube-vip"), cell("kube-vip", kube_version="v1.28.6"), cell("kube-vip", mitigations=("short",))))
    assert ("replica of v2.25.0", "Kubernetes v1.28.6") in laid.columns
    assert ("replica of v2.25.0", "Kubernetes v1.29.5", "with short") in laid.columns
    assert laid.common == ("1cp", "network plain", "bed containers")


def test_an_endpoint_that_follows_from_the_ordering_makes_no_columns() -> None:
    both = (cell("base"), cell("kube-vip"))
    assert len(grid(replace(made.matrix(*both), left_out=())).columns) == 1
    assert len(grid(replace(made.matrix(*both, cell("kube-vip", endpoint="node")), left_out=())).columns) == 2


def test_a_cell_that_was_left_out_has_its_place() -> None:
    left_out = LeftOutCell.of(replace(made.cell("cilium > kube-vip"), mitigations=("a", "b")), because="why")
    laid = grid(replace(made.matrix(cell("base")), left_out=(left_out, LeftOutCell(id="no id", because="strange"))))
    assert laid.rows == ("base", "cilium > kube-vip")
    (entry,) = laid.cells[1, 1]
    assert (entry.outcome, entry.because) == (Outcome.SKIP, "why")
    assert laid.columns[1][-1] == "with a, b"
    assert [one.id for one in laid.elsewhere] == ["no id"]


@pytest.mark.parametrize("ordering", ["kube-vip > upgrade(v1.29.10)", "kube-vip > reset > kube-vip"])
def test_a_cell_that_was_left_out_stands_in_the_row_of_those_of_its_ordering(ordering: str) -> None:
    left_out = LeftOutCell.of(made.cell(ordering, ref="kubespray@v2.25.1"), because="why")
    laid = grid(replace(made.matrix(cell(ordering, "kubespray v2.25.1")), left_out=(left_out,)))
    assert (laid.rows, laid.elsewhere) == ((ordering,), ())


def test_a_cell_of_plain_kind_that_was_left_out_has_its_place_too() -> None:
    of_kind = replace(made.cell("kube-vip"), ref=Ref(source="kind", name="v2.25.0", release="v2.25.0"), bed="kind")
    laid = grid(replace(made.matrix(), left_out=(LeftOutCell.of(of_kind, because="why"),)))
    assert (laid.rows, laid.columns, laid.elsewhere) == (("kube-vip",), (("kind, settings of v2.25.0",),), ())


def test_a_cell_that_was_left_out_stands_beside_those_of_the_same_ref() -> None:
    left_out = LeftOutCell.of(made.cell("base", ref="kubespray@fix/a"), because="why")
    red = replace(cell("kube-vip", "kubespray fix/a (0123456789)"), id=made.cell("kube-vip", ref="kubespray@fix/a").id)
    beside = grid(replace(made.matrix(red), left_out=(left_out,)))
    alone = grid(replace(made.matrix(), left_out=(left_out,)))
    assert beside.columns == (("kubespray fix/a (0123456789)",),)
    assert alone.columns == (("kubespray fix/a",),)


def test_every_cell_of_a_whole_matrix_has_a_place() -> None:
    matrix = orderings.matrix()
    laid = grid(matrix)
    assert (len(laid.rows), len(laid.columns)) == (26, 2)
    placed = [entry.id for found in laid.cells.values() for entry in found]
    assert sorted(placed) == sorted(entry.id for entry in entries(matrix))
    assert sum(counts(matrix).values()) == 52
    assert list(counts(matrix)) == [Outcome.ERROR, Outcome.FAIL, Outcome.UNKNOWN, Outcome.PASS, Outcome.SKIP]


def test_an_empty_matrix_is_an_empty_grid() -> None:
    laid = grid(replace(made.matrix(), left_out=()))
    assert (laid.rows, laid.columns, laid.common) == ((), (), ())


def test_a_prediction_stands_beside_what_came() -> None:
    named = Prediction(rule="r", signature=made.FORBIDDEN.signature, says="it will")
    other, nameless = replace(named, signature="other"), replace(named, signature="")
    told = {
        verdict.outcome: [one.come for one in predicted(replace(made.result(verdict), predicted=(named, other, nameless)))]
        for verdict in (made.RED, made.GREEN, made.LOST, made.BROKEN)
    }
    assert told == {
        Outcome.FAIL: ["seen", "cannot tell", "cannot tell"],
        Outcome.PASS: ["not seen", "not seen", "not seen"],
        Outcome.UNKNOWN: ["cannot tell"] * 3,
        Outcome.ERROR: ["cannot tell"] * 3,
    }


def test_notes_tell_predictions_whose_verdict_it_is_and_what_the_host_lacked() -> None:
    told = replace(made.result(), predicted=(Prediction(rule="overlap", signature="", says=""),), judged_in="x", host_load="steal 30 %")
    assert notes(told) == ("predicted overlap: not seen", "as x", "host: steal 30 %")
    assert notes(made.result()) == ()
