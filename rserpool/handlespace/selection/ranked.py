"""
Elements by rank, those of equal rank in a ring (RFC 5356 sections 4.2, 4.5, 5.1 to 5.3).

The lowest rank comes first.  Priority, load, or load with degradation is a rank as it is;
for weighted round robin the rank is the element's next turn, see Note [Turns].

Note [Turns]

The circular list of section 4.2.2 is never built.  An element of weight w has its turns at
distances of 1/w; the next turn of each is its rank, so that the order of ranks is the order
in which elements first occur in that list from the head on.  An answer moves the head on
by one: only the first element's turn is over.
"""

from abc import ABC, abstractmethod

from sortedcontainers import SortedDict

from rserpool.handlespace.element import Element
from rserpool.handlespace.selection.interface import Random, selects
from rserpool.handlespace.selection.ring import Ring
from rserpool.wire import policies
from rserpool.wire.policies import Policy

#: The distance between two turns of an element of weight 1: every 32-bit weight has a
#: distance of its own.
_TURN = 1 << 64


class Ranked(ABC):
    """The lowest rank first, round robin among equals."""

    def __init__(self, random: Random) -> None:
        self._rings: SortedDict[int, Ring] = SortedDict()

    def add(self, element: Element) -> None:
        """Put it behind those of its rank."""
        self._put(element, self.rank(element))

    def remove(self, element: Element) -> None:
        """Take it out."""
        ring = element.ring
        if ring is not None:
            ring.unlink(element)
            if ring.head is None:
                del self._rings[ring.rank]

    def update(self, element: Element, policy: Policy) -> None:
        """Rank it by its new values; with the same ones it keeps its place."""
        if policy != element.policy or element.count:
            self.remove(element)
            element.policy = policy
            element.count = 0
            self.add(element)

    def described(self, element: Element) -> None:  # noqa: B027 - nothing to do
        """Blobs are taken from the elements themselves."""

    def select(self, count: int, room: int) -> list[bytes]:
        """Ring by ring from the lowest rank; in each one touched the head moves on."""
        blobs: list[bytes] = []
        chosen: list[Element] = []
        for ring in self._rings.values():
            first = element = ring.head
            while count:
                room -= len(element.blob)
                if room < 0:
                    count = 0
                    break
                blobs.append(element.blob)
                chosen.append(element)
                count -= 1
                element = element.after
                if element is first:
                    break
            if not count:
                break
        self.chosen(chosen)
        return blobs

    @abstractmethod
    def rank(self, element: Element) -> int:
        """Where the element stands; the lowest is selected first."""

    def chosen(self, elements: list[Element]) -> None:
        """These go into an answer, in this order."""
        ring = None
        for element in elements:
            if element.ring is not ring:
                ring = element.ring
                assert ring is not None
                ring.advance()

    def _put(self, element: Element, rank: int) -> None:
        ring = self._rings.get(rank)
        if ring is None:
            ring = self._rings[rank] = Ring(rank)
        ring.append(element)


@selects(policies.Priority.NUMBER)
class PrioritySelection(Ranked):
    """The highest priority first (section 4.5)."""

    def rank(self, element: Element) -> int:
        """Minus the priority."""
        assert isinstance(element.policy, policies.Priority)
        return -element.policy.priority


@selects(policies.LeastUsed.NUMBER)
class LeastUsedSelection(Ranked):
    """The lowest load first (section 5.1)."""

    def rank(self, element: Element) -> int:
        """The load."""
        assert isinstance(element.policy, policies.LeastUsed)
        return element.policy.load


@selects(policies.PriorityLeastUsed.NUMBER)
class PriorityLeastUsedSelection(Ranked):
    """The lowest sum of load and degradation first (section 5.3)."""

    def rank(self, element: Element) -> int:
        """The load with one more user."""
        assert isinstance(element.policy, policies.PriorityLeastUsed)
        return element.policy.load + element.policy.degradation


@selects(policies.LeastUsedDegradation.NUMBER)
class LeastUsedDegradationSelection(Ranked):
    """The lowest load first, each selection counting as so much more (section 5.2)."""

    def rank(self, element: Element) -> int:
        """Load and what the selections since the last registration add to it."""
        policy = element.policy
        assert isinstance(policy, policies.LeastUsedDegradation)
        return policy.load + element.count * policy.degradation

    def chosen(self, elements: list[Element]) -> None:
        """Count, for every one of them."""
        for element in elements:
            self.remove(element)
            element.count += 1
            self._put(element, self.rank(element))


@selects(policies.WeightedRoundRobin.NUMBER)
class WeightedRoundRobinSelection(Ranked):
    """In proportion to the weights, evenly interleaved (section 4.2)."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self._turn = 0  # of the element selected last

    def add(self, element: Element) -> None:
        """Weight 0 has no turn."""
        if _weight(element):
            super().add(element)

    def rank(self, element: Element) -> int:
        """Its first turn: half its distance from now."""
        return self._turn + _TURN // (2 * _weight(element))

    def chosen(self, elements: list[Element]) -> None:
        """The turn of the first one is over."""
        if elements:
            [first, *_] = elements
            assert first.ring is not None
            self._turn = first.ring.rank
            self.remove(first)
            self._put(first, self._turn + _TURN // _weight(first))


def _weight(element: Element) -> int:
    assert isinstance(element.policy, policies.WeightedRoundRobin)
    return element.policy.weight
