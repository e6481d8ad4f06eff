from rich.console import Console

from lab.fidelity import Limit
from lab.reports import bedtable

CLOCK = Limit(topic="a clock", says="Nodes share a clock.", checks=("etcd",))
KERNEL = Limit(topic="a kernel", says="Nodes share a kernel.")


def shown(**of: tuple[Limit, ...]) -> str:
    console = Console(width=120, record=True, file=None, no_color=True)
    with console.capture() as captured:
        console.print(bedtable.table(of))
    return captured.get()


def test_a_topic_has_one_row_and_each_bed_an_answer() -> None:
    said = shown(one=(CLOCK, KERNEL), other=(KERNEL,))
    (clock,) = [line for line in said.splitlines() if "a clock" in line and "│" in line]
    (kernel,) = [line for line in said.splitlines() if "a kernel" in line and "│" in line]
    assert [word.strip() for word in clock.split("│")[2:4]] == ["no", "yes"]
    assert [word.strip() for word in kernel.split("│")[2:4]] == ["no", "no"]


def test_a_reason_is_told_once_with_the_beds_and_the_checks_it_is_about() -> None:
    said = shown(one=(CLOCK, KERNEL), other=(KERNEL,))
    assert said.count("Nodes share a kernel.") == 1
    assert "one, other  Nodes share a kernel." in said
    assert "Nodes share a clock. Means less for it: etcd." in said
