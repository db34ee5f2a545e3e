"""
Elements by chance (RFC 5356 sections 4.3, 4.4 and 5.4), without replacement.

Weights stand in a tree of partial sums (a Fenwick tree): a draw goes down it once.  What
was drawn weighs nothing until the answer is complete.
"""

from abc import ABC, abstractmethod

from rserpool.handlespace.element import Element
from rserpool.handlespace.selection.interface import Random, selects
from rserpool.wire import policies
from rserpool.wire.policies import Policy


class Sums:
    """Numbers by index, with a search by their running sum; O(log n) each."""

    def __init__(self) -> None:
        self.total = 0
        self._values: list[int] = []
        self._tree = [0]  # from 1 on; one longer than a power of two
        self._top = 0  # that power of two

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> int:
        return self._values[index]

    def append(self, value: int) -> None:
        """Put `value` at the end."""
        index = len(self._values)
        if index == self._top:
            self._grow()
        self._values.append(0)
        self[index] = value

    def pop(self) -> None:
        """Take the last one away."""
        self[len(self._values) - 1] = 0
        self._values.pop()

    def __setitem__(self, index: int, value: int) -> None:
        change = value - self._values[index]
        self._values[index] = value
        self.total += change
        tree, top = self._tree, self._top
        index += 1
        while index <= top:
            tree[index] += change
            index += index & -index

    def find(self, place: int) -> int:
        """The index at which the running sum passes `place`, which is under the total."""
        tree, index, step = self._tree, 0, self._top
        while step:
            if index + step <= self._top and tree[index + step] <= place:
                index += step
                place -= tree[index]
            step >>= 1
        return index

    def _grow(self) -> None:
        self._top = 2 * self._top or 1
        tree = [0, *self._values, *[0] * (self._top - len(self._values))]
        for index in range(1, self._top):
            above = index + (index & -index)
            if above <= self._top:
                tree[above] += tree[index]
        self._tree = tree


class Drawn(ABC):
    """By chance, in proportion to a weight that follows from the policy's values."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._elements: list[Element] = []
        self._weights = Sums()

    def add(self, element: Element) -> None:
        """Put it into the hat."""
        element.rank = len(self._elements)
        self._elements.append(element)
        self._weights.append(self.weight(element))

    def remove(self, element: Element) -> None:
        """Take it out; the last one gets its place."""
        last = self._elements.pop()
        if last is not element:
            self._elements[element.rank] = last
            self._weights[element.rank] = self._weights[last.rank]
            last.rank = element.rank
        self._weights.pop()

    def update(self, element: Element, policy: Policy) -> None:
        """Give it its new weight."""
        if policy != element.policy:
            element.policy = policy
            self._weights[element.rank] = self.weight(element)

    def described(self, element: Element) -> None:  # noqa: B027 - nothing to do
        """Blobs are taken from the elements themselves."""

    def select(self, count: int, room: int) -> list[bytes]:
        """Draw one after the other."""
        weights, blobs, drawn = self._weights, [], []
        while count and weights.total:
            place = int(self._random.random() * weights.total)
            index = weights.find(min(place, weights.total - 1))
            blob = self._elements[index].blob
            room -= len(blob)
            if room < 0:
                break
            blobs.append(blob)
            drawn.append((index, weights[index]))
            weights[index] = 0
            count -= 1
        for index, weight in drawn:
            weights[index] = weight
        return blobs

    @abstractmethod
    def weight(self, element: Element) -> int:
        """How much of the chance is the element's."""


@selects(policies.WeightedRandom.NUMBER)
class WeightedRandomSelection(Drawn):
    """By its weight; 0 is never drawn (sections 3.2 and 4.4)."""

    def weight(self, element: Element) -> int:
        """The weight."""
        assert isinstance(element.policy, policies.WeightedRandom)
        return element.policy.weight


@selects(policies.RandomizedLeastUsed.NUMBER)
class RandomizedLeastUsedSelection(Drawn):
    """By what isn't used of it (section 5.4)."""

    def weight(self, element: Element) -> int:
        """The unused part; an element under full load can still be found, if need be."""
        assert isinstance(element.policy, policies.RandomizedLeastUsed)
        return max(1, 0xFFFFFFFF - element.policy.load)


@selects(policies.Random.NUMBER)
class RandomSelection:
    """By chance, all alike (section 4.3)."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._elements: list[Element] = []

    def add(self, element: Element) -> None:
        """Put it into the hat."""
        element.rank = len(self._elements)
        self._elements.append(element)

    def remove(self, element: Element) -> None:
        """Take it out; the last one gets its place."""
        last = self._elements.pop()
        if last is not element:
            self._elements[element.rank] = last
            last.rank = element.rank

    def update(self, element: Element, policy: Policy) -> None:
        """Nothing depends on its values."""
        element.policy = policy

    def described(self, element: Element) -> None:
        """Blobs are taken from the elements themselves."""

    def select(self, count: int, room: int) -> list[bytes]:
        """Shuffle as far as is needed (Fisher and Yates)."""
        elements, random = self._elements, self._random.random
        size = len(elements)
        blobs: list[bytes] = []
        for at in range(min(count, size)):
            other = at + int(random() * (size - at))
            one, two = elements[at], elements[other]
            room -= len(two.blob)
            if room < 0:
                break
            elements[at], elements[other] = two, one
            one.rank, two.rank = other, at
            blobs.append(two.blob)
        return blobs
