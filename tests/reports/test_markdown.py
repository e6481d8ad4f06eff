from dataclasses import replace
from pathlib import Path

from lab.model import CheckResult, Outcome
from lab.reports import markdown
from tests import made


def test_the_table_has_a_row_per_cell_and_per_left_out_cell() -> None:
    text = markdown.text(made.matrix(made.result(made.RED), made.result(made.GREEN)))
    rows = [line for line in text.splitlines() if line.startswith("| replica")]
    assert [row.count("|") for row in rows] == [9, 9, 9]
    assert "❌ FAIL" in rows[0]
    assert "✅ PASS" in rows[1]
    assert "older than the question" in rows[2]


def test_a_red_cell_has_its_chain_with_the_line_that_proves_each_link() -> None:
    text = markdown.text(made.matrix(made.result(made.RED)))
    first, second = text.index("1. the VIP is on no interface"), text.index("2. kube-vip is forbidden its lease")
    assert first < second < text.index(made.LEASE)
    assert "What to do: use super-admin.conf" in text
    assert "`slow-host`: not so on cp1: it is fast `load 0.1`" in text
    assert "would have ended with rc=124 after 4 x 300 s" in text


def test_a_green_cell_is_a_row_and_no_section() -> None:
    text = markdown.text(made.matrix(made.result(made.GREEN)))
    assert "## PASS" not in text
    assert text.count("all 2 check results are green") == 1


def test_a_red_cell_says_which_checks_failed_and_which_threads_are_about_it() -> None:
    failed = CheckResult(check="etcd", node="cp1", outcome=Outcome.FAIL, said="context deadline\nexceeded")
    text = markdown.text(made.matrix(replace(made.result(made.RED), checks=(failed,))))
    assert "- FAIL etcd on cp1: context deadline exceeded" in text
    assert "Upstream: kubespray#11338" in text
    assert "Checks that are not green" not in markdown.text(made.matrix(made.result(made.RED)))


def test_what_a_cell_says_does_not_break_the_table_or_its_code() -> None:
    said = replace(made.LOST, summary="a | b\n`c` d")
    text = markdown.text(made.matrix(made.result(said)))
    (row,) = [line for line in text.splitlines() if line.startswith("| replica of")]
    assert row.endswith("| cause unknown: a \\| b 'c' d |")


def test_a_cell_without_a_cause_says_where_to_look() -> None:
    assert "Where to look: `cells/a/evidence/cp1/kubelet-journal.txt`" in markdown.text(made.matrix(made.result(made.LOST)))


def test_departures_and_limits_stand_in_every_report(tmp_path: Path) -> None:
    text = markdown.write(made.matrix(made.result(made.GREEN)), tmp_path).read_text()
    assert "| kube-vip version | v0.8.0 | v0.9.2 | no v0.8 version could be had |" in text
    assert "- All nodes share the host's kernel." in text


def test_what_was_measured_and_the_memory_of_nodes_are_told() -> None:
    measured = CheckResult(
        check="failover", node="client", outcome=Outcome.PASS, said="back", measured=(("without API s", 6.25), ("holders at once", 1.0))
    )
    text = markdown.text(made.matrix(replace(made.result(), checks=(measured,), memory_mib={"cp1": 590.2, "client": 12.0})))
    assert "without API s: 6.25, holders at once: 1" in text
    assert "cp1 590 MiB, client 12 MiB; together 602 MiB" in text
    without = markdown.text(made.matrix(made.result()))
    assert "measured" not in without
    assert "emory" not in without
