"""Keys that sign, and their certificates, for tests."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from rserpool.security.certificate import make
from rserpool.security.signing.signer import Signer

NOW = 1_800_000_000.0


def key(number=1):
    """A key that is always the same."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def signer(number=1, certificate=b"", now=NOW):
    """Signs by it, at a time that stands still."""
    return Signer(key(number), certificate, lambda: now)


def certified(authority, pools=(b"web",), names=("web-1.example",), **how):
    """Signs by a key with a certificate of this authority, now."""
    issued = make.issue(authority, names, pools=pools, **how)
    der = x509.load_pem_x509_certificate(issued.certificate).public_bytes(Encoding.DER)
    return Signer(load_pem_private_key(issued.private_key, None), der)
