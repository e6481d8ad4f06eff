import io
from dataclasses import replace

import pytest
from rich.console import Console

from lab.ability import Ability
from lab.matrix import Matrix
from lab.model import CheckResult, Outcome
from lab.reports import terminal
from tests import made, orderings


def shown(matrix: Matrix, *, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    terminal.show(matrix, console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_the_chain_of_a_red_cell_is_shown_from_symptom_to_cause() -> None:
    text = shown(made.matrix(made.result(made.RED)))
    assert (
        text.index("1. the VIP is on no interface")
        < text.index("2. kube-vip is forbidden its lease")
        < text.index("cp1/kube-vip-log: leases")
    )
    assert "what to do: use super-admin.conf" in text
    assert "slow-host: not so on cp1: it is fast" in text


@pytest.mark.parametrize("width", [60, 80])
def test_with_few_columns_the_reason_stands_below_what_it_is_of(width: int) -> None:
    other = replace(made.result(), kube_version="v1.28.6")
    text = shown(made.matrix(made.result(made.RED), other), width=width)
    rows = [line[1:-1].split("│") for line in text.splitlines() if line.startswith("│")]
    (at,) = [number for number, row in enumerate(rows) if row[0].strip() == "FAIL"]
    words = " ".join(row[-1].strip() for row in rows[at : at + 5])
    assert words.startswith("replica of v2.25.0, v1.29.5, kube-vip")
    assert "kube-vip-admin-conf-forbidden: kubeadm init does not finish" in words
    assert all(len(row[-1]) > width / 2 for row in rows[at : at + 3])
    assert "older than the question" in shown(made.matrix(other), width=width)


def test_a_green_cell_is_a_row_and_no_explanation() -> None:
    text = shown(made.matrix(made.result(made.GREEN)))
    assert text.count("PASS") == text.count("all 2 check results are green") == 1
    assert "from symptom to cause" not in text


def test_a_red_cell_says_which_checks_failed_and_which_threads_are_about_it() -> None:
    failed = CheckResult(check="etcd", node="cp1", outcome=Outcome.FAIL, said="context deadline exceeded")
    text = shown(made.matrix(replace(made.result(made.RED), checks=(failed,))))
    assert "FAIL etcd on cp1: context deadline exceeded" in text
    assert "upstream: kubespray#11338" in text
    assert "checks that are not green" not in shown(made.matrix(made.result(made.RED)))


def test_a_cell_without_a_cause_says_where_to_look() -> None:
    assert "cells/a/evidence/cp1/kubelet-journal.txt" in shown(made.matrix(made.result(made.LOST)))


def test_text_that_looks_like_markup_is_shown_as_it_is() -> None:
    text = shown(made.matrix(made.result(made.LOST, known=("[bold]kubespray#1",))))
    assert "[bold]kubespray#1" in text


def test_the_verdict_on_the_ports_is_told_once_for_all() -> None:
    assert '"kube-vip occupies ports 6443, 10259 and 10257": refuted' in shown(made.matrix(made.result(made.RED)))


def test_departures_are_grouped_by_their_reason() -> None:
    assert "kube-vip version v0.9.2: no v0.8 version could be had" in shown(made.matrix(made.result(), made.result()))


def test_abilities_say_what_is_missing_and_what_one_can_do_without() -> None:
    rows = (
        Ability(name="root", ok=True, seen="root"),
        Ability(name="disk", ok=False, seen="1 GiB", fix="make room"),
        Ability(name="vagrant", ok=False, seen="no program", fix="install it", needed=False),
    )
    console = Console(file=io.StringIO(), width=120)
    console.print(terminal.abilities(rows))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    marks = [line.split("│")[1].strip() for line in text.splitlines() if line.startswith("│")]
    assert marks == ["ok", "missing", "without"]


def test_what_was_measured_and_the_memory_of_nodes_are_told() -> None:
    measured = CheckResult(
        check="failover", node="client", outcome=Outcome.PASS, said="back", measured=(("without API s", 6.25), ("holders at once", 1.0))
    )
    text = shown(made.matrix(replace(made.result(), checks=(measured,), memory_mib={"cp1": 590.2, "client": 12.0})))
    assert "failover, without API s: 6.25" in text
    assert "cp1 590 MiB, client 12 MiB; together 602 MiB" in text
    slower = replace(measured, measured=(("without API s", 8.25), ("holders at once", 1.0)))
    both = shown(made.matrix(replace(made.result(), checks=(measured, slower))))
    assert "without API s: 6.25 to 8.25, median 7.25, 2 times" in both
    without = shown(made.matrix(made.result()))
    assert "measured" not in without
    assert "emory" not in without


def test_a_column_in_which_all_cells_agree_stands_in_the_title_instead() -> None:
    header, one = shown(replace(made.matrix(made.result()), left_out=())).splitlines()[1:3], made.result()
    assert "Kubernetes" not in " ".join(header)
    text = shown(made.matrix(one, replace(one, kube_version="v1.28.6", topology="3cp", network="none")))
    assert all(name in text for name in ("Kubernetes", "topology", "network", "v1.28.6", "3cp"))
    assert "all: replica of v2.25.0, Kubernetes v1.29.5" in shown(replace(made.matrix(one), left_out=()))


def test_predictions_shared_verdicts_and_the_host_stand_below_the_reason() -> None:
    text = " ".join(shown(orderings.matrix()).split())
    assert "predicted two-controllers-for-one-service: seen" in text
    assert "as replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip..metallb:vip:containers" in text
    assert "host: steal 31 % for 20 s" in text


def test_a_cause_that_many_cells_have_is_explained_once() -> None:
    text = shown(orderings.matrix())
    assert text.count("from symptom to cause (kube-vip-admin-conf-forbidden") == 1
    assert "the same cause, kube-vip-admin-conf-forbidden, in 10 more" in text
    assert text.count("UNKNOWN  replica-v") == 2  # nobody knows whether what two unexplained cells have is the same


def test_52_cells_are_told_on_a_few_screens() -> None:
    whole = orderings.matrix()
    assert "1 ERROR, 12 FAIL, 2 UNKNOWN, 36 PASS, 1 SKIP" in " ".join(shown(whole).split())
    assert len(shown(whole).splitlines()) < 4 * len(whole.cells)
    assert "and 45 more cells, which matrix.md has" in shown(whole)


def test_where_the_installer_failed_and_what_took_it_longest_are_told() -> None:
    text = shown(made.matrix(replace(made.result(made.RED), stages=(made.REFUSED,))))
    assert "roles/kubernetes-apps/metallb/tasks/main.yml:2 of kubespray v2.25.0" in text
    assert "MetalLB require kube_proxy_strict_arp = true" in text
    assert "first: it said something else at first" in text
    assert "replica of v2.25.0: etcd : Start 12 s, kubeadm : Init 9 s" in text
    assert "the installer" not in shown(made.matrix(made.result(made.RED)))


def test_what_went_wrong_beside_the_cells_is_told_last() -> None:
    text = shown(replace(made.matrix(made.result()), troubles=("nodes were not taken down:\n[bold]no container[/bold]",)))
    assert text.rstrip().endswith("nodes were not taken down: [bold]no container[/bold]")
    assert "ends with 3" in text
