"""
Moving an element to a new connection with its home registrar, pure.

By another key or certificate, which is shown where a connection begins.

Note [No gap]

A registrar holds an element by the connection by which it registered last, and an element of
one principal may register from several.  So the old connection stays, and answers keep-alives,
until a registration by the new one is granted; then it is ended, and nothing hangs on it.  Two
connections have no common order: a renewal on its way by the old one could be read after the
registration by the new one, and the end of the old one would leave the element without any.
Hence nothing is sent by the new one before all requests by the old one are answered.

Note [When it fails]

The registrar may not know the new key yet, or refuse the new certificate, or not be reached:
the old connection serves on, and the home is called again after a pause that doubles, up to
RETRAN-MAX.  Where the registrar objects to what time won't mend (the element belongs to
another principal: the certificate is for another name), nothing is tried until that is
corrected.  Where it may have granted the registration although we never heard, the element
registers by the old connection again.  And where it is the registrar that isn't believed any
more, by what was just read, the element leaves it: to stay would be to trust whom that
excludes.
"""

import enum

from rserpool.client.causes import all_in_words
from rserpool.client.effects import (
    CancelTimer,
    Effect,
    Hunt,
    Redial,
    SetTimer,
    Settle,
    Stay,
    Switch,
    Tell,
)
from rserpool.client.element import PAUSE, RETRAN_MAX, T2, Element, lasting
from rserpool.client.events import Notice, What
from rserpool.wire import asap
from rserpool.wire.errors import WireError

AGAIN = "move again"
#: Enough doublings to reach RETRAN-MAX from PAUSE.
_DOUBLINGS = 4


class State(enum.Enum):
    """How far a move has come."""

    NONE = "none"
    PAUSING = "pausing"  # it failed, and is tried again later
    CALLING = "calling"
    WAITING = "waiting"  # connected; what was asked by the old connection isn't answered yet
    REGISTERING = "registering"


class Moving:
    """What an element does on its link, moves included."""

    def __init__(self, element: Element) -> None:
        self._element = element
        self._failures = 0
        self._more = False  # another credential has come meanwhile
        self.state = State.NONE

    def begin(self) -> list[Effect]:
        """There is another credential, and a home to which we came by the one before."""
        if self.state is State.REGISTERING:
            self._more = True
            return []
        self._failures = 0
        return self._call()

    def reached(self) -> list[Effect]:
        """The second connection has come about."""
        if self.state is not State.CALLING:
            return []
        self.state = State.WAITING
        return self._try()

    def failed(self, words: str, *, believed: bool) -> list[Effect]:
        """
        The call, or the second connection, has come to nothing.

        :param believed: it isn't the registrar's certificate that is refused, by us.
        """
        if self.state is State.REGISTERING:
            return self._stay(words, unsure=True)
        if self.state not in (State.CALLING, State.WAITING):
            return []
        if believed:
            return self._pause(words)
        return [Hunt(f"it isn't believed any more: {words}")]

    def linked(self, now: float) -> list[Effect]:
        """There is a home registrar."""
        return self._element.linked(now)

    def unlinked(self) -> list[Effect]:
        """It was lost; whoever is home next is called by the new credential anyway."""
        self.state = State.NONE
        self._more = False
        return [CancelTimer(AGAIN), *self._element.unlinked()]

    def arrived(self, data: bytes, now: float) -> list[Effect]:
        """A message has come, by either connection."""
        if self.state is State.REGISTERING:
            answer = self._answer(data)
            if answer is not None and answer.rejected:
                return self._rejected(answer)
            if answer is not None:
                return [*self._settle(), *self._element.arrived(data, now), *self._next()]
        effects = self._element.arrived(data, now)
        if any(isinstance(effect, Hunt) for effect in effects):
            return effects
        return effects + self._try()

    def rang(self, name: str) -> list[Effect]:
        """A timer has rung."""
        if name == AGAIN:
            return self._call() if self.state is State.PAUSING else []
        if name == T2 and self.state is State.REGISTERING:
            return self._stay("it doesn't answer a registration", unsure=True)
        return self._element.rang(name)

    def _call(self) -> list[Effect]:
        self.state = State.CALLING
        return [CancelTimer(AGAIN), Redial()]

    def _try(self) -> list[Effect]:
        """Register by the second connection, if the first is quiet: see Note [No gap]."""
        if self.state is not State.WAITING or self._element.busy:
            return []
        if not self._element.registered:
            # Nothing is lost by the end of the old connection.
            return [Switch(), *self._settle(), *self._element.moved()]
        self.state = State.REGISTERING
        return [Switch(), *self._element.moved()]

    def _settle(self) -> list[Effect]:
        self.state = State.NONE
        self._failures = 0
        return [Settle(), Tell(Notice(What.MOVED))]

    def _answer(self, data: bytes) -> asap.RegistrationResponse | None:
        """The answer to our registration, if this is it."""
        try:
            message = asap.decode(data).message
        except WireError:
            return None
        mine = isinstance(message, asap.RegistrationResponse) and self._element.owns(message)
        return message if mine else None

    def _rejected(self, answer: asap.RegistrationResponse) -> list[Effect]:
        words = f"it rejects the registration: {all_in_words(answer.error)}"
        return self._stay(words, unsure=False, final=lasting(answer.error))

    def _stay(self, words: str, *, unsure: bool, final: bool = False) -> list[Effect]:
        """Go back to the old connection: see Note [When it fails]."""
        if final:
            self.state = State.NONE
            words = f"{words}; it isn't tried again until that is corrected"
            after: list[Effect] = [Tell(Notice(What.UNMOVED, words))]
        else:
            after = self._pause(words)
        return [Stay(), *self._element.stayed(unsure=unsure), *after, *self._next()]

    def _pause(self, words: str) -> list[Effect]:
        self.state = State.PAUSING
        seconds = min(PAUSE * 2.0 ** min(self._failures, _DOUBLINGS), RETRAN_MAX)
        self._failures += 1
        words = f"{words}; it is tried again in {seconds:g} seconds"
        return [SetTimer(AGAIN, seconds), Tell(Notice(What.UNMOVED, words))]

    def _next(self) -> list[Effect]:
        """Begin again, if there has been another credential meanwhile."""
        more, self._more = self._more, False
        return self.begin() if more else []
