"""
How parameters are declared, and the registry of those there are (RFC 5354 section 3).

A type number that is declared twice is a TypeError at import.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar, dataclass_transform

import attrs

from rserpool.wire.compiled import KNOWN, compile_codec
from rserpool.wire.errors import BadLength, BadValue, EncodeError
from rserpool.wire.layout import (
    Codec,
    Decoder,
    Discard,
    Encoder,
    Report,
    Slot,
    header,
    kept,
    padded,
    tlv,
    wire,
)

T = TypeVar("T")

DECODERS: dict[int, Decoder] = {}
ENCODERS: dict[type, tuple[int, Encoder]] = {}


def encode_tlv(parameter: object) -> bytes:
    """
    A parameter as TLV, without the final padding.

    :raise EncodeError: it is none, or can't be sent.
    """
    return _write(ENCODERS, parameter)


def _write(encoders: Mapping[type, tuple[int, Encoder]], value: object) -> bytes:
    found = encoders.get(type(value))
    if found is None:
        raise EncodeError(f"{value!r} isn't a parameter that could stand there")
    return tlv(found[0], found[1](value))


def encode(parameter: object) -> bytes:
    """
    A parameter as TLV, padded.

    :raise EncodeError: it is none, or can't be sent.
    """
    return padded(encode_tlv(parameter))


def decode(data: bytes) -> Any:
    """
    Decode one parameter, padded or not.

    :raise WireError: it isn't exactly one, or not a known one.
    """
    number, end = header(data, 0, len(data))
    decoder = DECODERS.get(number)
    if decoder is None:
        raise BadValue(f"parameter {number:#x} is unknown", 0, data)
    if (end + 3) & ~3 < len(data):
        raise BadLength("more than one parameter", end, data)
    try:
        return decoder(data, 4, end, [])
    except Discard:
        raise BadValue("an unknown parameter inside discards it", 0, data) from None


def one(*classes: type, least: int = 1, most: int | None = 1) -> Slot:
    """A place for a parameter of one of these classes."""
    numbers = dict.fromkeys(ENCODERS[cls][0] for cls in classes)
    readers = {number: DECODERS[number] for number in numbers}
    encoders = {cls: ENCODERS[cls] for cls in classes}
    return Slot(readers, partial(_write, encoders), least, most, many=most is None)


def one_of(family: Mapping[type, tuple[int, Encoder]], least: int = 1) -> Slot:
    """A place for a parameter of a family of classes of one type, which may still grow."""
    numbers = {number for number, _ in family.values()}
    return Slot({n: DECODERS[n] for n in numbers}, partial(_write, family), least)


def optional(*classes: type) -> Slot:
    """A place that may be empty."""
    return one(*classes, least=0)


def many(*classes: type, least: int = 0) -> Slot:
    """A place for any number."""
    return one(*classes, least=least, most=None)


def inside(cls: type, name: str, least: int = 1) -> Slot:
    """A place for one parameter of which only the field `name` is of interest."""
    number, encoder = ENCODERS[cls]
    decoder = DECODERS[number]

    def read(data: bytes, start: int, end: int, report: Report) -> Any:
        return getattr(decoder(data, start, end, report), name)

    def write(value: Any) -> bytes:
        return tlv(number, encoder(cls(**{name: value})))

    return Slot({number: read}, write, least)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(wire, kept))
def parameter(number: int) -> Callable[[type[T]], type[T]]:
    """Declare the parameter of this type."""

    def declare(cls: type[T]) -> type[T]:
        frozen = attrs.frozen(kw_only=True)(cls)
        enter(number, frozen, compile_codec(frozen))
        return frozen

    return declare


def enter(number: int, cls: type, codec: Codec, *, shared: bool = False) -> None:
    """Put a parameter into the registry; several classes may share a type on purpose."""
    if number in DECODERS and not (shared and DECODERS[number] is codec.decode):
        raise TypeError(f"parameter {number:#x} is declared already")
    DECODERS[number] = codec.decode
    ENCODERS[cls] = (number, codec.encode)
    KNOWN.add(number)
