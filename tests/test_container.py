from lab.container import NodeSpec


def test_a_node_takes_a_new_var_and_no_name_server_unless_it_is_given_one() -> None:
    spec = NodeSpec(name="n", hostname="cp1", image="i", network="net", address="10.231.0.10", labels={})
    assert (spec.volume, spec.nameserver, spec.mounts) == ("", "", ())
