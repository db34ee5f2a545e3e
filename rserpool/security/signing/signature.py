"""
A signature over what a pool element registers (RFC 5355 section 2.17): the octets of it.

Note [What it looks like]

The value of a parameter that registrars pass on unread (``docs/extensions.rst``):

======  ========================================================================
octets
1       version: 1
3       reserved: 0
8       key: the first octets of SHA-256 over the public key
8, 8    when it was made and when it ends, in milliseconds since the epoch
64      Ed25519 signature (RFC 8032)
...     certificate of the key, DER; none: whoever verifies has the key
======  ========================================================================

Signed are `CONTEXT`, the 28 octets in front of the signature, and the statement.  The context
begins no message of TLS or ASAP, so that nothing that was signed by the same key elsewhere is
taken for one of these.
"""

import enum
import hashlib
import struct

import attrs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VERSION = 1
CONTEXT = b"RSerPool element signature v1\0"
KEY_ID_OCTETS, KEY_OCTETS, SIGNATURE_OCTETS = 8, 32, 64
#: Octets of a certificate.  A registrar takes 4,096 octets of a registration; and whoever
#: verifies parses what anybody has put there.
MOST_CERTIFICATE = 2048
#: Seconds that a signature may hold.  A longer one was a mistake, or is of somebody who had the
#: key for a moment and wants to use it for ever.
MOST_LIFE = 86_400.0
#: Seconds that the clocks of the element and of its user may differ.
SKEW = 60.0
#: Statements whose signature was verified, remembered by hash: an answer has hundreds of
#: elements, most of which haven't changed since the last one, at 0.1 ms each.
REMEMBERED = 4096

_HEAD = struct.Struct("!B3x8sQQ")
_LEAST = _HEAD.size + SIGNATURE_OCTETS
_verified: dict[bytes, bool] = {}


class Doubt(enum.Enum):
    """Why an element isn't believed to be as the registrar tells."""

    UNSIGNED = "unsigned"  # there is no signature
    MALFORMED = "malformed"  # what stands in its place is none
    STRANGER = "stranger"  # whose key nobody here knows, or has revoked
    FORGED = "forged"  # it isn't over what the registrar tells
    EXPIRED = "expired"  # its time is over, or hasn't begun
    UNENTITLED = "unentitled"  # its key isn't good for this pool, identifier or address
    POLICY = "policy"  # its pool has another policy than the registrar tells


class Untrusted(Exception):
    """
    A signature isn't believed.

    :ivar doubt: why, for programs.
    """

    def __init__(self, doubt: Doubt, words: str) -> None:
        super().__init__(words)
        self.doubt = doubt


def key_id(public: bytes) -> bytes:
    """By which a signature names its key; collisions are only a nuisance, of their maker's."""
    return hashlib.sha256(public).digest()[:KEY_ID_OCTETS]


@attrs.frozen
class Signature:
    """
    One signature, as it came.

    :ivar head: what is signed of it.
    """

    head: bytes
    octets: bytes
    certificate: bytes = b""

    @property
    def key_id(self) -> bytes:
        """Which key has made it."""
        return self.head[4 : 4 + KEY_ID_OCTETS]

    @property
    def times(self) -> tuple[float, float]:
        """When it was made and when it ends, in seconds since the epoch."""
        _, _, begin, end = _HEAD.unpack(self.head)
        return begin / 1000, end / 1000

    def encode(self) -> bytes:
        """The value of the parameter."""
        return self.head + self.octets + self.certificate

    @classmethod
    def decode(cls, value: bytes) -> "Signature":
        """
        Read the value of the parameter.

        :raise Untrusted: it is none.
        """
        if not _LEAST <= len(value) <= _LEAST + MOST_CERTIFICATE:
            raise Untrusted(Doubt.MALFORMED, f"{len(value)} octets are no signature")
        if value[0] != VERSION:
            raise Untrusted(Doubt.MALFORMED, f"version {value[0]} isn't known here")
        head = value[: _HEAD.size]
        return cls(head, value[_HEAD.size : _LEAST], value[_LEAST:])

    def check_time(self, now: float) -> None:
        """
        Check that this is its time.

        :param now: seconds since the epoch.
        :raise Untrusted: it isn't.
        """
        begin, end = self.times
        if end <= begin or end - begin > MOST_LIFE:
            words = f"it holds for {end - begin:.0f} seconds, not up to {MOST_LIFE:.0f}"
            raise Untrusted(Doubt.EXPIRED, words)
        if now >= end + SKEW:
            raise Untrusted(Doubt.EXPIRED, f"it ended {now - end:.0f} seconds ago")
        if now < begin - SKEW:
            raise Untrusted(Doubt.EXPIRED, f"it was made {begin - now:.0f} seconds from now")

    def check(self, public: bytes, statement: bytes) -> None:
        """
        Check that this key has signed this.

        :raise Untrusted: it hasn't.
        """
        if key_id(public) != self.key_id:
            raise Untrusted(Doubt.FORGED, "it names another key than the certificate beside it")
        if not _holds(public, self.octets, covered(self.head, statement)):
            raise Untrusted(Doubt.FORGED, "what was signed isn't what the registrar tells")


def head(public: bytes, begin: float, end: float) -> bytes:
    """What stands in front of a signature by this key."""
    return _HEAD.pack(VERSION, key_id(public), int(begin * 1000), int(end * 1000))


def covered(head: bytes, statement: bytes) -> bytes:
    """What is signed."""
    return CONTEXT + head + statement


def _holds(public: bytes, signature: bytes, message: bytes) -> bool:
    known = hashlib.sha256(public + signature + message).digest()
    result = _verified.get(known)
    if result is None:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
            result = True
        except (InvalidSignature, ValueError):
            result = False
        if len(_verified) >= REMEMBERED:
            _verified.clear()
        _verified[known] = result
    return result
