"""The matrix as JUnit XML, for the CI systems that read it: a suite per cell, a case for its verdict and one per check."""

import xml.etree.ElementTree as ET
from pathlib import Path

from lab.matrix import CellResult, Matrix, failed_tasks, reason
from lab.model import CheckResult, Outcome

FILE = "junit.xml"
_TAG = {Outcome.FAIL: "failure", Outcome.UNKNOWN: "error", Outcome.ERROR: "error", Outcome.SKIP: "skipped"}
_NOT_XML = dict.fromkeys([*range(9), 11, 12, *range(14, 32)])  # control characters that XML 1.0 has no way to write


def write(matrix: Matrix, folder: Path) -> Path:
    """Write `folder`/junit.xml."""
    path = folder / FILE
    root = ET.Element("testsuites", name=", ".join(matrix.scenarios))
    for result in matrix.cells:
        root.append(_suite(result))
    for left_out in matrix.left_out:
        case = ET.SubElement(ET.SubElement(root, "testsuite", name=left_out.id, tests="1", skipped="1"), "testcase", name="verdict")
        ET.SubElement(case, "skipped", message=left_out.because)
    for said in matrix.troubles:
        case = ET.SubElement(ET.SubElement(root, "testsuite", name="beside the cells", tests="1", errors="1"), "testcase", name="the run")
        _tell(case, Outcome.ERROR, said, "")
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="unicode", xml_declaration=True)
    return path


def _suite(result: CellResult) -> ET.Element:
    outcomes = [result.verdict.outcome, *(check.outcome for check in result.checks)]
    counted = {
        f"{tag}s" if tag != "skipped" else tag: sum(_TAG.get(one) == tag for one in outcomes) for tag in ("failure", "error", "skipped")
    }
    suite = ET.Element("testsuite", name=result.id, tests=str(len(outcomes)), time=f"{result.duration_s:.3f}")
    suite.attrib |= {name: str(number) for name, number in counted.items()}
    properties = ET.SubElement(suite, "properties")
    for name, value in (("outcome", result.verdict.outcome.name), ("finding", result.verdict.cause), ("evidence", result.evidence)):
        ET.SubElement(properties, "property", name=name, value=value)
    case = ET.SubElement(suite, "testcase", classname=result.id, name="verdict", time=f"{result.verdict_after_s or 0:.3f}")
    _tell(case, result.verdict.outcome, reason(result), _chain(result))
    for check in result.checks:
        suite.append(_case(result.id, check))
    return suite


def _case(cell: str, check: CheckResult) -> ET.Element:
    case = ET.Element("testcase", classname=cell, name=f"{check.check} on {check.node}", time=f"{check.duration_s:.3f}")
    _tell(case, check.outcome, check.said, "")
    return case


def _tell(case: ET.Element, outcome: Outcome, why: str, text: str) -> None:
    if tag := _TAG.get(outcome):
        ET.SubElement(case, tag, message=why.translate(_NOT_XML)).text = text.translate(_NOT_XML)


def _chain(result: CellResult) -> str:
    links = [f"{link.says}\n    {link.node}/{link.probe}: {link.line}" for finding in result.verdict.findings for link in finding.chain]
    failed = [f"the installer failed in {task.where}\n    {task.said}" for task in failed_tasks(result)]
    return "\n".join([result.verdict.ended, *failed, *links])
