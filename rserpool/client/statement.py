"""
What a pool element signs, and where the signature stands (RFC 5355 section 2.17): pure.

Note [What is signed, and what isn't]

Handle, PE identifier, policy and user transport: by whom users are served, and how they choose.
Not the home registrar, which a takeover changes, nor the registration life, which registrars
count in their own ways, nor the ASAP Transport, which no user sees; and not the distance in a
policy that has one, which registrars measure.
"""

import struct
from typing import Any, Protocol

import attrs

from rserpool.wire import parameters
from rserpool.wire.layout import tlv
from rserpool.wire.parameters import PoolElement

#: The type of the parameter.  RFC 5354 section 5.1 assigns it to nobody, and 0x80f5 beside it
#: is ours, too; its highest bits, 10, have registrars skip it without a word.
ELEMENT_SIGNATURE = 0x80F6

_IDENTIFIER = struct.Struct("!IH")


class Signs(Protocol):
    """Who signs: :class:`rserpool.security.signing.signer.Signer`."""

    def sign(self, statement: bytes, life: float) -> bytes:
        """Return the value of the parameter; it holds for `life` seconds at most."""


def statement(handle: bytes, element: PoolElement) -> bytes:
    """What the element states: each part says how long it is."""
    policy: Any = element.policy
    if hasattr(policy, "distance"):
        policy = attrs.evolve(policy, distance=0)
    return b"".join((
        _IDENTIFIER.pack(element.identifier, len(handle)),
        handle,
        parameters.encode(policy),
        parameters.encode(element.user_transport),
    ))  # fmt: skip


def signed(
    handle: bytes, element: PoolElement, signer: Signs, life: int | None = None
) -> PoolElement:
    """
    The element with a fresh signature.

    :param life: its registration life in seconds, where the element's own has other units.
    """
    seconds = element.life if life is None else life
    value = signer.sign(statement(handle, element), seconds)
    others = [raw for raw in element.unknown if not _is_signature(raw)]
    unsigned: Any = element
    found: PoolElement = attrs.evolve(
        unsigned, unknown=(*others, tlv(ELEMENT_SIGNATURE, value))
    )
    return found


def signatures(element: PoolElement) -> list[bytes]:
    """The values of all signatures in it: there should be one."""
    return [raw[4:] for raw in element.unknown if _is_signature(raw)]


def _is_signature(raw: bytes) -> bool:
    return int.from_bytes(raw[:2], "big") == ELEMENT_SIGNATURE
