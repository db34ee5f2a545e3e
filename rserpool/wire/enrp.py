"""The messages of ENRP (RFC 5353 section 2)."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, dataclass_transform

import attrs

from rserpool.wire.declared import inside, many, one, optional
from rserpool.wire.errors import Misplaced, Missing
from rserpool.wire.layout import UINT16, UINT32, flag, header, kept, wire
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
def enrp(number: int, **options: Any) -> Callable[[type[T]], type[T]]:
    """Declare the ENRP message of this type; `options` are :meth:`MessageTypes.declare`'s."""
    return ENRP.declare(number, **options)


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


def _disorder(parts: Sequence[Any]) -> int | None:
    """Which part shouldn't stand where it stands; their number, if one more should follow."""
    before: type = PoolHandle
    for place, part in enumerate(parts):
        if type(part) is PoolHandle:
            if before is PoolHandle and place:
                return place
        elif not place:
            return place
        before = type(part)
    return len(parts) if parts and before is PoolHandle else None


def _check_order(response: "HandleTableResponse", data: bytes, start: int, end: int) -> None:
    """Refuse an element before any handle, and a handle without elements."""
    wrong = _disorder(response.parts)
    if wrong is None:
        return
    at, place = start + 8, 0
    while at < end:
        number, stop = header(data, at, end)
        if number in _ENTRY:
            if place == wrong:
                break
            place += 1
        at = (stop + 3) & ~3
    if wrong:
        raise Missing("a Pool Handle without Pool Elements", min(at, end))
    raise Misplaced("a Pool Element before any Pool Handle", at, data[at:stop])


def _unsendable_table(response: "HandleTableResponse") -> str:
    if response.rejected and response.parts:
        return "a rejected HandleTableResponse has no pool entries"
    if _disorder(response.parts) is not None:
        return "a HandleTableResponse is Pool Handles, each followed by its Pool Elements"
    return ""


@enrp(0x03, check=_check_order, unsendable=_unsendable_table)
class HandleTableResponse:
    """
    A part of the handlespace; M: there is more; R: you get none (2.3).

    With R there must not be pool entries.  Some that come all the same are no reason to
    refuse the message, which says what its receiver has to know: ask another.  They stay in
    `parts`, but are no `entries`.
    """

    rejected: bool = flag(0x01, default=False)
    more: bool = flag(0x02, default=False)
    sender: int = wire(UINT32)
    receiver: int = wire(UINT32, default=0)
    #: pool handles, each followed by its elements, as on the wire; see `entries`
    parts: tuple[PoolHandle | PoolElement, ...] = wire(
        many(PoolHandle, PoolElement), default=()
    )
    unknown: tuple[bytes, ...] = kept(default=())


#: The types of parameters that a pool entry is made of.
_ENTRY = (0x9, 0xA)


def entries(response: HandleTableResponse) -> tuple[PoolEntry, ...]:
    """Return the pools of a table response: none when it is rejected."""
    found: list[tuple[bytes, list[PoolElement]]] = []
    for part in () if response.rejected else response.parts:
        if isinstance(part, PoolHandle):
            found.append((part.handle, []))
        else:
            found[-1][1].append(part)
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
    action: int = wire(UINT16, among=(ADD_PE, DEL_PE))
    handle: bytes = wire(inside(PoolHandle, "handle"))
    element: PoolElement = wire(one(PoolElement))
    unknown: tuple[bytes, ...] = kept(default=())


@enrp(0x05)
class ListRequest:
    """Which registrars do you know? (2.5)"""

    sender: int = wire(UINT32)
    receiver: int = wire(UINT32, default=0)
    unknown: tuple[bytes, ...] = kept(default=())


def _unsendable_list(response: "ListResponse") -> str:
    if response.rejected and response.servers:
        return "a rejected ListResponse has no Server Information"
    return ""


@enrp(0x06, unsendable=_unsendable_list)
class ListResponse:
    """The registrars that the sender knows; R: it can't say, and names none (2.6)."""

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
