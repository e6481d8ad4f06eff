"""Check results, stage runs and findings -> the verdict with its chain. Pure.

A stage that was stopped early is judged like one that ran into its time-out: outcome, summary, findings and what was ruled out are
those of the evidence; only `ended` tells the difference.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from lab.datafile import load_yaml
from lab.listeners import CONTROLLER_MANAGER, SCHEDULER
from lab.model import API_PORT, Cell, CheckResult, Outcome, StageRun, Verdict
from lab.release import KubeadmInit, of_minor
from lab.signature import Matched

TIMEOUT_VARIABLE = "kubeadm_init_timeout"
PREFLIGHT_VARIABLE = "kubeadm_ignore_preflight_errors"
PODS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
# What an attempt leaves that the next one's checks complain of: manifests and kubelet, and processes of the control plane that came up.
ALWAYS_LEFT = frozenset(f"fileavailable--etc-kubernetes-manifests-{name}.yaml" for name in PODS) | {"port-10250"}
LEFT_LISTENING = frozenset(f"port-{port}" for port in (API_PORT, CONTROLLER_MANAGER, SCHEDULER))
RC_TIMEOUT = 124  # of timeout(1)
# What tasks and checks are about, as their names and those of probes have it.
SUBJECTS = ("etcd", "containerd", "kubelet", "kube-vip", "cilium", "metallb", "coredns", "kube-proxy", "apiserver", "cni", "swap", "hosts")
LOG = ".log"  # how the files end that the installer wrote
LOOK_FIRST = ("kube-vip-log", "kubelet-journal", "containers", "apiserver-log", "kubelet-state", "load")
LOOK_AT = 6  # more files than that nobody opens
_DURATION = re.compile(r"\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[smhd]?)\s*")
_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}  # as timeout(1) reads them


def would_end(init: KubeadmInit, cell: Cell) -> str:
    """How kubeadm init of `cell` would end if nothing happened any more: `rc=124 after 4 x 300 s`.

    timeout(1) ends an attempt with 124 unless kubeadm gave up before. Where kubeadm's own checks are not ignored, what the first
    attempt left refuses the others at once: its files and kubelet always, processes where some came to listen.
    """
    variables = dict(cell.variables)
    given = variables.get(TIMEOUT_VARIABLE, "").strip("'\" ")
    match = _DURATION.fullmatch(given)
    timeout_s = float(match["number"]) * _UNIT_S[match["unit"]] if match else float(init.timeout_s)
    own_s = init.own_wait_s if isinstance(init.own_wait_s, int) else of_minor(init.own_wait_s, cell.kube_version)
    seconds, rc = (float(own_s), 1) if own_s < timeout_s else (timeout_s, RC_TIMEOUT)
    waited, more = f"rc={rc} after {init.attempts} x {seconds:g} s", init.attempts - 1
    ignored = _ignored(init, variables)
    if more == 0 or "all" in ignored or ignored >= ALWAYS_LEFT | LEFT_LISTENING:
        return waited
    refused = f"rc=1 after {seconds:g} s (rc={rc}) and {more} more attempts, which kubeadm's own checks refuse at once"
    return f"{refused} where the first left a process that listens, else {waited}" if ignored >= ALWAYS_LEFT else refused


def _ignored(init: KubeadmInit, variables: Mapping[str, str]) -> frozenset[str]:
    """Which of kubeadm's own checks a further attempt ignores; kubeadm asks for no case."""
    named = load_yaml(variables.get(PREFLIGHT_VARIABLE, "[]"))
    told = named if isinstance(named, list) else []
    return frozenset(str(one).lower() for one in (*told, *init.retry_ignores, *(["all"] if init.preflight == "all" else [])))


def judge(
    checks: Sequence[CheckResult],
    runs: Sequence[StageRun],
    *,
    matched: Matched,
    files: Iterable[str],
    full: str,
    stopped_for: str = "",
    excused: str = "",
) -> Verdict:
    """The verdict on a cell.

    files: names of its evidence files and of the installer's logs, to point at when no signature matched; full: what `would_end` says of
    the cell; stopped_for: the signature that a stage was stopped for, which must then be among the findings; excused: what the host was
    short of where that may be all that broke the stage, as `excused` of checks: a red that nothing else explains is then no verdict on
    what was installed.
    """
    broke = [run for run in runs if run.rc != 0]
    borne_out = stopped_for in {finding.signature for finding in matched.findings}
    if broke and broke[0].stopped_after_s is not None and not borne_out:
        outcome, summary = Outcome.UNKNOWN, _not_borne_out(stopped_for, matched)
    elif broke:
        outcome, summary = Outcome.FAIL, f"{_symptom(broke[0])}: {_cause(matched)}"
    else:
        outcome, summary = _of_checks(checks, runs, matched)
    excused = excused if broke else _excused(checks)
    if outcome is Outcome.FAIL and excused and not matched.findings:
        outcome, summary = Outcome.UNKNOWN, f"{summary}; the host was {excused}, which may be all of it: run it again (--failed)"
    if outcome is Outcome.FAIL and matched.findings and matched.findings[0].blames == "infrastructure":
        outcome = Outcome.ERROR  # what was to be installed was never there to be judged
    cause_unknown = outcome in (Outcome.FAIL, Outcome.UNKNOWN) and not matched.findings
    return Verdict(
        outcome=outcome,
        summary=summary,
        ended="; ".join(_ended(run, full if borne_out else "") for run in (broke or runs)),
        findings=matched.findings,
        ruled_out=matched.ruled_out,
        look_at=_look_at(files, *_what_broke(checks, broke)) if cause_unknown else (),
    )


def _of_checks(checks: Sequence[CheckResult], runs: Sequence[StageRun], matched: Matched) -> tuple[Outcome, str]:
    """What `checks` say where every stage went well. A failure that nothing excuses is named before those that the host may have caused."""
    failed = [check for check in checks if check.outcome is Outcome.FAIL]
    passed = [check for check in checks if check.outcome is Outcome.PASS]
    if failed:
        plain = [check for check in failed if not check.excused]
        return Outcome.FAIL, f"{_names(plain or failed)} failed: {_cause(matched)}"
    if unsure := [check for check in checks if check.outcome not in (Outcome.PASS, Outcome.SKIP)]:
        return Outcome.UNKNOWN, f"{_names(unsure)} could not tell"
    if not runs or not passed:
        return Outcome.UNKNOWN, "no check was run" if runs else "no stage was run"
    if matched.findings:
        return Outcome.UNKNOWN, f"every check passed, yet this holds: {matched.findings[0].means}"
    return Outcome.PASS, f"every stage ended with rc=0 and all {len(passed)} check results are green"


def _excused(checks: Sequence[CheckResult]) -> str:
    """What the host was short of, where every failure may come of that; nothing where one does not."""
    excuses = [check.excused for check in checks if check.outcome is Outcome.FAIL]
    return excuses[0] if all(excuses) and excuses else ""


def _not_borne_out(stopped_for: str, matched: Matched) -> str:
    return f"the lab stopped kubeadm init for {stopped_for!r}, which does not hold in the evidence taken after it{_lacks(matched)}"


def _symptom(run: StageRun) -> str:
    in_init = run.stopped_after_s is not None or (run.attempts > 0 and run.init_rc not in (None, 0))
    if in_init:
        return f"stage {run.stage!r}: kubeadm init does not finish"
    if not run.failed_task:
        return f"stage {run.stage!r} failed outside of any task"
    return f"stage {run.stage!r} failed in task {run.failed_task!r}" + (f" ({run.failed_at})" if run.failed_at else "")


def _cause(matched: Matched) -> str:
    return matched.findings[0].means if matched.findings else "cause unknown, no signature matched" + _lacks(matched)


def _lacks(matched: Matched) -> str:
    return f" (could not be told: {'; '.join(matched.unclear)})" if matched.unclear else ""


def _ended(run: StageRun, full: str) -> str:
    if run.stopped_after_s is not None:
        return f"stopped after {run.stopped_after_s:.0f} s" + (f"; would have ended with {full}" if full else "")
    if run.rc != 0 and run.attempts:
        attempts = f"{run.attempts} attempt{'' if run.attempts == 1 else 's'} of kubeadm init, {run.init_s:.0f} s"
        return f"rc={run.rc} after {run.duration_s:.0f} s; {attempts}, the last one rc={run.init_rc}"
    return f"stage {run.stage!r} ended with rc={run.rc} after {run.duration_s:.0f} s"


def _what_broke(checks: Sequence[CheckResult], broke: Sequence[StageRun]) -> tuple[str, str]:
    """The names of what is red, in lower case, and the node on which it is."""
    red = [(run.failed_task, run.failed_node) for run in broke[:1]]
    red = red or [(one.check, one.node) for one in checks if one.outcome in (Outcome.FAIL, Outcome.UNKNOWN)]
    return " ".join(name for name, _ in red).lower().replace("_", "-"), red[0][1] if red else ""


def _look_at(files: Iterable[str], red: str, node: str) -> tuple[str, ...]:
    """What is about the names in `red` first, then the installer's logs, then what mostly tells; of each, first what is of `node`."""
    subjects = [subject for subject in SUBJECTS if subject in red]

    def place(file: PurePosixPath) -> tuple[int, bool, str]:
        usual = next((place for place, probe in enumerate(LOOK_FIRST) if probe in file.name), len(LOOK_FIRST))
        return usual, file.parent.name != node, str(file)

    found = sorted(map(PurePosixPath, files), key=place)
    logs = [file for file in found if file.suffix == LOG]
    about = [file for file in found if file not in logs and any(subject in file.name for subject in subjects)]
    others = [file for file in found if file not in logs and file not in about]
    first = about[: LOOK_AT - len(logs)]
    return tuple(str(file) for file in (*first, *logs, *others, *about[len(first) :]))[:LOOK_AT]


def _names(checks: Sequence[CheckResult]) -> str:
    told = ", ".join(f"{check.check} on {check.node}" for check in checks)
    return f"check{'s' if len(checks) > 1 else ''} {told}"
