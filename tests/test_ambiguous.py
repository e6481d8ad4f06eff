from lab.ambiguous import LISTED, fits_several


def test_those_that_fit_are_listed_in_order_and_the_rest_is_counted() -> None:
    few = fits_several("v2", ["b-v2", "a-v2"], these="these have it in their ids")
    assert str(few) == "'v2' fits 2 cells\n  why: these have it in their ids:\n    a-v2\n    b-v2\n  fix: name one, or more of its id"
    many = str(fits_several("v2", [f"{number:03}-v2" for number in range(LISTED + 2)], these="these"))
    assert f"    {LISTED - 1:03}-v2\n    and 2 more\n" in many
    assert f"{LISTED:03}-v2" not in many
