"""
Decoders and encoders, compiled from declarations (see :mod:`rserpool.wire.layout`).

Note [Slots]

The parameters inside a value come in the order of the RFC's figure.  Each field that
holds parameters is a slot; a parameter goes into the first slot, from the current one on,
that accepts its type.  Unknown parameters may stand anywhere (RFC 5354 section 3); those
that are skipped are kept, so that they survive storage and replication.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any

from rserpool.wire.errors import BadLength, BadValue, EncodeError, Misplaced, Missing, Truncated
from rserpool.wire.layout import (
    MAXIMUM_QUOTES,
    MAXIMUM_REPORTS,
    Codec,
    Discard,
    Number,
    Report,
    Rest,
    Slot,
    fields_of,
    header,
    joined,
    quoted,
)

#: What is wrong with a decoded object whose value stands between two offsets: it raises.
Check = Callable[[Any, bytes, int, int], None]
#: Types of parameters that somebody has declared.
KNOWN: set[int] = set()


def compile_codec(cls: type, check: Check | None = None) -> Codec:
    """Generate decoder and encoder of a declared class."""
    plan = _Plan(cls)
    names: dict[str, Any] = {
        "cls": cls, "new": object.__new__, "fixed": plan.fixed, "slots": plan.slots,
        "check": check, "read_slots": _read_slots, "write_slots": _write_slots,
        "BadLength": BadLength, "BadValue": BadValue, "Truncated": Truncated,
    }  # fmt: skip
    for name in plan.numbers:
        names[f"among_{name}"] = frozenset(plan.among.get(name, ()))
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
        self.among: dict[str, Sequence[int]] = {}
        self.offsets: dict[str, int] = {}
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
                code += "x" * metadata["skip"]
                self.offsets[name] = struct.calcsize(code)
                code += kind.code
                self.numbers.append(name)
                if metadata["among"]:
                    self.among[name] = metadata["among"]
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
    for name in plan.among:
        lines += [
            f"    if {name} not in among_{name}:",
            f"        raise BadValue(f'{plan.name} with the reserved {name} {{{name}}}', "
            f"start + {plan.offsets[name]}, data[start - 4:end])",
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
        lines.append("    check(self, data, start, end)")
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
        report.append(quoted(raw, MAXIMUM_QUOTES - sum(map(len, report))))
    if action < 2:
        raise Discard
    unknown.append(raw)


def _write_slots(
    values: Sequence[Any], unknown: Sequence[bytes], slots: Sequence[Slot]
) -> bytes:
    tlvs: list[bytes] = []
    for slot, value in zip(slots, values, strict=True):
        if slot.many:
            if not isinstance(value, tuple):
                raise EncodeError(f"a tuple of parameters, not {value!r}")
            if len(value) < slot.least or len(value) > (slot.most or len(value)):
                raise EncodeError(f"{len(value)} parameters in a place for others")
            tlvs += [slot.write(one) for one in value]
        elif value is not None:
            tlvs.append(slot.write(value))
        elif slot.least:
            raise EncodeError("a mandatory parameter is None")
    if unknown != ():
        if not isinstance(unknown, tuple) or not all(isinstance(one, bytes) for one in unknown):
            raise EncodeError(f"unknown parameters that aren't octets: {unknown!r}")
        tlvs += unknown
    return joined(tlvs)
