"""
How messages are declared, decoded and encoded: what ASAP and ENRP have in common.

A message is a type, flags, a length, and a value laid out like a parameter's
(RFC 5354 section 4).
"""

import struct
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from rserpool.wire.causes import Cause, UnrecognizedMessage, UnrecognizedParameter
from rserpool.wire.compiled import Check, compile_codec
from rserpool.wire.errors import BadLength, EncodeError, Truncated
from rserpool.wire.framing import MAXIMUM_LENGTH
from rserpool.wire.layout import (
    Codec,
    Discard,
    Report,
    fields_of,
    padded,
    quoted,
)

T = TypeVar("T")
_HEADER = struct.Struct("!BBH")


@attrs.frozen
class Decoded:
    """
    What a message says, and what must be said back about it.

    :ivar message: None when an unknown type told us to discard it.
    :ivar report: causes for an ASAP_ERROR or ENRP_ERROR (RFC 5354 sections 3 and 4).
    """

    message: Any
    report: tuple[Cause, ...] = ()


@attrs.frozen
class _Layout:
    number: int
    cls: type
    codec: Codec
    flags: tuple[tuple[str, int], ...]
    unsendable: Callable[[Any], str] | None


class MessageTypes:
    """The messages of one protocol."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._by_number: dict[int, _Layout] = {}
        self._by_class: dict[type, _Layout] = {}

    @property
    def classes(self) -> dict[int, type]:
        """Every message class by its type."""
        return {number: layout.cls for number, layout in self._by_number.items()}

    def declare(
        self,
        number: int,
        *,
        check: Check | None = None,
        unsendable: Callable[[Any], str] | None = None,
    ) -> Callable[[type[T]], type[T]]:
        """
        Declare the message of this type.

        :param check: raises WireError about what the fields alone don't show.
        :param unsendable: says why a message must not be sent, or nothing.
        """

        def enter(cls: type[T]) -> type[T]:
            frozen = attrs.frozen(kw_only=True)(cls)
            if number in self._by_number:
                raise TypeError(f"{self.name} message {number:#x} is declared already")
            flags = tuple((name, m["flag"]) for name, m in fields_of(frozen) if "flag" in m)
            layout = _Layout(number, frozen, compile_codec(frozen, check), flags, unsendable)
            self._by_number[number] = layout
            self._by_class[frozen] = layout
            return frozen

        return enter

    def decode(self, data: bytes) -> Decoded:
        """
        Decode one whole message, padded or not.

        :raise WireError: and nothing else, whatever the bytes.
        """
        if len(data) < 4:
            raise Truncated(f"an {self.name} header that isn't complete", 0, data)
        number, bits, length = _HEADER.unpack_from(data)
        if length < 4:
            raise BadLength(f"a Message Length of {length}", 2, data[:4])
        if length > len(data):
            raise Truncated(f"a Message Length of {length} in {len(data)} octets", 2)
        if (length + 3) & ~3 < len(data):
            raise BadLength(f"{len(data) - length} octets after the message", length)
        layout = self._by_number.get(number)
        if layout is None:
            return _unknown(number, data[:length])
        report: Report = []
        try:
            message = layout.codec.decode(data, 4, length, report)
        except Discard:
            message = None
        if message is not None and bits:
            for name, bit in layout.flags:
                if bits & bit:
                    object.__setattr__(message, name, True)
        return Decoded(message, tuple(UnrecognizedParameter(parameter=raw) for raw in report))

    def encode(self, message: object, *, count_padding: bool = False) -> bytes:
        """
        Encode a message, padded.

        :param count_padding: Message Length covers the final padding, as rsplib has it.
        :raise EncodeError: it would be longer than a message can be, or must not be sent.
        """
        layout = self._by_class.get(type(message))
        if layout is None:
            raise EncodeError(f"{message!r} isn't a message of {self.name}")
        body = layout.codec.encode(message)
        if layout.unsendable is not None and (wrong := layout.unsendable(message)):
            raise EncodeError(wrong)
        length = 4 + len(body)
        if length > MAXIMUM_LENGTH:
            raise EncodeError(f"{layout.cls.__name__} would be {length} octets long")
        if count_padding:
            length = (length + 3) & ~3
        bits = 0
        for name, bit in layout.flags:
            if getattr(message, name):
                bits |= bit
        return padded(_HEADER.pack(layout.number, bits, length) + body)


def _unknown(number: int, data: bytes) -> Decoded:
    """Do what the two highest bits of a message type say (RFC 5354 section 4)."""
    if number >> 6 == 1:
        return Decoded(None, (UnrecognizedMessage(message=quoted(data)),))
    return Decoded(None)
