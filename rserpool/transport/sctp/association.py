"""
One association, as a transport of Twisted: bytes to be sent are cut into user messages.

Note [Claimed addresses]

A peer names its addresses in its INIT, and could name anybody's; what it may register depends
on them (RFC 5352 section 2.2.1).  Only those count at which it has answered a heartbeat (RFC
9260 section 5.4).  So an association that has called us with several is read only when each of
them has answered, or after a while: those that haven't don't count, then.

Note [Restarts]

A peer that has lost its memory, or somebody else at its address, may begin anew within an old
association (RFC 9260 section 5.2).  Who it was has been settled for the old one, so that ends.
"""

import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet import main
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.transport.sctp import addresses, options
from rserpool.transport.sctp.addresses import SCTPAddress
from rserpool.transport.sctp.notification import What, notification
from rserpool.transport.sctp.payload import Payload

#: Read in one go, after which others have their turn.
MESSAGES, OCTETS = 64, 256 * 1024
#: Octets of one read: a user message of the usual kind whole.
_READ, _ANCILLARY = 1 << 16, 128
#: Seconds for a peer to answer at its addresses, and between two looks: see Note [Claimed
#: addresses].
CONFIRMATION, _LOOK = 2.0, 0.02
_RCVINFO = struct.Struct("=HHHxxI")


def _nothing() -> None:
    """Do nothing."""


class Association(FileDescriptor):
    """
    One association.

    The protocol is given whole user messages, by its ``messagesReceived`` where it has one,
    else by ``dataReceived`` one after the other.

    :param called: whether it is the peer that has called.
    :param closed: told when it is over.
    """

    _log = Logger(namespace="rserpool.transport")
    reactor: Any

    def __init__(
        self,
        made: socket.socket,
        protocol: Any,
        payload: Payload,
        reactor: Any,
        *,
        called: bool,
        closed: Callable[[], None] = _nothing,
    ) -> None:
        super().__init__(reactor)
        self.socket = made
        self.fileno = made.fileno  # type: ignore[method-assign]
        self.protocol = protocol
        self._payload = payload
        self._called = called
        self._closed = closed
        self._sent_with = options.sent_with(payload.value)
        self._expected = socket.htonl(payload.value)
        self._partial = bytearray()
        self._settling = 0.0
        self._looking: IDelayedCall | None = None
        self._paused = False
        self._aborted = False
        self._own = self._peer = SCTPAddress("", 0)
        self.connected = 1

    def begin(self) -> "Association":
        """Read, as soon as its protocol has been given it."""
        try:
            made = self.socket
            self._own, self._peer = addresses.own(made), addresses.peer(made)
            self._ask_addresses()
        except OSError as error:
            if error.errno == errno.ENOMEM:
                self._log.info(
                    "{peer}: cut off: it has more than {count} addresses; let it call from "
                    "some of them (bindAddress=)",
                    peer=made.getpeername()[0], count=addresses.MAXIMUM_ADDRESSES,
                )  # fmt: skip
            # Else it has ended already.
            self._aborted = True
            self.reactor.callLater(0, self.connectionLost, Failure(main.CONNECTION_LOST))
        self.resumeProducing()
        return self

    def getHost(self) -> SCTPAddress:  # noqa: N802 - Twisted's name
        """Our end, with all its addresses."""
        return self._own

    def getPeer(self) -> SCTPAddress:  # noqa: N802 - Twisted's name
        """The peer's end, with all addresses at which it has answered."""
        return self._peer

    def getHandle(self) -> socket.socket:  # noqa: N802 - Twisted's name
        """The socket."""
        return self.socket

    def roundTrip(self) -> float | None:  # noqa: N802 - as Twisted's are
        """The smoothed round-trip time of the first path in seconds; None: not measured."""
        if not self.connected:
            return None
        try:
            return addresses.round_trip(self.socket, self._peer)
        except OSError:
            return None

    def write(self, data: bytes) -> None:
        """Send whole messages: what the kernel takes now, the rest when it has room."""
        waiting = self._tempDataLen or len(self.dataBuffer) != self.offset
        if self.connected and not (waiting or self.disconnecting or self._aborted):
            sent = self.writeSomeData(data)
            # Broken: the event loop finds out.
            data = data[sent:] if isinstance(sent, int) else data
        if data and not self._aborted:
            super().write(data)

    def writeSomeData(self, data: bytes) -> int | BaseException:  # noqa: N802 - Twisted's name
        """Send as many user messages as the kernel takes."""
        view, at = memoryview(data), 0
        while length := self._payload.length(view, at):
            try:
                self.socket.sendmsg([view[at : at + length]], self._sent_with)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                return main.CONNECTION_LOST
            at += length
        return at

    def doRead(self) -> BaseException | None:  # noqa: N802 - Twisted's name
        """Take what has come, and give it to the protocol."""
        messages: list[bytes] = []
        octets = 0
        end: BaseException | None = None
        while len(messages) < MESSAGES and octets < OCTETS and not self._aborted:
            try:
                data, ancillary, flags, _ = self.socket.recvmsg(_READ, _ANCILLARY)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                end = main.CONNECTION_LOST
                break
            octets += len(data)
            if flags & options.NOTIFICATION:
                self._notified(data)
            elif not data:
                end = main.CONNECTION_DONE
                break
            elif self._acceptable(data, ancillary):
                self._collect(data, flags, messages)
        if messages and not self._aborted:
            self._deliver(messages)
        return None if self._aborted else end

    def doWrite(self) -> Any:  # noqa: N802 - Twisted's name
        """Send what waits; the beginning of a record of TLS waits for its end."""
        if self._aborted:
            return None
        end = super().doWrite()  # type: ignore[no-untyped-call]
        left = memoryview(self.dataBuffer)
        if left and not (self._tempDataLen or self._payload.length(left, self.offset)):
            self.stopWriting()  # type: ignore[no-untyped-call]
        return end

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Don't read."""
        self._paused = True
        super().pauseProducing()  # type: ignore[no-untyped-call]

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Read, unless the peer's addresses are still to be confirmed."""
        self._paused = False
        if not (self._settling or self._aborted):
            super().resumeProducing()  # type: ignore[no-untyped-call]

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        """End it at once, with an ABORT."""
        if self.connected and not self._aborted:
            self._aborted = True
            self.stopReading()  # type: ignore[no-untyped-call]
            self.stopWriting()  # type: ignore[no-untyped-call]
            self.reactor.callLater(0, self.connectionLost, Failure(ConnectionAborted()))

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """It is over: close the socket, in an orderly way unless it was aborted."""
        if not self.connected:
            return
        if self._looking is not None and self._looking.active():
            self._looking.cancel()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        if self._aborted:
            options.abort(self.socket)
        else:
            _drain(self.socket)
            self.socket.close()
        protocol, self.protocol = self.protocol, None
        protocol.connectionLost(reason)
        self._closed()

    def _acceptable(self, data: bytes, ancillary: list[tuple[int, int, bytes]]) -> bool:
        """Whether a message is what this association carries, and not too long."""
        identifier, flags = None, 0
        for level, kind, value in ancillary:
            if level == options.SCTP and kind == options.RCVINFO:
                _, _, flags, identifier = _RCVINFO.unpack_from(value)
        if identifier != self._expected:
            shown = "none" if identifier is None else socket.ntohl(identifier)
            self._refuse(f"a message with payload protocol identifier {shown}, and not "
                         f"that of {self._payload}")  # fmt: skip
        elif flags & options.UNORDERED and self._payload is Payload.TLS:
            self._refuse("a record of TLS that isn't ordered (RFC 3436 section 6.2)")
        elif len(self._partial) + len(data) > self._payload.longest:
            self._refuse(f"a message of more than {self._payload.longest} octets")
        return not self._aborted

    def _collect(self, data: bytes, flags: int, messages: list[bytes]) -> None:
        """Put together what is delivered in parts."""
        if not flags & options.END_OF_MESSAGE:
            self._partial += data
        elif self._partial:
            messages.append(bytes(self._partial) + data)
            self._partial.clear()
        else:
            messages.append(data)

    def _deliver(self, messages: list[bytes]) -> None:
        whole = getattr(self.protocol, "messagesReceived", None)
        if whole is not None:
            whole(messages)
            return
        for message in messages:
            if self.protocol is not None and not self._aborted:
                self.protocol.dataReceived(message)

    def _notified(self, data: bytes) -> None:
        """The kernel tells something of the association."""
        told = notification(data)
        peer = f"{self._peer.host} port {self._peer.port}"
        if told.what is What.RESTARTED:
            self._refuse("an INIT: it has begun anew, and so must its connection")
        elif told.what is What.GIVEN_UP:
            self._partial.clear()
        elif told.what is What.UNREACHED:
            self._log.info("{peer}: isn't reached at {address} any more",
                           peer=peer, address=told.address)  # fmt: skip
        elif told.what is What.REACHED:
            self._log.info("{peer}: is reached at {address} again",
                           peer=peer, address=told.address)  # fmt: skip
        elif told.what is What.CONFIRMED and not self._settling:
            self._confirmed()

    def _refuse(self, what: str) -> None:
        """End it for what the peer has sent."""
        self._log.info("{host} port {port}: cut off: it has sent {what}",
                       host=self._peer.host, port=self._peer.port, what=what)  # fmt: skip
        self.abortConnection()

    def _ask_addresses(self) -> None:
        """Let the peer answer at each of its addresses: see Note [Claimed addresses]."""
        claimed = addresses.unconfirmed(self.socket, self._peer)
        if not claimed:
            return
        for host in claimed:
            options.ask(self.socket, addresses.packed(host, self._peer.port))
        self._confirmed()
        if self._called:
            self._settling = self.reactor.seconds() + CONFIRMATION
            self._looking = self.reactor.callLater(_LOOK, self._settle)

    def _settle(self) -> None:
        if self._aborted:
            return
        waiting = self._confirmed()
        if waiting and self.reactor.seconds() < self._settling:
            self._looking = self.reactor.callLater(_LOOK, self._settle)
            return
        self._settling = 0.0
        if not self._paused:
            self.resumeProducing()

    def _confirmed(self) -> bool:
        """Look which addresses count now; whether some don't yet."""
        try:
            end = addresses.peer(self.socket)
            claimed = addresses.unconfirmed(self.socket, end)
        except OSError:
            return False  # it has ended, which is read as well
        hosts = tuple(host for host in end.hosts if host not in claimed) or (self._peer.host,)
        changed = hosts != self._peer.hosts
        self._peer = SCTPAddress(self._peer.host, end.port, hosts)
        told = getattr(self.protocol, "addressesChanged", None)
        if changed and told is not None and not self._settling:
            told()
        return bool(claimed)


def _drain(made: socket.socket) -> None:
    """Read what nobody wants: with it in the way the kernel would send an ABORT instead."""
    try:
        for _ in range(MESSAGES):
            if not made.recv(_READ):
                break
    except OSError:
        pass
