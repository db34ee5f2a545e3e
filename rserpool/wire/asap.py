"""The messages of ASAP (RFC 5352 section 2.2)."""

from collections.abc import Callable
from typing import TypeVar, dataclass_transform

from rserpool.wire import policies
from rserpool.wire.declared import inside, many, one, one_of, optional
from rserpool.wire.layout import UINT32, flag, kept, wire
from rserpool.wire.messages import Decoded, MessageTypes
from rserpool.wire.parameters import (
    Cookie as _Cookie,
)
from rserpool.wire.parameters import (
    HandleResolutionOption,
    OperationError,
    PEIdentifier,
    PoolElement,
    PoolHandle,
    SCTPTransport,
    ServerTransport,
    TCPTransport,
)
from rserpool.wire.policies import Policy

ASAP = MessageTypes("ASAP")
decode = ASAP.decode
encode = ASAP.encode
T = TypeVar("T")


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(wire, flag, kept)
)
def asap(number: int) -> Callable[[type[T]], type[T]]:
    """Declare the ASAP message of this type."""
    return ASAP.declare(number)


_HANDLE = inside(PoolHandle, "handle")
_IDENTIFIER = inside(PEIdentifier, "identifier")

__all__ = ["ASAP", "Decoded", "decode", "encode"]


@asap(0x01)
class Registration:
    """An element joins a pool, makes it, or renews its membership (2.2.1)."""

    handle: bytes = wire(_HANDLE)
    element: PoolElement = wire(one(PoolElement))
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x02)
class Deregistration:
    """An element leaves its pool (2.2.2)."""

    handle: bytes = wire(_HANDLE)
    identifier: int = wire(_IDENTIFIER)
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x03)
class RegistrationResponse:
    """The home registrar's answer to a registration (2.2.3)."""

    rejected: bool = flag(0x01, default=False)
    handle: bytes = wire(_HANDLE)
    identifier: int = wire(_IDENTIFIER)
    error: OperationError | None = wire(optional(OperationError), default=None)
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x04)
class DeregistrationResponse:
    """An element has left, by its own wish or by the end of its life (2.2.4)."""

    handle: bytes = wire(_HANDLE)
    identifier: int = wire(_IDENTIFIER)
    error: OperationError | None = wire(optional(OperationError), default=None)
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x05)
class HandleResolution:
    """Who is in this pool?  With S: and tell me when that changes (2.2.5)."""

    subscribe: bool = flag(0x01, default=False)
    handle: bytes = wire(_HANDLE)
    #: how many elements are wanted; all ones is as many as fit
    items: int | None = wire(inside(HandleResolutionOption, "items", least=0), default=None)
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x06)
class HandleResolutionResponse:
    """The elements of a pool in the order of its policy, or why there are none (2.2.6)."""

    accepted_updates: bool = flag(0x01, default=False)
    handle: bytes = wire(_HANDLE)
    policy: Policy | None = wire(one_of(policies.FAMILY, least=0), default=None)
    elements: tuple[PoolElement, ...] = wire(many(PoolElement), default=())
    error: OperationError | None = wire(optional(OperationError), default=None)
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x07)
class EndpointKeepAlive:
    """Are you there?  With H: and I am your home registrar now (2.2.7)."""

    new_home: bool = flag(0x01, default=False)
    server: int = wire(UINT32)
    handle: bytes = wire(_HANDLE)
    #: rsplib adds it; the RFC has none
    identifier: int | None = wire(inside(PEIdentifier, "identifier", least=0), default=None)
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x08)
class EndpointKeepAliveAck:
    """I am here (2.2.8)."""

    handle: bytes = wire(_HANDLE)
    identifier: int = wire(_IDENTIFIER)
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x09)
class EndpointUnreachable:
    """This element could not be reached (2.2.9)."""

    handle: bytes = wire(_HANDLE)
    identifier: int = wire(_IDENTIFIER)
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x0A)
class ServerAnnounce:
    """Here is a registrar, to be reached so (2.2.10)."""

    server: int = wire(UINT32)
    transports: tuple[ServerTransport, ...] = wire(
        many(SCTPTransport, TCPTransport), default=()
    )
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x0B)
class Cookie:
    """What the next element must know if I fail (2.2.11)."""

    cookie: bytes = wire(inside(_Cookie, "data"))
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x0C)
class CookieEcho:
    """The last cookie of the element that failed (2.2.12)."""

    cookie: bytes = wire(inside(_Cookie, "data"))
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x0D)
class BusinessCard:
    """My pool, and whom to try in which order when I fail (2.2.13)."""

    handle: bytes = wire(_HANDLE)
    elements: tuple[PoolElement, ...] = wire(many(PoolElement, least=1))
    unknown: tuple[bytes, ...] = kept(default=())


@asap(0x0E)
class Error:
    """Something in a message of yours was unknown or wrong (2.2.14)."""

    error: OperationError = wire(one(OperationError))
    unknown: tuple[bytes, ...] = kept(default=())
