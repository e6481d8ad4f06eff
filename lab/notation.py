"""The notations people write: `replica@v2.25.0`, `3cp+2w`, `cilium > kube-vip+metallb`; parsed, and generated. Pure."""

import re
from itertools import combinations

from lab.model import ADDONS, Ref, Topology

Ordering = tuple[tuple[str, ...], ...]

# A part of git's own grammar: no name can be taken for an option, leave a folder or, with + for /, be another ref's in a cell's id.
_REF = re.compile(r"(?=.{1,64}$)[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*")
_RELEASE = re.compile(r"v\d+(\.\d+)+")
_ACT = re.compile(r"reset|upgrade\((?P<version>v\d{1,3}\.\d{1,3}\.\d{1,3})\)")  # a stage that turns nothing on
_TOPOLOGY = re.compile(r"(?P<cp>[1-9]\d*)cp(\+(?P<w>[1-9]\d*)w)?")


def parse_topology(text: str) -> Topology:
    """`3cp+2w` -> Topology; ValueError says what is allowed."""
    if not (match := _TOPOLOGY.fullmatch(text)):
        raise ValueError(f"topology {text!r} is not like 1cp, 3cp or 3cp+2w")
    return Topology(control_planes=int(match["cp"]), workers=int(match["w"] or 0))


def parse_ref(text: str) -> Ref:
    """`replica@v2.25.0`, `kubespray@pr/11422` -> Ref, of which only the text is known; ValueError says what is allowed."""
    source, at, name = text.partition("@")
    if source not in ("replica", "kubespray") or not at or not _REF.fullmatch(name) or (source == "replica" and "/" in name):
        allowed = "replica@v2.25.0, kubespray@v2.25.1, kubespray@<branch or commit>, kubespray@pr/11422 or kubespray@worktree"
        raise ValueError(f"ref {text!r} is not like {allowed}")
    return Ref(source="replica" if source == "replica" else "kubespray", name=name, release=name if _RELEASE.fullmatch(name) else "")


def parse_ordering(text: str) -> Ordering:
    """`cilium > kube-vip+metallb`, `kube-vip > upgrade(v1.29.5)`, `kube-vip > reset > kube-vip` -> stages; ValueError names every part that
    is wrong."""
    stages = tuple(tuple(part.strip() for part in stage.split("+")) for stage in text.split(">"))
    stages = tuple(() if stage == ("base",) else stage for stage in stages)
    acts = [index for index, stage in enumerate(stages) if act_of(stage)]
    wrong = [f"unknown addon {name!r}" for stage in stages if not act_of(stage) for name in stage if name not in ADDONS]
    wrong += [f"addon {name!r} stands twice" for name in _twice(stages)]
    first = {index for index in range(len(stages)) if not earlier(stages, index)}
    wrong += ["base can only be the first stage"] if any(not stage and index not in first for index, stage in enumerate(stages)) else []
    wrong += [f"{stages[index][0]} needs a stage before it that installs something" for index in acts if index in first]
    if wrong:
        known = f"addons are {', '.join(ADDONS)}, joined by + and >; reset and upgrade(v1.29.5) are stages of their own"
        raise ValueError(f"ordering {text!r}: {', '.join(wrong)}; {known}")
    return tuple(tuple(sorted(stage, key=ADDONS.index)) if not act_of(stage) else stage for stage in stages)


def act_of(stage: tuple[str, ...]) -> str:
    """What `stage` does that turns nothing on: `reset` or `upgrade`; empty for any other."""
    return stage[0].partition("(")[0] if len(stage) == 1 and _ACT.fullmatch(stage[0]) else ""


def earlier(stages: Ordering, index: int) -> Ordering:
    """The stages before `index` whose cluster is still there; none where that stage begins from nothing, at first or after a reset."""
    before = stages[:index]
    resets = [at for at, stage in enumerate(before) if act_of(stage) == "reset"]
    return before[resets[-1] + 1 :] if resets else before


def resets(stages: Ordering) -> bool:
    """Whether any of `stages` takes a cluster away."""
    return any(act_of(stage) == "reset" for stage in stages)


def version_of(stage: tuple[str, ...]) -> str:
    """The Kubernetes that `stage` upgrades to; empty when it upgrades none."""
    match = _ACT.fullmatch(stage[0]) if len(stage) == 1 else None
    return match["version"] or "" if match else ""


def upgrades(stages: Ordering) -> tuple[str, ...]:
    """The versions of Kubernetes that `stages` upgrade to, in their order."""
    return tuple(found for stage in stages if (found := version_of(stage)))


def _twice(stages: Ordering) -> list[str]:
    """Addons that are turned on where they are on; what was reset may be installed again."""
    on: list[str] = []
    twice: set[str] = set()
    for stage in stages:
        if act_of(stage):
            on = [] if act_of(stage) == "reset" else on
            continue
        twice |= {name for name in stage if name in on or stage.count(name) > 1}
        on += stage
    return sorted(twice)


def every_ordering() -> tuple[Ordering, ...]:
    """The empty one and every ordered partition of every subset of the addons, 1 + 3 + 9 + 13; fewer addons first, then fewer stages."""
    found = [((),), *(made for size in range(1, len(ADDONS) + 1) for addons in combinations(ADDONS, size) for made in _partitions(addons))]
    return tuple(sorted(found, key=lambda made: (sum(map(len, made)), len(made))))


def _partitions(addons: tuple[str, ...]) -> list[Ordering]:
    """All ways to turn `addons` on in stages, each at least one."""
    if not addons:
        return [()]
    firsts = (first for size in range(1, len(addons) + 1) for first in combinations(addons, size))
    return [(first, *rest) for first in firsts for rest in _partitions(tuple(name for name in addons if name not in first))]
