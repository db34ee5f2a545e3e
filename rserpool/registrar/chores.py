"""
Long work in small pieces, so that nobody else waits for it.

A chore is an iterator: each step does a little, and between two slices others are served.
"""

from collections import deque
from collections.abc import Iterator

from rserpool.registrar.share import Share

ALARM = "chores"
#: Steps in one slice: some 2 ms.
SLICE = 500


class Chores:
    """What is still to be done, in the order in which it was asked for."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._queue: deque[Iterator[None]] = deque()
        self.now = 0.0

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, chore: Iterator[None], now: float) -> None:
        """Do this when all before it is done; a short one is done at once."""
        self._queue.append(chore)
        if len(self._queue) == 1:
            self.rang(now)

    def rang(self, now: float) -> None:
        """Do the next slice."""
        self.now = now
        steps = 0
        while self._queue and steps < SLICE:
            try:
                next(self._queue[0])
                steps += 1
            except StopIteration:
                self._queue.popleft()
        if self._queue:
            self._share.alarms.at(ALARM, now, now)
