"""Ansible's stream as lines for the lab: one line of base64 JSON per fact, marked, on the standard output.

Runs inside the ansible-playbook of any release (ansible-core 2.15 to 2.19), so it imports nothing of the lab.
"""
# ruff: noqa: INP001, SLF001, FBT001, FBT002 - names, private attributes and signatures are those of Ansible's plugin interface

import base64
import json
import time
from typing import Any

from ansible.plugins.callback import CallbackBase  # type: ignore[import-untyped]

DOCUMENTATION = """
name: lab_events
type: aggregate
short_description: one marked line per task event
description: Written for the lab's installer, which takes these lines out of the output again.
"""
MARK = "@lab-event@"
SAID_CHARACTERS = 6000  # of one result; kubeadm's own last words are at the end
SAID = ("msg", "response", "url", "stdout", "stderr", "module_stdout", "module_stderr", "censored")  # what of a result people can read
NOT_WELL = ("failed", "unreachable", "retry")


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "lab_events"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._tell("start", task.get_name().strip(), host.get_name(), {})

    def v2_runner_on_ok(self, result: Any) -> None:
        self._result("changed" if result._result.get("changed") else "ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._result("ok" if ignore_errors else "failed", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._result("skipped", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._result("unreachable", result)

    def v2_runner_retry(self, result: Any) -> None:
        self._result("retry", result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._tell("stats", "", "", {"msg": json.dumps({host: stats.summarize(host) for host in sorted(stats.processed)})})

    def _result(self, kind: str, result: Any) -> None:
        path = result._task.get_path() or "" if kind in NOT_WELL else ""
        self._tell(kind, result._task.get_name().strip(), result._host.get_name(), result._result, path=path)

    def _tell(self, kind: str, task: str, node: str, result: dict[str, Any], *, path: str = "") -> None:
        said = "\n".join(str(one[key]).strip() for one in _parts(result) for key in SAID if one.get(key))
        event = {"at_s": time.time(), "kind": kind, "task": task, "node": node, "said": said[-SAID_CHARACTERS:], "rc": _rc(result)}
        event["path"] = path
        self._display.display(MARK + base64.b64encode(json.dumps(event, default=str).encode()).decode())


def _parts(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The result and, of a loop, those of its items that failed: the loop itself only says that some did."""
    items = [one for one in result.get("results") or () if isinstance(one, dict)]
    return [result, *(one for one in items if one.get("failed") or one.get("unreachable"))]


def _rc(result: dict[str, Any]) -> Any:
    return next((one["rc"] for one in reversed(_parts(result)) if isinstance(one.get("rc"), int)), None)
