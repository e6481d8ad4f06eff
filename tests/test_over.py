import pytest

from lab.over import Over


def test_what_is_bound_is_set_when_the_end_is_asked_for() -> None:
    over = Over()
    with over.bound() as before, over.bound() as other:
        assert not before.is_set()
        over.ask()
        assert before.is_set()
        assert other.is_set()
    with over.bound() as after:
        assert after.is_set()


def test_what_was_bound_is_left_alone_afterwards() -> None:
    over = Over()
    with over.bound() as event:
        pass
    over.ask()
    assert not event.is_set()


def test_nothing_new_begins_after_the_end() -> None:
    over = Over()
    over.check()
    assert not over.event.is_set()
    over.ask()
    assert over.event.is_set()
    with pytest.raises(KeyboardInterrupt):
        over.check()
