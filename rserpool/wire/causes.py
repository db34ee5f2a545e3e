"""Error causes: what an Operation Error says (RFC 5354 section 3.12)."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, dataclass_transform

import attrs

from rserpool.wire import policies
from rserpool.wire.compiled import compile_codec
from rserpool.wire.declared import one, one_of
from rserpool.wire.errors import EncodeError
from rserpool.wire.layout import Codec, Report, Rest, header, kept, octets, tlv, wire
from rserpool.wire.policies import Policy
from rserpool.wire.transports import USER_TRANSPORTS, UserTransport

T = TypeVar("T")
_CODECS: dict[int, Codec] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(wire, kept))
def cause(number: int) -> Callable[[type[T]], type[T]]:
    """Declare the error cause of this code."""

    def declare(cls: type[T]) -> type[T]:
        frozen = attrs.frozen(kw_only=True)(cls)
        if number in _CODECS:
            raise TypeError(f"error cause {number:#x} is declared already")
        _CODECS[number] = compile_codec(frozen)
        CLASSES.append(frozen)
        return frozen

    return declare


#: Every declared cause.
CLASSES: list[type] = []


@cause(0x0)
class Unspecified:
    """Something that has no code of its own (section 3.12.1)."""

    CODE: ClassVar[int] = 0x0


@cause(0x1)
class UnrecognizedParameter:
    """A parameter of unknown type, as it came (section 3.12.2)."""

    CODE: ClassVar[int] = 0x1
    parameter: bytes = wire(Rest())


@cause(0x2)
class UnrecognizedMessage:
    """A message of unknown type, as it came (section 3.12.3)."""

    CODE: ClassVar[int] = 0x2
    message: bytes = wire(Rest())


@cause(0x3)
class InvalidValues:
    """A parameter with a value that can't be, as it came (section 3.12.4)."""

    CODE: ClassVar[int] = 0x3
    parameter: bytes = wire(Rest(), default=b"")


@cause(0x4)
class NonUniquePEIdentifier:
    """The PE identifier belongs to another element of the pool (section 3.12.5)."""

    CODE: ClassVar[int] = 0x4


@cause(0x5)
class InconsistentPolicy:
    """The pool has another policy: this one (section 3.12.6)."""

    CODE: ClassVar[int] = 0x5
    policy: Policy | None = wire(one_of(policies.FAMILY, least=0), default=None)
    unknown: tuple[bytes, ...] = kept(default=())


@cause(0x6)
class LackOfResources:
    """The sender can't afford it (section 3.12.7)."""

    CODE: ClassVar[int] = 0x6


@cause(0x7)
class InconsistentTransport:
    """The pool has another transport: of this type (section 3.12.8)."""

    CODE: ClassVar[int] = 0x7
    transport: UserTransport | None = wire(one(*USER_TRANSPORTS, least=0), default=None)
    unknown: tuple[bytes, ...] = kept(default=())


@cause(0x8)
class InconsistentDataControl:
    """The pool uses its transport otherwise: data, or data and control (section 3.12.9)."""

    CODE: ClassVar[int] = 0x8


@cause(0x9)
class UnknownPoolHandle:
    """There is no such pool (section 3.12.11)."""

    CODE: ClassVar[int] = 0x9


@cause(0xA)
class RejectedForSecurity:
    """Credentials or authorization don't suffice (section 3.12.10)."""

    CODE: ClassVar[int] = 0xA
    #: The RFC gives it no content, and doesn't say that there is none.
    data: bytes = wire(Rest(), default=b"")


@attrs.frozen(kw_only=True)
class UnknownCause:
    """A cause that nobody here knows, as it came."""

    code: int = attrs.field()
    data: bytes = attrs.field(default=b"", validator=octets)

    @code.validator
    def _free(self, attribute: Any, value: int) -> None:
        if not isinstance(value, int) or value in _CODECS or not 0 <= value <= 0xFFFF:
            raise EncodeError(f"{value!r} isn't the code of an unknown cause")


Cause = (
    Unspecified
    | UnrecognizedParameter
    | UnrecognizedMessage
    | InvalidValues
    | NonUniquePEIdentifier
    | InconsistentPolicy
    | LackOfResources
    | InconsistentTransport
    | InconsistentDataControl
    | UnknownPoolHandle
    | RejectedForSecurity
    | UnknownCause
)


def cause_code(cause: Cause) -> int:
    """Return the Cause Code."""
    return cause.code if isinstance(cause, UnknownCause) else cause.CODE


def decode_causes(data: bytes, at: int, end: int, report: Report) -> tuple[Cause, ...]:
    """Decode the causes between two offsets."""
    causes: list[Cause] = []
    while at < end:
        number, stop = header(data, at, end)
        codec = _CODECS.get(number)
        if codec is None:
            causes.append(UnknownCause(code=number, data=data[at + 4 : stop]))
        else:
            causes.append(codec.decode(data, at + 4, stop, report))
        at = (stop + 3) & ~3
    return tuple(causes)


def encode_cause(cause: Cause) -> bytes:
    """Encode one cause as TLV, without the final padding."""
    if isinstance(cause, UnknownCause):
        return tlv(cause.code, cause.data)
    if type(cause) not in CLASSES:
        raise EncodeError(f"{cause!r} isn't an error cause")
    return tlv(cause.CODE, _CODECS[cause.CODE].encode(cause))
