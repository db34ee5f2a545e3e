"""
The parameters that ASAP and ENRP share (RFC 5354 section 3).

Addresses and transports have a module of their own, policies and error causes, too; all
are importable from here.
"""

from typing import Any

import attrs

from rserpool.wire import delay, policies
from rserpool.wire.causes import Cause, decode_causes, encode_cause
from rserpool.wire.declared import (
    decode,
    encode,
    enter,
    inside,
    one,
    one_of,
    optional,
    parameter,
)
from rserpool.wire.errors import BadValue, EncodeError, Missing
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
    "Principal",
    "SCTPTransport",
    "ServerInformation",
    "ServerTransport",
    "TCPTransport",
    "UDPLiteTransport",
    "UDPTransport",
    "UserTransport",
    "decode",
    "delay",
    "encode",
]


#: Octets of the name of a principal.  A pre-shared key's has up to 128; a certificate's up to
#: 255, after "dns:" or "uri:".  Each registrar stores what its peers send with each element,
#: and a table response of 65,535 octets has to hold some of them.
MAXIMUM_PRINCIPAL = 4 + 255


@parameter(0x9)
class PoolHandle:
    """The name of a pool: octets, of any kind (section 3.9)."""

    handle: bytes = wire(Rest())


@attrs.frozen(kw_only=True)
class Principal:
    """
    Who registered an element, as its home has proven it.

    A parameter of our own, for registrars of one scope: RFC 5354 section 5.1 assigns no type
    0x80f5, and its highest bits, 10, have whoever doesn't know it skip it without a word.
    Only a registrar that has proven itself may be believed, and no element, of itself.
    """

    name: str = attrs.field()

    @name.validator
    def _sendable(self, attribute: Any, value: str) -> None:
        wrong = _wrong_name(value)
        if wrong:
            raise EncodeError(wrong)


def _wrong_name(name: str) -> str:
    if not isinstance(name, str) or not name.isprintable():
        return "a principal that isn't printable"
    size = len(name.encode("utf-8"))
    if not 0 < size <= MAXIMUM_PRINCIPAL:
        return f"a principal of {size} octets, not 1 to {MAXIMUM_PRINCIPAL}"
    return ""


def _decode_principal(data: bytes, start: int, end: int, report: Report) -> Principal:
    try:
        return Principal(name=data[start:end].decode("utf-8"))
    except UnicodeDecodeError:
        wrong = "a principal that isn't UTF-8"
    except EncodeError as error:
        wrong = str(error)
    raise BadValue(wrong, start, data[start - 4 : end])


def _encode_principal(principal: Principal) -> bytes:
    return principal.name.encode("utf-8")


enter(0x80F5, Principal, Codec(_decode_principal, _encode_principal))


@parameter(0xA)
class PoolElement:
    """One endpoint of a pool, as it describes itself (section 3.10)."""

    identifier: int = wire(UINT32)
    home: int = wire(UINT32, default=0)  # its home registrar; 0 while it has none
    life: int = wire(INT32)  # seconds; -1 is for ever
    user_transport: UserTransport = wire(one(*USER_TRANSPORTS))
    policy: Policy = wire(one_of(policies.FAMILY))
    asap_transport: ServerTransport | None = wire(
        optional(SCTPTransport, TCPTransport), default=None
    )
    principal: str | None = wire(inside(Principal, "name", least=0), default=None)
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
    if not isinstance(error.causes, tuple) or not error.causes:
        raise EncodeError(f"an Operation Error without causes: {error.causes!r}")
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
