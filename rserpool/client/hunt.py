"""
The server hunt (RFC 5352 section 3.6): finding a home registrar among those known.

Pure.  At most three calls at once; those that fail give way to others; when a round of all
has failed, the next begins after a pause that doubles, with jitter, so that a fleet doesn't
come back all in one moment.
"""

from typing import Protocol

from rserpool.client.effects import CancelTimer, Dial, Effect, HangUp, SetTimer

#: "no more than three ENRP servers" (SH1).
AT_ONCE = 3
#: T5-Serverhunt and the bound of its doubling, RETRAN-MAX, in seconds (section 7).
T5 = 10.0
RETRAN_MAX = 60.0
#: The pause after the first round in which every registrar refused at once.
PAUSE = 0.5
TIMER = "T5-Serverhunt"
AGAIN = "hunt again"


class Random(Protocol):
    """A source of numbers in [0, 1), given from outside."""

    def random(self) -> float:
        """Return the next one."""


class Hunt:
    """One hunt after the other, over `count` registrars."""

    def __init__(self, count: int, random: Random) -> None:
        self._count = count
        self._random = random
        self._waiting: list[int] = []
        self._dialled: set[int] = set()
        self._rounds = 0
        self._last: int | None = None
        self.home: int | None = None

    def start(self) -> list[Effect]:
        """Begin, or begin anew: the home was lost, or never found."""
        effects: list[Effect] = [HangUp(index) for index in sorted(self._dialled)]
        self._dialled.clear()
        if self.home is not None:
            self._last, self.home = self.home, None
            self._rounds = 0
        order = sorted(range(self._count), key=lambda _: self._random.random())
        if self._last is not None and self._count > 1:
            # The one that was just lost comes last.
            order.remove(self._last)
            order.append(self._last)
        self._waiting = order
        timeout = min(T5 * 2**self._rounds, RETRAN_MAX)
        return [*effects, *self._dial(), SetTimer(TIMER, timeout)]

    def reached(self, index: int) -> list[Effect]:
        """A registrar has answered the call: it is home now (SH3, SH6)."""
        if self.home is not None or index not in self._dialled:
            return [HangUp(index)]
        self.home = index
        self._rounds = 0
        others = sorted(self._dialled - {index})
        self._dialled.clear()
        return [CancelTimer(TIMER), CancelTimer(AGAIN), *(HangUp(other) for other in others)]

    def failed(self, index: int) -> list[Effect]:
        """A call has failed: try a different registrar (SH4)."""
        self._dialled.discard(index)
        if self.home is not None:
            return []
        effects = self._dial()
        if self._dialled or self._waiting:
            return effects
        pause = min(PAUSE * 2**self._rounds, RETRAN_MAX)
        self._rounds += 1
        return [CancelTimer(TIMER), SetTimer(AGAIN, pause * (0.5 + self._random.random() / 2))]

    def rang(self, name: str) -> list[Effect]:
        """A timer of the hunt has rung (SH5)."""
        if self.home is not None:
            return []
        if name == TIMER:
            self._rounds += 1
        return self.start()

    def _dial(self) -> list[Effect]:
        effects: list[Effect] = []
        while self._waiting and len(self._dialled) < AT_ONCE:
            index = self._waiting.pop(0)
            self._dialled.add(index)
            effects.append(Dial(index))
        return effects
