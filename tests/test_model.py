from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.model import ADDONS, Cell, Outcome, Ref, Topology, parse_ordering, parse_ref, parse_topology, worst

CELL = Cell(
    ref=parse_ref("replica@v2.25.0"), kube_version="v1.29.5", topology=Topology(control_planes=1), ordering=(("kube-vip",),), endpoint="vip"
)


@st.composite
def orderings(draw: st.DrawFn) -> tuple[tuple[str, ...], ...]:
    """Ordered partitions of a subset of the addons, each stage in the order of ADDONS; `base` may come first."""
    left = draw(st.permutations(ADDONS))[: draw(st.integers(0, len(ADDONS)))]
    stages: list[tuple[str, ...]] = []
    while left:
        size = draw(st.integers(1, len(left)))
        stages.append(tuple(sorted(left[:size], key=ADDONS.index)))
        left = left[size:]
    return ((), *stages) if not stages or draw(st.booleans()) else tuple(stages)


@given(orderings())
def test_an_ordering_is_what_its_text_says(ordering: tuple[tuple[str, ...], ...]) -> None:
    assert parse_ordering(replace(CELL, ordering=ordering).ordering_text) == ordering


@given(orderings(), orderings())
def test_two_orderings_have_two_ids(one: tuple[tuple[str, ...], ...], other: tuple[tuple[str, ...], ...]) -> None:
    assert (replace(CELL, ordering=one).id == replace(CELL, ordering=other).id) == (one == other)


TOPOLOGIES = st.builds(Topology, control_planes=st.integers(1, 9), workers=st.integers(0, 99))
RELEASES = st.from_regex(r"v[0-9]{1,2}\.[0-9]{1,2}(\.[0-9]{1,2})?", fullmatch=True)
REFS = st.builds(Ref, source=st.sampled_from(["replica", "kubespray"]), release=RELEASES)
CELLS = st.builds(
    Cell,
    ref=REFS,
    kube_version=st.sampled_from(["v1.28.6", "v1.29.5"]),
    topology=TOPOLOGIES,
    ordering=orderings(),
    endpoint=st.sampled_from(["vip", "node"]),
    mitigations=st.sampled_from([(), ("short-init",)]),
)


@given(TOPOLOGIES, REFS)
def test_topologies_and_refs_are_what_their_text_says(topology: Topology, ref: Ref) -> None:
    assert parse_topology(str(topology)) == topology
    assert parse_ref(str(ref)) == ref


@given(CELLS, CELLS)
def test_two_cells_have_two_ids(one: Cell, other: Cell) -> None:
    assert (one.id == other.id) == (one == other)


@given(st.text())
def test_free_text_is_parsed_or_refused_with_a_reason(text: str) -> None:
    for parse in (parse_ordering, parse_ref, parse_topology):
        try:
            parse(text)
        except ValueError as error:
            assert repr(text) in str(error)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kube-vip+nope", "unknown addon 'nope'"),
        ("cilium > cilium", "addon 'cilium' stands twice"),
        ("cilium > base", "base can only be the first stage"),
    ],
)
def test_a_wrong_ordering_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_ordering(text)


@pytest.mark.parametrize(("text", "control_planes", "workers"), [("1cp", 1, 0), ("3cp", 3, 0), ("3cp+2w", 3, 2)])
def test_a_topology_is_what_its_text_says(text: str, control_planes: int, workers: int) -> None:
    assert parse_topology(text) == Topology(control_planes=control_planes, workers=workers)
    assert str(parse_topology(text)) == text


def test_the_id_is_fit_for_pytests_k_and_for_folders() -> None:
    cell = replace(CELL, ordering=parse_ordering("cilium > kube-vip+metallb"), mitigations=("short-init",))
    assert cell.id == "replica-v2.25.0:k8s-v1.29.5:1cp:cilium..kube-vip+metallb:vip:containers:with-short-init"
    assert not set(cell.id) & set("> @/ ")


def test_the_replica_is_not_passed_off_as_kubespray() -> None:
    assert parse_ref("replica@v2.25.0").label == "replica of v2.25.0"
    assert parse_ref("kubespray@v2.25.0").label == "kubespray v2.25.0"


def test_a_whole_is_as_bad_as_its_worst_part_and_nothing_is_unknown() -> None:
    assert worst([Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN]) is Outcome.FAIL
    assert worst([Outcome.SKIP, Outcome.PASS]) is Outcome.PASS
    assert worst([]) is Outcome.UNKNOWN
