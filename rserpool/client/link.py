"""
The link to the home registrar: performs what the hunt and a machine want.

Whatever fails is explained in words, and the hunt goes on.
"""

from collections.abc import Callable, Sequence
from typing import Any
from typing import Protocol as Shape

from twisted.internet.interfaces import IDelayedCall

from rserpool.client import announced, hunt
from rserpool.client.call import Call, Owner
from rserpool.client.effects import (
    CancelTimer,
    Dial,
    Effect,
    HangUp,
    Hunt,
    Redial,
    Send,
    SetTimer,
    Settle,
    Stay,
    Switch,
    Tell,
)
from rserpool.client.element import Element
from rserpool.client.events import Notice, What
from rserpool.client.known import Known
from rserpool.client.listening import Announcements, Listening
from rserpool.client.reception import Reception, Visitor
from rserpool.client.second import Mover, Second
from rserpool.client.security import Security
from rserpool.client.visit import Visit, visit


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
    :param announcements: where to listen for those that announce themselves.
    :param reception: where an element is called by registrars.
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
        announcements: Announcements | None = None,
        reception: Reception | None = None,
    ) -> None:
        if not registrars and announcements is None:
            raise ValueError("at least one registrar must be given")
        self._reactor = reactor
        self._security = security
        self._registrars = {
            index: Known(reactor, security, text) for index, text in enumerate(registrars)
        }
        self._configured = len(self._registrars)
        self._next = self._configured
        self._outdated: set[int] = set()  # but home still
        self._listening: Listening | None = None
        if announcements is not None:
            self._listening = Listening(
                reactor, announcements, learn=self._learn, forget=self._forget,
                trouble=lambda words: notify(Notice(What.UNREACHABLE, words)), random=random,
            )  # fmt: skip
        self._machine = machine
        self._notify = notify
        self._hunt = hunt.Hunt(len(self._registrars), random)
        self._calls: dict[int, Call] = {}
        self._home: Call | Visitor | None = None
        self._reception = reception
        self._second: Second | None = None
        self._performs = self._performers()
        self._timers: dict[str, IDelayedCall] = {}
        self._stopped = False

    @property
    def home(self) -> str | None:
        """The home registrar's description, while there is one."""
        return None if self._home is None else self._name(self._home)

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
        if self._reception is not None:
            self._reception.open(self)
        self.perform(self._hunt.start())
        if self._listening is not None:
            self._listening.start()

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
        if self._second is not None:
            self._second.end()
        if self._listening is not None:
            self._listening.stop()
        if self._reception is not None:
            self._reception.close()
        for index in list(self._outdated):
            self._drop(index)
        self._machine.unlinked()

    def perform(self, effects: list[Effect]) -> None:
        """Do what the machine or the hunt wants."""
        for effect in effects:
            if self._stopped:
                return
            self._performs[type(effect)](effect)

    def secure(self, security: Security, mover: Mover) -> None:
        """
        Prove ourselves by `security` from now on.

        :param mover: moves to a second connection with the home, if there is one.
        :raise ValueError: (or OSError) nothing can be made of it; all stays as it was.
        """
        renewed = {
            index: Known(self._reactor, security, known.description, known.patience)
            for index, known in self._registrars.items()
        }
        self._security = security
        self._registrars.update(renewed)
        if self._second is None:
            self._second = Second(self, mover)
        if self._home is not None:
            self._second.begin()
        elif self._calls:
            # They were made by the credential before.
            self.perform(self._hunt.start())

    def prepare(self, owner: Owner) -> Call | None:
        """Make another call to the home registrar; None: it wasn't called, but has called."""
        home = self._home
        return self._call(owner, home.index) if isinstance(home, Call) else None

    def begin(self, call: Call) -> None:
        """Call."""
        known = self._registrars[call.index]
        endpoint = known.endpoint
        if self._reception is not None:
            endpoint = self._reception.from_here(endpoint)
        call.dial(self._reactor, endpoint, known.creator)

    def replace(self, call: Call) -> Call | None:
        """Let this be the connection with the home; return the one that was."""
        home, self._home = self._home, call
        return home if isinstance(home, Call) else None

    def reached(self, call: "Call") -> None:
        """A call came about, TLS and all."""
        if self._calls.pop(call.index, None) is not call:
            call.hang_up()
            return
        effects = self._hunt.reached(call.index, self._reactor.seconds())
        if self._hunt.home == call.index and self._home is None:
            self._home = call
            self.perform(effects)
            self._notify(Notice(What.LINKED, self._text(call.index)))
            self.perform(self._machine.linked(self._reactor.seconds()))
        else:
            call.hang_up()
            self.perform(effects)

    def failed(self, call: "Call", words: str) -> None:
        """A call has failed."""
        if self._calls.get(call.index) is call:
            del self._calls[call.index]
            text = self._text(call.index)
            self._notify(Notice(What.UNREACHABLE, f"{text}: {words}"))
            if self._listening is not None:
                self._listening.failed(text)
            self.perform(self._hunt.failed(call.index))

    def arrived(self, call: "Call", messages: list[bytes]) -> None:
        """Messages have come by a connection."""
        for data in messages:
            now = self._reactor.seconds()
            if call is self._home:
                self.perform(self._machine.arrived(data, now))
            elif self._second is not None:
                self._second.overheard(call, data, now)

    def lost(self, call: "Call", words: str) -> None:
        """A connection has ended."""
        if call is self._home:
            self.leave(words)
        else:
            self.failed(call, words)

    def visited(self, visitor: Visitor, messages: list[bytes]) -> None:
        """Messages have come from a registrar that has called."""
        for data in messages:
            now = self._reactor.seconds()
            if visitor is self._home:
                self.perform(self._machine.arrived(data, now))
            elif not visitor.connection.ended:
                self._judge(visitor, visit(self._element, data, now), now)

    def left(self, visitor: Visitor, words: str) -> None:
        """One that has called has hung up."""
        if visitor is self._home:
            self.leave(words)

    def _judge(self, visitor: Visitor, found: Visit, now: float) -> None:
        if found.objection:
            visitor.cut_off(found.objection)
            return
        if found.answer:
            visitor.connection.write(found.answer)
        if found.home is None:
            return
        old, self._home = self._home, visitor
        self.perform(self._hunt.adopted(now))
        if old is not None:
            old.hang_up()
            self.perform(self._machine.unlinked())
        if isinstance(old, Call) and old.index in self._outdated:
            self._drop(old.index)
        self._notify(Notice(What.LINKED, str(visitor)))
        self._notify(Notice(What.ADOPTED, f"{found.home:#010x}"))
        self.perform(self._element.linked(now, found.home))

    @property
    def _element(self) -> Element:
        """The machine: only elements have a reception."""
        assert isinstance(self._machine, Element)
        return self._machine

    def _send(self, data: bytes) -> None:
        if self._home is not None and self._home.connection is not None:
            self._home.connection.write(data)

    def _dial(self, index: int) -> None:
        known = self._registrars[index]
        self._notify(Notice(What.TRYING, known.description))
        if self._stopped:
            return
        self._calls[index] = self._call(self, index)
        self.begin(self._calls[index])

    def _call(self, owner: Owner, index: int) -> Call:
        known = self._registrars[index]
        return Call(owner, index, self._security, known.description, known.patience)

    def _hang_up(self, index: int) -> None:
        call = self._calls.pop(index, None)
        if call is not None:
            call.hang_up()

    def leave(self, reason: str) -> None:
        """Leave the home registrar, and hunt for another."""
        home, self._home = self._home, None
        if home is None:
            return
        self._notify(Notice(What.UNLINKED, f"{self._name(home)}: {reason}"))
        self.perform(self._machine.unlinked())
        # Not a polite goodbye: it has gone, or doesn't answer, or talks nonsense.
        home.cut_off(reason)
        if self._second is not None:
            self._second.end()
        self.perform(self._hunt.lost(self._reactor.seconds()))
        if isinstance(home, Call) and home.index in self._outdated:
            self._drop(home.index)

    def _name(self, home: Call | Visitor) -> str:
        """The description of a home."""
        return self._text(home.index) if isinstance(home, Call) else str(home)

    def _text(self, index: int) -> str:
        return self._registrars[index].description

    def _learn(self, text: str) -> None:
        """A registrar has announced itself, or somebody else has."""
        for index, known in self._registrars.items():
            if known.description == text:  # configured, or home and outdated until now
                self._outdated.discard(index)
                return
        try:
            known = Known(self._reactor, self._security, text, announced.TIMEOUT)
        except (ValueError, OSError) as error:
            self._notify(Notice(What.UNREACHABLE, f"{text}, as it was announced: {error}"))
            if self._listening is not None:
                self._listening.failed(text)
            return
        index, self._next = self._next, self._next + 1
        self._registrars[index] = known
        self.perform(self._hunt.learn(index))

    def _forget(self, text: str) -> None:
        """It doesn't announce itself any more; as long as it is home, it is known still."""
        for index, known in list(self._registrars.items()):
            if known.description == text and index >= self._configured:
                if isinstance(self._home, Call) and self._home.index == index:
                    self._outdated.add(index)
                else:
                    self._drop(index)

    def _drop(self, index: int) -> None:
        """Nobody is known under this index any more."""
        self._outdated.discard(index)
        self.perform(self._hunt.forget(index))
        call = self._calls.pop(index, None)
        if call is not None:
            call.hang_up()
        del self._registrars[index]

    def _performers(self) -> dict[type[Effect], Callable[[Any], None]]:
        """How each effect is performed."""

        def second(do: Callable[[Second], None]) -> Callable[[Any], None]:
            def perform(effect: Effect) -> None:
                if self._second is not None:
                    do(self._second)

            return perform

        return {
            Send: lambda effect: self._send(effect.data),
            SetTimer: self._set_timer,
            CancelTimer: lambda effect: self._cancel_timer(effect.name),
            Dial: lambda effect: self._dial(effect.index),
            HangUp: lambda effect: self._hang_up(effect.index),
            Hunt: lambda effect: self.leave(effect.reason),
            Redial: second(Second.redial),
            Switch: second(Second.switch),
            Settle: second(Second.settle),
            Stay: second(Second.stay),
            Tell: lambda effect: self._notify(effect.notice),
        }

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
