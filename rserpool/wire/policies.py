"""
Pool member selection policies (RFC 5356): what a Policy parameter carries.

Policies that nobody here knows are kept as they came, so that they survive storage and
replication (private use: RFC 5356 section 7.1).
"""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar, dataclass_transform

import attrs

from rserpool.wire.compiled import compile_codec
from rserpool.wire.declared import ENCODERS, enter
from rserpool.wire.errors import BadValue, EncodeError, Truncated
from rserpool.wire.layout import UINT32, Codec, Encoder, Report, octets, wire

T = TypeVar("T")
#: The parameter type that holds all policies (RFC 5354 section 3.8).
PARAMETER = 0x8
_CODECS: dict[int, Codec] = {}
_RESERVED = (0x00000000, 0x40000000)  # "reserved, invalid value" (section 7.1)

#: Policy by the name it has on command lines.
NAMES: dict[str, type] = {}
#: Every class that a Policy parameter may hold, with how it is written.  Alive: what is
#: declared later can be decoded and sent from then on.
FAMILY: dict[type, tuple[int, Encoder]] = {}


class Declared(Protocol):
    """A policy that is declared with `policy`, here or elsewhere."""

    NUMBER: ClassVar[int]


@attrs.frozen(kw_only=True)
class UnknownPolicy:
    """A policy that nobody here knows, as it came."""

    number: int = attrs.field()
    data: bytes = attrs.field(default=b"", validator=octets)

    @number.validator
    def _free(self, attribute: Any, value: int) -> None:
        whole = isinstance(value, int) and 0 <= value <= 0xFFFFFFFF
        if not whole or value in _CODECS or value in _RESERVED:
            raise EncodeError(f"{value!r} isn't the number of an unknown policy")


Policy = Declared | UnknownPolicy


def policy_number(policy: Policy) -> int:
    """Return the Policy Type."""
    return policy.number if isinstance(policy, UnknownPolicy) else policy.NUMBER


def decode_policy(data: bytes, start: int, end: int, report: Report) -> Policy:
    """Decode the value of a Policy parameter (RFC 5354 section 3.8)."""
    if end - start < 4:
        raise Truncated("a policy without a type", start, data[max(0, start - 4) : end])
    number = int.from_bytes(data[start : start + 4], "big")
    codec = _CODECS.get(number)
    if codec is not None:
        found: Policy = codec.decode(data, start + 4, end, report)
        return found
    if number in _RESERVED:
        raise BadValue(f"policy {number:#x} is reserved", start, data[start - 4 : end])
    return UnknownPolicy(number=number, data=data[start + 4 : end])


def encode_policy(policy: Policy) -> bytes:
    """Encode the value of a Policy parameter."""
    number = policy_number(policy)
    if isinstance(policy, UnknownPolicy):
        return number.to_bytes(4, "big") + policy.data
    return number.to_bytes(4, "big") + _CODECS[number].encode(policy)


def _enter(cls: type) -> None:
    enter(PARAMETER, cls, Codec(decode_policy, encode_policy), shared=True)
    FAMILY[cls] = (PARAMETER, encode_policy)


_enter(UnknownPolicy)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(wire,))
def policy(number: int, name: str) -> Callable[[type[T]], type[T]]:
    """
    Declare the policy of this number.

    Any module may: ours are in no way special.  How elements are selected by it is declared
    apart (`rserpool.handlespace.selection.selects`); without that it is round robin.
    """

    def declare(cls: type[T]) -> type[T]:
        frozen = attrs.frozen(kw_only=True)(cls)
        if number in _CODECS:
            raise TypeError(f"policy {number:#x} is declared already")
        if name in NAMES:
            raise TypeError(f"policy {name!r} is declared already")
        _CODECS[number] = compile_codec(frozen)
        NAMES[name] = frozen
        _enter(frozen)
        return frozen

    return declare


def forget(cls: Any) -> None:
    """Take a policy out that somebody has declared for a while: a test."""
    del _CODECS[cls.NUMBER], FAMILY[cls], ENCODERS[cls]
    for name in [name for name, known in NAMES.items() if known is cls]:
        del NAMES[name]


@policy(0x00000001, "round-robin")
class RoundRobin:
    """One after the other (section 4.1)."""

    NUMBER: ClassVar[int] = 0x00000001


@policy(0x00000002, "weighted-round-robin")
class WeightedRoundRobin:
    """One after the other, in proportion to their weights (section 4.2)."""

    NUMBER: ClassVar[int] = 0x00000002
    weight: int = wire(UINT32)


@policy(0x00000003, "random")
class Random:
    """By chance (section 4.3)."""

    NUMBER: ClassVar[int] = 0x00000003


@policy(0x00000004, "weighted-random")
class WeightedRandom:
    """By chance, in proportion to their weights (section 4.4)."""

    NUMBER: ClassVar[int] = 0x00000004
    weight: int = wire(UINT32)


@policy(0x00000005, "priority")
class Priority:
    """The highest priority first (section 4.5)."""

    NUMBER: ClassVar[int] = 0x00000005
    priority: int = wire(UINT32)


@policy(0x40000001, "least-used")
class LeastUsed:
    """The lowest load first (section 5.1); 0xffffffff is a load of 100 %."""

    NUMBER: ClassVar[int] = 0x40000001
    load: int = wire(UINT32)


@policy(0x40000002, "least-used-degradation")
class LeastUsedDegradation:
    """Least used, each selection counting as so much more load (section 5.2)."""

    NUMBER: ClassVar[int] = 0x40000002
    load: int = wire(UINT32)
    degradation: int = wire(UINT32)


@policy(0x40000003, "priority-least-used")
class PriorityLeastUsed:
    """The lowest load first that it would have with one more user (section 5.3)."""

    NUMBER: ClassVar[int] = 0x40000003
    load: int = wire(UINT32)
    degradation: int = wire(UINT32)


@policy(0x40000004, "randomized-least-used")
class RandomizedLeastUsed:
    """By chance, in proportion to what isn't used (section 5.4)."""

    NUMBER: ClassVar[int] = 0x40000004
    load: int = wire(UINT32)
