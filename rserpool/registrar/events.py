"""
What the registrar is told: who is connected, and through what.

The core never sees a transport: it gets messages from a :class:`Channel`, whose
subject was settled before the first of them.
"""

import enum
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import attrs

from rserpool.security.decisions import Subject


class Protocol(enum.Enum):
    """Which of the two protocols a channel speaks."""

    ASAP = "asap"
    ENRP = "enrp"


def unmeasured() -> float | None:
    """Nobody knows how far away the peer is."""
    return None


@attrs.define(eq=False)
class Channel:
    """
    One connection, compared by identity.

    `addresses` are the peer's addresses of this connection: a pool element registers
    only addresses among them (RFC 5352 section 2.2.1).

    :ivar port: the peer's, for its ASAP Transport (RFC 5352 section 3.1 rule 4).
    :ivar local: our own address on it.
    :ivar sctp: whether it is an association of SCTP.
    :ivar own: all our addresses of an association.
    :ivar dialled: the target of the `Dial` that made it; None: the peer has called us.
    :ivar reaches: handle and identifier of the pool element for whose `Reach` it was made.
    :ivar rtt: asks the transport for the smoothed round-trip time in seconds, now; None: it
        can't tell.
    """

    protocol: Protocol
    subject: Subject
    addresses: frozenset[IPv4Address | IPv6Address]
    port: int = 0
    local: IPv4Address | IPv6Address | None = None
    dialled: str | None = None
    reaches: tuple[bytes, int] | None = None
    rtt: Callable[[], float | None] = unmeasured
    sctp: bool = False
    own: tuple[IPv4Address | IPv6Address, ...] = ()
    contact: bytes = b""  # what peers are told of elements that register through it
