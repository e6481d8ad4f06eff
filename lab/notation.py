"""The notations people write: `replica@v2.25.0`, `3cp+2w`, `cilium > kube-vip+metallb`; parsed, and generated. Pure."""

import re
from itertools import combinations

from lab.model import ADDONS, Ref, Topology

Ordering = tuple[tuple[str, ...], ...]

# A part of git's own grammar: no name can be taken for an option, leave a folder or, with + for /, be another ref's in a cell's id.
_REF = re.compile(r"(?=.{1,64}$)[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*")
_RELEASE = re.compile(r"v\d+(\.\d+)+")
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
    """`cilium > kube-vip+metallb` -> stages; ValueError names every part that is wrong."""
    stages = tuple(tuple(part.strip() for part in stage.split("+")) for stage in text.split(">"))
    stages = tuple(() if stage == ("base",) else stage for stage in stages)
    names = [name for stage in stages for name in stage]
    wrong = [f"unknown addon {name!r}" for name in names if name not in ADDONS]
    wrong += [f"addon {name!r} stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
    wrong += ["base can only be the first stage"] if any(not stage for stage in stages[1:]) else []
    if wrong:
        raise ValueError(f"ordering {text!r}: {', '.join(wrong)}; addons are {', '.join(ADDONS)}, joined by + and >")
    return tuple(tuple(sorted(stage, key=ADDONS.index)) for stage in stages)


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
