"""What a pool user learns of a pool, and whom it chooses (RFC 5356)."""

from typing import Protocol

import attrs

from rserpool.security.signing.signature import Doubt
from rserpool.wire import policies
from rserpool.wire.causes import Cause
from rserpool.wire.delay import WeightedRandomDPF
from rserpool.wire.parameters import PoolElement
from rserpool.wire.policies import Policy, RoundRobin

#: The pool user goes around the list, "starting with the first" (sections 4.1.3, 4.2.3).
_AROUND = (policies.RoundRobin, policies.WeightedRoundRobin)
#: It selects "randomly [...] each time" (4.3.3, 4.4.3, 5.4.3); the weights have done their
#: work at the registrar, which chose whom to list.
_BY_CHANCE = (
    policies.Random,
    policies.WeightedRandom,
    policies.RandomizedLeastUsed,
    WeightedRandomDPF,
)


class Random(Protocol):
    """A source of numbers in [0, 1), given from outside."""

    def random(self) -> float:
        """Return the next one."""


@attrs.frozen
class Distrusted:
    """An element of which the registrar tells what its key hasn't signed."""

    element: PoolElement
    doubt: Doubt
    words: str  # why, for people


@attrs.frozen
class Resolution:
    """
    The elements of a pool in the order of its policy, or why there are none.

    :ivar distrusted: those whose signature doesn't hold; a verifier that enforces leaves them
        out of `elements`.
    """

    handle: bytes
    policy: Policy = RoundRobin()
    elements: tuple[PoolElement, ...] = ()
    refusal: Cause | None = None
    updates: bool = False  # the registrar will tell of changes
    distrusted: tuple[Distrusted, ...] = ()


class Chooser:
    """
    Chooses from a resolution, once for each use of the pool.

    As the policy wants it (RFC 5356, the sections "Pool User Considerations"): around the
    list, by chance, or, with priorities and loads, in the order of the registrar: the first
    one that works.  A policy that nobody here knows is taken in order, too.
    """

    def __init__(self, resolution: Resolution, random: Random) -> None:
        self._elements = list(resolution.elements)
        self._by_chance = isinstance(resolution.policy, _BY_CHANCE)
        self._around = isinstance(resolution.policy, _AROUND)
        self._random = random
        self._next = 0

    def choose(self) -> PoolElement | None:
        """The element for the next use; None: all have failed."""
        elements = self._elements
        if not elements:
            return None
        if self._by_chance:
            return elements[int(self._random.random() * len(elements))]
        if not self._around:
            return elements[0]
        self._next %= len(elements)
        chosen = elements[self._next]
        self._next += 1
        return chosen

    def failed(self, identifier: int) -> None:
        """An element could not be reached: it isn't chosen again."""
        for at, element in enumerate(self._elements):
            if element.identifier == identifier:
                del self._elements[at]
                self._next -= at < self._next
                return
