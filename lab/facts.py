"""What was read from nodes, as values: a fact is the output of one probe, evidence all of one moment."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Raw output of one probe on one node, secrets masked. `at_s`: Unix time on the lab's clock."""

    probe: str
    node: str
    text: str = field(repr=False)
    at_s: float
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All facts taken together at one moment; needs no API server."""

    facts: tuple[Fact, ...] = ()

    def of(self, probe: str) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts if fact.probe == probe)
