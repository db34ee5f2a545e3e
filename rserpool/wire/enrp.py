"""The messages of ENRP (RFC 5353 section 2)."""

from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

import attrs

from rserpool.wire.declared import inside, many, one, optional
from rserpool.wire.errors import Misplaced, Missing
from rserpool.wire.layout import UINT16, UINT32, flag, kept, wire
from rserpool.wire.messages import Decoded, MessageTypes
from rserpool.wire.parameters import (
    OperationError,
    PEChecksum,
    PoolElement,
    PoolHandle,
    ServerInformation,
)

ENRP = MessageTypes("ENRP")
decode = ENRP.decode
encode = ENRP.encode
T = TypeVar("T")


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(wire, flag, kept)
)
def enrp(number: int) -> Callable[[type[T]], type[T]]:
    """Declare the ENRP message of this type."""
    return ENRP.declare(number)


#: Update Action of a HandleUpdate (section 2.4).
ADD_PE = 0x0000
DEL_PE = 0x0001

__all__ = ["ADD_PE", "DEL_PE", "ENRP", "Decoded", "decode", "encode"]


@enrp(0x01)
class Presence:
    """A registrar is alive; with `reply_required`: and are you? (2.1)"""

    reply_required: bool = flag(
        0x01, default=False
    )  # in the text of section 3.5, not in the figure
    sender: int = wire(UINT32)
    receiver: int = wire(UINT32, default=0)
    checksum: int | None = wire(inside(PEChecksum, "checksum", least=0), default=None)
    server: ServerInformation | None = wire(optional(ServerInformation), default=None)
    unknown: tuple[bytes, ...] = kept(default=())


@enrp(0x02)
class HandleTableRequest:
    """Send me the handlespace; with W: only the elements you own (2.2)."""

    own_only: bool = flag(0x01, default=False)
    sender: int = wire(UINT32)
    receiver: int = wire(UINT32, default=0)
    unknown: tuple[bytes, ...] = kept(default=())


@attrs.frozen(kw_only=True)
class PoolEntry:
    """A pool and some of its elements (2.3)."""

    handle: bytes
    elements: tuple[PoolElement, ...]


@enrp(0x03)
class HandleTableResponse:
    """A part of the handlespace; M: there is more; R: you get none (2.3)."""

    rejected: bool = flag(0x01, default=False)
    more: bool = flag(0x02, default=False)
    sender: int = wire(UINT32)
    receiver: int = wire(UINT32, default=0)
    #: pool handles, each followed by its elements, as on the wire; see `entries`
    parts: tuple[PoolHandle | PoolElement, ...] = wire(
        many(PoolHandle, PoolElement), default=()
    )
    unknown: tuple[bytes, ...] = kept(default=())


def entries(response: HandleTableResponse) -> tuple[PoolEntry, ...]:
    """
    Return the pools of a table response.

    :raise WireError: an element before any handle, or a handle without elements.
    """
    found: list[tuple[bytes, list[PoolElement]]] = []
    for part in response.parts:
        if isinstance(part, PoolHandle):
            found.append((part.handle, []))
        elif found:
            found[-1][1].append(part)
        else:
            raise Misplaced("a Pool Element before any Pool Handle", 12)
    if any(not elements for _, elements in found):
        raise Missing("a Pool Handle without Pool Elements", 12)
    return tuple(PoolEntry(handle=handle, elements=tuple(e)) for handle, e in found)


def parts(entries: tuple[PoolEntry, ...]) -> tuple[Any, ...]:
    """Return pools as the parts of a table response."""
    flat: list[Any] = []
    for entry in entries:
        flat += [PoolHandle(handle=entry.handle), *entry.elements]
    return tuple(flat)


@enrp(0x04)
class HandleUpdate:
    """An element was added, changed or removed by its home (2.4)."""

    RESERVED = 2
    takeover_suggested: bool = flag(
        0x01, default=False
    )  # draft-dreibholz-rserpool-enrp-takeover
    sender: int = wire(UINT32)
    receiver: int = wire(UINT32, default=0)
    action: int = wire(UINT16)
    handle: bytes = wire(inside(PoolHandle, "handle"))
    element: PoolElement = wire(one(PoolElement))
    unknown: tuple[bytes, ...] = kept(default=())


@enrp(0x05)
class ListRequest:
    """Which registrars do you know? (2.5)"""

    sender: int = wire(UINT32)
    receiver: int = wire(UINT32, default=0)
    unknown: tuple[bytes, ...] = kept(default=())


@enrp(0x06)
class ListResponse:
    """The registrars that the sender knows; R: it can't say (2.6)."""

    rejected: bool = flag(0x01, default=False)
    sender: int = wire(UINT32)
    receiver: int = wire(UINT32, default=0)
    servers: tuple[ServerInformation, ...] = wire(many(ServerInformation), default=())
    unknown: tuple[bytes, ...] = kept(default=())


@enrp(0x07)
class InitTakeover:
    """I intend to take over the target; do you object? (2.7)"""

    sender: int = wire(UINT32)
    receiver: int = wire(UINT32, default=0)
    target: int = wire(UINT32)
    unknown: tuple[bytes, ...] = kept(default=())


@enrp(0x08)
class InitTakeoverAck:
    """I don't object (2.8)."""

    sender: int = wire(UINT32)
    receiver: int = wire(UINT32, default=0)
    target: int = wire(UINT32)
    unknown: tuple[bytes, ...] = kept(default=())


@enrp(0x09)
class TakeoverServer:
    """I have taken over the target (2.9)."""

    sender: int = wire(UINT32)
    receiver: int = wire(UINT32, default=0)
    target: int = wire(UINT32)
    unknown: tuple[bytes, ...] = kept(default=())


@enrp(0x0A)
class Error:
    """Something in a message of yours was unknown or wrong (2.10)."""

    sender: int = wire(UINT32)
    receiver: int = wire(UINT32, default=0)
    error: OperationError = wire(one(OperationError))
    unknown: tuple[bytes, ...] = kept(default=())
