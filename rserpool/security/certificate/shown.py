"""A certificate of one's own and its private key, ready to be shown."""

from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from OpenSSL import SSL


@attrs.frozen
class Shown:
    """A certificate with its chain and its private key, which belong together."""

    chain: tuple[x509.Certificate, ...]  # its own first, then the authorities between
    private_key: Any = attrs.field(repr=False)

    def into(self, context: SSL.Context) -> None:
        """Let a context show it."""
        first, *between = self.chain
        context.use_certificate(first)
        for each in between:
            context.add_extra_chain_cert(each)
        context.use_privatekey(self.private_key)

    def pem(self) -> bytes:
        """Return all of it as PEM: a secret."""
        key: bytes = self.private_key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        return key + b"".join(each.public_bytes(Encoding.PEM) for each in self.chain)


def shown(certificate: bytes, private_key: bytes) -> Shown:
    """
    Read a certificate (with its chain) and a private key, both PEM.

    :raise ValueError: they can't be read, or don't belong together; the message has nothing
        of the key.
    """
    try:
        chain = tuple(x509.load_pem_x509_certificates(certificate))
    except ValueError:
        raise ValueError("the certificate isn't PEM") from None
    try:
        key: Any = load_pem_private_key(private_key, None)
    except (ValueError, TypeError):
        raise ValueError("the private key isn't PEM, or it is encrypted") from None
    if key.public_key() != chain[0].public_key():
        raise ValueError("the private key isn't that of the certificate")
    return Shown(chain, key)
