"""
Sending announcements, and hearing others': the sockets of the registrar's groups.

The core decides when, and what becomes of what is heard.
"""

import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs
from twisted.logger import Logger

from rserpool.registrar.effects import Announce
from rserpool.registrar.events import Protocol
from rserpool.security.budgets import Budget, Rate
from rserpool.service.groups import AnnounceTable
from rserpool.transport.announce import Group, GroupSocket
from rserpool.wire import asap, enrp
from rserpool.wire.parameters import ServerTransport

#: Presences that are looked at from one address, each second and at once: a registrar sends one
#: in some seconds, and one that floods us leaves the others' heard.
FROM_ONE = Rate(1, 5)

Address = IPv4Address | IPv6Address
Message = asap.ServerAnnounce | enrp.Presence


class Announcer:
    """
    The groups of one registrar.

    :param hears: whether other registrars' presences are wanted.
    :param overheard: told of datagrams: of which protocol, what, from where, as it seems.
    """

    _log = Logger(namespace="rserpool.service")

    def __init__(
        self,
        reactor: Any,
        table: AnnounceTable,
        *,
        hears: bool,
        overheard: Callable[[Protocol, bytes, str], None],
    ) -> None:
        self._overheard = overheard
        self._budget = Budget(FROM_ONE, "announcements")
        self._told: dict[Group, str] = {}

        def sockets(groups: tuple[Group, ...], heard: Any) -> list[GroupSocket]:
            how = {"interface": table.interface, "ttl": table.ttl, "heard": heard}
            return [GroupSocket(reactor, group, **how) for group in groups]

        self._asap = sockets(table.asap_groups, self._announced)
        self._enrp = sockets(table.enrp_groups, self._presented if hears else None)

    @property
    def groups(self) -> list[str]:
        """Where it announces, for people."""
        return [str(one.group) for one in (*self._asap, *self._enrp)]

    def open(self) -> None:
        """
        Join all groups.

        :raise ValueError: one can't be joined, with why.
        """
        for one in (*self._asap, *self._enrp):
            try:
                one.open()
            except (OSError, ValueError) as error:
                words = getattr(error, "strerror", None) or error
                raise ValueError(f"can't join the group {one.group}: {words}") from None

    def stop(self) -> None:
        """Leave them."""
        for one in (*self._asap, *self._enrp):
            one.close()

    def announce(self, effect: Announce) -> None:
        """Send to all groups of the message's protocol."""
        message = effect.message
        to_users = isinstance(message, asap.ServerAnnounce)
        for one in self._asap if to_users else self._enrp:
            try:
                data = octets(message, one.source())
                if data:
                    one.send(data)
                self._tell(
                    one.group, "" if data else "no listener has an address of its family"
                )
            except OSError as error:
                self._tell(one.group, error.strerror or str(error))

    def _announced(self, data: bytes, host: str, port: int) -> None:
        self._overheard(Protocol.ASAP, data, host)

    def _presented(self, data: bytes, host: str, port: int) -> None:
        if self._budget.spend(host, time.monotonic()).allowed:
            self._overheard(Protocol.ENRP, data, host)

    def _tell(self, group: Group, wrong: str) -> None:
        """Say once what keeps us from announcing, and when it is over."""
        if self._told.get(group, "") == wrong:
            return
        self._told[group] = wrong
        if wrong:
            self._log.warn("nothing is announced to {group}: {wrong}", group=group, wrong=wrong)
        else:
            self._log.info("announcing to {group} again", group=group)


def octets(message: Message, source: Address) -> bytes:
    """Encode, with the sending address where one is unspecified; empty: nothing to be told."""
    if isinstance(message, enrp.Presence):
        server = message.server
        if server is not None:
            placed = _placed(server.transport, source)
            if placed is None:
                return b""
            message = _evolve(message, server=_evolve(server, transport=placed))
        return enrp.encode(message)
    if not message.transports:
        return asap.encode(message)
    found = [_placed(transport, source) for transport in message.transports]
    transports = tuple(one for one in found if one is not None)
    return asap.encode(_evolve(message, transports=transports)) if transports else b""


def _placed(transport: ServerTransport, source: Address) -> ServerTransport | None:
    addresses = [_own(address, source) for address in transport.addresses or (source,)]
    known = tuple(address for address in addresses if address is not None)
    return _evolve(transport, addresses=known) if known else None


def _own(address: Address, source: Address) -> Address | None:
    """Say for "any address" the one that we have in this group; IPv6's takes IPv4, too."""
    if not address.is_unspecified:
        return address
    return source if address.version in (source.version, 6) else None


def _evolve(value: Any, **changes: Any) -> Any:
    """`attrs.evolve`, for what a decorator of ours has made an attrs class."""
    return attrs.evolve(value, **changes)
