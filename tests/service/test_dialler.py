"""Calling registrars: one attempt, by the right key, told in words when it fails."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as Talk
from twisted.internet.task import deferLater
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase

from rserpool.registrar.effects import Reach
from rserpool.registrar.events import Protocol
from rserpool.security.certificate import make
from rserpool.security.decisions import Proof
from rserpool.security.psk import keyfile
from rserpool.security.psk.tls import ServerCreator
from rserpool.wire import asap
from rserpool.wire.framing import Splitter
from rserpool.wire.parameters import TCPTransport
from tests.fleet import HERE
from tests.service.made import ANYWHERE, service
from tests.site import free_port


class Scope(TestCase):
    """Two registrars' services in one process."""

    timeout = 30

    def setUp(self):
        self.services = []

    def made(self, **table):
        """A service, running."""
        made = service(reactor, **table)
        self.services.append(made)
        self.addCleanup(made.stopService)
        made.privilegedStartService()
        made.startService()
        return made

    def port(self, made):
        """Where it listens for registrars."""
        [(_, listener)] = made.enrp_listeners
        return listener._port.getHost().port

    @inlineCallbacks
    def until(self, holds):
        """Wait until something holds."""
        while not holds():
            yield deferLater(reactor, 0.02)

    def keys(self, **identities):
        """A key file."""
        path = self.mktemp()
        for identity, secret in identities.items():
            keyfile.add(path, identity.replace("_", "@"), secret)
        return path

    def secured(self, name, path, **table):
        """A secure registrar of this name."""
        issued = make.issue(make.authority("test"), ["localhost"])
        base = self.mktemp()
        make.write(issued, f"{base}.pem", f"{base}.key")
        return self.made(
            asap_tls=(ANYWHERE,), certificate=f"{base}.pem", private_key=f"{base}.key",
            enrp_tls=(ANYWHERE,), enrp_auth=(f"psk:{path}",), identity=name, **table,
        )  # fmt: skip

    def unproven(self, made):
        """Who was called by it and hasn't proven who it is, as it is told of."""
        told = []
        made.dialler.on_unproven = lambda *words: told.append(words)
        return told

    def peers(self, made):
        """The names of its peers."""
        return [peer.name for peer in made.driver.registrar.peers]

    @inlineCallbacks
    def test_plain(self):
        """Insecure registrars meet, and each has one connection with the other."""
        one = self.made(security="none", asap=(ANYWHERE,), enrp=(ANYWHERE,))
        target = f"tcp:127.0.0.1:{self.port(one)}"
        two = self.made(security="none", asap=(ANYWHERE,), enrp=(ANYWHERE,), peer=(target,))
        self.assertFalse(two.driver.registrar.serving)
        self.assertFalse(any(listener.admits for _, listener in two.asap_listeners))
        yield self.until(lambda: two.driver.registrar.serving)
        self.assertTrue(all(listener.admits for _, listener in two.asap_listeners))
        yield self.until(lambda: len(self.peers(one)) == len(self.peers(two)) == 1)
        yield self.until(lambda: len(one.peer_sessions) == len(two.peer_sessions) == 1)

    @inlineCallbacks
    def test_pair(self):
        """Secure ones know each other's names by the key of their pair."""
        keys = self.keys(r1_r2=b"1" * 32, r2_r1=b"2" * 32)
        one = self.secured("r1", keys)
        two = self.secured("r2", keys, peer=(f"r1=tcp:127.0.0.1:{self.port(one)}",))
        yield self.until(lambda: self.peers(one) == ["r2"] and self.peers(two) == ["r1"])
        [channel] = two.peer_sessions.channels
        self.assertEqual(channel.protocol, Protocol.ENRP)
        self.assertEqual(channel.subject.proof, Proof.PSK)
        self.assertEqual(channel.subject.identity, "r2@r1")
        self.assertEqual(str(channel.local), "127.0.0.1")

        # the key is taken away on the side that called
        keyfile.remove(keys, "r2@r1")
        two.reload()
        yield self.until(lambda: not list(two.peer_sessions.channels))

    @inlineCallbacks
    def test_wrong_key(self):
        """One that doesn't hold the key isn't let in, and serves alone."""
        one = self.secured("r1", self.keys(r2_r1=b"1" * 32))
        target = f"r1=tcp:127.0.0.1:{self.port(one)}"
        two = self.secured("r2", self.keys(r2_r1=b"2" * 32), peer=(target,))
        unproven = self.unproven(two)
        yield self.until(lambda: two.driver.registrar.serving)
        self.assertEqual((self.peers(one), self.peers(two)), ([], []))
        self.assertEqual({told[:2] for told in unproven}, {("r1", "127.0.0.1")})
        self.assertIn("the server refused identity 'r2@r1'", unproven[0][2])

    @inlineCallbacks
    def test_unproven(self):
        """Who is called and proves nothing is told of; who isn't there has nothing to prove."""
        keys = self.keys(r2_r1=b"1" * 32, r2_r3=b"3" * 32)
        authority = make.authority("test")
        shown = ServerCreator(
            certificate=(own := make.issue(authority, ["127.0.0.1"])).certificate,
            private_key=own.private_key,
        )
        factory = TLSMemoryBIOFactory(shown, False, Factory.forProtocol(Talk))
        factory.noisy = factory.wrappedFactory.noisy = False
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        two = self.secured("r2", keys, peer=(
            f"r1=tcp:127.0.0.1:{port.getHost().port}", f"r3=tcp:127.0.0.1:{free_port()}",
        ))  # fmt: skip
        unproven = self.unproven(two)
        yield self.until(lambda: two.driver.registrar.serving)
        self.assertEqual({told[:2] for told in unproven}, {("r1", "127.0.0.1")})
        self.assertIn("shows a certificate", unproven[0][2])

    @inlineCallbacks
    def test_no_key(self):
        """Without a key for the peer nothing is called, and the start says why."""
        two = service(
            reactor, security="none", asap=(ANYWHERE,), peer=(f"tcp:127.0.0.1:{free_port()}",)
        )
        told = []
        two.dialler._unreachable = told.append
        two.dialler._material = NoKeys()
        two.dialler.dial("r9=tcp:127.0.0.1:1")
        yield self.until(lambda: told)
        self.assertEqual(told, ["r9=tcp:127.0.0.1:1"])

    @inlineCallbacks
    def test_reach(self):
        """An element that listens is called, and what it says comes back by that channel."""
        one = self.made(security="none", asap=(ANYWHERE,))
        heard = Deferred()

        class Element(Factory):
            """Listens, and acknowledges."""

            noisy = False

            def buildProtocol(self, addr):
                """Make our side."""
                return Answering(heard)

        port = reactor.listenTCP(0, Element(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        arrived = []
        one.driver.arrived = lambda channel, messages: arrived.append((channel, messages))
        message = asap.EndpointKeepAlive(new_home=True, server=1, handle=b"web")
        transport = TCPTransport(port=port.getHost().port, addresses=(HERE,))
        one.driver.on_reach(Reach((b"web", 7), transport, asap.encode(message)))
        self.assertEqual((yield heard), message)
        yield self.until(lambda: arrived)
        [(channel, [data])] = arrived
        self.assertEqual(channel.reaches, (b"web", 7))
        self.assertIsInstance(asap.decode(data).message, asap.EndpointKeepAliveAck)


class NoKeys:
    """Has no key for anybody."""

    def to_call(self, name, target):
        """Refuse."""
        raise ValueError(f"no key of {name}")


class Answering(Talk):
    """An element's side of a connection that a registrar makes."""

    def __init__(self, heard):
        self.heard = heard

    def dataReceived(self, data):
        """Acknowledge a keep-alive."""
        [message] = Splitter().feed(data)
        self.heard.callback(asap.decode(message).message)
        ack = asap.EndpointKeepAliveAck(handle=b"web", identifier=7)
        self.transport.write(asap.encode(ack))
