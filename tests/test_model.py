from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lab.model import Cell, Outcome, Topology, worst
from lab.notation import parse_ordering, parse_ref
from tests.test_notation import orderings

CELL = Cell(
    ref=parse_ref("replica@v2.25.0"), kube_version="v1.29.5", topology=Topology(control_planes=1), ordering=(("kube-vip",),), endpoint="vip"
)


@given(orderings(), orderings())
def test_two_orderings_have_two_ids(one: tuple[tuple[str, ...], ...], other: tuple[tuple[str, ...], ...]) -> None:
    assert (replace(CELL, ordering=one).id == replace(CELL, ordering=other).id) == (one == other)


TOPOLOGIES = st.builds(Topology, control_planes=st.integers(1, 9), workers=st.integers(0, 99))
RELEASES = st.from_regex(r"v[0-9]{1,2}\.[0-9]{1,2}(\.[0-9]{1,2})?", fullmatch=True)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,9}(/[a-z0-9-]{1,9})?|pr/[1-9][0-9]{0,4}", fullmatch=True)
REFS = st.builds("{}@{}".format, st.sampled_from(["replica", "kubespray"]), RELEASES) | st.builds("kubespray@{}".format, NAMES)
CELLS = st.builds(
    Cell,
    ref=REFS.map(parse_ref),
    kube_version=st.sampled_from(["v1.28.6", "v1.29.5"]),
    topology=TOPOLOGIES,
    ordering=orderings(),
    endpoint=st.sampled_from(["vip", "node"]),
    network=st.sampled_from(["plain", "none"]),
    mitigations=st.sampled_from([(), ("short-init",)]),
)


@given(CELLS, CELLS)
def test_two_cells_have_two_ids(one: Cell, other: Cell) -> None:
    assert (one.id == other.id) == (one == other)


def test_the_id_is_fit_for_pytests_k_and_for_folders() -> None:
    cell = replace(CELL, ordering=parse_ordering("cilium > kube-vip+metallb"), mitigations=("short-init",))
    assert cell.id == "replica-v2.25.0:k8s-v1.29.5:1cp:cilium..kube-vip+metallb:vip:containers:with-short-init"
    assert not set(cell.id) & set("> @/ ")
    assert replace(CELL, ref=parse_ref("kubespray@pr/11422")).id == "kubespray-pr+11422:k8s-v1.29.5:1cp:kube-vip:vip:containers"


def test_the_replica_is_not_passed_off_as_kubespray() -> None:
    assert parse_ref("replica@v2.25.0").label == "replica of v2.25.0"
    assert parse_ref("kubespray@v2.25.0").label == "kubespray v2.25.0"


def test_a_whole_is_as_bad_as_its_worst_part_and_nothing_is_unknown() -> None:
    assert worst([Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN]) is Outcome.FAIL
    assert worst([Outcome.SKIP, Outcome.PASS]) is Outcome.PASS
    assert worst([]) is Outcome.UNKNOWN
