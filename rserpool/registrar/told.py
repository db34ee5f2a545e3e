"""
What peers tell of elements, read from its octets: tables and updates (RFC 5353 2.3, 2.4).

These are nearly all that registrars say to each other.  What isn't of the usual shape is
decoded as any message is, and comes to the same values.
"""

import struct

import attrs

from rserpool.handlespace.description import Description, describe, read
from rserpool.wire import enrp

_HEADER = struct.Struct("!BBHII")
_UPDATE = struct.Struct("!BBHIIHH")
_SUGGESTED = 0x01
_REJECT, _MORE = 0x01, 0x02
_HANDLE, _ELEMENT = b"\x00\x09", b"\x00\x0a"


@attrs.frozen
class Listing:
    """ENRP_HANDLE_TABLE_RESPONSE: elements, each with the handle of its pool."""

    sender: int
    receiver: int
    rejected: bool
    more: bool
    elements: list[tuple[bytes, Description]]


@attrs.frozen
class Change:
    """ENRP_HANDLE_UPDATE: one element is new, other, or gone."""

    sender: int
    receiver: int
    action: int
    suggested: bool
    handle: bytes
    element: Description


def value(message: object) -> object:
    """A decoded message as one of these, if it is one."""
    if isinstance(message, enrp.HandleTableResponse):
        return _listing(message)
    if isinstance(message, enrp.HandleUpdate):
        return Change(
            message.sender,
            message.receiver,
            message.action,
            message.takeover_suggested,
            message.handle,
            describe(message.element),
        )
    return message


def quick(data: bytes) -> Listing | Change | None:
    """
    Read a table or an update whose elements all are of the usual shape.

    None: it isn't so, and has to be decoded; it may be wrong as well.
    """
    if data[0] == 0x04:
        return _quick_change(data)
    return _quick_listing(data) if data[0] == 0x03 else None


def _listing(message: enrp.HandleTableResponse) -> Listing:
    """The same from a decoded message."""
    elements = [
        (entry.handle, describe(element))
        for entry in enrp.entries(message)
        for element in entry.elements
    ]
    return Listing(message.sender, message.receiver, message.rejected, message.more, elements)


def _quick_listing(data: bytes) -> Listing | None:
    if len(data) < _HEADER.size:
        return None
    _, flags, length, sender, receiver = _HEADER.unpack_from(data)
    if not _HEADER.size <= length <= len(data) < length + 4:
        return None
    elements = _quick_elements(data, length)
    if elements is None:
        return None
    if flags & _REJECT:
        elements = []  # they "MUST NOT be included", and don't count
    return Listing(sender, receiver, bool(flags & _REJECT), bool(flags & _MORE), elements)


def _quick_elements(data: bytes, length: int) -> list[tuple[bytes, Description]] | None:
    """Read handles, each with one or more elements after it."""
    elements: list[tuple[bytes, Description]] = []
    handle, filled = b"", True
    at = _HEADER.size
    while at + 4 < length:
        number = data[at : at + 2]
        end = at + (data[at + 2] << 8 | data[at + 3])
        if not at + 4 < end <= length:
            return None
        if number == _ELEMENT and handle:
            element = read(data, at, end)
            if element is None:
                return None
            elements.append((handle, element))
            filled = True
        elif number == _HANDLE and filled:
            handle, filled = data[at + 4 : end], False
        else:
            return None
        at = (end + 3) & ~3
    return elements if filled and at >= length else None


def _quick_change(data: bytes) -> Change | None:
    at = _UPDATE.size
    if len(data) < at + 4:
        return None
    _, flags, length, sender, receiver, action, _ = _UPDATE.unpack_from(data)
    end = at + (data[at + 2] << 8 | data[at + 3])
    begin = (end + 3) & ~3
    if data[at : at + 2] != _HANDLE or not at + 4 < end or action > enrp.DEL_PE:
        return None
    if data[begin : begin + 2] != _ELEMENT or not begin < length <= len(data) < length + 4:
        return None
    if begin + (data[begin + 2] << 8 | data[begin + 3]) != length:
        return None
    element = read(data, begin, length)
    if element is None:
        return None
    handle = data[at + 4 : end]
    return Change(sender, receiver, action, bool(flags & _SUGGESTED), handle, element)
