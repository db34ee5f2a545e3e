"""
Ways of other implementations that ours can follow, each by itself (docs/interoperability.rst).

The defaults are the RFCs'.  None of these makes anything less strict: what comes is judged as
ever, and only what is sent, or asked of pool elements, is different.
"""

import struct
from typing import Any

import attrs

from rserpool.handlespace.element import Element
from rserpool.wire import parameters
from rserpool.wire.causes import Cause, InvalidValues
from rserpool.wire.framing import MAXIMUM_LENGTH
from rserpool.wire.parameters import (
    OpaqueTransport,
    PoolElement,
    SCTPTransport,
    TCPTransport,
    UDPTransport,
    UserTransport,
)
from rserpool.wire.policies import policy_number

_TLV = struct.Struct("!HH")
#: Octets of a transport's value before the addresses, by its type.
_FIXED = {0x3: 8, 0x4: 4, 0x5: 4, 0x6: 4, 0x7: 4}
_SCTP, _TCP = b"\x00\x04", 0x5
_ADDRESSES = (b"\x00\x01", b"\x00\x02")
#: The policies and user transports that rsplib 3.4.4 reads: of RFC 5356, and private ones.
READABLE_POLICIES = frozenset({
    *range(0x00000001, 0x00000006),
    *range(0x40000001, 0x40000005),
    *range(0xB0001001, 0xB0001005),
    *range(0xB0002001, 0xB0002004),
})  # fmt: skip
READABLE_TRANSPORTS = (SCTPTransport, TCPTransport, UDPTransport)


@attrs.frozen(kw_only=True)
class Interop:
    """What is done otherwise than the RFCs have it."""

    #: Seconds in one unit of registration life: of what elements ask for, and of what users
    #: and registrars are told.
    life_unit: float = 1.0
    #: A presence that can't have both checksum and Server Information isn't sent.
    full_presence: bool = False
    #: Each element that registrars are told of has an ASAP Transport, and one of SCTP, made up
    #: if need be.
    always_asap_transport: bool = False
    #: Registrars are told nothing of parameters that RFC 5354 doesn't know.
    strip_parameters: bool = False
    #: A keep-alive names the element after its pool.
    keep_alive_identifier: bool = False
    #: ENRP_HANDLE_UPDATE names its receiver, and what comes with our ID says nothing more.
    update_receiver: bool = False
    #: Elements in an answer to who doesn't say how many; and in any answer.  0: all that fit.
    default_items: int = 0
    most_items: int = 0
    #: Octets of one part of a handle table.
    table_bytes: int = MAXIMUM_LENGTH
    #: Of an element's addresses those that aren't its association's are left out; else an
    #: element that names such a one is refused.
    usable_addresses: bool = False
    #: Elements are refused that a registrar of rsplib couldn't read: it would lose with them
    #: whatever else the message says.
    readable_only: bool = False

    @property
    def rewords(self) -> bool:
        """Whether registrars are told of elements otherwise than they are stored."""
        return self.strip_parameters or self.always_asap_transport

    @property
    def believed(self) -> bool:
        """Whether there may be registrars that believe whoever claims an element."""
        return self.update_receiver

    def items(self, wanted: int | None, everything: int) -> int:
        """How many elements answer a request for so many."""
        count = wanted or self.default_items or everything
        return min(count, self.most_items) if self.most_items else count

    def seconds(self, life: int) -> str:
        """A registration life, for people."""
        return "for ever" if life < 0 else f"{life * self.life_unit:g} s"


#: As the RFCs have it.
RFC = Interop()


def reworded(element: Element, interop: Interop) -> tuple[bytes, bytes]:
    """What registrars are told of an element: its `blob` and its `contact`."""
    blob, contact = element.blob, element.contact
    if interop.strip_parameters:
        blob, contact = _bare(blob), _bare_contact(contact)
    if interop.always_asap_transport and contact[:2] != _SCTP:
        contact = _made_up(blob, contact)
    return blob, contact


def unreadable(element: PoolElement) -> tuple[str, Cause] | None:
    """Why a registrar of rsplib couldn't read this element, in words and as a cause."""
    transport = element.user_transport
    number = policy_number(element.policy)
    if number not in READABLE_POLICIES:
        words = f"rsplib doesn't know policy {number:#x}, and would lose whole tables with it"
        return words, InvalidValues(parameter=parameters.encode(element.policy))
    if not isinstance(transport, READABLE_TRANSPORTS):
        kind = type(transport).__name__
        words = f"rsplib knows no {kind}, and would lose whole tables with it"
        return words, InvalidValues(parameter=parameters.encode(transport))
    if all(address.is_loopback or address.is_link_local for address in transport.addresses):
        words = "rsplib drops loopback and link-local addresses, and it has no others"
        return words, InvalidValues(parameter=parameters.encode(transport))
    return None


def _bare(blob: bytes) -> bytes:
    """The Pool Element without parameters that RFC 5354 doesn't know, wherever they are."""
    number, length = _TLV.unpack_from(blob, 16)
    policy = (16 + length + 3) & ~3
    end = policy + (blob[policy + 2] << 8 | blob[policy + 3])
    if (end + 3) & ~3 == len(blob) and _bare_transport(blob, 16, number, 16 + length):
        return blob  # as it is nearly always
    found: Any = parameters.decode(blob[: blob[2] << 8 | blob[3]])
    transport = _without_unknown(found.user_transport)
    octets: bytes = parameters.encode(attrs.evolve(found, user_transport=transport, unknown=()))
    return octets


def _bare_transport(octets: bytes, at: int, number: int, end: int) -> bool:
    """Whether a transport has nothing but addresses in it."""
    if number not in _FIXED:
        return True  # an opaque one: its octets are its own
    at += 4 + _FIXED[number]
    while at < end:
        if octets[at : at + 2] not in _ADDRESSES:
            return False
        at += (octets[at + 2] << 8 | octets[at + 3]) + 3 & ~3
    return True


def _bare_contact(contact: bytes) -> bytes:
    """The ASAP Transport alone, if there is one: the principal is a parameter of our own."""
    if not contact:
        return b""
    number, length = _TLV.unpack_from(contact)
    if number not in (0x4, 0x5):
        return b""
    if _bare_transport(contact, 0, number, length):
        return contact[: (length + 3) & ~3]
    return parameters.encode(_without_unknown(parameters.decode(contact[:length])))


def _without_unknown(transport: Any) -> UserTransport:
    bare: UserTransport = transport
    if getattr(transport, "unknown", ()):
        bare = attrs.evolve(transport, unknown=())
    return bare


def _made_up(blob: bytes, contact: bytes) -> bytes:
    """
    An SCTP endpoint for an element that has none: where it is called by TCP, or by its users.

    Whoever calls it there gets no answer, as if there were none; but the element isn't lost
    for those who don't read on without one.
    """
    number, length = _TLV.unpack_from(contact) if contact else (0, 0)
    if number == _TCP:
        where, rest = contact[:length], contact[(length + 3) & ~3 :]
    else:
        where, rest = blob[16 : 16 + (blob[18] << 8 | blob[19])], contact
    found = parameters.decode(where)
    if isinstance(found, OpaqueTransport):
        return contact
    made = SCTPTransport(port=found.port, addresses=found.addresses)
    return parameters.encode(made) + rest
