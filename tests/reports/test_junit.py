import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

from lab.model import Verdict
from lab.reports import junit
from tests import made


def written(tmp_path: Path, *verdicts: Verdict) -> ET.Element:
    return ET.parse(junit.write(made.matrix(*(made.result(verdict) for verdict in verdicts)), tmp_path)).getroot()


def test_a_cell_is_a_suite_with_a_case_for_the_verdict_and_one_per_check(tmp_path: Path) -> None:
    suite = written(tmp_path, made.GREEN).findall("testsuite")[0]
    assert [case.get("name") for case in suite.findall("testcase")] == ["verdict", "etcd on cp1", "node Ready on cp1"]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "0",
        "errors": "0",
        "skipped": "1",
    }


def test_outcomes_are_what_ci_systems_call_them(tmp_path: Path) -> None:
    suites = written(tmp_path, made.RED, made.LOST, made.BROKEN).findall("testsuite")
    tags = [[child.tag for child in suite.findall("testcase")[0]] for suite in suites]
    assert tags == [["failure"], ["error"], ["error"], ["skipped"]]


def test_a_failure_carries_its_chain(tmp_path: Path) -> None:
    failure = written(tmp_path, made.RED).find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message", "").startswith("kube-vip-admin-conf-forbidden: ")
    assert made.LEASE in (failure.text or "")


def test_characters_that_xml_cannot_have_are_left_out(tmp_path: Path) -> None:
    root = written(tmp_path, replace(made.RED, summary="colour \x1b[31mred\x00", ended="bell \x07"))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert "colour [31mred" in failure.get("message", "")


def test_a_failure_says_where_the_installer_failed(tmp_path: Path) -> None:
    result = replace(made.result(made.RED), stages=(made.REFUSED,))
    failure = ET.parse(junit.write(made.matrix(result), tmp_path)).getroot().find("testsuite/testcase/failure")
    assert failure is not None
    assert "roles/kubernetes-apps/metallb/tasks/main.yml:2 of kubespray v2.25.0\n    MetalLB require" in (failure.text or "")


def test_what_went_wrong_beside_the_cells_is_an_error(tmp_path: Path) -> None:
    path = junit.write(replace(made.matrix(made.result()), troubles=("nodes were not taken down",)), tmp_path)
    suite = ET.parse(path).getroot().findall("testsuite")[-1]
    assert (suite.get("errors"), [error.get("message") for error in suite.iter("error")]) == ("1", ["nodes were not taken down"])
