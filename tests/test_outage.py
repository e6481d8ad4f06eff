"""Samples of the shape that data/sampler.py writes, and what they mean."""

import json

from hypothesis import given
from hypothesis import strategies as st

from lab.outage import Sample, measure, read

VIP_MAC, OTHER = "6e:fe:e3:b9:36:9b", "02:00:00:00:00:01"


def api(*yes: int, macs: tuple[str, ...] = ()) -> tuple[Sample, ...]:
    """One sample every 0.1 s from second 100 on."""
    return tuple(Sample(at_s=100 + number / 10, yes=bool(one), macs=macs) for number, one in enumerate(yes))


def near(number: float | None, wanted: float) -> bool:
    return number is not None and abs(number - wanted) < 1e-6


def test_lines_are_read_in_the_order_of_their_time_and_half_a_line_is_left_out() -> None:
    text = "\n".join([json.dumps([100.1, False, []]), json.dumps([100.0, True, [VIP_MAC]]), "[100.2, tr"])
    assert read(text) == (Sample(at_s=100.0, yes=True, macs=(VIP_MAC,)), Sample(at_s=100.1, yes=False))


def test_an_outage_lasts_from_the_first_sample_without_an_answer_to_the_next_with_one() -> None:
    found = measure(api(1, 1, 0, 0, 0, 1, 1), {}, from_s=100.05, to_s=101)
    assert near(found.without_s, 0.3)
    assert near(found.back_s, 0.45)
    assert (found.gaps, found.samples) == (1, 6)


def test_several_gaps_add_up_and_the_last_one_tells_when_it_was_back_for_good() -> None:
    found = measure(api(1, 0, 1, 1, 0, 0, 1), {}, from_s=100, to_s=101)
    assert near(found.without_s, 0.3)
    assert near(found.back_s, 0.6)
    assert found.gaps == 2


def test_an_api_that_never_stopped_was_never_away() -> None:
    found = measure(api(1, 1, 1), {}, from_s=100, to_s=101)
    assert (found.without_s, found.back_s, found.gaps) == (0, 0.0, 0)


def test_an_api_that_does_not_come_back_is_away_to_the_end() -> None:
    found = measure(api(1, 0, 0), {}, from_s=100, to_s=105)
    assert near(found.without_s, 4.9)
    assert found.back_s is None


def test_no_samples_prove_nothing() -> None:
    nothing = measure((), {}, from_s=100, to_s=101)
    assert (nothing.back_s, nothing.unseen_s) == (None, 1)


def test_the_longest_time_without_a_sample_is_told_also_at_both_ends() -> None:
    three = api(1, 1, 1)
    assert near(measure(three, {}, from_s=100, to_s=120).unseen_s, 19.8)
    assert near(measure(three, {}, from_s=93, to_s=100.3).unseen_s, 7.0)
    assert near(measure((*three, Sample(at_s=105, yes=True)), {}, from_s=100, to_s=105.1).unseen_s, 4.8)
    assert near(measure(api(*[1] * 30), {}, from_s=100, to_s=103).unseen_s, 0.1)


def test_two_nodes_that_have_the_address_at_the_same_moment_are_two_holders() -> None:
    nodes = {"cp1": api(1, 1, 0, 0), "cp2": api(0, 1, 1, 1), "cp3": api(0, 0, 0, 0)}
    assert measure((), nodes, from_s=100, to_s=101).holders == 2


def test_one_after_the_other_is_one_holder() -> None:
    nodes = {"cp1": api(1, 0, 0, 0), "cp2": api(0, 0, 0, 1)}
    assert measure((), nodes, from_s=100, to_s=101).holders == 1


def test_what_was_before_and_after_does_not_count() -> None:
    nodes = {"cp1": api(1, 0, 0, 0, 1), "cp2": api(1, 0, 1, 0, 1)}
    assert measure(api(0, 1, 1, 1, 0), nodes, from_s=100.05, to_s=100.35).holders == 1
    assert measure(api(0, 1, 1, 1, 0), nodes, from_s=100.05, to_s=100.35).gaps == 0


def test_the_most_macs_of_one_moment_count() -> None:
    client = (*api(1, macs=(VIP_MAC,)), Sample(at_s=100.5, yes=True, macs=(OTHER, VIP_MAC)))
    assert measure(client, {}, from_s=100, to_s=101).macs == 2


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_time_without_is_never_longer_than_the_time_looked_at(yes: list[bool]) -> None:
    samples = api(*(int(one) for one in yes))
    found = measure(samples, {"cp1": samples}, from_s=100, to_s=106)
    assert 0 <= found.without_s <= 6.0 + 1e-6
    assert (found.without_s > 0) == (not all(yes))
    assert found.holders == int(any(yes))
