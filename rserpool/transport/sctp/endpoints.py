"""Twisted's endpoints for SCTP: where to listen and whom to call."""

import contextlib
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import attrs
from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.internet.error import ConnectingCancelledError, DNSLookupError, NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IResolutionReceiver,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from rserpool.transport.sctp.addresses import Address, SCTPAddress
from rserpool.transport.sctp.calling import attempt, carry
from rserpool.transport.sctp.options import Times
from rserpool.transport.sctp.payload import Payload
from rserpool.transport.sctp.port import Port


@implementer(IStreamServerEndpoint)
@attrs.frozen
class SCTPServerEndpoint:
    """
    Where to listen.

    :ivar bound: the addresses that associations have; none: all of this host's.
    """

    reactor: Any
    port: int
    bound: tuple[Address, ...]
    payload: Payload
    times: Times = Times()

    def listen(self, protocolFactory: IProtocolFactory) -> "Deferred[IListeningPort]":  # noqa: N803
        """Listen; fails with `CannotListenError`."""
        try:
            port = Port(
                self.port, protocolFactory, self.bound, self.reactor,
                payload=self.payload, times=self.times,
            )  # fmt: skip
            port.startListening()
        except Exception:
            return fail()
        return succeed(port)


@implementer(IStreamClientEndpoint)
@attrs.frozen
class SCTPClientEndpoint:
    """
    Whom to call.

    :ivar hosts: names or addresses.  Several are those of one peer, which are tried together;
        one name may stand for several machines, whose addresses are tried one after the other.
    :ivar bound: addresses and port of ours to call from; None: the kernel chooses.
    :ivar preferred: the same, where calling from elsewhere is as good: there may be an
        association between the same two ports already.
    """

    reactor: Any
    hosts: tuple[str, ...]
    port: int
    payload: Payload
    timeout: float = 30.0
    bound: tuple[Sequence[Address], int] | None = None
    preferred: tuple[Sequence[Address], int] | None = None
    times: Times = Times()

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[Any]":  # noqa: N803
        """Call; fails with what the last try has said."""
        return ensureDeferred(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> Any:
        begun = self.reactor.seconds()
        last: Exception = DNSLookupError(f"{','.join(self.hosts)} has no address")
        for hosts in await self._candidates():
            left = self.timeout - (self.reactor.seconds() - begun)
            if left <= 0:
                break
            try:
                made = await self._called(hosts, left)
            except ConnectingCancelledError:
                raise
            except Exception as error:
                last = error
                continue
            return self._carried(made, factory, hosts)
        raise last

    def _called(self, hosts: Sequence[Address], timeout: float) -> "Deferred[socket.socket]":
        if self.preferred is not None:
            with contextlib.suppress(OSError):
                return self._attempt(hosts, timeout, self.preferred)
        return self._attempt(hosts, timeout, self.bound)

    def _attempt(
        self, hosts: Sequence[Address], timeout: float, bound: Any
    ) -> "Deferred[socket.socket]":
        return attempt(self.reactor, hosts, self.port, self.times, timeout, bound=bound)

    def _carried(
        self, made: socket.socket, factory: IProtocolFactory, hosts: Sequence[Address]
    ) -> Any:
        factory.doStart()
        where = SCTPAddress(str(hosts[0]), self.port, tuple(map(str, hosts)))
        protocol = carry(made, factory, where, self.payload, self.reactor)
        if protocol is None:
            raise NoProtocol
        return protocol

    async def _candidates(self) -> list[list[Address]]:
        """The addresses of each peer that may be tried."""
        found = [await self._resolved(host) for host in self.hosts]
        if len(found) == 1:
            return [[address] for address in found[0]]
        together = [addresses[0] for addresses in found if addresses]
        return [together] if together else []

    async def _resolved(self, host: str) -> list[Address]:
        try:
            return [ip_address(host)]
        except ValueError:
            receiver = _Resolved()
            self.reactor.nameResolver.resolveHostName(receiver, host, self.port)
            return await receiver.outcome


def calling_from(
    endpoint: IStreamClientEndpoint, addresses: Sequence[Address], port: int
) -> IStreamClientEndpoint:
    """The same endpoint, called from there if that can be; unless it says itself from where."""
    if not isinstance(endpoint, SCTPClientEndpoint):
        return endpoint
    if endpoint.bound is None:
        return attrs.evolve(endpoint, preferred=(addresses, port))
    named, number = endpoint.bound
    if number:
        return endpoint
    return attrs.evolve(endpoint, preferred=(named, port))


@implementer(IResolutionReceiver)
class _Resolved:
    """Takes the addresses of a name."""

    def __init__(self) -> None:
        self.outcome: Deferred[list[Address]] = Deferred()
        self._found: list[Address] = []

    def resolutionBegan(self, resolutionInProgress: object) -> None:  # noqa: N802,N803
        """It has."""

    def addressResolved(self, address: IAddress) -> None:  # noqa: N802 - Twisted's name
        """One of them."""
        found: Any = address
        self._found.append(ip_address(found.host))

    def resolutionComplete(self) -> None:  # noqa: N802 - Twisted's name
        """That was all."""
        self.outcome.callback(list(dict.fromkeys(self._found)))
