"""Addresses and transports: where an endpoint is reached (RFC 5354 sections 3.1 to 3.7)."""

import ipaddress
from typing import Any

import attrs

from rserpool.wire.declared import enter, parameter
from rserpool.wire.errors import BadLength, EncodeError
from rserpool.wire.layout import (
    UINT16,
    UINT32,
    Codec,
    Decoder,
    Report,
    Rest,
    Slot,
    kept,
    tlv,
    wire,
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Transport Use of SCTP (section 3.4).
DATA_ONLY = 0x0000
DATA_AND_CONTROL = 0x0001


def _read_ipv4(data: bytes, start: int, end: int, report: Report) -> ipaddress.IPv4Address:
    if end - start != 4:
        raise BadLength(
            f"an IPv4 address of {end - start} octets", start, data[start - 4 : end]
        )
    return ipaddress.IPv4Address(int.from_bytes(data[start:end], "big"))


def _read_ipv6(data: bytes, start: int, end: int, report: Report) -> ipaddress.IPv6Address:
    if end - start != 16:
        raise BadLength(
            f"an IPv6 address of {end - start} octets", start, data[start - 4 : end]
        )
    return ipaddress.IPv6Address(int.from_bytes(data[start:end], "big"))


def _write_address(address: Address) -> bytes:
    if isinstance(address, ipaddress.IPv4Address):
        return tlv(1, address.packed)
    if isinstance(address, ipaddress.IPv6Address):
        return tlv(2, address.packed)
    raise EncodeError(f"{address!r} isn't an IP address")


def _family(instance: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, attribute.type):
        raise EncodeError(f"{value!r} isn't an address of its family")


def _packed(parameter: "IPv4Address | IPv6Address") -> bytes:
    return parameter.address.packed


@attrs.frozen(kw_only=True)
class IPv4Address:
    """An IPv4 address (section 3.1)."""

    address: ipaddress.IPv4Address = attrs.field(validator=_family)


@attrs.frozen(kw_only=True)
class IPv6Address:
    """An IPv6 address (section 3.2)."""

    address: ipaddress.IPv6Address = attrs.field(validator=_family)


enter(0x1, IPv4Address, Codec(lambda *place: IPv4Address(address=_read_ipv4(*place)), _packed))
enter(0x2, IPv6Address, Codec(lambda *place: IPv6Address(address=_read_ipv6(*place)), _packed))
_READ_ADDRESS: dict[int, Decoder] = {0x1: _read_ipv4, 0x2: _read_ipv6}
#: "only one IP address parameter can be present" (sections 3.3, 3.5, 3.6, 3.7)
_ONE_ADDRESS = Slot(_READ_ADDRESS, _write_address, least=1, most=1, many=True)
_ADDRESSES = Slot(_READ_ADDRESS, _write_address, least=1, most=None, many=True)


@parameter(0x3)
class DCCPTransport:
    """A DCCP endpoint (section 3.3)."""

    port: int = wire(UINT16)
    service_code: int = wire(UINT32, skip=2)
    addresses: tuple[Address, ...] = wire(_ONE_ADDRESS)
    unknown: tuple[bytes, ...] = kept(default=())


@parameter(0x4)
class SCTPTransport:
    """An SCTP endpoint, with all its addresses (section 3.4)."""

    port: int = wire(UINT16)
    use: int = wire(UINT16, among=(DATA_ONLY, DATA_AND_CONTROL), default=DATA_ONLY)
    addresses: tuple[Address, ...] = wire(_ADDRESSES)
    unknown: tuple[bytes, ...] = kept(default=())


@parameter(0x5)
class TCPTransport:
    """A TCP port (section 3.5)."""

    RESERVED = 2
    port: int = wire(UINT16)
    addresses: tuple[Address, ...] = wire(_ONE_ADDRESS)
    unknown: tuple[bytes, ...] = kept(default=())


@parameter(0x6)
class UDPTransport:
    """A UDP port (section 3.6)."""

    RESERVED = 2
    port: int = wire(UINT16)
    addresses: tuple[Address, ...] = wire(_ONE_ADDRESS)
    unknown: tuple[bytes, ...] = kept(default=())


@parameter(0x7)
class UDPLiteTransport:
    """A UDP-Lite port (section 3.7)."""

    RESERVED = 2
    port: int = wire(UINT16)
    addresses: tuple[Address, ...] = wire(_ONE_ADDRESS)
    unknown: tuple[bytes, ...] = kept(default=())


@parameter(0x10)
class OpaqueTransport:
    """A transport of which RSerPool only carries the octets (section 3.16)."""

    data: bytes = wire(Rest())


#: What a pool's users may be served by (section 3.10).
UserTransport = (
    DCCPTransport
    | SCTPTransport
    | TCPTransport
    | UDPTransport
    | UDPLiteTransport
    | OpaqueTransport
)
USER_TRANSPORTS: tuple[type, ...] = (
    DCCPTransport,
    SCTPTransport,
    TCPTransport,
    UDPTransport,
    UDPLiteTransport,
    OpaqueTransport,
)
#: What ASAP and ENRP themselves run on: SCTP, and TCP where there is no SCTP.
ServerTransport = SCTPTransport | TCPTransport
#: Addresses of one SCTP Transport that are called: whoever names them could name any number.
MAXIMUM_CALLED = 8


def callable_at(transport: object) -> str:
    """
    Where ASAP or ENRP is spoken, as the description of an endpoint; empty: nowhere to call.

    All addresses of an SCTP endpoint are tried together.
    """
    if not isinstance(transport, SCTPTransport | TCPTransport) or not transport.port:
        return ""
    usable = [
        f"[{address}]" if isinstance(address, ipaddress.IPv6Address) else str(address)
        for address in transport.addresses
        if not (address.is_unspecified or address.is_multicast)
    ]
    if not usable:
        return ""
    if isinstance(transport, TCPTransport):
        return f"tcp:{usable[0]}:{transport.port}"
    return f"sctp:{','.join(usable[:MAXIMUM_CALLED])}:{transport.port}"
