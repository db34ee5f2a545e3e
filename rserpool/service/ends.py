"""
When sessions end with their credentials: to the second, by one timer for all of them.

Ends are wall-clock times, and the timer isn't: when it rings too early, it is set again, and
it never waits longer than `LONGEST`, so that a clock that was set meanwhile is looked at.
"""

import heapq
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds that the timer waits at most: how late an end may be noticed after the clock was set.
LONGEST = 300.0
#: Entries of sessions that are gone, over which the heap is made anew.  Who comes and goes
#: with a key that is good for years would fill the memory otherwise.
MOST_STALE = 1000

T = TypeVar("T", bound=Hashable)


class Ends(Generic[T]):
    """
    Things that end at a time, and moments at which all of them have to be looked at.

    :param clock: gives the timer.
    :param now: the time in seconds since the epoch.
    :ivar on_ended: told what has come to its end.
    :ivar on_moment: told that one of the moments has come.
    """

    def __init__(self, clock: IReactorTime, now: Callable[[], float]) -> None:
        self._clock = clock
        self._now = now
        self._ends: dict[T, float] = {}
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0
        self._moments: list[float] = []
        self._timer: IDelayedCall | None = None
        self._ringing = 0.0
        self.on_ended: Callable[[list[T]], object] = lambda ended: None
        self.on_moment: Callable[[], object] = lambda: None

    def __len__(self) -> int:
        return len(self._ends)

    def put(self, when: float | None, item: T) -> None:
        """`item` ends then; None: never."""
        if when is None:
            self._ends.pop(item, None)
            return
        self._ends[item] = when
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, item))
        self._arm()

    def drop(self, item: T) -> None:
        """`item` is gone before its end."""
        self._ends.pop(item, None)
        if not self._ends:
            self._heap.clear()
            self._arm()
        elif len(self._heap) > 2 * len(self._ends) + MOST_STALE:
            self._heap = [(when, n, one) for n, (one, when) in enumerate(self._ends.items())]
            heapq.heapify(self._heap)

    def expect(self, moments: Iterable[float]) -> None:
        """Look at everything at these moments, and at no others that were expected before."""
        now = self._now()
        self._moments = sorted(moment for moment in moments if moment > now)
        self._arm()

    def stop(self) -> None:
        """Ring no more."""
        self._ends.clear()
        self._heap.clear()
        self._moments.clear()
        self._disarm()

    def _next(self) -> float | None:
        while self._heap and self._ends.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        found = [self._heap[0][0]] if self._heap else []
        return min([*found, *self._moments[:1]], default=None)

    def _arm(self) -> None:
        when = self._next()
        if when is None:
            self._disarm()
            return
        if self._timer is not None and self._ringing == when:
            return
        self._disarm()
        wait = min(max(when - self._now(), 0.0), LONGEST)
        self._ringing = when
        self._timer = self._clock.callLater(wait, self._rang)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rang(self) -> None:
        self._timer = None
        now = self._now()
        ended: list[T] = []
        while (when := self._next()) is not None and when <= now:
            if self._moments and self._moments[0] <= now:
                self._moments = [moment for moment in self._moments if moment > now]
                self.on_moment()
                continue
            _, _, item = heapq.heappop(self._heap)
            del self._ends[item]
            ended.append(item)
        if ended:
            self.on_ended(ended)
        self._arm()
