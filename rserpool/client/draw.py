"""
Choosing an element by a hash over a public nonce (RFC 5355 section 2.17): the arithmetic, pure.

``docs/extensions.rst`` has it as a specification, with the reasons and the limits.

Note [How an element is drawn]

Each period has a nonce that everybody knows and no user chooses.  From it, the pool and the
user's name follows a chain of hashes, a link for each use.  A link gives each element a ticket,
and of the ticket and the element's weight follows a number, of which the smallest wins: as if
each element waited for a time that is distributed exponentially, with its weight as the rate.
So an element wins in proportion to its weight, and whether one element beats another depends on
these two alone: whoever checks needs no list in the user's order.
"""

import struct
from collections.abc import Mapping
from hashlib import sha256

import attrs

from rserpool.wire.layout import tlv
from rserpool.wire.policies import Policy, Random, WeightedRandom

#: The type of the parameter that a proof is.
CHOICE_PROOF = 0x80F7
#: Seconds of a period.
PERIOD = 60
#: Draws of one user in one period: how many hashes one proof costs an element at most, and how
#: often a user can try for an element that it likes (see `rserpool.client.fairness`).
MOST_DRAWS = 64
#: Elements that a user may say have failed before this one, in one proof on the wire.
MOST_EXCUSED = 255

_NONCE, _CHAIN = b"RSerPool nonce v1\0", b"RSerPool choice v1\0"
_HEAD = struct.Struct("!BBHQ32s")
_IDENTIFIER = struct.Struct("!I")
_VERSION = 1
#: Bits behind the point of a logarithm.
_BITS = 32


def period(now: float) -> int:
    """Return the number of the period at this time (seconds since the epoch)."""
    return int(now // PERIOD)


def seeded(seed: bytes, number: int) -> bytes:
    """Return the nonce of a period of a site that has published `seed`."""
    return sha256(_NONCE + number.to_bytes(8, "big") + seed).digest()


def first_link(nonce: bytes, handle: bytes, name: bytes) -> bytes:
    """
    Return the link for a user's first draw in a period.

    :param name: as which elements know the user: what it has proven, not what it says.
    """
    parts = b"".join(len(part).to_bytes(2, "big") + part for part in (handle, name))
    return sha256(_CHAIN + sha256(nonce).digest() + parts).digest()


def link_at(first: bytes, index: int) -> bytes:
    """Return the link for the draw of this number, counted from 0."""
    for _ in range(index):
        first = sha256(first).digest()
    return first


def weight_of(policy: Policy) -> int | None:
    """Return how likely a policy makes an element; None: not by a fixed chance."""
    if isinstance(policy, Random):
        return 1
    if isinstance(policy, WeightedRandom):
        return policy.weight
    return None


def waiting(link: bytes, identifier: int) -> int:
    """
    Return how long an element of weight 1 would wait: minus the logarithm of its ticket.

    To the base 2, in units of 2**-32; by integers only, so that all come to the same number.
    """
    ticket = sha256(link + _IDENTIFIER.pack(identifier)).digest()
    number = int.from_bytes(ticket[:8], "big") + 1  # 1 to 2**64
    whole = number.bit_length() - 1
    rest = number << 63 - whole if whole < 64 else number >> 1  # 2**63 to 2**64 - 1
    fraction = 0
    for _ in range(_BITS):
        rest = rest * rest >> 63
        bit = rest >> 64
        rest >>= bit
        fraction = fraction << 1 | bit
    return (64 << _BITS) - (whole << _BITS | fraction)


def beats(link: bytes, one: int, other: int, weights: Mapping[int, int]) -> bool:
    """Whether the first of two different elements is drawn rather than the second."""
    if not weights[one]:
        return False
    ours, theirs = (
        waiting(link, one) * weights[other],
        waiting(link, other) * weights[one],
    )
    return ours < theirs or (ours == theirs and one < other) or not weights[other]


@attrs.frozen
class Proof:
    """
    By what an element was drawn.

    :ivar number: of the period; `index`: of the draw in it.
    :ivar link: shows that both sides mean the same nonce, pool and user.
    :ivar excused: elements that were drawn before, and had failed.
    """

    number: int
    index: int
    link: bytes
    excused: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """As parameter, whose length is a multiple of four."""
        head = _HEAD.pack(_VERSION, len(self.excused), self.index, self.number, self.link)
        return tlv(CHOICE_PROOF, head + b"".join(map(_IDENTIFIER.pack, self.excused)))


def decode(data: bytes) -> Proof | None:
    """Read a parameter, and nothing behind it; None: it is no proof."""
    if len(data) < 4 + _HEAD.size or data[:2] != CHOICE_PROOF.to_bytes(2, "big"):
        return None
    version, count, index, number, link = _HEAD.unpack_from(data, 4)
    length = 4 + _HEAD.size + count * _IDENTIFIER.size
    if version != _VERSION or len(data) != length or data[2:4] != length.to_bytes(2, "big"):
        return None
    excused = struct.unpack_from(f"!{count}I", data, 4 + _HEAD.size)
    return Proof(number, index, link, excused)
