"""
Elements as registrars describe them to each other: from the octets that are stored.

Beside what users see, a description has the element's ASAP Transport (RFC 5354 section
3.10), and in a secure scope the principal that registered it, so that the element is its
principal's at every registrar.
"""

import struct

from rserpool.handlespace.description import contact_of
from rserpool.handlespace.element import Element
from rserpool.registrar.events import Channel
from rserpool.registrar.interop import RFC, Interop, reworded
from rserpool.registrar.share import Share
from rserpool.wire import parameters
from rserpool.wire.enrp import ADD_PE, DEL_PE
from rserpool.wire.parameters import PoolElement, SCTPTransport, TCPTransport, UserTransport
from rserpool.wire.transports import Address

_TLV = struct.Struct("!HH")
_UPDATE = struct.Struct("!BBHIIHH")

__all__ = ["ADD_PE", "DEL_PE", "contact", "described", "padded_length", "update"]


def contact(channel: Channel, element: PoolElement) -> bytes:
    """
    What peers are told of an element that registers through `channel`.

    Its ASAP Transport is the one that it names, if that is at an address of its connection,
    and else the connection's own end (RFC 5352 section 3.1 rule 4).
    """
    principal = channel.subject.name if channel.subject.proven else None
    named = element.asap_transport
    if named is not None and set(named.addresses) <= channel.addresses:
        return contact_of(named, principal)
    if not channel.contact:
        addresses: list[Address] = sorted(channel.addresses, key=str)
        transport: UserTransport = (
            SCTPTransport(port=channel.port, addresses=tuple(addresses))
            if channel.sctp
            else TCPTransport(port=channel.port, addresses=(addresses[0],))
        )
        channel.contact = contact_of(transport, principal)
    return channel.contact


def transport_of(element: Element) -> UserTransport | None:
    """The ASAP Transport of an element, if it is known."""
    if not element.contact:
        return None
    number, length = _TLV.unpack_from(element.contact)
    if number not in (0x4, 0x5):
        return None
    transport: UserTransport = parameters.decode(element.contact[:length])
    return transport


def described(element: Element, interop: Interop = RFC) -> bytes:
    """The Pool Element parameter for peers, padded."""
    blob, more = (
        reworded(element, interop) if interop.rewords else (element.blob, element.contact)
    )
    length = len(blob) + padded_length(more)
    return b"".join((_TLV.pack(0xA, length), blob[4:], more))


def padded_length(contact: bytes) -> int:
    """The length of what is in `contact`, without its final padding."""
    if not contact:
        return 0
    at = 0
    while True:
        length = contact[at + 2] << 8 | contact[at + 3]
        end = (at + length + 3) & ~3
        if end >= len(contact):
            return at + length
        at = end


def update(share: Share, element: Element, action: int, *, receiver: int = 0) -> bytes:
    """ENRP_HANDLE_UPDATE for everybody, or for one (RFC 5353 section 2.4), padded."""
    handle, parameter = element.pool.handle_tlv, described(element, share.settings.interop)
    padding = -(parameter[2] << 8 | parameter[3]) & 3
    length = 16 + len(handle) + len(parameter) - padding
    header = _UPDATE.pack(0x04, 0, length, share.server_id, receiver, action, 0)
    return b"".join((header, handle, parameter))
