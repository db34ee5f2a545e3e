"""
The server hunt (RFC 5352 section 3.6): finding a home registrar among those known.

Pure.  At most three calls at once; those that fail give way to others.  Those that are
configured come before those that have announced themselves, which anybody may have done.

Note [Rounds]

In one round each registrar is called once.  One that fails, and one that takes a connection
only to close it (it may have just started, and serve nobody yet), has had its turn, and the
next is called in the same moment: a pool element without a home may be taken for dead.  When
all have had their turn there is a pause before the next round.  It doubles with each round,
so that nobody is called in a loop, and has jitter, so that a fleet doesn't come back all in
one moment.  A home that held and was lost begins a new round, in which it has had its turn.
"""

from collections.abc import Iterable
from typing import Protocol

from rserpool.client.effects import CancelTimer, Dial, Effect, HangUp, SetTimer

#: "no more than three ENRP servers" (SH1).
AT_ONCE = 3
#: T5-Serverhunt and the bound of its doubling, RETRAN-MAX, in seconds (section 7).
T5 = 10.0
RETRAN_MAX = 60.0
#: The pause before those that have had their turn are called again; it doubles, too.
PAUSE = 0.5
#: A home that is lost sooner than this has not been one: a registrar that takes a
#: connection only to close it would else be called again in the same moment, for ever.
STEADY = 10.0
#: Enough doublings to reach RETRAN-MAX from PAUSE; a bound, because a hunt may go on for
#: days, and 2.0 to the number of its rounds is too large for a float after a while.
_DOUBLINGS = 7
#: The index of a home that has called us: it can't be called.
VISITOR = -1
TIMER = "T5-Serverhunt"
AGAIN = "hunt again"


class Random(Protocol):
    """A source of numbers in [0, 1), given from outside."""

    def random(self) -> float:
        """Return the next one."""


class Hunt:
    """
    One hunt after the other, over registrars that are known by their index.

    :param count: those that are configured: 0 and so on.
    """

    def __init__(self, count: int, random: Random) -> None:
        self._count = count
        self._random = random
        self._announced: set[int] = set()
        self._started = False
        self._waiting: list[int] = []
        self._dialled: set[int] = set()
        self._tried: set[int] = set()  # have had their turn: see Note [Rounds]
        self._timeouts = 0
        self._pauses = 0
        self._pausing = False
        self._last: int | None = None
        self._since = 0.0
        self.home: int | None = None

    def start(self) -> list[Effect]:
        """Begin: there has been no home yet."""
        self._started = True
        effects: list[Effect] = [HangUp(index) for index in sorted(self._dialled)]
        self._dialled.clear()
        self._tried.clear()
        self.home = None
        self._timeouts = self._pauses = 0
        self._pausing = False
        self._waiting = self._shuffled(self._known)
        return [*effects, *self._dial(), self._patience()]

    def learn(self, index: int) -> list[Effect]:
        """A registrar has announced itself: it has a turn in this round, if there is one."""
        self._announced.add(index)
        if not self._started or self.home is not None:
            return []
        self._waiting.append(index)
        calling = bool(self._dialled)
        effects = self._dial()
        return [*effects, self._patience()] if effects and not calling else effects

    def forget(self, index: int) -> list[Effect]:
        """It isn't announced any more."""
        self._announced.discard(index)
        self._tried.discard(index)
        if index in self._waiting:
            self._waiting.remove(index)
        if index not in self._dialled:
            return []
        self._dialled.discard(index)
        return [HangUp(index), *self._dial(), *self._pause()]

    def lost(self, now: float) -> list[Effect]:
        """The home was lost: call the others at once, and itself after a pause."""
        assert self.home is not None
        self._last, self.home = self.home, None
        if now - self._since >= STEADY:
            self._pauses = 0
            self._tried.clear()
        if self._last != VISITOR:
            self._tried.add(self._last)
        self._waiting = self._shuffled(self._known - self._tried)
        effects = self._dial()
        if effects:
            effects.append(self._patience())
        return effects + self._pause()

    def reached(self, index: int, now: float) -> list[Effect]:
        """A registrar has answered the call: it is home now (SH3, SH6)."""
        if self.home is not None or index not in self._dialled:
            return [HangUp(index)]
        self.home = index
        self._since = now
        self._timeouts = 0
        self._pausing = False
        others = sorted(self._dialled - {index})
        self._dialled.clear()
        return [CancelTimer(TIMER), CancelTimer(AGAIN), *(HangUp(other) for other in others)]

    def adopted(self, now: float) -> list[Effect]:
        """A registrar has called, and is home now: nobody else is looked for."""
        self.home = VISITOR
        self._since = now
        self._timeouts = 0
        self._pausing = False
        others = sorted(self._dialled)
        self._dialled.clear()
        return [CancelTimer(TIMER), CancelTimer(AGAIN), *(HangUp(other) for other in others)]

    def failed(self, index: int) -> list[Effect]:
        """A call has failed: try a different registrar (SH4)."""
        if index not in self._dialled:
            return []
        self._dialled.discard(index)
        self._tried.add(index)
        effects = self._dial()
        if not self._dialled:
            effects.append(CancelTimer(TIMER))
        return effects + self._pause()

    def rang(self, name: str) -> list[Effect]:
        """A timer of the hunt has rung; T5: give up these and try others (SH5)."""
        if self.home is not None:
            return []
        effects: list[Effect] = []
        if name == TIMER:
            self._timeouts += 1
            effects = [HangUp(index) for index in sorted(self._dialled)]
            self._tried |= self._dialled
            self._dialled.clear()
        else:
            self._pauses += 1
            self._pausing = False
        calling = bool(self._dialled)
        self._waiting += self._shuffled(self._tried)
        self._tried.clear()
        effects += self._dial()
        return effects if calling else [*effects, self._patience()]

    def _dial(self) -> list[Effect]:
        effects: list[Effect] = []
        while self._waiting and len(self._dialled) < AT_ONCE:
            index = self._waiting.pop(0)
            self._dialled.add(index)
            effects.append(Dial(index))
        return effects

    def _patience(self) -> SetTimer:
        """T5."""
        seconds = min(T5 * 2.0 ** min(self._timeouts, _DOUBLINGS), RETRAN_MAX)
        return SetTimer(TIMER, seconds)

    def _pause(self) -> list[Effect]:
        """The end of this round, if nobody waits for his turn any more."""
        if self._waiting or self._pausing:
            return []
        self._pausing = True
        longest = min(PAUSE * 2.0 ** min(self._pauses, _DOUBLINGS), RETRAN_MAX)
        return [SetTimer(AGAIN, longest * (0.5 + self._random.random() / 2))]

    @property
    def _known(self) -> set[int]:
        return {*range(self._count), *self._announced}

    def _shuffled(self, indices: Iterable[int]) -> list[int]:
        """In any order, but who was only announced late, and the home that was lost last."""
        keyed = [
            (index == self._last, index in self._announced, self._random.random(), index)
            for index in indices
        ]
        return [index for *_, index in sorted(keyed)]
