import pytest

from lab import bed
from lab.errors import ScenarioError


def test_each_file_of_the_folder_is_a_bed_under_its_name() -> None:
    assert "containers" in bed.names()
    assert [bed.find(name).name for name in bed.names()] == list(bed.names())


def test_a_wrong_bed_names_the_file_to_add() -> None:
    with pytest.raises(ScenarioError, match=r"no bed 'clouds'\n.*containers.*\n.*add lab/beds/<name>\.py"):
        bed.find("clouds")
