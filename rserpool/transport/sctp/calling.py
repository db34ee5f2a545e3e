"""Calling: one attempt to come to an association with a peer."""

import contextlib
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError, TimeoutError, getConnectError  # noqa: A004
from twisted.internet.interfaces import IDelayedCall, IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.transport.sctp import addresses, options
from rserpool.transport.sctp.addresses import Address, SCTPAddress
from rserpool.transport.sctp.association import Association
from rserpool.transport.sctp.options import Times
from rserpool.transport.sctp.payload import Payload


@implementer(IReadWriteDescriptor)
class Attempt:
    """
    One of them.

    :param hosts: the addresses of one peer, which are tried together.
    :param made: the socket that calls.
    :ivar outcome: fires with the socket when the association is up; may be cancelled.
    """

    def __init__(
        self, reactor: Any, made: socket.socket, hosts: Sequence[Address], port: int
    ) -> None:
        self.outcome: Deferred[socket.socket] = Deferred(lambda _: self._cancelled())
        self._reactor = reactor
        self._socket: socket.socket | None = made
        self._where = SCTPAddress(str(hosts[0]), port, tuple(map(str, hosts)))
        self._timer: IDelayedCall | None = None
        self._hosts, self._port = hosts, port

    def begin(self, timeout: float) -> "Deferred[socket.socket]":
        """
        Call; it takes so many seconds at most.

        :raise OSError: it can't even be tried.
        """
        assert self._socket is not None
        with contextlib.suppress(BlockingIOError):
            addresses.connect(self._socket, self._hosts, self._port)
        self._timer = self._reactor.callLater(timeout, self._fail, TimeoutError())
        self._reactor.addWriter(self)
        return self.outcome

    def doWrite(self) -> None:  # noqa: N802 - Twisted's name
        """It is up, or has failed."""
        assert self._socket is not None
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._fail(getConnectError((error, "")))
            return
        made = self._over()
        self.outcome.callback(made)

    def doRead(self) -> None:  # noqa: N802 - Twisted's name
        """Never asked for."""

    def fileno(self) -> int:
        """The socket's."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """For the log."""
        return "calling by SCTP"

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """The reactor stops, or polling has found an error: `SO_ERROR` says which."""
        if self._socket is not None:
            error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._fail(getConnectError((error, "")) if error else reason.value)

    def _over(self) -> socket.socket:
        made = self._socket
        assert made is not None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        # While it still has the number by which the reactor knows it.
        self._reactor.removeWriter(self)
        self._socket = None
        return made

    def _fail(self, error: Any) -> None:
        options.abort(self._over())
        self.outcome.errback(Failure(error))

    def _cancelled(self) -> None:
        options.abort(self._over())
        self.outcome.errback(Failure(ConnectingCancelledError(self._where)))


def attempt(
    reactor: Any,
    hosts: Sequence[Address],
    port: int,
    times: Times,
    timeout: float,
    *,
    bound: tuple[Sequence[Address], int] | None = None,
) -> "Deferred[socket.socket]":
    """
    Call a peer.

    :param bound: addresses and port of ours to call from; None: the kernel chooses.
    :raise OSError: it can't even be tried.
    """
    local = [] if bound is None else list(bound[0])
    made = options.make(addresses.family([*hosts, *local]), times)
    try:
        if bound is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            addresses.bind(made, local, bound[1])
        return Attempt(reactor, made, hosts, port).begin(timeout)
    except BaseException:
        made.close()
        raise


def carry(
    made: socket.socket, factory: Any, where: SCTPAddress, payload: Payload, reactor: Any
) -> Any:
    """Give an association that is up to what `factory` makes; the protocol."""
    protocol = factory.buildProtocol(where)
    if protocol is None:
        made.close()
        return None
    association = Association(
        made, protocol, payload, reactor, called=False, closed=factory.doStop
    )
    protocol.makeConnection(association.begin())
    return protocol
