"""
Round robin (RFC 5356 section 4.1): a circle of elements with a head.

The links are in the elements, so that coming, going and moving on cost the same in a pool
of any size.
"""

from collections.abc import Sequence

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


#: Pools up to this size are gathered; a larger one would cost more with each change.
GATHERED = 64


@selects(RoundRobin.NUMBER)
class RoundRobinSelection:
    """
    One after the other, the head moving on by one with each answer.

    Note [Gathered]

    Of a small pool the blobs are gathered in the order of the circle, so that an answer is
    a slice that touches no element: among 100,000 elements most aren't in the processor's
    cache.  Any change scatters them again.
    """

    __slots__ = ("_at", "_blobs", "_octets", "_ring", "_size")

    def __init__(self, random: Random) -> None:
        self._ring = Ring()
        self._size = 0
        self._blobs: tuple[bytes, ...] = ()  # of all elements, or nothing
        self._at = 0  # how far the head is from the first of them
        self._octets = 0

    def add(self, element: Element) -> None:
        """Put it last."""
        self._scatter()
        self._ring.append(element)
        self._size += 1

    def remove(self, element: Element) -> None:
        """Take it out."""
        self._scatter()
        self._ring.unlink(element)
        self._size -= 1

    def update(self, element: Element, policy: Policy) -> None:
        """Nothing depends on its values."""
        element.policy = policy

    def described(self, element: Element) -> None:
        """What was gathered has its old blob."""
        self._scatter()

    def select(self, count: int, room: int) -> Sequence[bytes]:
        """From the head on."""
        blobs = self._blobs
        if not blobs:
            if not 0 < self._size <= GATHERED:
                return self._walk(count, room)
            blobs = self._gather()
        if room < self._octets:
            return self._walk(count, room)
        size, at = self._size, self._at
        found = blobs[at : at + count]
        if at + count > size:
            found += blobs[: min(count, size) - len(found)]
        if count:
            self._at = at + 1 if at + 1 < size else 0
        return found

    def _walk(self, count: int, room: int) -> list[bytes]:
        """The same, along the circle."""
        self._scatter()
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

    def _gather(self) -> tuple[bytes, ...]:
        first = element = self._ring.head
        assert first is not None
        assert element is not None
        blobs = [first.blob]
        while (element := element.after) is not first:
            assert element is not None
            blobs.append(element.blob)
        self._blobs = tuple(blobs)
        self._octets = sum(len(blob) for blob in blobs)
        return self._blobs

    def _scatter(self) -> None:
        """Nothing is gathered; the head of the circle is where it ought to be."""
        if self._blobs:
            for _ in range(self._at):
                self._ring.advance()
            self._blobs = ()
            self._at = 0
