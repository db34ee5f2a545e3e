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
    Effect,
    Send,
    SetTimer,
)
from rserpool.registrar.events import Channel
from rserpool.registrar.registrar import Registrar


class Connection(Protocol):
    """What the driver needs of a connection."""

    def write(self, data: bytes) -> None:
        """Send whole messages."""

    def close(self, reason: str) -> None:
        """End it when what was written has gone out."""


class Driver:
    """
    One registrar at work.

    :param clock: gives the timers.
    :param seconds: the registrar's time: monotonic, so that a clock set back or forth
        expires nothing.
    :param audit: takes each :class:`Audit` effect.
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
        self._performers: dict[type, Callable[..., None]] = {
            Send: self._send,
            Close: self._close,
            SetTimer: self._set_timer,
            CancelTimer: self._cancel_timer,
            Announce: self._announce,
            Audit: self._audit_effect,
        }

    def opened(self, channel: Channel, connection: Connection) -> None:
        """A peer whose identity is settled has connected."""
        self._connections[channel] = connection

    def arrived(self, channel: Channel, messages: list[bytes]) -> None:
        """Whole messages have come."""
        for effect in self.registrar.arrived(channel, messages, self._seconds()):
            self._performers[effect.__class__](effect)

    def lost(self, channel: Channel) -> None:
        """The connection of `channel` is gone."""
        if self._connections.pop(channel, None) is not None:
            self._perform(self.registrar.lost(channel, self._seconds()))

    def stop(self) -> None:
        """Ring no more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._performers[effect.__class__](effect)

    def _send(self, effect: Send) -> None:
        connection = self._connections.get(effect.channel)
        if connection is not None:
            connection.write(effect.data)

    def _close(self, effect: Close) -> None:
        connection = self._connections.get(effect.channel)
        if connection is not None:
            connection.close(effect.reason)

    def _set_timer(self, effect: SetTimer) -> None:
        timer = self._timers.pop(effect.name, None)
        if timer is not None:
            timer.cancel()
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

    def _announce(self, effect: Announce) -> None:
        self._log.debug("nobody to announce to: {count} octets", count=len(effect.data))

    def _audit_effect(self, effect: Audit) -> None:
        self._audit(effect)
