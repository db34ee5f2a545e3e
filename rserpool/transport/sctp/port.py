"""Listening for associations."""

import errno
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from twisted.internet import tcp
from twisted.internet.error import CannotListenError

from rserpool.transport.sctp import addresses, options
from rserpool.transport.sctp.addresses import Address, SCTPAddress
from rserpool.transport.sctp.association import Association
from rserpool.transport.sctp.options import SCTPUnavailable, Times
from rserpool.transport.sctp.payload import Payload

#: Associations that wait to be accepted: a fleet comes all at once after a failover, and who
#: finds no room is refused, where TCP would have him try again.  The kernel has a bound of its
#: own, net.core.somaxconn: 4096 by default.
BACKLOG = 4096
#: All addresses of this host: those of IPv4 as well, where there is IPv6.
_ALL: tuple[tuple[Address, ...], ...] = ((IPv6Address("::"),), (IPv4Address(0),))
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class Port(tcp.Port):
    """
    A port that is listened on: Twisted's own, with sockets and transports of SCTP.

    :param bound: the addresses of this host that its associations have; none: all.
    :param times: of its associations.
    """

    _type = "SCTP"
    transport: Any

    def __init__(
        self,
        port: int,
        factory: Any,
        bound: Sequence[Address],
        reactor: Any,
        *,
        payload: Payload,
        times: Times,
    ) -> None:
        super().__init__(port, factory, BACKLOG, "", reactor)
        self._bound = tuple(bound)
        self._payload = payload
        self._times = times
        self.transport = self._accepted

    def startListening(self) -> None:  # noqa: N802 - Twisted's name
        """
        Bind and listen.

        :raise CannotListenError: as Twisted's.
        """
        assert self.port is not None
        try:
            self._preexistingSocket = self._listening(self.port)
        except OSError as error:
            where = ",".join(map(str, self._bound))
            raise CannotListenError(where, self.port, error) from None
        super().startListening()

    def getHost(self) -> SCTPAddress:  # noqa: N802 - Twisted's name
        """Where it listens, with all its addresses; of all of the host's, as ``::``."""
        hosts = tuple(map(str, self._bound))
        return SCTPAddress(hosts[0], self.socket.getsockname()[1], hosts)

    def _listening(self, port: int) -> socket.socket:
        if self._bound:
            return self._bind(self._bound, port)
        for bound in _ALL[:-1]:
            try:
                made = self._bind(bound, port)
            except SCTPUnavailable as error:
                if error.errno not in _NO_IPV6:
                    raise
            except OSError as error:
                if error.errno not in _NO_IPV6:
                    raise
            else:
                self._bound = bound
                return made
        self._bound = _ALL[-1]
        return self._bind(self._bound, port)

    def _bind(self, bound: Sequence[Address], port: int) -> socket.socket:
        made = options.make(addresses.family(bound), self._times)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            addresses.bind(made, bound, port)
            made.listen(BACKLOG)
            # Only now: another one that listens here is still told that the port is taken, but
            # we can call others from it.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        except BaseException:
            made.close()
            raise
        return made

    def _accepted(self, made: socket.socket, protocol: Any, *_: object) -> Association:
        """What carries one accepted association; Twisted gives it to `protocol`."""
        made.setblocking(False)
        reactor = self.reactor
        return Association(made, protocol, self._payload, reactor, called=True).begin()

    def _buildAddr(self, address: tuple[Any, ...]) -> SCTPAddress:  # noqa: N802 - Twisted's
        return SCTPAddress(address[0], address[1])
