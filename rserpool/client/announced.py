"""
Registrars that announce themselves: a list to which anybody may write (RFC 5352 section 3.6).

Pure.  An announcement proves nothing (section 9.2), so it says whom to call, and who answers
must prove who it is, as everybody.

Note [Who gets a place]

Somebody who forges announcements by the thousand wants the list full of them.  A few new ones
are listed as they come; when there are more, lots are drawn each second, among the addresses
they came from, however much each has sent.  One address has some places only.  A new one takes
the place of one that was called in vain, of the address that has most.  What is listed stays
listed while it is repeated: a registrar that was there before the flood is called.
"""

from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import attrs

from rserpool.client.bucket import Bucket
from rserpool.client.hunt import Random
from rserpool.wire import asap
from rserpool.wire.errors import WireError
from rserpool.wire.parameters import ServerTransport
from rserpool.wire.places import KINDS, callable_at, place

#: Seconds for which an announcement holds (T7-ENRPoutdate, section 7.1).
T7 = 5.0
#: Places of the list: forged announcements cost no more memory than these, nor more calls in a
#: round of the hunt.
MAXIMUM = 32
#: Places that were announced from one address: one forger doesn't fill the list.
FROM_ONE = 4
#: Announcements that are listed as they come: each second, and in a row.
NEW_PER_SECOND, NEW_BURST = 1.0, 8
#: Seconds between two draws, and how many of those that wait then are listed.  Each may cause a
#: call to whoever is there: forged ones by the thousand make us call nobody more often.
DRAW, DRAWN = 1.0, 4
#: Addresses whose announcements wait for the draw: who forges them doesn't get our memory.
WAITING = 256
#: Addresses of one SCTP transport: each has a packet sent there.
ADDRESSES = 4
#: Ports below this one have other services, whom nobody shall have us call.
LEAST_PORT = 1024
#: Seconds that a call to such a place may take.  It is near, as multicast goes; and three that
#: take the call and say nothing would hold up the hunt for longer.
TIMEOUT = 3.0

Address = IPv4Address | IPv6Address
_ANNOUNCE = b"\x0a"
#: Octets of an announcement that names no transport.
SHORTEST = 8


def read(data: bytes, host: str, port: int, silent: str) -> tuple[str, ...]:
    """
    Where a registrar may be called that has sent this datagram; nowhere if it is none.

    One that names no transport is called where the datagram came from, at its port, too: RFC
    5352 has the well-known one there, which it is with rsplib and with us.

    :param silent: by which transport that one is called; RFC 5352 says ``sctp``.
    """
    if data[:1] != _ANNOUNCE:
        return ()
    try:
        message = asap.decode(data).message
        source = ip_address(host)
    except (WireError, ValueError):
        return ()
    if not isinstance(message, asap.ServerAnnounce):
        return ()
    if not message.transports:
        source = getattr(source, "ipv4_mapped", None) or source
        return (place(silent, port, source),) if port >= LEAST_PORT else ()
    found = [_place(one, source) for one in message.transports[:FROM_ONE]]
    return tuple(dict.fromkeys(text for text in found if text))


def _place(transport: ServerTransport, source: Address) -> str:
    """Where a transport is called; empty if it can't be, or shouldn't be for such words."""
    if transport.port < LEAST_PORT:
        return ""
    found = [_host(address, source) for address in transport.addresses]
    hosts = list(filter(None, found))[:ADDRESSES]
    return place(KINDS[type(transport)], transport.port, *hosts) if hosts else ""


def _host(address: Address, source: Address) -> str:
    """One address of it, if it can be one that is called."""
    if not callable_at(address) or (address.is_loopback and not source.is_loopback):
        return ""  # whoever is far away has us call none of our own host's services
    if not isinstance(address, IPv6Address) or not address.is_link_local:
        return str(address)
    zone = getattr(source, "scope_id", None)
    return "" if zone is None else f"{address}%{zone}"  # else: on which link?


@attrs.define
class _Entry:
    """A place in the list."""

    source: str
    until: float
    failed: bool = False


class Announced:
    """The list: see Note [Who gets a place]."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._entries: dict[str, _Entry] = {}
        self._waiting: dict[str, list[str]] = {}
        self._draw_at = 0.0
        self._new = Bucket(NEW_PER_SECOND, NEW_BURST)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, text: object) -> bool:
        return text in self._entries

    def heard(
        self, places: Sequence[str], source: str, now: float
    ) -> tuple[list[str], list[str]]:
        """
        A registrar has announced itself from an address, as it seems.

        :return: what is new in the list, and what had to go for it.
        """
        strange = []
        for text in places:
            known = self._entries.get(text)
            if known is None:
                strange.append(text)
            else:
                known.until = now + T7
        if not strange or not self._room(source)[0]:
            return [], []
        if not self._waiting and self._new.spend(now):
            return self._list(strange, source, now)
        self._wait(strange, source, now)
        return [], []

    def draw(self, now: float) -> tuple[list[str], list[str]]:
        """List some of those that wait, if it is time; as `heard` gives them back."""
        new: list[str] = []
        gone: list[str] = []
        if not self._waiting or now < self._draw_at:
            return new, gone
        waiting, self._waiting = self._waiting, {}
        lots = sorted(waiting, key=lambda source: (self._random.random(), source))
        for source in lots[:DRAWN]:
            more, less = self._list(waiting[source], source, now)
            new += more
            gone += less
        return new, gone

    def failed(self, text: str) -> None:
        """It was called in vain: its place is free for others."""
        if text in self._entries:
            self._entries[text].failed = True

    def outdated(self, now: float) -> list[str]:
        """Take out what wasn't repeated in time (T7-ENRPoutdate)."""
        gone = [text for text, entry in self._entries.items() if entry.until <= now]
        for text in gone:
            del self._entries[text]
        return gone

    def next(self) -> float | None:
        """When something is outdated unless it is repeated, or lots are drawn."""
        moments = [entry.until for entry in self._entries.values()]
        return min([*moments, self._draw_at] if self._waiting else moments, default=None)

    def clear(self) -> list[str]:
        """Take out everything."""
        gone = list(self._entries)
        self._entries.clear()
        self._waiting.clear()
        return gone

    def _list(
        self, places: Sequence[str], source: str, now: float
    ) -> tuple[list[str], list[str]]:
        """Give places to what one address has announced, as far as there is room."""
        new: list[str] = []
        gone: list[str] = []
        for text in places:
            room, former = self._room(source)
            if not room or text in self._entries:
                continue
            if former:
                del self._entries[former]
                gone.append(former)
            self._entries[text] = _Entry(source, now + T7)
            new.append(text)
        return new, gone

    def _wait(self, places: list[str], source: str, now: float) -> None:
        """Have it wait for the draw; where too many do, in the place of any of them."""
        if not self._waiting:
            self._draw_at = max(self._draw_at + DRAW, now)
        if source not in self._waiting and len(self._waiting) >= WAITING:
            out = list(self._waiting)[int(self._random.random() * WAITING)]
            del self._waiting[out]
        self._waiting[source] = places

    def _room(self, source: str) -> tuple[bool, str]:
        """Whether there is room for one more from an address, and what must go for it."""
        held = Counter(entry.source for entry in self._entries.values())
        failed = [text for text, entry in self._entries.items() if entry.failed]
        if held[source] >= FROM_ONE:
            own = [text for text in failed if self._entries[text].source == source]
            return bool(own), own[0] if own else ""
        if len(self._entries) < MAXIMUM:
            return True, ""
        most = max(failed, key=lambda text: held[self._entries[text].source], default="")
        return bool(most), most
