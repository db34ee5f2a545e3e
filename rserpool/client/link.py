"""
The link to the home registrar: performs what the hunt and a machine want.

Whatever fails is explained in words, and the hunt goes on.
"""

from collections.abc import Callable, Sequence
from typing import Any
from typing import Protocol as Shape

from OpenSSL import SSL
from twisted.internet.error import ConnectionRefusedError, TimeoutError  # noqa: A004
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from rserpool.client import hunt
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
from rserpool.security.certificate.trust import explain
from rserpool.security.decisions import Proof
from rserpool.transport import endpoints
from rserpool.transport.connection import Connection

#: Seconds that one call, its TLS included, may take.
CALL_TIMEOUT = 10.0


class Machine(Shape):
    """What uses the link: an element or a user."""

    def linked(self) -> list[Effect]:
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
        self._calls: dict[int, _Call] = {}
        self._home: _Call | None = None
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

    def reached(self, call: "_Call") -> None:
        """A call came about, TLS and all."""
        if self._calls.pop(call.index, None) is not call:
            call.hang_up()
            return
        effects = self._hunt.reached(call.index)
        if self._hunt.home == call.index and self._home is None:
            self._home = call
            self.perform(effects)
            self._notify(Notice(What.LINKED, self._registrars[call.index]))
            self.perform(self._machine.linked())
        else:
            call.hang_up()
            self.perform(effects)

    def failed(self, call: "_Call", words: str) -> None:
        """A call has failed."""
        if self._calls.get(call.index) is call:
            del self._calls[call.index]
            words = f"{self._registrars[call.index]}: {words}"
            self._notify(Notice(What.UNREACHABLE, words))
            self.perform(self._hunt.failed(call.index))

    def arrived(self, call: "_Call", messages: list[bytes]) -> None:
        """Messages have come by a connection."""
        for data in messages:
            if call is self._home:
                self.perform(self._machine.arrived(data, self._reactor.seconds()))

    def lost(self, call: "_Call", words: str) -> None:
        """A connection has ended."""
        if call is self._home:
            self._leave(words)
        else:
            self.failed(call, words)

    def _send(self, data: bytes) -> None:
        if self._home is not None and self._home.connection is not None:
            self._home.connection.write(data)

    def _dial(self, index: int) -> None:
        call = _Call(self, index, self._security, self._registrars[index])
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
        home.hang_up()
        self.perform(self._hunt.start())

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


class _Call(Factory):
    """One call to one registrar, and the connection that came of it."""

    noisy = False

    def __init__(self, link: Link, index: int, security: Security, description: str) -> None:
        self.connection: Connection | None = None
        self.index = index
        self._link = link
        self._security = security
        self._wanted = security_name(security, description)
        self._attempt: Any = None
        self._timeout: IDelayedCall | None = None
        self._over = False

    def dial(self, reactor: Any, endpoint: Any, creator: Any) -> None:
        """Call."""
        factory: Any = self
        if creator is not None:
            factory = TLSMemoryBIOFactory(creator, True, self)
            factory.noisy = False
        self._timeout = reactor.callLater(CALL_TIMEOUT, self._too_long)
        self._attempt = endpoint.connect(factory)
        self._attempt.addErrback(self._failed)

    def hang_up(self) -> None:
        """End it, whatever it has come to."""
        self._finish()
        self._over = True
        if self.connection is not None:
            self.connection.close("not needed")
        elif self._attempt is not None:
            self._attempt.cancel()

    def buildProtocol(self, addr: Any) -> Connection:  # noqa: N802 - Twisted calls it
        """Make our side of the connection."""
        secure = self._security.proof is not Proof.PLAIN
        self.connection = Connection(self, addr.host, addr.port, secure)
        return self.connection

    def opened(self, connection: Connection) -> None:
        """The connection is up: has the registrar proven what we ask of it?"""
        self._finish()
        proof = Proof.PLAIN if connection.evidence is None else connection.evidence.proof
        if proof is not self._security.proof:
            self._over = True
            connection.abort("it hasn't proven who it is")
            self._link.failed(self, "it hasn't proven who it is")
            return
        self._link.reached(self)

    def arrived(self, connection: Connection, messages: list[bytes]) -> None:
        """Messages have come."""
        self._link.arrived(self, messages)

    def lost(self, connection: Connection, reason: Failure) -> None:
        """The connection has ended."""
        self._finish()
        if not self._over:
            self._over = True
            self._link.lost(self, self._words(connection, reason))

    def _words(self, connection: Connection, reason: Failure) -> str:
        if connection.ready:
            return "the connection was lost"
        if not connection.secure:
            return reason.getErrorMessage()
        error: Any = reason.value
        if self._security.proof is Proof.PSK:
            return key_words(error)
        shown = connection.transport.getHandle().get_peer_certificate(as_cryptography=True)
        return explain(error, self._wanted, shown)

    def _failed(self, failure: Failure) -> None:
        self._finish()
        if not self._over:
            self._over = True
            self._link.failed(self, connect_words(failure.value))

    def _too_long(self) -> None:
        self._timeout = None
        self._over = True
        if self.connection is not None:
            self.connection.abort("it takes too long")
        else:
            self._attempt.cancel()
        self._link.failed(self, f"it didn't answer within {CALL_TIMEOUT:g} seconds")

    def _finish(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None


def security_name(security: Security, description: str) -> str:
    """The name that a registrar's certificate must be for."""
    return getattr(security, "name", None) or endpoints.host_of(description) or ""


def connect_words(error: BaseException | None) -> str:
    """Why there was no connection, for people."""
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there (connection refused)"
    if isinstance(error, TimeoutError):
        return f"it didn't answer within {CALL_TIMEOUT:g} seconds"
    return str(error)


def key_words(error: BaseException | None) -> str:
    """Why a handshake with a pre-shared key failed, as far as a client can tell."""
    words = str(error)
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        words = "; ".join(str(entry[-1]) for entry in error.args[0])
    if "verify failed" in words:
        return "it doesn't know the pre-shared key: it showed a certificate instead"
    if "alert" in words:
        return f"it refused the pre-shared key: unknown identity or wrong key ({words})"
    return f"no TLS with a pre-shared key came about ({words})"
