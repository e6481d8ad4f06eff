"""Takes secrets out of text before anything is stored or shown. It masks too much rather than too little."""

import re

MASK = "[masked]"
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_KEY_LINE = re.compile(r"^(?![0-9a-f]{64}$)[A-Za-z0-9+/]{64}$", re.MULTILINE)  # of a key told line by line; no digest, no container
_FIELDS = re.compile(
    r"(?P<name>\b(?:client-key-data|client-certificate-data|token|password|certificate-?key|secret(?:box)?-?key)\b"
    r"[\"']?\s*[:= ]\s*[\"']?)(?P<secret>[A-Za-z0-9+/=_.-]{8,})",
    re.IGNORECASE,
)
# As kubeadm prints it on a line of its own: the line end may stand as it is, escaped, or as the border of two strings of a list.
_CERTIFICATE_KEY = re.compile(r"(?P<name>certificate[- ]?key\W+(?:n\W*)?)[0-9a-f]{64}\b", re.IGNORECASE)
_BOOTSTRAP_TOKEN = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+")


def mask(text: str) -> str:
    """`text` without private keys, bootstrap tokens, certificate keys, JWTs and kubeconfig credentials."""
    text = _PRIVATE_KEY.sub(MASK, text)
    text = _KEY_LINE.sub(MASK, text)
    text = _JWT.sub(MASK, text)
    text = _BOOTSTRAP_TOKEN.sub(MASK, text)
    text = _CERTIFICATE_KEY.sub(lambda match: match["name"] + MASK, text)
    return _FIELDS.sub(lambda match: match["name"] + MASK, text)
