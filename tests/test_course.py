from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import course
from lab.model import Cell
from lab.notation import every_ordering
from tests.made import cell


def as_scenarios_do(ordering: tuple[tuple[str, ...], ...], ref: str = "replica@v2.25.0") -> Cell:
    late = any("kube-vip" in stage for stage in ordering)
    return replace(cell(ref=ref), ordering=ordering, endpoint="vip" if late else "node")


ALL = tuple(as_scenarios_do(ordering) for ordering in every_ordering())


def test_all_26_cells_need_14_sets_of_nodes_and_32_stages_instead_of_50() -> None:
    made = course.courses(ALL)
    assert len(made) == 14  # 13 full orderings, and the empty one, which is a prefix of none
    assert sum(len(one.longest.ordering) for one in made) == 32
    assert sum(len(one.ordering) for one in ALL) == 50
    assert sorted(c.id for one in made for c in one.cells) == sorted(c.id for c in ALL)


def test_without_reuse_every_cell_has_nodes_of_its_own() -> None:
    made = course.courses(ALL, reuse=False)
    assert [one.longest for one in made] == list(ALL)
    assert all(one.cells == (one.longest,) for one in made)


@given(st.lists(st.sampled_from(ALL), unique=True), st.booleans())
def test_every_cell_is_in_one_course_and_a_prefix_of_its_longest(cells: list[Cell], reuse: bool) -> None:
    made = course.courses(cells, reuse=reuse)
    assert sorted(c.id for one in made for c in one.cells) == sorted(c.id for c in cells)
    for one in made:
        assert one.cells[-1] == one.longest
        assert set(one.cells) <= set(course.prefixes(one.longest))


def test_before_kube_vip_is_on_a_prefix_has_the_node_for_its_endpoint() -> None:
    late = as_scenarios_do((("metallb",), ("kube-vip",)))
    assert course.prefix(late, 1) == as_scenarios_do((("metallb",),))
    assert course.prefix(late, 1).endpoint == "node"


@pytest.mark.parametrize(
    "other",
    [
        replace(ALL[1], ref=replace(ALL[1].ref, name="v2.25.1", release="v2.25.1")),
        replace(ALL[1], network="none"),
        replace(ALL[1], endpoint="vip" if ALL[1].endpoint == "node" else "node"),
        replace(ALL[1], mitigations=("x",), variables=(("a", "1"),)),
    ],
    ids=["release", "network", "endpoint", "mitigation"],
)
def test_cells_that_differ_in_more_than_their_ordering_share_no_nodes(other: Cell) -> None:
    longer = next(one for one in ALL if len(one.ordering) > 1 and one.ordering[0] == ALL[1].ordering[0])
    assert len(course.courses([ALL[1], longer])) == 1
    assert len(course.courses([other, longer])) == 2


def test_the_order_of_courses_is_that_of_their_longest_cells() -> None:
    short, long = ALL[1], next(one for one in ALL if len(one.ordering) == 3 and one.ordering[0] == ALL[1].ordering[0])
    other = next(one for one in ALL if one.ordering == (("metallb",),))
    assert [one.longest for one in course.courses([short, other, long])] == [other, long]


def test_what_is_behind_a_stage_needs_more_stages() -> None:
    (made,) = course.courses([one for one in ALL if one in course.prefixes(ALL[-1])])
    assert made.judged_at(1) == course.prefix(ALL[-1], 1)
    assert made.behind(1) == made.cells[1:]
    assert made.behind(3) == ()


def test_what_there_is_to_do_is_told_in_words() -> None:
    assert course.in_words(course.courses(ALL)) == "26 cells, 32 stages on 14 sets of nodes"
    assert course.in_words(course.courses(ALL[:1]), aside=" (2 more are done)") == "1 cell (2 more are done), 1 stage on 1 set of nodes"


def test_what_a_reset_took_away_is_on_no_more_and_the_whole_cell_stays_what_it_is() -> None:
    whole = cell("kube-vip > reset > kube-vip", ref="kubespray@v2.25.1")
    assert [one.endpoint for one in course.prefixes(whole)] == ["vip", "node", "vip"]
    assert course.prefixes(cell("kube-vip > reset", ref="kubespray@v2.25.1"))[-1].endpoint == "vip"
