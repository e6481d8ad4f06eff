"""What nodes of a bed cannot show, as data: data/fidelity/<bed>.yaml; and which checks mean less for it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from lab.datafile import Schema, read
from lab.host import HostFacts
from lab.model import CheckResult

FOLDER = Path(__file__).parent / "data" / "fidelity"
OfHost = Literal["any", "no IPVS", "no dummy interfaces", "no netem", "cgroup v1", "no CAP_SYS_RESOURCE", "Docker"]
OfBed = Literal["emulated", "box of the lab"]  # what a bed alone can tell


class LimitSchema(Schema):
    """One limit of a bed."""

    topic: str
    says: str
    when: OfHost | OfBed = "any"
    checks: list[str] = []


class FidelitySchema(Schema):
    """data/fidelity/<bed>.yaml. `like`: the limits of that bed hold too."""

    limits: list[LimitSchema]
    like: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Something that nodes of a bed cannot show on a host. `topic`: what it is about; `says`: a whole sentence; `checks`: that mean
    less for it."""

    topic: str
    says: str
    checks: tuple[str, ...] = ()


@cache
def declared(bed: str, *, folder: Path = FOLDER) -> tuple[LimitSchema, ...]:
    """All that is declared of `bed`, on whatever host. Raises ScenarioError where it has no file."""
    schema = read(folder / f"{bed}.yaml", FidelitySchema)
    return (*(declared(schema.like, folder=folder) if schema.like else ()), *schema.limits)


def limits(bed: str, seen: HostFacts, *, engine: str = "", told: Collection[str] = ()) -> tuple[Limit, ...]:
    """What nodes of `bed` cannot show on a host with the facts `seen`. engine: whose nodes they are, where that is known; told: what the
    bed alone knows of them."""
    values = {"kernel": seen.kernel, "cgroup": seen.cgroup, "nofile": str(seen.nofile_hard)}
    return tuple(
        Limit(topic=one.topic, says=one.says.format(**values), checks=tuple(one.checks))
        for one in declared(bed)
        if one.when in told or _holds(one.when, seen, engine)
    )


def sentences(bed: str, seen: HostFacts, *, engine: str = "", told: Collection[str] = ()) -> tuple[str, ...]:
    """The limits as sentences, for reports."""
    return tuple(one.says for one in limits(bed, seen, engine=engine, told=told))


def less(found: tuple[Limit, ...]) -> Mapping[str, str]:
    """Check -> why it means less."""
    told: dict[str, str] = {}
    for name, says in _pairs(found):
        told[name] = f"{told[name]} {says}" if name in told else says
    return told


def noted(result: CheckResult, because: Mapping[str, str]) -> CheckResult:
    """`result`, which says so where it means less. because: as `less` gives it."""
    why = because.get(result.check, "")
    return replace(result, said=f"{result.said} (means less on this bed: {why})") if why else result


def _pairs(found: tuple[Limit, ...]) -> Iterator[tuple[str, str]]:
    for one in found:
        for name in one.checks:
            yield name, one.says


def _holds(when: OfHost | OfBed, seen: HostFacts, engine: str) -> bool:
    holds: Mapping[OfHost | OfBed, bool] = {
        "any": True,
        "no IPVS": not seen.has_kernel("IP_VS", module="ip_vs"),
        "no dummy interfaces": not seen.has_kernel("DUMMY", module="dummy"),
        "no netem": not seen.has_kernel("NET_SCH_NETEM", module="sch_netem"),
        "cgroup v1": seen.cgroup != "v2",
        "no CAP_SYS_RESOURCE": not seen.sys_resource,
        "Docker": engine == "docker",
    }
    return holds.get(when, False)
