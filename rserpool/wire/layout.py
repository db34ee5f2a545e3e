"""
Layouts: how the bytes of a parameter, cause or message follow from the fields of its class.

A class lists its fields; length, padding, bounds and what to do with unknown types live
here and in :mod:`rserpool.wire.compiled`, once.  The decoder and the encoder of a class are
generated when it is declared, so that declaring costs nothing at run time.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from rserpool.wire.errors import BadLength, EncodeError, Truncated

T = TypeVar("T")
Report = list[bytes]
#: The value of a parameter, between two offsets, to an object; unknown ones are reported.
Decoder = Callable[[bytes, int, int, Report], Any]
#: An object to the octets of its value, without the final padding.
Encoder = Callable[[Any], bytes]

#: Unrecognized parameters reported for one message.  A report quotes them: a message of
#: 16,000 unknown parameters would cost an answer of 128 KiB.
MAXIMUM_REPORTS = 16
#: Octets of an unrecognized parameter or message that a report quotes whole, as RFC 5354
#: section 3.12.2 has it.  No parameter that there is comes near it, and an answer as large as
#: the message would help whoever wants to keep us busy.
MAXIMUM_WHOLE = 16_384
#: Octets that it quotes of a longer one, and of one that doesn't fit any more: enough to see
#: in a log what it was.
MAXIMUM_QUOTE = 2048
#: Octets of all quotes in one answer of at most 65,535; the rest is for their headers.
MAXIMUM_QUOTES = 64_000

_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
_HEADER = struct.Struct("!HH")


class Discard(Exception):
    """An unknown parameter says that its whole message must be discarded."""


@attrs.frozen
class Number:
    """A field of fixed size, by its code in :mod:`struct`."""

    code: str


@attrs.frozen
class Rest:
    """All octets up to the end of the value."""


@attrs.frozen
class Slot:
    """
    Parameters in one place of a value.

    :ivar readers: type number to decoder: what is accepted here.
    :ivar write: one of them to its TLV, without the final padding.
    """

    readers: Mapping[int, Decoder]
    write: Callable[[Any], bytes]
    least: int = 1
    most: int | None = 1
    many: bool = False  # whether the field is a tuple


Kind = Number | Rest | Slot
UINT16 = Number("H")
UINT32 = Number("I")
INT32 = Number("i")
_RANGES = {"H": (0, 0xFFFF), "I": (0, 0xFFFFFFFF), "i": (-0x80000000, 0x7FFFFFFF)}


def wire(kind: Kind, *, skip: int = 0, among: Sequence[int] = (), **options: Any) -> Any:
    """
    A field of this kind, after `skip` reserved octets; `options` are ``attrs.field``'s.

    :param among: the only values that the RFC allows; else all that the kind has.
    """
    if isinstance(kind, Number):
        options.setdefault("validator", _in_range(kind.code, among))
    elif isinstance(kind, Rest):
        options.setdefault("validator", octets)
    return attrs.field(metadata={"kind": kind, "skip": skip, "among": tuple(among)}, **options)


def flag(bit: int, *, default: bool) -> Any:
    """A flag of a message."""
    return attrs.field(default=default, metadata={"flag": bit})


def kept(*, default: tuple[bytes, ...]) -> Any:
    """The unknown parameters that were skipped, as they came, without their padding."""
    return attrs.field(default=default)


def padded(data: bytes) -> bytes:
    """`data` with zeros up to the next multiple of four (RFC 5354 section 3)."""
    return data + _PADDING[len(data) & 3]


def joined(tlvs: Sequence[bytes]) -> bytes:
    """TLVs one after the other: padding in between, none at the end (section 2)."""
    if len(tlvs) < 2:
        return tlvs[0] if tlvs else b""
    return b"".join([padded(tlv) for tlv in tlvs[:-1]]) + tlvs[-1]


def tlv(number: int, value: bytes) -> bytes:
    """A type, its length, its value."""
    length = 4 + len(value)
    if length > 0xFFFF:
        raise EncodeError(f"parameter {number:#x} would be {length} octets long")
    return _HEADER.pack(number, length) + value


def header(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The type of the TLV at `at`, and where its value ends; it lies before `end`."""
    if end - at < 4:
        raise Truncated("a parameter header that isn't complete", at, data[at:end])
    number, length = _HEADER.unpack_from(data, at)
    if length < 4:
        raise BadLength(f"a parameter length of {length}", at + 2, data[at : at + 4])
    if at + length > end:
        raise Truncated(f"parameter {number:#x} ends past its frame", at + 2, data[at:end])
    return number, at + length


def quoted(raw: bytes, room: int = MAXIMUM_QUOTES) -> bytes:
    """
    Return what a report quotes of a parameter or message: all of it, if it isn't too long.

    :param room: octets for it; its header is quoted all the same.
    """
    if len(raw) <= min(MAXIMUM_WHOLE, room):
        return raw
    return raw[: max(4, min(MAXIMUM_QUOTE, room))]


def fields_of(cls: type) -> list[tuple[str, Mapping[str, Any]]]:
    """The declared fields of a class, in order."""
    return [(field.name, field.metadata) for field in attrs.fields(cls)]


@attrs.frozen
class Codec:
    """The two directions of one class."""

    decode: Decoder
    encode: Encoder


def octets(instance: object, attribute: Any, value: object) -> None:
    """
    Check a field that is octets.

    :raise EncodeError: it holds something else.
    """
    if not isinstance(value, bytes):
        raise EncodeError(f"{attribute.name} must be bytes, not {value!r}")


def _in_range(code: str, among: Sequence[int]) -> Callable[[Any, Any, int], None]:
    low, high = _RANGES[code]

    def validate(instance: object, attribute: Any, value: object) -> None:
        if not isinstance(value, int) or not low <= value <= high:
            raise EncodeError(f"{attribute.name} must be from {low} to {high}, not {value!r}")
        if among and value not in among:
            allowed = " or ".join(str(one) for one in among)
            raise EncodeError(f"{attribute.name} must be {allowed}, not {value}")

    return validate
