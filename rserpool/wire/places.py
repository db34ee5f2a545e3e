"""
Where a registrar is called: a transport parameter as an endpoint description.

``tcp:192.0.2.7:3863``, ``sctp:192.0.2.7,[2001:db8::7]:3863``: which transport it is the
parameter says, and of SCTP several addresses may be those of one peer.
"""

from ipaddress import IPv4Address, IPv6Address

from rserpool.wire.transports import SCTPTransport, TCPTransport

#: The first word of the description, by the type of the parameter.
KINDS: dict[type, str] = {TCPTransport: "tcp", SCTPTransport: "sctp"}
_BROADCAST = IPv4Address(0xFFFFFFFF)


def place(kind: str, port: int, *hosts: object) -> str:
    """Describe one endpoint; an address of IPv6 stands in brackets."""
    texts = [f"[{host}]" if ":" in str(host) else str(host) for host in hosts]
    return f"{kind}:{','.join(texts)}:{port}"


def callable_at(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is that of one host."""
    return not (address.is_unspecified or address.is_multicast or address == _BROADCAST)
