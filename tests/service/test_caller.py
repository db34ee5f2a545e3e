"""Calling pool elements: a few at a time, and only those that answer are kept."""

from ipaddress import ip_address

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.registrar.effects import Reach
from rserpool.registrar.events import Protocol as Speaks
from rserpool.service import caller
from rserpool.service.caller import Caller, where
from rserpool.service.session import Sessions
from rserpool.transport.allowance import Allowance, ConnectionLimits
from rserpool.transport.watch import Patience, Watch
from rserpool.wire import asap
from rserpool.wire.parameters import SCTPTransport, TCPTransport, UDPTransport
from tests.service.test_session import Core
from tests.site import free_port

#: Of one endpoint; the last ones are nobody's.
ADDRESSES = ("192.0.2.1", "2001:db8::1", "224.0.0.1", "::")

ASK = asap.encode(asap.EndpointKeepAlive(new_home=True, server=1, handle=b"web"))
ACK = asap.encode(asap.EndpointKeepAliveAck(handle=b"web", identifier=7))


class Element(Protocol):
    """Listens, and answers or doesn't."""

    def connectionMade(self):
        """Remember."""
        self.factory.open.append(self)
        self.factory.most = max(self.factory.most, len(self.factory.open))

    def dataReceived(self, data):
        """Answer, if it is one that answers."""
        self.factory.heard.append(data)
        if self.factory.answers:
            self.transport.write(ACK)

    def connectionLost(self, reason):
        """Remember."""
        self.factory.open.remove(self)


class Elements(Factory):
    """Elements at one port."""

    noisy = False
    protocol = Element

    def __init__(self, answers):
        self.answers, self.open, self.heard, self.most = answers, [], [], 0


class Calling(TestCase):
    """Over loopback."""

    timeout = 20

    def setUp(self):
        self.core = Core()
        self.sessions = Sessions(
            Speaks.ASAP, self.core, [], Allowance(ConnectionLimits(), reactor.seconds)
        )
        self.caller = Caller(reactor, self.sessions, Watch(Patience(idle=1), reactor))
        self.addCleanup(deferLater, reactor, 0.05)
        self.addCleanup(self.caller.stop)

    def listen(self, *, answers):
        """Let elements listen; give back what they are, and where."""
        elements = Elements(answers)
        port = reactor.listenTCP(0, elements, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return elements, port.getHost().port

    def call(self, port, identifier=7):
        """Have one called."""
        transport = TCPTransport(port=port, addresses=(ip_address("127.0.0.1"),))
        self.caller.reach(Reach((b"web", identifier), transport, ASK))

    @inlineCallbacks
    def until(self, holds):
        """Wait until something holds."""
        while not holds():
            yield deferLater(reactor, 0.02)

    @inlineCallbacks
    def test_answers(self):
        """One that answers is kept, with who it was that was called; until it is idle."""
        elements, port = self.listen(answers=True)
        self.call(port)
        yield self.until(lambda: ("arrived", "plain") in self.core.told)
        [channel] = self.sessions.channels
        self.assertEqual((channel.reaches, channel.port), ((b"web", 7), port))
        self.assertEqual(elements.heard, [ASK])
        yield self.until(lambda: ("lost", "plain") in self.core.told)
        self.assertEqual(elements.open, [])

    @inlineCallbacks
    def test_silent(self):
        """One that doesn't answer is hung up on, and has its place until then."""
        self.patch(caller, "TIMEOUT", 1)
        self.patch(caller, "AT_ONCE", 2)
        elements, port = self.listen(answers=False)
        for identifier in range(5):
            self.call(port, identifier)
        yield self.until(lambda: len(elements.heard) == 5 and not elements.open)
        self.assertEqual(elements.most, 2)
        self.assertEqual(len(self.sessions), 0)

    @inlineCallbacks
    def test_many(self):
        """Those that answer make room for others at once."""
        self.patch(caller, "AT_ONCE", 2)
        elements, port = self.listen(answers=True)
        for identifier in range(30):
            self.call(port, identifier)
        yield self.until(lambda: len(elements.heard) == 30)

    @inlineCallbacks
    def test_nobody(self):
        """Where nobody listens nothing follows, and the next is called."""
        self.patch(caller, "AT_ONCE", 1)
        elements, port = self.listen(answers=True)
        self.call(free_port())
        self.call(port)
        yield self.until(lambda: elements.heard)
        self.assertEqual([what for what, _ in self.core.told][:2], ["opened", "arrived"])

    @inlineCallbacks
    def test_bounded(self):
        """Of too many that wait those that come last are left alone."""
        self.patch(caller, "AT_ONCE", 0)
        self.patch(caller, "MAXIMUM_WAITING", 3)
        for identifier in range(9):
            self.call(1, identifier)
        self.assertEqual(len(self.caller._waiting), 3)
        yield deferLater(reactor, 0)


class Where(SynchronousTestCase):
    """Where an element can be called."""

    def test_where(self):
        """At a TCP port of one host, or at all addresses of an SCTP endpoint."""
        for transport, expected in (
            (TCPTransport(port=1, addresses=(ip_address("192.0.2.1"),)), "tcp:192.0.2.1:1"),
            (TCPTransport(port=1, addresses=(ip_address("2001:db8::1"),)),
             "tcp:[2001:db8::1]:1"),
            (TCPTransport(port=0, addresses=(ip_address("192.0.2.1"),)), ""),
            (TCPTransport(port=1, addresses=(ip_address("0.0.0.0"),)), ""),
            (TCPTransport(port=1, addresses=(ip_address("224.0.0.1"),)), ""),
            (SCTPTransport(port=1, addresses=tuple(map(ip_address, ADDRESSES))),
             "sctp:192.0.2.1,[2001:db8::1]:1"),
            (SCTPTransport(port=0, addresses=(ip_address("192.0.2.1"),)), ""),
            (SCTPTransport(port=1, addresses=tuple(map(ip_address, ADDRESSES[2:]))), ""),
            (UDPTransport(port=1, addresses=(ip_address("192.0.2.1"),)), ""),
        ):  # fmt: skip
            self.assertEqual(where(Reach((b"web", 1), transport, b"")), expected)
