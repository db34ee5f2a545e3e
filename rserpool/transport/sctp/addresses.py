"""The addresses of associations: several on either side (RFC 6458 sections 8.1 and 9)."""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import attrs
from twisted.internet.interfaces import IAddress
from zope.interface import implementer

from rserpool.transport.allowance import plain_address
from rserpool.transport.sctp.options import SCTP

Address = IPv4Address | IPv6Address

_BINDX_ADD, _CONNECTX = 100, 107
_GET_PEER_ADDRS, _GET_LOCAL_ADDRS, _PEER_ADDR_INFO = 108, 109, 15
#: Before the addresses: association identifier and number of addresses.
_COUNT = struct.Struct("=iI")
#: sockaddr_in and sockaddr_in6.
_IPV4, _IPV6 = struct.Struct("=H2s4s8x"), struct.Struct("=H2s4s16sI")
#: Addresses of one end: a peer may name any number in its INIT, anybody's, and the kernel sends
#: heartbeats to each.  Who names more is cut off.
MAXIMUM_ADDRESSES = 64
_ROOM = _COUNT.size + 28 * MAXIMUM_ADDRESSES

#: sctp_paddrinfo: association, address, state, congestion window, smoothed round trip in
#: milliseconds, RTO, MTU.
_PATH = struct.Struct("=i128siIIII")
_UNCONFIRMED = 3

_getsockopt = ctypes.CDLL(None, use_errno=True).getsockopt


@implementer(IAddress)
@attrs.frozen
class SCTPAddress:
    """
    One end of an association.

    :ivar host: its first address.
    :ivar hosts: all of them; without zones, and IPv4 as IPv4 even on a socket of IPv6.
    """

    host: str
    port: int
    hosts: tuple[str, ...] = ()


def pack(address: Address, port: int) -> bytes:
    """A ``sockaddr``."""
    number = port.to_bytes(2, "big")
    if isinstance(address, IPv4Address):
        return _IPV4.pack(socket.AF_INET, number, address.packed)
    scope = socket.if_nametoindex(address.scope_id) if address.scope_id else 0
    return _IPV6.pack(socket.AF_INET6, number, bytes(4), address.packed, scope)


def packed(host: str, port: int) -> bytes:
    """The same of an address in words."""
    return pack(ip_address(host), port)


def family(addresses: Sequence[Address]) -> int:
    """The family of a socket for these: that of IPv6 can have both."""
    version = max((address.version for address in addresses), default=4)
    return socket.AF_INET if version == 4 else socket.AF_INET6


def bind(made: socket.socket, addresses: Sequence[Address], port: int) -> None:
    """
    Bind to all of these; none: to all of this host's.

    :raise OSError: one of them isn't ours, or the port is taken.
    """
    if not addresses:
        made.bind(("::" if made.family == socket.AF_INET6 else "", port))
        return
    # The first one decides the port, and must be of the socket's own family.
    ordered = sorted(addresses, key=lambda each: -each.version)
    first, *others = ordered
    mapped = made.family == socket.AF_INET6 and isinstance(first, IPv4Address)
    made.bind((f"::ffff:{first}" if mapped else str(first), port))
    port = made.getsockname()[1]
    for address in others:
        made.setsockopt(SCTP, _BINDX_ADD, pack(address, port))


def connect(made: socket.socket, addresses: Sequence[Address], port: int) -> None:
    """
    Begin to call one peer that has all of these.

    :raise OSError: `BlockingIOError` as long as it goes on.
    """
    made.setsockopt(SCTP, _CONNECTX, b"".join(pack(each, port) for each in addresses))


def peer(made: socket.socket) -> SCTPAddress:
    """
    The other end of an association.

    Without link-local addresses, if it has others: they mean nothing without a link.
    """
    end = _end(made, _GET_PEER_ADDRS)
    hosts = tuple(host for host in end.hosts if not ip_address(host).is_link_local)
    return SCTPAddress(hosts[0], end.port, hosts) if hosts else end


def own(made: socket.socket) -> SCTPAddress:
    """Our end of an association, or where we listen; of a host with too many, one address."""
    try:
        return _end(made, _GET_LOCAL_ADDRS)
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        host, port = made.getsockname()[:2]
        return SCTPAddress(plain_address(host), port, (plain_address(host),))


def unconfirmed(made: socket.socket, end: SCTPAddress) -> tuple[str, ...]:
    """Which addresses of the peer it has claimed, and not yet answered at."""
    return tuple(host for host in end.hosts if _path(made, host, end.port)[2] == _UNCONFIRMED)


def round_trip(made: socket.socket, end: SCTPAddress) -> float | None:
    """The smoothed round-trip time to the peer in seconds; None: nothing was measured yet."""
    milliseconds = _path(made, end.host, end.port)[4]
    return milliseconds / 1000 if milliseconds else None


def _path(made: socket.socket, host: str, port: int) -> tuple[int, ...]:
    question = _PATH.pack(0, packed(host, port), 0, 0, 0, 0, 0)
    return _PATH.unpack(_asked(made, _PEER_ADDR_INFO, question))


def _end(made: socket.socket, option: int) -> SCTPAddress:
    found = unpack(_asked(made, option, bytes(_ROOM)))
    hosts = tuple(dict.fromkeys(host for host, _ in found))
    return SCTPAddress(hosts[0], found[0][1], hosts)


def _asked(made: socket.socket, option: int, data: bytes) -> bytes:
    """
    What the kernel answers when it is asked with these octets.

    Not `socket.getsockopt`, which passes a buffer that isn't cleared: the kernel reads from it.
    """
    buffer = ctypes.create_string_buffer(data, len(data))
    size = ctypes.c_uint32(len(data))
    if _getsockopt(made.fileno(), SCTP, option, buffer, ctypes.byref(size)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return buffer.raw


def unpack(data: bytes) -> list[tuple[str, int]]:
    """Hosts and ports of what the kernel gives; the length that it gives is of no use."""
    _, count = _COUNT.unpack_from(data)
    at, found = _COUNT.size, []
    for _ in range(min(count, MAXIMUM_ADDRESSES)):
        host, port, length = read(data, at)
        found.append((host, port))
        at += length
    return found


def read(data: bytes, at: int = 0) -> tuple[str, int, int]:
    """Host, port and length of a ``sockaddr``."""
    kind = struct.unpack_from("=H", data, at)[0]
    if kind == socket.AF_INET:
        _, port, octets = _IPV4.unpack_from(data, at)
        length = _IPV4.size
    else:
        _, port, _, octets, _ = _IPV6.unpack_from(data, at)
        length = _IPV6.size
    return plain_address(str(ip_address(octets))), int.from_bytes(port, "big"), length
