import pytest

from lab import boxes
from lab.errors import ScenarioError


def test_without_a_wish_it_is_the_labs_own_box_by_libvirt() -> None:
    one = boxes.chosen({})
    assert (one.name, one.provider, one.built, one.interface) == ("spraylab/node", "libvirt", True, "eth0")


def test_every_box_of_the_file_is_fit_for_each_of_its_providers() -> None:
    for name, its in boxes._known().boxes.items():
        for provider in its.providers:
            one = boxes.chosen({boxes.BOX: name, boxes.PROVIDER: provider})
            assert (one.name, one.provider, one.version) == (name, provider, its.version)
            assert one.built or one.version, "a box that is fetched is fetched in one version"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({boxes.PROVIDER: "hyperv"}, r"no provider 'hyperv'\n.*libvirt and virtualbox"),
        ({boxes.BOX: "debian/sarge"}, r"no box 'debian/sarge'\n.*boxes\.yaml has .*debian/bookworm64"),
        (
            {boxes.PROVIDER: "virtualbox", boxes.BOX: "spraylab/node"},
            r"the box spraylab/node is not there for virtualbox\n.*\n.*take bento/",
        ),
    ],
    ids=["provider", "box", "box of another provider"],
)
def test_what_is_not_there_is_said_with_what_is(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        boxes.chosen(environment)
