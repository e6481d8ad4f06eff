import pytest

from tests.rules.lint import predicted, said

RULE = "no VIP after a reset"


@pytest.mark.parametrize(
    ("ordering", "variables", "told"),
    [
        ("kube-vip > reset", {}, True),
        ("kube-vip > reset > kube-vip", {}, True),
        ("base > kube-vip+metallb > reset > base", {}, True),
        ("kube-vip > reset", {"cri_stop_containers_grace_period": 0}, True),
        ("kube-vip > reset", {"cri_stop_containers_grace_period": "0"}, True),
        ("kube-vip > reset", {"cri_stop_containers_grace_period": 10}, False),
        ("kube-vip > reset", {"kube_vip_arp_enabled": False}, False),
        ("kube-vip > reset", {"kube_vip_controlplane_enabled": False}, False),
        ("base > reset > kube-vip", {}, False),
        ("kube-vip > metallb", {}, False),
    ],
)
def test_kube_vip_needs_time_to_take_the_vip_away(ordering: str, variables: dict[str, object], *, told: bool) -> None:
    found = said(RULE, ordering, **variables)
    assert found.startswith("stage 'reset': reset.yml gives containers no time to end (cri_stop_containers_grace_period is 0)") is told
    assert bool(found) is told


def test_a_release_without_the_setting_gives_no_time_whatever_is_set() -> None:
    found = said(RULE, "kube-vip > reset", release="v2.24.1", kube_version="v1.28.6", cri_stop_containers_grace_period=10)
    assert "v2.24.1 has no setting for it" in found


def test_a_restart_of_the_network_may_take_it_away() -> None:
    assert said(RULE, "kube-vip > reset").endswith("; the restart of the network behind it may")
    assert said(RULE, "kube-vip > reset", reset_restart_network=False).endswith("take the VIP away")


def test_what_goes_wrong_in_a_run_that_installs_is_not_told_of_the_reset() -> None:
    found = predicted("kube-vip > reset", kube_vip_arp_enabled=False, metallb_enabled=True)
    assert {one.rule for one in found if one.says.startswith("stage 'reset'")} == set()
