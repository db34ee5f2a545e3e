"""
Round robin (RFC 5356 section 4.1): a circle of elements with a head.

The links are in the elements, so that coming, going and moving on cost the same in a pool
of any size.
"""

from rserpool.handlespace.element import Element
from rserpool.handlespace.selection.interface import Random, selects
from rserpool.wire.policies import Policy, RoundRobin


class Ring:
    """A circular list of elements."""

    __slots__ = ("head", "rank")

    def __init__(self, rank: int = 0) -> None:
        self.head: Element | None = None
        self.rank = rank

    def append(self, element: Element) -> None:
        """Put `element` last: just before the head."""
        element.ring = self
        head = self.head
        if head is None:
            self.head = element.before = element.after = element
            return
        last = head.before
        assert last is not None
        element.before, element.after = last, head
        last.after = head.before = element

    def unlink(self, element: Element) -> None:
        """Take `element` out; the next one becomes the head in its place."""
        before, after = element.before, element.after
        assert before is not None
        assert after is not None
        if after is element:
            self.head = None
        else:
            before.after, after.before = after, before
            if self.head is element:
                self.head = after
        element.before = element.after = element.ring = None

    def advance(self) -> None:
        """Move the head on by one."""
        if self.head is not None:
            self.head = self.head.after


@selects(RoundRobin.NUMBER)
class RoundRobinSelection:
    """One after the other, the head moving on by one with each answer."""

    __slots__ = ("_ring",)

    def __init__(self, random: Random) -> None:
        self._ring = Ring()

    def add(self, element: Element) -> None:
        """Put it last."""
        self._ring.append(element)

    def remove(self, element: Element) -> None:
        """Take it out."""
        self._ring.unlink(element)

    def update(self, element: Element, policy: Policy) -> None:
        """Nothing depends on its values."""
        element.policy = policy

    def select(self, count: int, room: int) -> list[bytes]:
        """From the head on."""
        first = element = self._ring.head
        blobs: list[bytes] = []
        while element is not None and count:
            blob = element.blob
            room -= len(blob)
            if room < 0:
                break
            blobs.append(blob)
            count -= 1
            element = element.after
            if element is first:
                break
        if first is not None and blobs:
            self._ring.head = first.after
        return blobs
