from lab import slots
from lab.model import Topology


def test_nodes_stand_control_planes_first_and_the_client_last_at_fixed_addresses() -> None:
    nodes = slots.layout(Topology(control_planes=3, workers=2), slots.slot(1))
    assert [(node.name, node.role, node.address) for node in nodes] == [
        ("cp1", "control-plane", "10.231.1.10"),
        ("cp2", "control-plane", "10.231.1.11"),
        ("cp3", "control-plane", "10.231.1.12"),
        ("w1", "worker", "10.231.1.30"),
        ("w2", "worker", "10.231.1.31"),
        ("client", "client", "10.231.1.2"),
    ]
