"""Identities of pre-shared keys: which octets may be one, and what stands in their place."""

import hashlib
import os

#: Octets of an identity: twice what names of people and hosts need.  It goes into logs,
#: counters and budgets before anything is proven, so a peer may not make it long.
MAXIMUM_IDENTITY = 128

# Of this process alone: nobody can tell stand-in keys from real ones, or turn fingerprints
# back into keys.
_PROCESS_SECRET = os.urandom(32)


def readable(octets: bytes) -> str | None:
    """
    Return the identity as text, or None when these octets can't be an identity of ours.

    Identities are compared octet by octet (RFC 9257 section 5.1): nothing is normalized.
    """
    if not 1 <= len(octets) <= MAXIMUM_IDENTITY:
        return None
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def stand_in(octets: bytes) -> bytes:
    """
    Return a key that nobody holds, the same each time, for an identity without one.

    With it the handshake of an unknown identity fails as that of a wrong key does
    (RFC 4279 section 2).
    """
    return hashlib.blake2b(octets, key=_PROCESS_SECRET, digest_size=32, person=b"in").digest()


def fingerprint(secret: bytes) -> bytes:
    """Return what tells this secret from others in this process, and tells nothing of it."""
    return hashlib.blake2b(secret, key=_PROCESS_SECRET, digest_size=16, person=b"of").digest()
