import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.mask import MASK, mask

SECRET = "c3ByYXlsYWItc2VjcmV0LWtleQ=="


@pytest.mark.parametrize(
    "text",
    [
        f"    client-key-data: {SECRET}\n",
        f'{{"client-certificate-data": "{SECRET}"}}',
        f"kubeadm join --certificate-key {SECRET}",
        f"  certificateKey: {SECRET}",
        f"token={SECRET}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n(cut off here",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    assert SECRET not in mask(text)
    assert MASK in mask(text)


@pytest.mark.parametrize(
    "between",
    ["certificate key:\n", "certificate key:\\n", 'certificate key:", "', "--certificate-key ", "certificateKey: "],
    ids=["line", "escaped line", "list", "option", "field"],
)
def test_the_certificate_key_is_taken_out_however_its_line_ends(between: str) -> None:
    key = "0123456789abcdef" * 4
    assert mask(f"[upload-certs] Using {between}{key}\nnext") == f"[upload-certs] Using {between}{MASK}\nnext"


def test_a_key_told_line_by_line_is_taken_out() -> None:
    line = "MIIEpAIBAAKCAQEAy8Dbv8prpJ/0kKhlGeJYozo2t60EG8L0561g13R29LvMR5hy"
    assert mask(line) == MASK
    assert line not in mask(f"first\n{line}\nlast")


def test_bootstrap_tokens_and_jwts_are_taken_out() -> None:
    text = "kubeadm join --token abcdef.0123456789abcdef; Bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.c2lnbmF0dXJl"
    assert mask(text) == f"kubeadm join --token {MASK}; Bearer {MASK}"


@pytest.mark.parametrize(
    "text",
    [
        'E1124 leases.coordination.k8s.io "plndr-cp-lock" is forbidden: User "kubernetes-admin" cannot get resource "leases"',
        "2: eth0    inet 10.231.0.100/32 scope global eth0",
        "path: /etc/kubernetes/super-admin.conf",
        "controlPlaneEndpoint: lb-apiserver.kubernetes.local:6443",
        "d2d8125b97d20d2d8125b97d20d2d8125b97d20d2d8125b97d20d2d8125b97d2",
    ],
)
def test_what_proves_something_stays(text: str) -> None:
    assert mask(text) == text


@given(st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask(mask(text)) == mask(text)
