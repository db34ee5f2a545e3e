"""
Layouts: how the bytes of a parameter, cause or message follow from the fields of its class.

A class lists its fields; length, padding, bounds and what to do with unknown types live
here, once.  The decoder and the encoder of a class are generated when it is declared, so
that declaring costs nothing at run time.

Note [Slots]

The parameters inside a value come in the order of the RFC's figure.  Each field that
holds parameters is a slot; a parameter goes into the first slot, from the current one on,
that accepts its type.  Unknown parameters may stand anywhere (RFC 5354 section 3); those
that are skipped are kept, so that they survive storage and replication.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from rserpool.wire.errors import BadLength, BadValue, EncodeError, Misplaced, Missing, Truncated

T = TypeVar("T")
Report = list[bytes]
#: The value of a parameter, between two offsets, to an object; unknown ones are reported.
Decoder = Callable[[bytes, int, int, Report], Any]
#: An object to the octets of its value, without the final padding.
Encoder = Callable[[Any], bytes]

#: Unrecognized parameters reported for one message.  A report quotes them: a message of
#: 16,000 unknown parameters would cost an answer of 128 KiB.
MAXIMUM_REPORTS = 16
#: Octets of an unrecognized parameter or message that a report quotes: all reports of
#: one message fit into one answer.
MAXIMUM_QUOTE = 2048

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


def wire(kind: Kind, *, skip: int = 0, **options: Any) -> Any:
    """A field of this kind, after `skip` reserved octets; `options` are ``attrs.field``'s."""
    if isinstance(kind, Number):
        options.setdefault("validator", _in_range(kind.code))
    return attrs.field(metadata={"kind": kind, "skip": skip}, **options)


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


def fields_of(cls: type) -> list[tuple[str, Mapping[str, Any]]]:
    """The declared fields of a class, in order."""
    return [(field.name, field.metadata) for field in attrs.fields(cls)]


@attrs.frozen
class Codec:
    """The two directions of one class."""

    decode: Decoder
    encode: Encoder


def compile_codec(cls: type, check: Callable[[Any], str] | None = None) -> Codec:
    """
    Generate decoder and encoder of a declared class.

    :param check: says what is wrong with a decoded object, or nothing.
    """
    plan = _Plan(cls)
    names: dict[str, Any] = {
        "cls": cls, "new": object.__new__, "fixed": plan.fixed, "slots": plan.slots,
        "check": check, "read_slots": _read_slots, "write_slots": _write_slots,
        "BadLength": BadLength, "BadValue": BadValue, "Truncated": Truncated,
    }  # fmt: skip
    for name, _ in fields_of(cls):
        names[f"set_{name}"] = getattr(cls, name).__set__
    source = _decoder_source(plan, check is not None) + _encoder_source(plan)
    exec(source, names)  # noqa: S102 - our own declarations, at import
    return Codec(names["decode"], names["encode"])


class _Plan:
    """
    The parts of a layout: numbers first, then octets or parameters.

    Octets reserved at the end of the numbers are the class's ``RESERVED``.
    """

    def __init__(self, cls: type) -> None:
        self.name = cls.__name__
        self.flags: list[tuple[str, int]] = []
        self.numbers: list[str] = []
        self.rest: str | None = None
        self.slot_names: list[str] = []
        self.slots: list[Slot] = []
        self.keeps_unknown = False
        code = "!"
        for name, metadata in fields_of(cls):
            kind = metadata.get("kind")
            if "flag" in metadata:
                self.flags.append((name, metadata["flag"]))
            elif name == "unknown":
                self.keeps_unknown = True
            elif isinstance(kind, Number):
                code += "x" * metadata["skip"] + kind.code
                self.numbers.append(name)
            elif isinstance(kind, Rest):
                self.rest = name
            elif isinstance(kind, Slot):
                self.slot_names.append(name)
                self.slots.append(kind)
            else:
                raise TypeError(f"{cls.__name__}.{name} has no place on the wire")
        self.fixed = struct.Struct(code + "x" * getattr(cls, "RESERVED", 0))


def _decoder_source(plan: _Plan, checked: bool) -> str:
    size = plan.fixed.size
    lines = ["def decode(data, start, end, report):"]
    if size:
        lines += [
            f"    if end - start < {size}:",
            f"        raise Truncated('{plan.name} is too short', start, data[start:end])",
            f"    {''.join(f'{name}, ' for name in plan.numbers) or '()'} = "
            "fixed.unpack_from(data, start)",
        ]
    if plan.rest:
        lines.append(f"    {plan.rest} = data[start + {size}:end]")
    elif plan.slots or plan.keeps_unknown:
        lines.append(
            f"    values, unknown = read_slots(data, start + {size}, end, report, slots)"
        )
        if plan.slots:
            lines.append(f"    {''.join(f'{name}, ' for name in plan.slot_names)} = values")
    else:
        lines += [
            f"    if end - start != {size}:",
            f"        raise BadLength('{plan.name} is too long', start, data[start:end])",
        ]
    lines.append("    self = new(cls)")
    names = [*plan.numbers, *([plan.rest] if plan.rest else []), *plan.slot_names]
    if plan.keeps_unknown:
        names.append("unknown")
    lines += [f"    set_{name}(self, {name})" for name in names]
    lines += [f"    set_{name}(self, False)" for name, _ in plan.flags]
    if checked:
        lines += [
            "    wrong = check(self)",
            "    if wrong:",
            "        raise BadValue(wrong, start, data[max(0, start - 4):end])",
        ]
    lines.append("    return self\n")
    return "\n".join(lines)


def _encoder_source(plan: _Plan) -> str:
    parts = []
    if plan.fixed.size:
        parts.append(f"fixed.pack({', '.join(f'value.{name}' for name in plan.numbers)})")
    if plan.rest:
        parts.append(f"value.{plan.rest}")
    elif plan.slots or plan.keeps_unknown:
        values = "".join(f"value.{name}, " for name in plan.slot_names)
        unknown = "value.unknown" if plan.keeps_unknown else "()"
        parts.append(f"write_slots(({values}), {unknown}, slots)")
    return f"def encode(value):\n    return {' + '.join(parts) or repr(b'')}\n"


def _read_slots(
    data: bytes, at: int, end: int, report: Report, slots: Sequence[Slot]
) -> tuple[list[Any], tuple[bytes, ...]]:
    """The parameters between two offsets, each in its slot; see Note [Slots]."""
    found: list[list[Any]] = [[] for _ in slots]
    unknown: list[bytes] = []
    current = 0
    while at < end:
        number, stop = header(data, at, end)
        place = _place(slots, found, current, number)
        if place is not None:
            found[place].append(slots[place].readers[number](data, at + 4, stop, report))
            current = place
        elif number in KNOWN:
            raise Misplaced(f"parameter {number:#x} doesn't belong here", at, data[at:stop])
        else:
            _unrecognized(data[at:stop], number, report, unknown)
        at = (stop + 3) & ~3
    return [_filled(slot, got, end) for slot, got in zip(slots, found, strict=True)], (
        tuple(unknown)
    )


def _place(
    slots: Sequence[Slot], found: list[list[Any]], current: int, number: int
) -> int | None:
    for place in range(current, len(slots)):
        slot = slots[place]
        room = slot.most is None or len(found[place]) < slot.most
        if room and number in slot.readers:
            return place
        if len(found[place]) < slot.least:
            return None
    return None


def _filled(slot: Slot, got: list[Any], end: int) -> Any:
    if len(got) < slot.least:
        wanted = " or ".join(f"{number:#x}" for number in slot.readers)
        raise Missing(f"a parameter {wanted} is missing", end)
    if slot.many:
        return tuple(got)
    return got[0] if got else None


def _unrecognized(raw: bytes, number: int, report: Report, unknown: list[bytes]) -> None:
    """Do what the two highest bits of the type say (RFC 5354 section 3)."""
    action = number >> 14
    if action & 1 and len(report) < MAXIMUM_REPORTS:
        report.append(raw[:MAXIMUM_QUOTE])
    if action < 2:
        raise Discard
    unknown.append(raw)


def _write_slots(
    values: Sequence[Any], unknown: Sequence[bytes], slots: Sequence[Slot]
) -> bytes:
    tlvs: list[bytes] = []
    for slot, value in zip(slots, values, strict=True):
        if slot.many:
            if len(value) < slot.least or len(value) > (slot.most or len(value)):
                raise EncodeError(f"{len(value)} parameters in a place for others")
            tlvs += [slot.write(one) for one in value]
        elif value is not None:
            tlvs.append(slot.write(value))
        elif slot.least:
            raise EncodeError("a mandatory parameter is None")
    return joined([*tlvs, *unknown])


def _in_range(code: str) -> Callable[[Any, Any, int], None]:
    low, high = _RANGES[code]

    def validate(instance: object, attribute: Any, value: int) -> None:
        if not low <= value <= high:
            raise ValueError(f"{attribute.name} must be from {low} to {high}, not {value}")

    return validate


#: Types of parameters that somebody has declared.
KNOWN: set[int] = set()
