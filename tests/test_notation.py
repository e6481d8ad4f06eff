from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.model import ADDONS, Ref, Topology
from lab.notation import every_ordering, parse_ordering, parse_ref, parse_topology
from tests.made import cell


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
    assert parse_ordering(replace(cell(), ordering=ordering).ordering_text) == ordering


@given(orderings())
def test_every_ordering_is_generated_once(ordering: tuple[tuple[str, ...], ...]) -> None:
    made = every_ordering()
    without_base = tuple(stage for stage in ordering if stage) or ((),)
    assert made.count(without_base) == 1


def test_three_addons_have_26_orderings_and_every_prefix_is_one() -> None:
    made = every_ordering()
    assert len(made) == 26
    assert [sum(len(one) == stages and one != ((),) for one in made) for stages in (1, 2, 3)] == [7, 12, 6]
    assert all(one[:length] in made for one in made for length in range(1, len(one) + 1))


@pytest.mark.parametrize(
    "text",
    [
        "kube-vip > upgrade(v1.29.5)",
        "kube-vip > reset",
        "kube-vip > reset > kube-vip",
        "base > reset > base",
        "cilium > upgrade(v1.29.5) > metallb",
    ],
)
def test_stages_that_turn_nothing_on_stand_alone_and_are_what_their_text_says(text: str) -> None:
    made = replace(cell(), ordering=parse_ordering(text))
    assert made.ordering_text == text
    assert not set("()> ") & set(made.id)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reset", "reset needs a stage before it"),
        ("kube-vip > reset > reset", "reset needs a stage before it"),
        ("upgrade(v1.29.5) > kube-vip", "needs a stage before it"),
        ("kube-vip+reset", "unknown addon 'reset'"),
        ("kube-vip > upgrade", "unknown addon 'upgrade'"),
        ("kube-vip > upgrade(1.29)", "unknown addon"),
        ("kube-vip > upgrade(v1.29.5) > kube-vip", "'kube-vip' stands twice"),
        ("kube-vip > upgrade(v1.29.5) > base", "base can only be the first stage"),
    ],
)
def test_stages_that_cannot_come_there_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"reset and upgrade\(v1\.29\.5\) are stages of their own") as caught:
        parse_ordering(text)
    assert said in str(caught.value)


@given(st.builds(Topology, control_planes=st.integers(1, 9), workers=st.integers(0, 99)), st.sampled_from(["replica", "kubespray"]))
def test_topologies_and_refs_are_what_their_text_says(topology: Topology, source: str) -> None:
    ref = Ref(source="replica" if source == "replica" else "kubespray", name="v2.25.0", release="v2.25.0")
    assert parse_topology(str(topology)) == topology
    assert parse_ref(str(ref)) == ref


@pytest.mark.parametrize("name", ["v2.25.0", "master", "release-2.25", "fix/a_b.c", "pr/11422", "7e0a407", "worktree"])
def test_a_ref_of_kubespray_is_what_its_text_says_and_fits_into_an_id(name: str) -> None:
    ref = parse_ref(f"kubespray@{name}")
    assert (ref.source, ref.name, str(ref)) == ("kubespray", name, f"kubespray@{name}")
    assert "/" not in ref.slug
    assert ref.slug.removeprefix("kubespray-").replace("+", "/") == name


@pytest.mark.parametrize(
    "text",
    [
        "v2.25.0",
        "kubespray@",
        "kubespray@-c",
        "kubespray@a..b",
        "kubespray@/a",
        "kubespray@a/",
        "kubespray@a//b",
        "kubespray@a+b",
        "kubespray@a b",
        "kubespray@../a",
        "replica@pr/7",
        "other@v2.25.0",
        "kubespray@" + "a" * 65,
    ],
)
def test_what_is_no_ref_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="kubespray@pr/11422"):
        parse_ref(text)


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
