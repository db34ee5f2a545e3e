"""
The parameters that ASAP and ENRP share (RFC 5354 section 3).

Addresses and transports have a module of their own, policies and error causes, too; all
are importable from here.
"""

import attrs

from rserpool.wire import policies
from rserpool.wire.causes import Cause, decode_causes, encode_cause
from rserpool.wire.declared import decode, encode, enter, one, optional, parameter
from rserpool.wire.errors import Missing
from rserpool.wire.layout import (
    INT32,
    UINT16,
    UINT32,
    Codec,
    Report,
    Rest,
    joined,
    kept,
    wire,
)
from rserpool.wire.policies import Policy
from rserpool.wire.transports import (
    DATA_AND_CONTROL,
    DATA_ONLY,
    USER_TRANSPORTS,
    Address,
    DCCPTransport,
    IPv4Address,
    IPv6Address,
    OpaqueTransport,
    SCTPTransport,
    ServerTransport,
    TCPTransport,
    UDPLiteTransport,
    UDPTransport,
    UserTransport,
)

__all__ = [
    "DATA_AND_CONTROL",
    "DATA_ONLY",
    "Address",
    "Cookie",
    "DCCPTransport",
    "HandleResolutionOption",
    "IPv4Address",
    "IPv6Address",
    "OpaqueTransport",
    "OperationError",
    "PEChecksum",
    "PEIdentifier",
    "PoolElement",
    "PoolHandle",
    "SCTPTransport",
    "ServerInformation",
    "ServerTransport",
    "TCPTransport",
    "UDPLiteTransport",
    "UDPTransport",
    "UserTransport",
    "decode",
    "encode",
]


@parameter(0x9)
class PoolHandle:
    """The name of a pool: octets, of any kind (section 3.9)."""

    handle: bytes = wire(Rest())


@parameter(0xA)
class PoolElement:
    """One endpoint of a pool, as it describes itself (section 3.10)."""

    identifier: int = wire(UINT32)
    home: int = wire(UINT32, default=0)  # its home registrar; 0 while it has none
    life: int = wire(INT32)  # seconds; -1 is for ever
    user_transport: UserTransport = wire(one(*USER_TRANSPORTS))
    policy: Policy = wire(one(*policies.CLASSES))
    asap_transport: ServerTransport | None = wire(
        optional(SCTPTransport, TCPTransport), default=None
    )
    unknown: tuple[bytes, ...] = kept(default=())


@parameter(0xB)
class ServerInformation:
    """A registrar and where it is reached (section 3.11)."""

    identifier: int = wire(UINT32)
    transport: ServerTransport = wire(one(SCTPTransport, TCPTransport))
    unknown: tuple[bytes, ...] = kept(default=())


@attrs.frozen(kw_only=True)
class OperationError:
    """What went wrong, in one or more causes (section 3.12)."""

    causes: tuple[Cause, ...]


def _decode_error(data: bytes, start: int, end: int, report: Report) -> OperationError:
    if start == end:
        raise Missing("an Operation Error without a cause", start, data[start - 4 : end])
    return OperationError(causes=decode_causes(data, start, end, report))


def _encode_error(error: OperationError) -> bytes:
    return joined([encode_cause(cause) for cause in error.causes])


enter(0xC, OperationError, Codec(_decode_error, _encode_error))


@parameter(0xD)
class Cookie:
    """What an element wants its successor to know (section 3.13)."""

    data: bytes = wire(Rest())


@parameter(0xE)
class PEIdentifier:
    """Which element of a pool (section 3.14)."""

    identifier: int = wire(UINT32)


@parameter(0xF)
class PEChecksum:
    """The checksum over all elements of one registrar (section 3.15)."""

    checksum: int = wire(UINT16)


@parameter(0x803F)
class HandleResolutionOption:
    """How many elements an answer shall have (draft-dreibholz-rserpool-asap-hropt)."""

    items: int = wire(UINT32)
