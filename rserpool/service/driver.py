"""
The driver: feeds the registrar and performs its effects.

The only place where the registrar's wishes become writes and timers.
"""

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from rserpool.registrar.effects import (
    Announce,
    Audit,
    CancelTimer,
    Close,
    Dial,
    Effect,
    Reach,
    Rest,
    Send,
    Serve,
    SetTimer,
)
from rserpool.registrar.events import Channel
from rserpool.registrar.events import Protocol as Speaks
from rserpool.registrar.registrar import Registrar

#: Octets joined for one registrar, after which they are written all the same: what is kept here
#: isn't counted against what may wait for one that asks and asks and doesn't read.
LONGEST_JOINED = 256 * 1024


class Connection(Protocol):
    """What the driver needs of a connection."""

    def write(self, data: bytes) -> None:
        """Send whole messages."""

    def rest(self) -> None:
        """Serve nothing more of it for a while."""

    def close(self, reason: str) -> None:
        """End it when what was written has gone out."""


class Driver:
    """
    One registrar at work.

    :param clock: gives the timers.
    :param seconds: the registrar's time: monotonic, so that a clock set back or forth
        expires nothing.
    :param audit: takes each :class:`Audit` effect.
    :ivar on_dial, on_reach, on_announce, on_serve: who performs these.

    Note [One write]

    What a registrar is told in one turn of the event loop goes out in one write: changes come
    by many connections, and each of them is told to every peer.  Pool elements and users get
    their answers at once.
    """

    _log = Logger(namespace="rserpool.registrar")

    def __init__(
        self,
        registrar: Registrar,
        clock: IReactorTime,
        seconds: Callable[[], float],
        audit: Callable[[Audit], None],
    ) -> None:
        self.registrar = registrar
        self._clock = clock
        self._seconds = seconds
        self._audit = audit
        self._connections: dict[Channel, Connection] = {}
        self._timers: dict[str, IDelayedCall] = {}
        self._unsent: dict[Channel, bytearray] = {}
        self._flushing: IDelayedCall | None = None
        self._stopped = False
        self.on_dial: Callable[[str], None] = self._nobody
        self.on_reach: Callable[[Reach], None] = self._nobody
        self.on_announce: Callable[[Announce], None] = self._nobody
        self.on_serve: Callable[[], None] = lambda: None
        self._performers: dict[type, Callable[..., None]] = {
            Send: self._send,
            Close: self._close,
            Rest: self._rest,
            SetTimer: self._set_timer,
            CancelTimer: self._cancel_timer,
            Announce: self._announce,
            Audit: self._audit_effect,
            Dial: self._dial,
            Reach: self._reach,
            Serve: self._serve,
        }

    def start(self) -> None:
        """Begin."""
        self._perform(self.registrar.start(self._seconds()))

    def opened(self, channel: Channel, connection: Connection) -> None:
        """A peer whose identity is settled has connected."""
        self._connections[channel] = connection
        if channel.protocol is Speaks.ENRP:
            self._perform(self.registrar.connected(channel, self._seconds()))

    def unreachable(self, target: str) -> None:
        """A registrar that was to be called can't be."""
        self._perform(self.registrar.unreachable(target, self._seconds()))

    def arrived(self, channel: Channel, messages: list[bytes]) -> None:
        """Whole messages have come."""
        for effect in self.registrar.arrived(channel, messages, self._seconds()):
            self._performers[effect.__class__](effect)

    def overheard(self, protocol: Speaks, data: bytes, host: str) -> None:
        """A datagram has come to a group."""
        self._perform(self.registrar.overheard(protocol, data, host, self._seconds()))

    def lost(self, channel: Channel) -> None:
        """The connection of `channel` is gone."""
        self._unsent.pop(channel, None)
        if self._connections.pop(channel, None) is not None:
            self._perform(self.registrar.lost(channel, self._seconds()))

    def stop(self) -> None:
        """Ring no more, whatever is still wanted when connections end."""
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._flush()

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._performers[effect.__class__](effect)

    def _send(self, effect: Send) -> None:
        channel = effect.channel
        connection = self._connections.get(channel)
        if connection is None:
            return
        if channel.protocol is not Speaks.ENRP:
            connection.write(effect.data)
            return
        unsent = self._unsent.get(channel)
        if unsent is None:
            unsent = self._unsent[channel] = bytearray()
        unsent += effect.data
        if len(unsent) >= LONGEST_JOINED:
            self._write(channel)
        elif self._flushing is None:
            self._flushing = self._clock.callLater(0, self._flush)

    def _flush(self) -> None:
        """Write what registrars are to be told: see Note [One write]."""
        if self._flushing is not None and self._flushing.active():
            self._flushing.cancel()
        self._flushing = None
        for channel in list(self._unsent):
            self._write(channel)

    def _write(self, channel: Channel) -> None:
        unsent = self._unsent.pop(channel, None)
        if unsent is not None:
            self._connections[channel].write(bytes(unsent))

    def _close(self, effect: Close) -> None:
        connection = self._connections.get(effect.channel)
        if connection is not None:
            self._write(effect.channel)
            connection.close(effect.reason)

    def _rest(self, effect: Rest) -> None:
        connection = self._connections.get(effect.channel)
        if connection is not None and effect.channel.protocol is not Speaks.ENRP:
            connection.rest()

    def _set_timer(self, effect: SetTimer) -> None:
        timer = self._timers.pop(effect.name, None)
        if timer is not None:
            timer.cancel()
        if self._stopped:
            return
        self._timers[effect.name] = self._clock.callLater(
            effect.seconds, self._rang, effect.name
        )

    def _cancel_timer(self, effect: CancelTimer) -> None:
        timer = self._timers.pop(effect.name, None)
        if timer is not None:
            timer.cancel()

    def _rang(self, name: str) -> None:
        del self._timers[name]
        self._perform(self.registrar.rang(name, self._seconds()))

    def _dial(self, effect: Dial) -> None:
        self.on_dial(effect.target)

    def _reach(self, effect: Reach) -> None:
        self.on_reach(effect)

    def _serve(self, effect: Serve) -> None:
        self.on_serve()

    def _nobody(self, wanted: object) -> None:
        self._log.debug("nobody to do {wanted}", wanted=wanted)

    def _announce(self, effect: Announce) -> None:
        self.on_announce(effect)

    def _audit_effect(self, effect: Audit) -> None:
        self._audit(effect)
