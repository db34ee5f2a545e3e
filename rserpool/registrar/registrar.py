"""
The registrar: events in, effects out (RFC 5352 and RFC 5353).

Pure: time is an argument, randomness is given, and what must be done is returned.
"""

from collections.abc import Iterator, Sequence

from rserpool.handlespace.handlespace import Handlespace
from rserpool.registrar.asap import Clients
from rserpool.registrar.counters import Counters
from rserpool.registrar.effects import Effect, Send
from rserpool.registrar.enrp import PeerState, Scope
from rserpool.registrar.events import Channel, Protocol
from rserpool.registrar.settings import Settings
from rserpool.registrar.share import Random, Share
from rserpool.security.interfaces import IGate


class Registrar:
    """
    One registrar, without any idea of sockets or clocks.

    :param targets: the other registrars that it is told of (RFC 5353 section 3.2.2.1).
    """

    def __init__(
        self,
        server_id: int,
        settings: Settings,
        handlespace: Handlespace,
        gate: IGate,
        random: Random,
        *,
        targets: Sequence[str] = (),
    ) -> None:
        share = Share(server_id, settings, handlespace, gate, random)
        self._share = share
        self._clients = Clients(share)
        self._scope = Scope(share, targets, self._clients.keep_alive, self._clients.membership)
        self._clients.join(self._scope)
        self._alarms = {**self._clients.alarms, **self._scope.alarms}

    @property
    def server_id(self) -> int:
        """This registrar's identifier (RFC 5353 section 3.2.1)."""
        return self._share.server_id

    @property
    def counters(self) -> Counters:
        """What it has done so far."""
        return self._share.counters

    @property
    def handlespace(self) -> Handlespace:
        """Its database."""
        return self._share.handlespace

    @property
    def serving(self) -> bool:
        """Whether the handlespace is complete: pool elements and users may come in."""
        return self._scope.joining.joined

    @property
    def peers(self) -> Iterator[PeerState]:
        """The other registrars, as far as they are known."""
        return self._scope.states()

    def start(self, now: float) -> list[Effect]:
        """Begin: look for the other registrars (RFC 5353 section 3.2)."""
        self._scope.start(now)
        return self._share.taken()

    def connected(self, channel: Channel, now: float) -> list[Effect]:
        """A connection with another registrar is up, by whichever side."""
        self._scope.connected(channel, now)
        return self._share.taken()

    def unreachable(self, target: str, now: float) -> list[Effect]:
        """A `Dial` has failed."""
        self._scope.unreachable(target, now)
        return self._share.taken()

    def arrived(self, channel: Channel, messages: list[bytes], now: float) -> list[Effect]:
        """Whole messages have come by `channel`; the answers to it are one effect."""
        if channel.protocol is Protocol.ENRP:
            for data in messages:
                self._scope.arrived(channel, data, now)
            return self._share.taken()
        joined = self._clients.arrived(channel, messages, now)
        effects: list[Effect] = [Send(channel, joined)] if joined else []
        if self._share.effects or self._share.announcements:
            effects += self._share.taken()
        return effects

    def overheard(self, protocol: Protocol, data: bytes, host: str, now: float) -> list[Effect]:
        """A datagram has come to a group of `protocol`, as it seems from `host`."""
        if protocol is Protocol.ENRP:
            self._scope.announcing.presented(data, host, now)
        else:
            self._scope.announcing.announced(data, now)
        return self._share.taken()

    def lost(self, channel: Channel, now: float) -> list[Effect]:
        """`channel` is gone."""
        if channel.protocol is Protocol.ENRP:
            self._scope.lost(channel, now)
        else:
            self._clients.lost(channel, now)
        return self._share.taken()

    def rang(self, name: str, now: float) -> list[Effect]:
        """A timer has rung."""
        self._share.alarms.rang(name)
        self._alarms[name](now)
        return self._share.taken()
