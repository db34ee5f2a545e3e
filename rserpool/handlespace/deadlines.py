"""
When what falls due: a wheel of time slots, one list each.

An entry costs one place in a list; there is nothing to sort but the slots.  Entries are
never moved: whoever takes one out looks whether its time has really come, and puts it
back otherwise.
"""

import heapq
from typing import Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """
    Things and when they fall due.

    :param slot: the length of a time slot in seconds: nothing comes out before its time,
        and nothing later than a slot after it.
    """

    def __init__(self, slot: float) -> None:
        self._slot = slot
        self._items: dict[int, list[T]] = {}
        self._slots: list[int] = []  # a heap

    def put(self, when: float, item: T) -> None:
        """`item` falls due at `when`."""
        slot = int(when / self._slot) + 1
        items = self._items.get(slot)
        if items is None:
            self._items[slot] = [item]
            heapq.heappush(self._slots, slot)
        else:
            items.append(item)

    def due(self, now: float, at_most: int) -> list[T]:
        """Take out what is due, up to so many; the rest stays due."""
        found: list[T] = []
        while self._slots and self._slots[0] * self._slot <= now and len(found) < at_most:
            items = self._items[self._slots[0]]
            room = at_most - len(found)
            if len(items) > room:
                found += items[-room:]
                del items[-room:]
            else:
                found += items
                del self._items[heapq.heappop(self._slots)]
        return found

    def next(self) -> float | None:
        """When to ask again."""
        return self._slots[0] * self._slot if self._slots else None
