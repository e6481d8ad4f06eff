import pytest

from lab import errors


@pytest.mark.parametrize("kind", [kind for kind in vars(errors).values() if isinstance(kind, type)])
def test_every_error_says_what_why_and_what_to_do(kind: type[errors.LabError]) -> None:
    error = kind("the disk is full", "0 GiB are free", "make room")
    assert isinstance(error, errors.LabError)
    assert str(error) == "the disk is full\n  why: 0 GiB are free\n  fix: make room"
