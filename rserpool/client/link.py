"""
The link to the home registrar: performs what the hunt and a machine want.

Whatever fails is explained in words, and the hunt goes on.
"""

from collections.abc import Callable, Sequence
from typing import Any
from typing import Protocol as Shape

from twisted.internet.interfaces import IDelayedCall

from rserpool.client import hunt
from rserpool.client.call import CALL_TIMEOUT, Call
from rserpool.client.effects import (
    CancelTimer,
    Dial,
    Effect,
    HangUp,
    Hunt,
    Send,
    SetTimer,
    Tell,
)
from rserpool.client.events import Notice, What
from rserpool.client.security import Security
from rserpool.transport import endpoints


class Machine(Shape):
    """What uses the link: an element or a user."""

    def linked(self, now: float) -> list[Effect]:
        """There is a home registrar."""

    def unlinked(self) -> list[Effect]:
        """It was lost."""

    def arrived(self, data: bytes, now: float) -> list[Effect]:
        """A message has come from it."""

    def rang(self, name: str) -> list[Effect]:
        """A timer has rung."""


class Link:
    """
    Keeps a machine linked with one of several registrars.

    :param registrars: their endpoint descriptions, like ``tcp:registrar.example:3864``.
    :param notify: told what happens.
    """

    def __init__(
        self,
        reactor: Any,
        registrars: Sequence[str],
        security: Security,
        machine: Machine,
        *,
        notify: Callable[[Notice], None],
        random: hunt.Random,
    ) -> None:
        if not registrars:
            raise ValueError("at least one registrar must be given")
        self._reactor = reactor
        self._registrars = list(registrars)
        self._endpoints = [
            endpoints.client(reactor, text, CALL_TIMEOUT) for text in self._registrars
        ]
        self._security = security
        self._creators = [
            security.creator(endpoints.host_of(text) or "") for text in self._registrars
        ]
        self._machine = machine
        self._notify = notify
        self._hunt = hunt.Hunt(len(self._registrars), random)
        self._calls: dict[int, Call] = {}
        self._home: Call | None = None
        self._timers: dict[str, IDelayedCall] = {}
        self._stopped = False

    @property
    def home(self) -> str | None:
        """The home registrar's description, while there is one."""
        return None if self._home is None else self._registrars[self._home.index]

    @property
    def address(self) -> str | None:
        """This side's address on the connection with the home registrar."""
        if self._home is None or self._home.connection is None:
            return None
        host: str = self._home.connection.transport.getHost().host
        return host

    def start(self) -> None:
        """Begin to hunt."""
        self._stopped = False
        self.perform(self._hunt.start())

    def stop(self) -> None:
        """Hang up and hunt no more."""
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for call in [*self._calls.values(), *([self._home] if self._home else [])]:
            call.hang_up()
        self._calls.clear()
        self._home = None
        self._machine.unlinked()

    def perform(self, effects: list[Effect]) -> None:
        """Do what the machine or the hunt wants."""
        for effect in effects:
            if self._stopped:
                return
            if isinstance(effect, Send):
                self._send(effect.data)
            elif isinstance(effect, SetTimer):
                self._set_timer(effect)
            elif isinstance(effect, CancelTimer):
                self._cancel_timer(effect.name)
            elif isinstance(effect, Dial):
                self._dial(effect.index)
            elif isinstance(effect, HangUp):
                self._hang_up(effect.index)
            elif isinstance(effect, Hunt):
                self._leave(effect.reason)
            elif isinstance(effect, Tell):
                self._notify(effect.notice)

    def reached(self, call: "Call") -> None:
        """A call came about, TLS and all."""
        if self._calls.pop(call.index, None) is not call:
            call.hang_up()
            return
        effects = self._hunt.reached(call.index, self._reactor.seconds())
        if self._hunt.home == call.index and self._home is None:
            self._home = call
            self.perform(effects)
            self._notify(Notice(What.LINKED, self._registrars[call.index]))
            self.perform(self._machine.linked(self._reactor.seconds()))
        else:
            call.hang_up()
            self.perform(effects)

    def failed(self, call: "Call", words: str) -> None:
        """A call has failed."""
        if self._calls.get(call.index) is call:
            del self._calls[call.index]
            words = f"{self._registrars[call.index]}: {words}"
            self._notify(Notice(What.UNREACHABLE, words))
            self.perform(self._hunt.failed(call.index))

    def arrived(self, call: "Call", messages: list[bytes]) -> None:
        """Messages have come by a connection."""
        for data in messages:
            if call is self._home:
                self.perform(self._machine.arrived(data, self._reactor.seconds()))

    def lost(self, call: "Call", words: str) -> None:
        """A connection has ended."""
        if call is self._home:
            self._leave(words)
        else:
            self.failed(call, words)

    def _send(self, data: bytes) -> None:
        if self._home is not None and self._home.connection is not None:
            self._home.connection.write(data)

    def _dial(self, index: int) -> None:
        self._notify(Notice(What.TRYING, self._registrars[index]))
        if self._stopped:
            return
        call = Call(self, index, self._security, self._registrars[index])
        self._calls[index] = call
        call.dial(self._reactor, self._endpoints[index], self._creators[index])

    def _hang_up(self, index: int) -> None:
        call = self._calls.pop(index, None)
        if call is not None:
            call.hang_up()

    def _leave(self, reason: str) -> None:
        home, self._home = self._home, None
        if home is None:
            return
        self._notify(Notice(What.UNLINKED, f"{self._registrars[home.index]}: {reason}"))
        self.perform(self._machine.unlinked())
        # Not a polite goodbye: it has gone, or doesn't answer, or talks nonsense.
        home.cut_off(reason)
        self.perform(self._hunt.lost(self._reactor.seconds()))

    def _set_timer(self, effect: SetTimer) -> None:
        self._cancel_timer(effect.name)
        self._timers[effect.name] = self._reactor.callLater(
            effect.seconds, self._rang, effect.name
        )

    def _cancel_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _rang(self, name: str) -> None:
        del self._timers[name]
        hunting = name in (hunt.TIMER, hunt.AGAIN)
        self.perform(self._hunt.rang(name) if hunting else self._machine.rang(name))
