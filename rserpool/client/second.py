"""
A second connection with the home registrar, while a machine moves to it.

What it moves for, and when it is done: :mod:`rserpool.client.moving`.
"""

from typing import Protocol as Shape

from rserpool.client.call import Call
from rserpool.client.effects import Effect, Send


class Mover(Shape):
    """Decides about the move."""

    def begin(self) -> list[Effect]:
        """Another credential is there, and a home to which we came by the one before."""

    def reached(self) -> list[Effect]:
        """The second connection has come about."""

    def failed(self, words: str, *, believed: bool) -> list[Effect]:
        """It hasn't, or has ended."""

    def arrived(self, data: bytes, now: float) -> list[Effect]:
        """A message has come."""


class Host(Shape):
    """The link, which has the first connection."""

    def perform(self, effects: list[Effect]) -> None:
        """Do what the machine wants."""

    def prepare(self, owner: "Second") -> Call | None:
        """Make a call to the home registrar; None: there is none that was called."""

    def begin(self, call: Call) -> None:
        """Call."""

    def replace(self, call: Call) -> Call | None:
        """Make this the connection with the home; the one that was."""

    def leave(self, reason: str) -> None:
        """There is no use in this home."""

    def arrived(self, call: Call, messages: list[bytes]) -> None:
        """Messages have come."""

    def lost(self, call: Call, words: str) -> None:
        """A connection has ended."""


class Second:
    """The call for it, and what became of the first connection meanwhile."""

    def __init__(self, host: Host, mover: Mover) -> None:
        self._host = host
        self._mover = mover
        self._call: Call | None = None  # until it is spoken by
        self._first: Call | None = None  # from then until it is clear which of them stays

    def begin(self) -> None:
        """There is another credential, and a home."""
        self._host.perform(self._mover.begin())

    def redial(self) -> None:
        """Call the home registrar once more."""
        if self._call is not None:
            self._call.hang_up()
        self._call = self._host.prepare(self)
        if self._call is not None:
            self._host.begin(self._call)

    def switch(self) -> None:
        """Speak by the second connection."""
        if self._call is not None:
            self._first, self._call = self._host.replace(self._call), None

    def settle(self) -> None:
        """The first isn't needed any more."""
        first, self._first = self._first, None
        if first is not None:
            first.hang_up()

    def stay(self) -> None:
        """Back to the first, if it is still there."""
        first, self._first = self._first, None
        if first is None or first.connection is None or first.connection.ended:
            self._host.leave("the new connection is of no use, and the old one has ended")
            return
        tried = self._host.replace(first)
        if tried is not None:
            tried.hang_up()

    def end(self) -> None:
        """The home is left, or the link stopped."""
        for call in (self._call, self._first):
            if call is not None:
                call.hang_up()
        self._call = self._first = None

    def overheard(self, call: Call, data: bytes, now: float) -> None:
        """A message has come by a connection that isn't the home's: is it the first?"""
        if call is not self._first:
            return
        for effect in self._mover.arrived(data, now):
            # Answered by the connection by which it was asked, as long as it is there.
            if isinstance(effect, Send) and call is self._first and call.connection is not None:
                call.connection.write(effect.data)
            else:
                self._host.perform([effect])

    def reached(self, call: Call) -> None:
        """The second connection has come about."""
        if call is self._call:
            self._host.perform(self._mover.reached())

    def failed(self, call: Call, words: str) -> None:
        """The call for it has come to nothing."""
        if call is self._call:
            self._call = None
            self._fail(call, words)

    def arrived(self, call: Call, messages: list[bytes]) -> None:
        """Messages have come by it."""
        self._host.arrived(call, messages)

    def lost(self, call: Call, words: str) -> None:
        """It has ended: before it was spoken by, on trial, or as the home's connection."""
        if call is self._call:
            self.failed(call, words)
        elif self._first is not None and call is not self._first:
            self._fail(call, words)
        else:
            self._host.lost(call, words)

    def _fail(self, call: Call, words: str) -> None:
        self._host.perform(self._mover.failed(words, believed=not call.disbelieved))
