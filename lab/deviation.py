"""data/deviations.yaml: what departs from kubespray's releases on nodes of the lab, each variable with its reason."""

from functools import cache
from pathlib import Path
from typing import Literal

from lab.datafile import Schema, read

FILE = Path(__file__).parent / "data" / "deviations.yaml"


class ChangeSchema(Schema):
    """What the release has and what the lab uses instead."""

    released: object
    used: object


class GroupSchema(Schema):
    """Variables that depart for one reason. `source`: any: of playbooks; kind: what is otherwise with it; `beds`: whose nodes have it, all
    where none is named."""

    why: str
    when: Literal["always", "plain-network", "without-network", "cilium", "workers-by-node", "named-preflight"]
    source: Literal["any", "kubespray", "kind"]
    artifacts: Literal["any", "built", "upstream"] = "any"
    variables: dict[str, ChangeSchema]
    beds: list[str] = []


class ComponentSchema(Schema):
    """A component that may be there in another version, and the variable that says which."""

    variable: str
    why: str


class NeedSchema(Schema):
    """What a field of NodeNeeds asks for, and the variable that carries it. `addon`: the one that has the need, empty when every node
    has it; `besides`: what else has to change then."""

    what: str
    variable: str
    released: object
    why: str
    addon: str = ""
    besides: dict[str, ChangeSchema] = {}


class DeviationsSchema(Schema):
    """data/deviations.yaml."""

    groups: list[GroupSchema]
    components: dict[str, ComponentSchema]
    needs: dict[Literal["cgroup_driver", "feature_gates", "nofile", "nproc", "restrict_oom", "cgroup2", "emulated"], NeedSchema]


@cache
def known() -> DeviationsSchema:
    """All of the file. Raises ScenarioError when it is wrong."""
    return read(FILE, DeviationsSchema)
