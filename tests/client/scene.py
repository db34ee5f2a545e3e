"""Registrars on a reactor in memory, for what calls them: no sockets, and a clock by hand."""

from ipaddress import ip_address

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionRefusedError  # noqa: A004
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from rserpool.client import Membership
from rserpool.client.effects import Send, SetTimer, Tell
from rserpool.wire import asap
from rserpool.wire.framing import Splitter
from rserpool.wire.parameters import OperationError, PoolElement, TCPTransport
from rserpool.wire.policies import RoundRobin

HOME = 0x11111111


class Chance:
    """Random numbers by a script, and 0.5 when it is over."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def random(self):
        """Return the next one."""
        return self.numbers.pop(0) if self.numbers else 0.5


def membership(**changes):
    """A member of the pool ``web``."""
    values = {
        "handle": b"web",
        "identifier": 0x2A,
        "life": 300,
        "transport": TCPTransport(port=80, addresses=(ip_address("192.0.2.7"),)),
        "policy": RoundRobin(),
    }
    return Membership(**{**values, **changes})


def element(identifier, policy=None):
    """A pool element as a registrar lists it."""
    member = membership()
    return PoolElement(
        identifier=identifier,
        home=HOME,
        life=300,
        user_transport=member.transport,
        policy=policy or RoundRobin(),
    )


def granted(handle=b"web", identifier=0x2A):
    """The registration is granted."""
    return asap.RegistrationResponse(
        rejected=False, handle=handle, identifier=identifier, error=None
    )


def rejected(*causes, handle=b"web", identifier=0x2A):
    """The registration is rejected."""
    error = OperationError(causes=causes) if causes else None
    return asap.RegistrationResponse(
        rejected=True, handle=handle, identifier=identifier, error=error
    )


def removed(*causes, handle=b"web", identifier=0x2A):
    """The element is no longer registered; with a cause: it still is."""
    error = OperationError(causes=causes) if causes else None
    return asap.DeregistrationResponse(handle=handle, identifier=identifier, error=error)


def keep_alive(handle=b"web", server=HOME, new_home=False):
    """Are you there?"""
    return asap.EndpointKeepAlive(new_home=new_home, server=server, handle=handle)


def resolved(*identifiers, handle=b"web", updates=False, policy=None):
    """The elements of a pool."""
    return asap.HandleResolutionResponse(
        accepted_updates=updates,
        handle=handle,
        policy=policy or RoundRobin(),
        elements=tuple(element(identifier) for identifier in identifiers),
        error=None,
    )


def unresolved(cause, handle=b"web"):
    """There is no such pool, or it isn't told."""
    return asap.HandleResolutionResponse(
        accepted_updates=False,
        handle=handle,
        policy=None,
        elements=(),
        error=OperationError(causes=(cause,)),
    )


def sent(effects):
    """The messages among these effects."""
    return [asap.decode(effect.data).message for effect in effects if type(effect) is Send]


def timers(effects):
    """The timers that these effects set."""
    return {effect.name: effect.seconds for effect in effects if type(effect) is SetTimer}


def told(effects):
    """What these effects tell the application."""
    return [effect.notice.what for effect in effects if type(effect) is Tell]


class Transport(StringTransport):
    """A TCP connection whose end is seen by its protocol in the next moment."""

    def __init__(self, reactor, port):
        super().__init__(peerAddress=IPv4Address("TCP", "127.0.0.1", port))
        self.reactor = reactor
        self.protocol = None
        self.over = False

    def loseConnection(self):
        """End it."""
        super().loseConnection()
        self.end()

    def abortConnection(self):
        """End it."""
        super().abortConnection()
        self.end()

    def end(self):
        """Tell the protocol, once."""
        if not self.over:
            self.over = True
            reason = Failure(ConnectionDone())
            self.reactor.callLater(0, self.protocol.connectionLost, reason)


class Peer:
    """A registrar's end of one connection."""

    def __init__(self, reactor, port, factory):
        self.port = port
        self.transport = Transport(reactor, port)
        self.splitter = Splitter()
        protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", port))
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)

    def received(self):
        """The messages that have come since this was last asked."""
        data = self.transport.value()
        self.transport.clear()
        return [asap.decode(message).message for message in self.splitter.feed(data)]

    def send(self, *messages):
        """Answer."""
        data = b"".join(asap.encode(message) for message in messages)
        self.transport.protocol.dataReceived(data)

    @property
    def closed(self):
        """Whether the client has ended it."""
        return self.transport.disconnecting or self.transport.disconnected


class Town:
    """Where registrars live: on ports of a reactor in memory."""

    def __init__(self):
        self.reactor = MemoryReactorClock()
        self.seen = 0

    def endpoints(self, count):
        """The descriptions of so many registrars, on ports 1, 2, 3..."""
        return [f"tcp:127.0.0.1:{port}" for port in range(1, count + 1)]

    def calls(self):
        """The ports that have been called since this was last asked."""
        new = self.reactor.tcpClients[self.seen :]
        self.seen += len(new)
        return [call[1] for call in new]

    def answer(self, port):
        """The registrar at this port takes its latest call."""
        factory = [call[2] for call in self.reactor.tcpClients if call[1] == port][-1]
        return Peer(self.reactor, port, factory)

    def refuse(self, port):
        """Nobody listens there."""
        factory = [call[2] for call in self.reactor.tcpClients if call[1] == port][-1]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
