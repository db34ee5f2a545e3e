"""The element's side: a key that signs what it registers."""

import time
from collections.abc import Callable

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from rserpool.security.certificate import make
from rserpool.security.certificate.name import pools, valid_until
from rserpool.security.certificate.shown import shown
from rserpool.security.private import read_private
from rserpool.security.signing.signature import (
    MOST_CERTIFICATE,
    MOST_LIFE,
    Signature,
    covered,
    head,
)

#: Seconds that a signature holds where the registration holds longer, or for ever: it is made
#: anew with each renewal, each 10 minutes at least (RFC 5352 section 7.1, T4), and one may be
#: lost.  What a registrar still tells after that is what it has kept.
LIFE = 1200.0


@attrs.frozen
class Signer:
    """
    Signs statements.

    :param certificate: DER of the key's certificate, which is sent along; empty: users have a
        list of keys.
    :param clock: seconds since the epoch.
    """

    _key: Ed25519PrivateKey = attrs.field(repr=False)
    certificate: bytes = attrs.field(default=b"", repr=False)
    _clock: Callable[[], float] = time.time

    @certificate.validator
    def _short(self, attribute: object, value: bytes) -> None:
        if len(value) > MOST_CERTIFICATE:
            raise ValueError(
                f"the certificate has {len(value)} octets; sent with each registration it may "
                f"have {MOST_CERTIFICATE}: give it fewer names"
            )

    @classmethod
    def from_files(cls, private_key: str, certificate: str | None = None) -> "Signer":
        """
        Read a key, and its certificate, if users shall believe it by its authority.

        :raise ValueError: (or OSError) they can't be used, with the file; others can read the
            key.
        """
        if certificate is None:
            return cls(_ed25519(private_key, _loaded(private_key)))
        issued = make.load(certificate, private_key)
        own = shown(issued.certificate, issued.private_key)
        if not pools(own.chain[0]):
            raise ValueError(
                f"{certificate}: this certificate is for no pool: issue one by 'rserpool "
                "certificate issue DIR --name NAME --pool HANDLE'"
            )
        key = _ed25519(private_key, own.private_key)
        return cls(key, own.chain[0].public_bytes(Encoding.DER))

    @property
    def public(self) -> bytes:
        """The public key, 32 octets."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def pools(self) -> frozenset[bytes] | None:
        """For which pools it may sign; None: the list of keys says so."""
        return pools(self._certificate) if self.certificate else None

    @property
    def until(self) -> float | None:
        """When its certificate ends, in seconds since the epoch."""
        return valid_until(self._certificate) if self.certificate else None

    @property
    def _certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.certificate)

    def sign(self, statement: bytes, life: float) -> bytes:
        """
        Return a signature over this, as the value of a parameter.

        :param life: seconds that the registration holds; negative: for ever.
        """
        now = self._clock()
        lasts = min(life, LIFE, MOST_LIFE) if life > 0 else LIFE
        front = head(self.public, now, now + lasts)
        signature = self._key.sign(covered(front, statement))
        return Signature(front, signature, self.certificate).encode()


def _loaded(path: str) -> object:
    pem = read_private(path)
    try:
        return load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise ValueError(f"{path}: the private key isn't PEM, or it is encrypted") from None


def _ed25519(path: str, key: object) -> Ed25519PrivateKey:
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(
            f"{path}: not an Ed25519 key, which signing needs ('rserpool certificate issue DIR "
            "--name NAME --pool HANDLE' makes one)"
        )
    return key
