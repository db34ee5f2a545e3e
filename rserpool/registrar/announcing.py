"""
Announcements by multicast: when we make them, and what others' are good for.

ASAP_SERVER_ANNOUNCE tells pool elements and users where we are (RFC 5352 section 3.6),
ENRP_PRESENCE tells registrars (RFC 5353 section 3.1).

Note [Hints]

Nobody has proven that he has sent what comes by multicast, so it says only where a registrar
may be called: who answers there must prove who it is, as everybody.  It is no sign of life of
a peer, or a forger could keep a dead one from being taken over; its checksum isn't compared;
it is never answered by a datagram.  It is called where the datagram came from, as rsplib has
it, at the port that it tells: so nobody sends us where he can't send from himself.
"""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from rserpool.registrar.effects import Announce
from rserpool.registrar.share import Share
from rserpool.registrar.targets import Targets
from rserpool.wire import asap, enrp
from rserpool.wire.errors import WireError
from rserpool.wire.parameters import ServerInformation
from rserpool.wire.places import KINDS, callable_at, place

ALARM = "announcing"
#: Seconds for which an announcement counts (T7-ENRPoutdate).
T7 = 5.0
#: Seconds between two announcements of ours, however many registrars announce themselves:
#: (N + 1) * T6 may be more than T7, in which all would forget us; and a forger could have us
#: announce ourselves as rarely as he likes.
LONGEST = 2.0
#: Other registrars that are counted for it: forged ones cost no more memory than these.
MAXIMUM_OTHERS = 16
#: Calls that presences may cause: each second, and at once.  Forged ones by the thousand could
#: have us call thousands of addresses, who are attacked so, or hold our sockets.
CALLS_PER_SECOND, CALLS_BURST = 4.0, 8
#: Ports below this one have other services, whom nobody shall have us call.
LEAST_PORT = 1024
#: Its type, and its length without transports.
_ANNOUNCE, _SHORTEST = b"\x0a", 8


class Announcing:
    """
    What is sent to the groups, and what comes from them.

    :param serving: whether pool elements and users may come in.
    :param ourselves: tells peers where we are; None: nowhere that we know.
    :param called: told that there is somebody new to call.
    """

    def __init__(
        self,
        share: Share,
        targets: Targets,
        serving: Callable[[], bool],
        ourselves: Callable[[], ServerInformation | None],
        called: Callable[[float], None],
    ) -> None:
        self._share = share
        self._targets = targets
        self._serving = serving
        self._ourselves = ourselves
        self._called = called
        self._others: dict[int, float] = {}
        self._announce_at: float | None = None
        self._present_at: float | None = None
        self._spent = 0.0  # until then all calls are spent that there may be

    def start(self, now: float) -> None:
        """Begin with what is switched on."""
        settings = self._share.settings
        self._announce_at = now if settings.announces else None
        self._present_at = now if settings.presents else None
        self.rang(now)

    def rang(self, now: float) -> None:
        """Announce what is due."""
        if self._announce_at is not None and self._announce_at <= now:
            self._announce(now)
            self._announce_at = now + self._interval(now)
        if self._present_at is not None and self._present_at <= now:
            self._present()
            self._present_at = now + self._share.settings.peer_heartbeat_cycle
        self._share.alarms.at(ALARM, self._announce_at, now)
        self._share.alarms.at(ALARM, self._present_at, now)

    def announced(self, data: bytes, now: float) -> None:
        """Somebody has announced himself to pool elements and users: count him for a while."""
        if data[:1] != _ANNOUNCE or len(data) < _SHORTEST:
            return  # not decoded: a flood would cost too much, for a number
        server = int.from_bytes(data[4:8], "big")
        known = server in self._others
        if server != self._share.server_id and (
            known or len(self._alive(now)) < MAXIMUM_OTHERS
        ):
            self._others[server] = now + T7

    def presented(self, data: bytes, host: str, now: float) -> None:
        """Somebody has announced himself to registrars: call there, see Note [Hints]."""
        counters = self._share.counters
        if not self._share.settings.hears:
            return
        counters.presences_overheard += 1
        text, sender = self._where(data, host)
        if not text or sender in self._share.peers or self._targets.knows(text):
            return
        if not self._spend(now) or not self._targets.overheard(text, sender, now):
            counters.presences_over_limit += 1
            return
        self._called(now)

    def _where(self, data: bytes, host: str) -> tuple[str, int]:
        """Where the sender of a presence may be called, and who he says he is."""
        try:
            message = enrp.decode(data).message
            address = ip_address(host)
        except (WireError, ValueError):
            return "", 0
        if not isinstance(message, enrp.Presence) or message.server is None:
            return "", 0
        if message.sender in (0, self._share.server_id) or message.receiver:
            return "", 0
        port = message.server.transport.port
        if port < LEAST_PORT or not callable_at(address):
            return "", 0
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return place(KINDS[type(message.server.transport)], port, address), message.sender

    def _announce(self, now: float) -> None:
        if self._serving():
            self._share.counters.announcements += 1
            message = asap.ServerAnnounce(
                server=self._share.server_id, transports=self._share.settings.asap_transports
            )
            self._share.emit(Announce(message))

    def _present(self) -> None:
        share = self._share
        message = enrp.Presence(
            sender=share.server_id,
            checksum=share.handlespace.checksum(share.server_id),
            server=self._ourselves(),
        )
        share.emit(Announce(message))

    def _interval(self, now: float) -> float:
        """(N + 1) * T6-Serverannounce, within bounds."""
        each = self._share.settings.server_announce
        return min((len(self._alive(now)) + 1) * each, max(LONGEST, each))

    def _alive(self, now: float) -> dict[int, float]:
        """Who has announced himself lately."""
        self._others = {who: until for who, until in self._others.items() if until > now}
        return self._others

    def _spend(self, now: float) -> bool:
        """Take one of the calls that presences may cause; False: there is none left."""
        spent = max(self._spent, now)
        if spent - now > (CALLS_BURST - 1) / CALLS_PER_SECOND:
            return False
        self._spent = spent + 1 / CALLS_PER_SECOND
        return True
