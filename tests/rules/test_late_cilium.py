import pytest

from tests.rules.lint import said


@pytest.mark.parametrize(
    ("ordering", "kube_proxy", "pods"),
    [
        ("cilium", False, False),
        ("kube-vip+metallb+cilium", False, False),
        ("cilium > metallb > kube-vip", False, False),
        ("kube-vip > cilium", True, False),
        ("metallb > cilium", True, True),
        ("metallb > kube-vip+cilium", True, True),
        ("kube-vip > metallb+cilium", True, False),
        ("kube-vip > metallb > cilium", True, True),
        ("kube-vip > cilium > metallb", True, False),
    ],
)
def test_what_an_earlier_run_left_is_told(ordering: str, *, kube_proxy: bool, pods: bool) -> None:
    assert bool(said("no kube-proxy before Cilium", ordering)) is kube_proxy
    assert bool(said("no pods before Cilium", ordering)) is pods


def test_kube_proxy_may_stay_where_cilium_does_not_replace_it() -> None:
    assert said("no kube-proxy before Cilium", "kube-vip > cilium", cilium_kube_proxy_replacement="partial") == ""
    assert said("no kube-proxy before Cilium", "kube-vip > cilium", kube_proxy_remove=True) == ""


def test_pods_that_never_had_a_network_lose_none() -> None:
    assert said("no pods before Cilium", "metallb > cilium", network="none") == ""


def test_it_is_told_once_and_of_the_run_that_turns_cilium_on() -> None:
    assert said("no kube-proxy before Cilium", "kube-vip > cilium > metallb") == (
        "stage 'cilium': Cilium replaces kube-proxy, which an earlier run has installed; no run deletes it"
    )
