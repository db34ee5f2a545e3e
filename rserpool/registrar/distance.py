"""
How far away elements are, for the policies that ask (draft-dreibholz-rserpool-delay).

An element's home takes the smoothed round-trip time of the element's connection; another
registrar adds that of its own connection with whoever has told it of the element.  So each
registrar has the distance by way of the home, and none is believed that an element makes up.
Rounded: round-trip times always move a little, and elements that are about equally near
are to be equal.
"""

import copy
from typing import Any

import attrs

from rserpool.handlespace.description import Description
from rserpool.registrar.events import Channel
from rserpool.wire import parameters
from rserpool.wire.policies import Policy

#: Distances are told in multiples of so many milliseconds.
STEP = 50
_MOST = 0xFFFFFFFF


def of(channel: Channel) -> int | None:
    """How far away the other end of a connection is, in milliseconds; None: unknown."""
    rtt = channel.rtt()
    if rtt is None:
        return None
    return min(_MOST // STEP, int(1000 * rtt / STEP + 0.5)) * STEP


def asked(policy: Policy) -> bool:
    """Whether a policy has a distance."""
    return hasattr(policy, "distance")


def measured(policy: Policy, channel: Channel) -> Policy:
    """The policy of an element that has registered through `channel`; we are its home."""
    distance = of(channel) if asked(policy) else None
    return policy if distance is None else _evolved(policy, distance)


def extended(entry: Description, channel: Channel | None) -> Description:
    """An element as a registrar at the other end of `channel` has told it to us."""
    more = of(channel) if channel is not None and asked(entry.policy) else None
    if not more:
        return entry
    policy: Any = entry.policy
    before = parameters.encode(policy)
    found = copy.copy(entry)
    found.policy = _evolved(policy, min(_MOST, policy.distance + more))
    # Right after the transport, which begins at octet 16 (RFC 5354 section 3.10).
    length = entry.blob[18] << 8 | entry.blob[19]
    place = 16 + length + (-length & 3)
    found.blob = b"".join(
        (entry.blob[:place], parameters.encode(found.policy), entry.blob[place + len(before) :])
    )
    return found


def _evolved(policy: Any, distance: int) -> Policy:
    evolved: Policy = attrs.evolve(policy, distance=distance)
    return evolved
