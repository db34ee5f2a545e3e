"""A registrar on loopback that answers by a script, with TLS or without."""

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory

from rserpool.wire import asap
from rserpool.wire.framing import Splitter
from rserpool.wire.parameters import PoolElement
from rserpool.wire.policies import RoundRobin
from tests.client.scene import granted, removed


class Session(Protocol):
    """One client."""

    def __init__(self, registrar):
        self.registrar = registrar
        self.splitter = Splitter()

    def connectionMade(self):
        """Take part."""
        self.registrar.sessions.append(self)

    def dataReceived(self, data):
        """Answer each message."""
        for octets in self.splitter.feed(data):
            message = asap.decode(octets).message
            self.registrar.heard.append(message)
            answer = self.registrar.answer(message)
            if answer is not None:
                self.transport.write(asap.encode(answer))

    def connectionLost(self, reason):
        """It is over."""
        self.registrar.sessions.remove(self)


class ScriptedRegistrar(Factory):
    """
    Grants everything, and remembers it.

    :param creator: makes the server's side of TLS; None: plain.
    :param port: where it listens; 0: anywhere.
    """

    noisy = False

    def __init__(self, creator=None, port=0):
        self.heard = []
        self.sessions = []
        self.elements: dict[int, PoolElement] = {}
        self.rejection = None
        self.deaf = False
        factory = self
        if creator is not None:
            factory = TLSMemoryBIOFactory(creator, False, self)
            factory.noisy = False
        self.port = reactor.listenTCP(port, factory, interface="127.0.0.1")

    def buildProtocol(self, addr):
        """A client has come."""
        return Session(self)

    @property
    def endpoint(self):
        """Where it is called."""
        return f"tcp:127.0.0.1:{self.port.getHost().port}"

    def kinds(self):
        """The classes of what was heard."""
        return [type(message) for message in self.heard]

    def answer(self, message):
        """Answer one message as the script says."""
        if self.deaf:
            return None
        if isinstance(message, asap.Registration):
            identifier = message.element.identifier
            if self.rejection is not None:
                return self.rejection(message.handle, identifier)
            self.elements[identifier] = message.element
            return granted(message.handle, identifier)
        if isinstance(message, asap.Deregistration):
            self.elements.pop(message.identifier, None)
            return removed(handle=message.handle, identifier=message.identifier)
        if isinstance(message, asap.HandleResolution):
            return asap.HandleResolutionResponse(
                accepted_updates=message.subscribe,
                handle=message.handle,
                policy=RoundRobin(),
                elements=tuple(self.elements.values()),
                error=None,
            )
        return None

    def hang_up(self):
        """End all sessions now."""
        for session in list(self.sessions):
            session.transport.abortConnection()

    def stop(self):
        """Listen no more, and hang up."""
        self.hang_up()
        return self.port.stopListening()
