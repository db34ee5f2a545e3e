"""``[announce]``: the multicast groups of a registrar (RFC 5352 section 3.6)."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import attrs

from rserpool.service.kinds import concrete_interfaces, port_of
from rserpool.service.settings import boolean, choice, setting, text, whole
from rserpool.transport import announce
from rserpool.transport.announce import Group
from rserpool.transport.endpoints import interface_of, is_sctp
from rserpool.wire.parameters import SCTPTransport, ServerTransport, TCPTransport

if TYPE_CHECKING:
    from rserpool.service.tables import RegistrarTable

#: Kernels call interfaces by no longer names.
_NAME = re.compile(r"[^\s/:\[\]%]{1,15}")
_IPV6 = 6


def asap_group(value: object) -> str:
    """A group of pool elements and users."""
    announce.asap_group(text(value))
    return text(value)


def enrp_group(value: object) -> str:
    """A group of registrars."""
    announce.enrp_group(text(value))
    return text(value)


def interface(value: object) -> str:
    """An interface by its name, or by its IPv4 address."""
    name = text(value)
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} isn't an interface: give its name, or its IPv4 address")
    return name


@attrs.frozen(kw_only=True)
class AnnounceTable:
    """``[announce]``: off where no group is given."""

    asap_group: tuple[str, ...] = setting(
        asap_group, default=(), many=True, rsplib=("rsplib",),
        help="announce this registrar to pool elements and users there: ADDRESS:PORT, iana, "
        "iana6, rsplib",
    )  # fmt: skip
    enrp_group: tuple[str, ...] = setting(
        enrp_group, default=(), many=True, rsplib=("rsplib",),
        help="announce it to other registrars there, and hear of them",
    )  # fmt: skip
    interface: str | None = setting(
        interface, default=None,
        help="send and listen by this interface, by name or IPv4 address",
    )  # fmt: skip
    ttl: int = setting(whole(1, 255), default=announce.TTL, help="hops that they may go")
    listen: str = setting(
        choice("insecure", "always", "never"), default="insecure",
        help="call registrars that announce themselves: only where security is none, always "
        "(TLS decides whom to believe), or never",
    )  # fmt: skip
    silent: bool = setting(
        boolean, default=False,
        help="announce no transport, as rsplib does: who hears it takes where it came from",
    )  # fmt: skip

    @property
    def asap_groups(self) -> tuple[Group, ...]:
        """Those of pool elements and users."""
        return tuple(map(announce.asap_group, self.asap_group))

    @property
    def enrp_groups(self) -> tuple[Group, ...]:
        """Those of registrars."""
        return tuple(map(announce.enrp_group, self.enrp_group))

    def hears(self, required: bool) -> bool:
        """Whether registrars that announce themselves are called."""
        return bool(self.enrp_group) and (
            self.listen == "always" or (self.listen == "insecure" and not required)
        )


def transport(description: str) -> ServerTransport | None:
    """
    Tell of a listener, as pool elements and users are told.

    An unspecified address is any of this host's.  None: its port isn't known.
    """
    port = port_of(description)
    if not port:
        return None
    addresses = concrete_interfaces(description)
    if not addresses:
        six = description.startswith("tcp6:") or ":" in interface_of(description)
        addresses = (IPv6Address(0) if six else IPv4Address(0),)
    cls = SCTPTransport if is_sctp(description) else TCPTransport
    return cls(port=port, addresses=addresses)


def listeners(table: "RegistrarTable") -> tuple[ServerTransport, ...]:
    """Those that serve pool elements and users: a secure registrar's plain ones only refuse."""
    descriptions = table.asap_tls if table.security == "required" else table.asap
    return tuple(one for one in map(transport, descriptions) if one is not None)


def contradictions(
    table: AnnounceTable, registrar: "RegistrarTable", enrp: ServerTransport | None
) -> Iterable[tuple[str, str]]:
    """
    What can't be together, as key and words.

    :param enrp: where registrars may call this one.
    """
    here = listeners(registrar)
    if table.asap_group and not here:
        key = "asap-tls" if registrar.security == "required" else "asap"
        yield "asap-group", f"there is nothing to announce: {key} has no port, or only 0"
    if table.enrp_group and enrp is None:
        key = "enrp-tls" if registrar.security == "required" else "enrp"
        yield "enrp-group", f"registrars couldn't call this one: give {key}, with a port"
    if table.silent and registrar.security == "required":
        yield "silent", "with TLS nobody would know the port: leave this out"
    elif table.silent:
        ports = {one.port for one in here}
        for group in table.asap_groups:
            if here and group.port not in ports:
                yield (
                    "silent",
                    f"who hears of {group} calls its port {group.port}: let asap listen there",
                )
    if table.interface is not None and ":" not in table.interface and "." in table.interface:
        for key, groups in (
            ("asap-group", table.asap_groups),
            ("enrp-group", table.enrp_groups),
        ):
            if any(group.address.version == _IPV6 for group in groups):
                yield key, "a group of IPv6 needs the interface's name, not its address"
