from dataclasses import replace
from pathlib import Path

from lab.matrix import Matrix
from lab.model import CheckResult, Outcome
from lab.reports import markdown
from tests import made, orderings


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


def large(times: int) -> Matrix:
    whole = orderings.matrix()
    more = (replace(one, id=f"{one.id}:with-{number}", mitigations=(str(number),)) for number in range(times) for one in whole.cells)
    return replace(whole, cells=(*whole.cells, *more))


def test_a_matrix_begins_with_a_grid_of_symbols_and_folds_the_rest_away() -> None:
    text = markdown.text(orderings.matrix())
    grid = text[text.index("| ordering | replica of v2.25.0 | replica of v2.25.1 |") : text.index("<details>")].splitlines()
    assert len([line for line in grid if line.startswith("|")]) == 2 + 26
    assert "| kube-vip+metallb | ❌<sup>u</sup> | ❌<sup>p</sup> |" in grid
    assert "| cilium > metallb > kube-vip | 💥 | ⏭ |" in grid
    assert "<sup>p</sup> predicted, and seen; <sup>n</sup> predicted, and not seen" in text
    assert text.count("<details") == text.count("</details>")


def test_one_cell_needs_no_grid_and_is_not_folded_away() -> None:
    text = markdown.text(replace(made.matrix(made.result(made.RED)), left_out=()))
    assert "| ordering | replica" not in text
    assert "<details open><summary>❌ FAIL" in text


def test_predictions_shared_verdicts_and_the_host_stand_beside_the_reason() -> None:
    text = markdown.text(orderings.matrix())
    assert "two controllers quarrel over one Service; predicted two-controllers-for-one-service: seen |" in text
    assert "; as replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip..metallb:vip:containers |" in text
    assert "; host: steal 31 % for 20 s; run queue 9 on 2 cores |" in text
    assert "- `two-controllers-for-one-service`, seen: kube-vip and MetalLB both serve Services" in text


def test_markup_in_evidence_is_text() -> None:
    text = markdown.text(made.matrix(made.result(replace(made.LOST, summary="<img src=x> </details>"))))
    assert "<img" not in text
    assert "&lt;/details>" in text


def test_a_red_cell_that_was_judged_elsewhere_has_no_details_of_its_own() -> None:
    own = made.result(made.RED, name="own")
    text = markdown.text(made.matrix(own, replace(made.result(made.RED, name="shared"), judged_in="own")))
    assert text.count("1. the VIP is on no interface") == 1
    assert "; as own |" in text


def test_52_cells_fit_into_a_comment_whole() -> None:
    text = markdown.text(orderings.matrix())
    assert len(text.encode()) <= markdown.LIMIT_BYTES
    assert "cut:" not in text


def test_what_is_too_long_is_cut_said_and_still_closed() -> None:
    text = markdown.text(large(times=19))
    assert len(text.encode()) <= markdown.LIMIT_BYTES
    said = text.splitlines()[-1]
    assert said.startswith("A comment holds no more than 65536 characters; cut: ")
    assert "rows" in said
    assert "details of red cells" in said
    assert text.count("<details") == text.count("</details>")
    assert "| kube-vip+metallb |" in text


def test_details_of_each_cause_are_the_last_to_be_cut() -> None:
    text = markdown.text(large(times=19))
    for cause in ("kube-vip-admin-conf-forbidden, F-01", "two-controllers-for-one-service`, F-31", "a node went away"):
        assert cause.replace(", F-01", "") in text


def test_where_the_installer_failed_and_what_took_it_longest_are_told() -> None:
    text = markdown.text(made.matrix(replace(made.result(made.RED), stages=(made.REFUSED,))))
    where = "The installer failed in stage 'metallb': task 'kubernetes-apps/metallb : Check cluster settings' on cp1, "
    assert f"{where}roles/kubernetes-apps/metallb/tasks/main.yml:2 of kubespray v2.25.0:" in text
    assert "- said: `MetalLB require kube_proxy_strict_arp = true`" in text
    assert "- first it said: `it said something else at first`" in text
    assert "| replica of v2.25.0 | etcd : Start | 12.3 s | metallb | `replica-" in text
    assert "took the installer longest" not in markdown.text(made.matrix(made.result(made.RED)))


def test_what_went_wrong_beside_the_cells_is_told_first() -> None:
    text = markdown.text(replace(made.matrix(made.result(made.RED)), troubles=("nodes were not taken down: <b>",)))
    assert text.index("- nodes were not taken down: &lt;b>") < text.index("| replica")
