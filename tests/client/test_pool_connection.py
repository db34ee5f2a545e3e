"""Connections to pools: who is connected to, what the application is told, and what it may."""

from ipaddress import ip_address

import attrs
from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase

from rserpool.client import Certified, NoElement, Plain, PoolConnection
from rserpool.client.resolution import Chooser, Distrusted, Resolution
from rserpool.security.certificate import make
from rserpool.security.decisions import Proof
from rserpool.security.psk.tls import ServerCreator
from rserpool.security.signing.signature import Doubt
from rserpool.wire.parameters import SCTPTransport, TCPTransport
from rserpool.wire.policies import LeastUsed
from tests.client.scene import Chance, element


class Served(Protocol):
    """An element's side of a connection."""

    def connectionMade(self):
        """Greet, as some do."""
        self.factory.open.append(self)
        self.transport.write(b"hello from %d;" % self.factory.identifier)

    def dataReceived(self, data):
        """Remember what is said."""
        self.factory.said.append(data)

    def connectionLost(self, reason):
        """It is over."""
        self.factory.open.remove(self)


class Client(Protocol):
    """The application's side of it."""

    def connectionMade(self):
        """Speak at once."""
        self.factory.built.append(self)
        self.said = b""
        self.transport.write(b"secret;")

    def dataReceived(self, data):
        """Remember."""
        self.said += data


class User:
    """A pool user that resolves to what it is told."""

    def __init__(self):
        self.elements = []
        self.reported = []

    def resolve(self, handle):
        """All there are."""
        return succeed(Resolution(handle, LeastUsed(load=0), tuple(self.elements)))

    def chooser(self, resolution):
        """Choose in order."""
        return Chooser(resolution, Chance())

    def report(self, handle, identifier):
        """Remember."""
        self.reported.append(identifier)


class Scene(TestCase):
    """Elements on loopback, with TLS or without."""

    timeout = 30

    def setUp(self):
        self.authority = make.authority("site")
        self.user = User()
        self.plain = set()
        self.told = []
        self.over = []
        self.servers = {}
        self.agrees = lambda failover: True
        self.factory = Factory.forProtocol(Client)
        self.factory.built = []

    def serve(self, identifier, name="web.example", plain=False):
        """Add an element."""
        factory = Factory.forProtocol(Served)
        factory.identifier, factory.open, factory.said = identifier, [], []
        served = factory
        if plain:
            self.plain.add(identifier)
        else:
            issued = make.issue(self.authority, [name])
            creator = ServerCreator(
                certificate=issued.certificate, private_key=issued.private_key
            )
            served = TLSMemoryBIOFactory(creator, False, factory)
        port = reactor.listenTCP(0, served, interface="127.0.0.1")
        factory.port = port
        self.addCleanup(port.stopListening)
        where = TCPTransport(port=port.getHost().port, addresses=(ip_address("127.0.0.1"),))
        self.user.elements.append(attrs.evolve(element(identifier), user_transport=where))
        self.servers[identifier] = factory
        return factory

    def security(self, one):
        """What is asked of an element."""
        if one.identifier in self.plain:
            return Plain()
        return Certified(authorities=self.authority.certificate, name="web.example")

    def approve(self, failover):
        """What the application is asked: nothing has been said to the new one yet."""
        said = self.servers[failover.new.identifier].said
        self.told.append((failover, list(said)))
        return self.agrees(failover)

    def connection(self, **more):
        """Make one."""
        self.made = PoolConnection(
            reactor, self.user, b"web", self.factory, self.security,
            approve=self.approve, ended=self.over.append, **more,
        )  # fmt: skip
        return self.made

    @inlineCallbacks
    def until(self, holds):
        """Wait until something holds."""
        end = reactor.seconds() + 10
        while not holds():
            self.assertLess(reactor.seconds(), end)
            yield deferLater(reactor, 0.01)

    def kill(self, factory):
        """End an element without a word."""
        factory.port.stopListening()
        for line in factory.open:
            line.transport.abortConnection()

    @inlineCallbacks
    def settle(self):
        """Let what is on its way arrive, and end it all."""
        self.made.stop()
        yield deferLater(reactor, 0.1)
        for factory in self.servers.values():
            for line in list(factory.open):
                line.transport.abortConnection()
        yield deferLater(reactor, 0.05)


class Connections(Scene):
    """Who is connected to, and what comes of it."""

    @inlineCallbacks
    def test_failover(self):
        """The application is told of both elements and connections before anything is sent."""
        first, second = self.serve(1), self.serve(2)
        connection = self.connection()
        protocol = yield connection.start()
        yield self.until(lambda: first.said == [b"secret;"] and protocol.said)
        self.assertEqual((self.told, protocol.said), ([], b"hello from 1;"))
        self.kill(first)
        yield self.until(lambda: second.said == [b"secret;"])
        [(failover, said)] = self.told
        self.assertEqual(said, [])
        self.assertEqual((failover.old.identifier, failover.new.identifier), (1, 2))
        self.assertEqual(failover.handle, b"web")
        self.assertTrue(failover.why)
        for standing in (failover.before, failover.now):
            self.assertEqual(
                (standing.proof, standing.name), (Proof.CERTIFICATE, "dns:web.example")
            )
            self.assertEqual((standing.secure, standing.version), (True, "TLSv1.3"))
        self.assertEqual(self.user.reported, [1])
        self.assertEqual(len(self.factory.built), 2)
        yield self.until(lambda: self.factory.built[1].said == b"hello from 2;")
        connection.stop()
        yield self.settle()
        self.assertEqual((len(self.told), self.over), (1, []))

    @inlineCallbacks
    def test_goodbye(self):
        """An element that hangs up in good order is left, and isn't called unreachable."""
        for plain in (False, True):
            self.setUp()
            first, second = self.serve(1, plain=plain), self.serve(2, plain=plain)
            yield self.connection().start()
            yield self.until(lambda first=first: first.said)
            first.open[0].transport.loseConnection()
            yield self.until(lambda second=second: second.said)
            self.assertEqual(self.user.reported, [])
            self.assertEqual(len(self.told), 1, "the application hears of it all the same")
            yield self.settle()

    @inlineCallbacks
    def test_veto(self):
        """Whom the application doesn't want, or fails to judge, gets no word; the next may."""

        def fails(failover):
            raise RuntimeError("no idea")

        answers = {2: lambda _: False, 3: fails, 4: lambda _: None, 5: lambda _: succeed(True)}
        servers = [self.serve(number) for number in range(1, 6)]
        self.agrees = lambda failover: answers[failover.new.identifier](failover)
        yield self.connection().start()
        yield self.until(lambda: servers[0].said)
        self.kill(servers[0])
        yield self.until(lambda: servers[4].said)
        self.assertEqual([one.said for one in servers[1:4]], [[], [], []])
        self.assertEqual([told[0].old.identifier for told in self.told], [1, 1, 1, 1])
        self.assertEqual(self.user.reported, [1], "a veto is no failure")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        yield self.settle()

    @inlineCallbacks
    def test_downgrade(self):
        """From TLS to none nobody is even asked, unless it is allowed; upwards is fine."""
        for allowed in (False, True):
            self.setUp()
            first, second = self.serve(1), self.serve(2, plain=True)
            yield self.connection(downgrade=allowed).start()
            yield self.until(lambda first=first: first.said)
            self.kill(first)
            if allowed:
                yield self.until(lambda second=second: second.said)
                self.assertEqual(str(self.told[0][0].now), "no TLS")
            else:
                yield self.until(lambda: self.over)
                self.assertEqual((second.said, self.told), ([], []))
                self.assertIn("may not take that away", str(self.over[0]))
            yield self.settle()
        self.setUp()
        first, second = self.serve(1, plain=True), self.serve(2)
        yield self.connection().start()
        yield self.until(lambda: first.said)
        self.kill(first)
        yield self.until(lambda: second.said)
        yield self.settle()

    @inlineCallbacks
    def test_impostor(self):
        """An element that proves to be another gets nothing, and is reported."""
        self.serve(1, name="other.example")
        self.serve(2).port.stopListening()
        good = self.serve(3)
        yield self.connection().start()
        yield self.until(lambda: good.said)
        self.assertEqual(self.servers[1].said, [])
        self.assertEqual(self.user.reported, [1, 2])
        yield self.settle()

    @inlineCallbacks
    def test_not_tried(self):
        """What nobody has tried to reach isn't reported: the fault is on this side."""
        where = SCTPTransport(port=80, addresses=(ip_address("127.0.0.1"),))
        self.user.elements.append(attrs.evolve(element(7), user_transport=where))
        self.serve(1)
        good = self.serve(2)
        connection = self.connection()
        security = connection._security

        def missing(one):
            if one.identifier == 1:
                raise FileNotFoundError("ca.pem")
            return security(one)

        connection._security = missing
        yield connection.start()
        yield self.until(lambda: good.said)
        self.assertEqual(self.user.reported, [])
        yield self.settle()
        self.setUp()
        self.serve(1)
        connection = self.connection()
        connection._security = missing
        failed = yield self.assertFailure(connection.start(), NoElement)
        self.assertIn("ca.pem", str(failed))
        yield self.settle()

    @inlineCallbacks
    def test_nobody(self):
        """Without any element it fails, in words about each."""
        failed = yield self.assertFailure(self.connection().start(), NoElement)
        self.assertIn("has no elements", str(failed))
        self.serve(1, name="other.example")
        failed = yield self.assertFailure(self.connection().start(), NoElement)
        self.assertIn("element 0x00000001: ", str(failed))
        yield self.settle()

    @inlineCallbacks
    def test_distrusted(self):
        """Who isn't believed isn't connected to, and the application hears why."""
        self.serve(1)
        [one] = self.user.elements
        doubted = Distrusted(one, Doubt.FORGED, "that was never signed")
        found = Resolution(b"web", LeastUsed(load=0), (), distrusted=(doubted,))
        self.user.resolve = lambda handle: succeed(found)
        error = yield self.assertFailure(self.connection().start(), NoElement)
        self.assertIn("element 0x00000001: that was never signed", str(error))
        self.assertEqual(self.servers[1].open, [])

    @inlineCallbacks
    def test_ends_itself(self):
        """When the application hangs up, or is done, nobody else is called."""
        for end in (lambda c, p: c.stop(), lambda c, p: p.transport.loseConnection()):
            self.setUp()
            first, second = self.serve(1), self.serve(2)
            connection = self.connection()
            protocol = yield connection.start()
            yield self.until(lambda first=first: first.said)
            end(connection, protocol)
            yield self.until(lambda first=first: not first.open)
            yield self.settle()
            self.assertEqual((second.said, self.told, self.over), ([], [], []))

    @inlineCallbacks
    def test_application_finds_fault(self):
        """An element that answers, but not as it should, can be left as well."""
        first, second = self.serve(1), self.serve(2)
        connection = self.connection()
        yield connection.start()
        yield self.until(lambda: first.said)
        connection.fail("it answers nonsense")
        yield self.until(lambda: second.said)
        self.assertEqual(self.told[0][0].why, "it answers nonsense")
        yield self.settle()
