"""What the kernel tells of an association between its messages (RFC 6458 section 6.1)."""

import enum
import struct

import attrs

from rserpool.transport.sctp.addresses import read

_TYPE = struct.Struct("=H")
_ASSOCIATION, _ADDRESS, _PARTIAL_DELIVERY = 0x8001, 0x8002, 0x8006
_STATE_AT, _ADDRESS_AT, _ADDRESS_STATE_AT = 8, 8, 136


class What(enum.Enum):
    """What has happened; the values are the kernel's states."""

    LOST = 1
    RESTARTED = 2
    REACHED = 0x100
    UNREACHED = 0x101
    CONFIRMED = 0x105
    #: The rest of a message that was begun won't come.
    GIVEN_UP = 0x200
    OTHER = 0x300


@attrs.frozen
class Notification:
    """One of them; `address` is the one of the peer's that it is about, if there is one."""

    what: What
    address: str = ""


def notification(data: bytes) -> Notification:
    """Read one, as far as it matters."""
    kind = _TYPE.unpack_from(data)[0]
    if kind == _ASSOCIATION:
        state = struct.unpack_from("=H", data, _STATE_AT)[0]
        return Notification(What(state) if state in (1, 2) else What.OTHER)
    if kind == _ADDRESS:
        host, _, _ = read(data, _ADDRESS_AT)
        state = 0x100 + struct.unpack_from("=i", data, _ADDRESS_STATE_AT)[0]
        known = state in (What.REACHED.value, What.UNREACHED.value, What.CONFIRMED.value)
        return Notification(What(state) if known else What.OTHER, host)
    return Notification(What.GIVEN_UP if kind == _PARTIAL_DELIVERY else What.OTHER)
