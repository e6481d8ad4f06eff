"""What samples of a virtual IP say: for how long a client had no API through it, and how many nodes held it at once. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

ALIKE_S = 0.15  # samples of two nodes closer than this are of the same moment; they come every 0.1 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One moment: `yes` the API answered, or the node had the address; `macs`: those that answered ARP since the sample before."""

    at_s: float
    yes: bool
    macs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """`without_s`: seconds without the API, all gaps together; `back_s`: seconds until it answered for good, 0 where it never
    stopped, None where it had not by the end; `gaps`: how many times it stopped; `holders`: most nodes with the address at one
    moment; `macs`: most MACs that answered ARP for it between two samples; `samples`: of the client; `unseen_s`: the longest time in
    which it took none, which nobody knows anything of."""

    without_s: float
    back_s: float | None
    gaps: int
    holders: int
    macs: int
    samples: int
    unseen_s: float


def read(text: str) -> tuple[Sample, ...]:
    """The lines of data/sampler.py in the order of their time; a line that was cut off is left out."""
    found = []
    for line in text.splitlines():
        try:
            at_s, yes, macs = json.loads(line)
        except ValueError:
            continue
        found.append(Sample(at_s=float(at_s), yes=bool(yes), macs=tuple(macs)))
    return tuple(sorted(found, key=lambda sample: sample.at_s))


def measure(client: tuple[Sample, ...], nodes: Mapping[str, tuple[Sample, ...]], *, from_s: float, to_s: float) -> Outage:
    """What happened from `from_s` to `to_s` (Unix time of the samples). nodes: control plane -> whether it had the address."""
    seen = tuple(sample for sample in client if from_s <= sample.at_s <= to_s)
    gaps = tuple(_gaps(seen, to_s))
    lost = bool(seen) and not seen[-1].yes
    return Outage(
        without_s=sum(end_s - begin_s for begin_s, end_s in gaps),
        back_s=None if lost or not seen else (gaps[-1][1] - from_s if gaps else 0.0),
        gaps=len(gaps),
        holders=_most_holders(nodes, from_s, to_s),
        macs=max((len(sample.macs) for sample in seen), default=0),
        samples=len(seen),
        unseen_s=max(later_s - at_s for at_s, later_s in pairwise((from_s, *(sample.at_s for sample in seen), to_s))),
    )


def _gaps(seen: tuple[Sample, ...], to_s: float) -> Iterable[tuple[float, float]]:
    """Begin and end of each time without an answer: from the first sample without to the next one with it."""
    began_s = None
    for sample in seen:
        if not sample.yes and began_s is None:
            began_s = sample.at_s
        elif sample.yes and began_s is not None:
            yield began_s, sample.at_s
            began_s = None
    if began_s is not None:
        yield began_s, to_s


def _most_holders(nodes: Mapping[str, tuple[Sample, ...]], from_s: float, to_s: float) -> int:
    holding = sorted(
        (sample.at_s, name) for name, samples in nodes.items() for sample in samples if sample.yes and from_s <= sample.at_s <= to_s
    )
    most, last_s = 0, dict[str, float]()
    for at_s, name in holding:
        last_s[name] = at_s
        most = max(most, sum(at_s - other_s <= ALIKE_S for other_s in last_s.values()))
    return most
