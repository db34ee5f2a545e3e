"""
An element as its home registrar describes it: octets, and what of them matters here.

A registrar that joins is told of 100,000 elements at once (RFC 5353 section 3.2.3).  What
they look like nearly always, one address and few different policies, is read from the octets;
the rest is decoded as any parameter is.
"""

import struct

from rserpool.wire import parameters
from rserpool.wire.declared import ENCODERS
from rserpool.wire.parameters import PoolElement, Principal, SCTPTransport, UserTransport
from rserpool.wire.policies import Policy

_HEADER = struct.Struct("!HHIIi")
_TLV = struct.Struct("!HH")
_TCP = b"\x00\x05\x00\x10"  # a TCP Transport with one IPv4 address, and that address
_IPV4 = b"\x00\x00\x00\x01\x00\x08"  # after the port and reserved octets
_POLICY = b"\x00\x08"
_PRINCIPAL = b"\x80\xf5"
#: Policies and principals remembered by their octets: a peer could make up any number.
REMEMBERED = 4096
_policies: dict[bytes, Policy] = {}
_principals: dict[bytes, str] = {}


class Description:
    """
    One element, described.

    :ivar blob, contact: as in :class:`~rserpool.handlespace.element.Element`.
    :ivar kind: type and use of its transport: what all elements of a pool must share.
    """

    __slots__ = (
        "blob", "contact", "home", "identifier", "kind", "life", "policy", "principal",
    )  # fmt: skip

    def __init__(self, identifier: int, home: int, life: int, policy: Policy) -> None:
        self.identifier = identifier
        self.home = home
        self.life = life
        self.policy = policy
        self.principal: str | None = None
        self.blob = b""
        self.contact = b""
        self.kind = b""

    @property
    def transport(self) -> UserTransport:
        """Where its users find it."""
        length = self.blob[18] << 8 | self.blob[19]
        found: UserTransport = parameters.decode(self.blob[16 : 16 + length])
        return found


def kind_of(transport: UserTransport) -> bytes:
    """Type and use of a transport, as :ivar:`Description.kind` has them."""
    number, _ = ENCODERS[type(transport)]
    use = transport.use if isinstance(transport, SCTPTransport) else parameters.DATA_ONLY
    return _TLV.pack(number, use)


def blob_of(element: PoolElement, home: int) -> bytes:
    """The Pool Element parameter as users get it: without what is for registrars."""
    return parameters.encode(
        PoolElement(
            identifier=element.identifier,
            home=home,
            life=element.life,
            user_transport=element.user_transport,
            policy=element.policy,
            unknown=element.unknown,
        )
    )


def with_home(blob: bytes, home: int) -> bytes:
    """The same parameter with another home registrar."""
    return blob[:8] + home.to_bytes(4, "big") + blob[12:]


def contact_of(transport: UserTransport | None, principal: str | None) -> bytes:
    """What is for registrars, padded."""
    octets = b"" if transport is None else parameters.encode(transport)
    if principal is not None:
        octets += parameters.encode(Principal(name=principal))
    return octets


def describe(element: PoolElement) -> Description:
    """The same from a decoded parameter."""
    found = Description(element.identifier, element.home, element.life, element.policy)
    found.principal = element.principal
    found.blob = blob_of(element, element.home)
    found.contact = contact_of(element.asap_transport, element.principal)
    found.kind = kind_of(element.user_transport)
    return found


def read(data: bytes, at: int, end: int) -> Description | None:
    """
    Read the Pool Element parameter between two offsets, if it is of the usual shape.

    None: it isn't, and has to be decoded; it may be wrong as well.
    """
    start = at + 16
    if data[start : start + 4] != _TCP or data[start + 6 : start + 12] != _IPV4:
        return None
    place = start + 16
    if place + 8 > end or data[place : place + 2] != _POLICY:
        return None
    stop = place + (data[place + 2] << 8 | data[place + 3])
    octets = data[place:stop]
    policy = _policies.get(octets)
    if policy is None:
        policy = _learn_policy(octets)
        if policy is None:
            return None
    _, _, identifier, home, life = _HEADER.unpack_from(data, at)
    found = Description(identifier, home, life, policy)
    found.blob = b"".join(
        (_HEADER.pack(0xA, stop - at, identifier, home, life), data[start:stop])
    )
    found.kind = b"\x00\x05\x00\x00"
    if stop == end:
        return found
    rest = data[stop:end]
    called = rest[:4] == _TCP and rest[6:12] == _IPV4  # its ASAP Transport
    principal = rest[16:] if called else rest
    if principal:
        name = _principals.get(principal)
        if name is None:
            name = _learn_principal(principal)
            if name is None:
                return None
        found.principal = name
    found.contact = rest + bytes(-len(rest) % 4)
    return found


def _learn_policy(octets: bytes) -> Policy | None:
    if len(octets) % 4:
        return None
    try:
        policy: Policy = parameters.decode(octets)
    except ValueError:
        return None
    if len(_policies) >= REMEMBERED:
        _policies.clear()
    _policies[octets] = policy
    return policy


def _learn_principal(octets: bytes) -> str | None:
    if octets[:2] != _PRINCIPAL or len(octets) != octets[2] << 8 | octets[3]:
        return None
    try:
        name: str = parameters.decode(octets).name
    except ValueError:
        return None
    if len(_principals) >= REMEMBERED:
        _principals.clear()
    _principals[octets] = name
    return name
