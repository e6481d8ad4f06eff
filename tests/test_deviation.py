from lab import deviation


def test_every_departure_has_a_reason_and_says_what_it_departs_from() -> None:
    known = deviation.known()
    assert all(group.why and group.variables for group in known.groups)
    assert all(need.why for need in known.needs.values())
    assert all(component.why for component in known.components.values())


def test_nothing_is_set_that_hides_failures() -> None:
    variables = {name for group in deviation.known().groups for name in group.variables}
    variables |= {one for need in deviation.known().needs.values() for one in (need.variable, *need.besides)}
    assert not {"ignore_assert_errors", "any_errors_fatal"} & variables


def test_of_kubeadms_own_checks_only_single_ones_are_let_pass_and_only_where_what_is_built_fails_them() -> None:
    groups = [group for group in deviation.known().groups if "kubeadm_ignore_preflight_errors" in group.variables]
    assert [group.variables["kubeadm_ignore_preflight_errors"].used for group in groups] == [["HTTPProxyCIDR"]]
    assert {(group.when, group.artifacts) for group in groups} == {("named-preflight", "built")}


def test_what_is_fetched_needs_no_file_of_the_lab() -> None:
    for group in deviation.known().groups:
        of_lab = [name for name, change in group.variables.items() if "file:///opt/lab" in str(change.used)]
        assert not of_lab or group.artifacts == "built"
