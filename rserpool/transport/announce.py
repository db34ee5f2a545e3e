"""
Announcements by multicast: the groups, and a socket for each (RFC 5352 section 3.6).

Nobody can trust what comes here: a sender proves nothing, and may send by the thousand (RFC
5352 section 9.2).  So it is read at a bounded rate, and what it says is a hint at most.
"""

import contextlib
import re
import socket
import struct
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import attrs
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

#: Datagrams that are read of one group in one `TURN`, in seconds: 2,000 a second, where an
#: honest scope has one or two.  A flood's rest stays in the kernel, which drops it: so it costs
#: us a few hundredths of a processor at most, of which others would have less.  With fewer, an
#: honest announcement would seldom be read in a flood.
READS, TURN = 200, 0.1
#: Octets that the kernel keeps for us: what has waited for long behind a flood is stale.
WAITING = 1 << 17
#: Octets of an announcement: some hundred addresses.  What is longer isn't one.
LONGEST = 2048
#: Ports of ASAP and ENRP over UDP (RFC 5352 section 8, RFC 5353 section 5.3).
ASAP_PORT, ENRP_PORT = 3863, 9901
#: The groups that have a name.  RFC 5352 section 8.4 has one group in each family, and no RFC
#: has another one for ENRP, whose port alone differs then.  rsplib has groups of its own.
ASAP_GROUPS = {"iana": "224.0.1.185", "iana6": "[ff05::133]", "rsplib": "239.0.0.50"}
ENRP_GROUPS = {"iana": "224.0.1.185", "iana6": "[ff05::133]", "rsplib": "239.0.0.51"}
#: Hops that an announcement may go, unless it is said otherwise: it stays on its link.
TTL = 1

_GROUP = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::([0-9]+))?")
_MOST = 65535

#: Takes the octets of a datagram, and address and port of who says that he has sent it.
Heard = Callable[[bytes, str, int], None]


@attrs.frozen
class Group:
    """A multicast group and the UDP port on it."""

    address: IPv4Address | IPv6Address
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else self.address
        return f"{host}:{self.port}"


def group(text: str, names: Mapping[str, str], port: int) -> Group:
    """
    Read ``239.0.0.50:3863``, ``[ff05::133]:3863``, or a name of a group.

    :param port: where none is given.
    :raise ValueError: it is none of them.
    """
    found = _GROUP.fullmatch(names.get(text, text))
    try:
        if found is None:
            raise ValueError(text)
        address = ip_address(found[1] or found[2])
    except ValueError:
        words = f"{text!r} isn't a group: write ADDRESS:PORT, [ADDRESS]:PORT, or "
        raise ValueError(words + ", ".join(sorted(names))) from None
    number = int(found[3] or port)
    if not address.is_multicast:
        raise ValueError(f"{text!r}: {address} isn't a multicast address")
    if not 0 < number <= _MOST:
        raise ValueError(f"{text!r} has no port from 1 to {_MOST}")
    return Group(address, number)


def asap_group(text: str) -> Group:
    """
    Read a group of ASAP.

    :raise ValueError: it is none.
    """
    return group(text, ASAP_GROUPS, ASAP_PORT)


def enrp_group(text: str) -> Group:
    """
    Read a group of ENRP.

    :raise ValueError: it is none.
    """
    return group(text, ENRP_GROUPS, ENRP_PORT)


@implementer(IReadDescriptor)
class GroupSocket:
    """
    A socket that sends to one group, from the group's port, and hears what is sent to it.

    It is bound to the group itself: what is sent to this host alone isn't heard, so nobody from
    afar is.  Many programs of one host may have such a socket.

    :param interface: the name of one, or its IPv4 address; None: the system's choice.
    :param heard: told of each datagram; None: they are left to others.
    """

    def __init__(
        self,
        reactor: Any,
        where: Group,
        *,
        interface: str | None = None,
        ttl: int = TTL,
        heard: Heard | None = None,
    ) -> None:
        self.group = where
        self._reactor = reactor
        self._interface = interface
        self._ttl = ttl
        self._heard = heard
        self._socket: socket.socket | None = None
        self._until = 0.0
        self._read = 0
        self._pause: IDelayedCall | None = None

    def open(self) -> None:
        """
        Join the group.

        :raise OSError: (or ValueError) it can't be joined by that interface.
        """
        made = self._unbound()
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WAITING)
            made.bind((str(self.group.address), self.group.port, *self._scope()))
            self._join(made)
        except BaseException:
            made.close()
            raise
        self._socket = made
        if self._heard is not None:
            self._reactor.addReader(self)

    def close(self) -> None:
        """Leave it."""
        if self._pause is not None and self._pause.active():
            self._pause.cancel()
        self._pause = None
        if self._socket is not None:
            self._reactor.removeReader(self)
            self._socket.close()
        self._socket = None

    def send(self, data: bytes) -> None:
        """
        Send to all who listen.

        :raise OSError: there is no way to them now.
        """
        if self._socket is not None:
            with contextlib.suppress(BlockingIOError):  # as good as lost on the way
                self._socket.sendto(
                    data, (str(self.group.address), self.group.port, *self._scope())
                )

    def source(self) -> IPv4Address | IPv6Address:
        """
        Return the address that datagrams are sent from now.

        :raise OSError: there is no way to the group.
        """
        with self._unbound() as asked:
            asked.connect((str(self.group.address), self.group.port, *self._scope()))
            host: str = asked.getsockname()[0]
        return ip_address(host.partition("%")[0])

    def doRead(self) -> None:  # noqa: N802 - Twisted's name
        """Read what is there, as much as may be read now."""
        now = self._reactor.seconds()
        if now >= self._until:
            self._until, self._read = now + TURN, 0
        while self._socket is not None and self._heard is not None:
            if self._read >= READS:
                self._rest(self._until - now)
                return
            try:
                data, (host, port, *_) = self._socket.recvfrom(LONGEST + 1)
            except OSError:  # there is no more; or an error that an earlier `send` has had
                return
            self._read += 1
            if len(data) <= LONGEST:
                self._heard(data, host, port)

    def fileno(self) -> int:
        """As the event loop asks for it."""
        return -1 if self._socket is None else self._socket.fileno()

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """The event loop is ending."""
        self.close()

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """What it is called in logs."""
        return f"group {self.group}"

    def _rest(self, seconds: float) -> None:
        """Let the kernel drop what is too much."""
        self._reactor.removeReader(self)
        self._pause = self._reactor.callLater(seconds, self._again)

    def _again(self) -> None:
        self._pause = None
        self._reactor.addReader(self)

    def _unbound(self) -> socket.socket:
        """Make a socket that sends by the interface."""
        family = socket.AF_INET if self._four else socket.AF_INET6
        made = socket.socket(family, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            self._aim(made)
        except BaseException:
            made.close()
            raise
        return made

    def _aim(self, made: socket.socket) -> None:
        if self._four:
            made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self._ttl)
            made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
            if self._interface is not None:
                made.setsockopt(
                    socket.IPPROTO_IP, socket.IP_MULTICAST_IF, bytes(4) + self._place()
                )
            return
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, self._ttl)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
        if self._interface is not None:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self._index())

    def _join(self, made: socket.socket) -> None:
        packed = self.group.address.packed
        if self._four:
            request = packed + self._place()
            made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        else:
            request = packed + struct.pack("=I", self._index())
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)

    def _place(self) -> bytes:
        """Address and index of the interface, as IPv4's options have them."""
        if self._interface is None:
            return bytes(8)
        try:
            return ip_address(self._interface).packed + bytes(4)
        except ValueError:
            return bytes(4) + struct.pack("=i", self._index())

    def _index(self) -> int:
        """The number of the interface; 0: the system chooses."""
        if self._interface is None:
            return 0
        try:
            return socket.if_nametoindex(self._interface)
        except OSError:
            words = f"there is no interface {self._interface!r}"
            raise ValueError(
                f"{words}; a group of IPv6 needs its name, not an address"
            ) from None

    def _scope(self) -> tuple[int, ...]:
        return () if self._four else (0, self._index())

    @property
    def _four(self) -> bool:
        return isinstance(self.group.address, IPv4Address)
