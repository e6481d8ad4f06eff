import pytest

from lab import upstream
from lab.errors import HostError


def test_a_host_that_reaches_every_site_is_told_nothing() -> None:
    asked: list[str] = []
    upstream.check(connect=asked.append)
    assert asked == list(upstream.SITES)


def test_every_site_that_cannot_be_reached_is_named_with_the_way_out() -> None:
    def connect(site: str) -> None:
        if site.endswith(".io"):
            raise OSError(-3, "Temporary failure in name resolution")

    with pytest.raises(HostError, match=r"dl\.k8s\.io: Temporary failure.*quay\.io: (.|\n)*--artifacts built") as caught:
        upstream.check(connect=connect)
    assert "github.com" not in str(caught.value)


def test_a_connection_that_takes_too_long_is_one_that_cannot_be_made() -> None:
    def connect(_: str) -> None:
        raise TimeoutError("timed out")

    with pytest.raises(HostError, match="timed out"):
        upstream.check(connect=connect)
