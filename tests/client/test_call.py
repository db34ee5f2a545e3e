"""Calls to registrars over loopback: TLS, proof, and why there was none."""

import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import ConnectError
from twisted.internet.error import TimeoutError as TookTooLong
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.client import (
    Certified,
    NoAnswer,
    Plain,
    PoolElement,
    PoolUser,
    PreSharedKey,
    What,
    call,
)
from rserpool.client.call import KEEPALIVE_IDLE, connect_words, security_name
from rserpool.security.certificate import make
from rserpool.security.psk.tls import ServerCreator
from rserpool.wire import asap
from tests.client.scene import membership
from tests.client.scripted import ScriptedRegistrar

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
AUTHORITY = make.authority("an authority of tests")
ISSUED = make.issue(AUTHORITY, ["registrar.example"])


class Chatter(Protocol):
    """Speaks first, and no TLS."""

    def connectionMade(self):
        """Say hello."""
        self.transport.write(b"220 hello\r\n")


class Mute(Protocol):
    """Says nothing."""


class Leaving(Protocol):
    """Hangs up at the first word."""

    def dataReceived(self, data):
        """Hang up."""
        self.transport.loseConnection()


class Case(TestCase):
    """Users and elements that call over loopback."""

    timeout = 20

    def setUp(self):
        """Write the authority's certificate."""
        self.notices = []
        self.ca = self.mktemp()
        with open(self.ca, "wb") as file:
            file.write(AUTHORITY.certificate)

    def registrar(self, creator=None):
        """Start a registrar."""
        made = ScriptedRegistrar(creator)
        self.addCleanup(made.stop)
        return made

    def secure(self, **more):
        """Start a registrar with a certificate and one key."""
        return self.registrar(ServerCreator(
            {"web-1": KEY}.get, certificate=ISSUED.certificate,
            private_key=ISSUED.private_key, **more,
        ))  # fmt: skip

    def user(self, security, *registrars):
        """Make a user of these."""
        made = PoolUser(
            reactor, [one.endpoint for one in registrars], security, notify=self.notices.append
        )
        self.addCleanup(self.ended, made)
        return made

    def ended(self, user):
        """Close it and let its connections end."""
        user.close()
        waited = Deferred()
        reactor.callLater(0.02, waited.callback, None)
        return waited

    @inlineCallbacks
    def refusal(self, security, registrar, words):
        """Ask a registrar that can't be believed, and be told why."""
        failure = yield self.assertFailure(
            self.user(security, registrar).resolve(b"web", timeout=0.4), NoAnswer
        )
        self.assertIn(words, str(failure))
        self.assertEqual(registrar.heard, [])


class Proving(Case):
    """Registrars that are what they should be."""

    @inlineCallbacks
    def test_plain(self):
        """Without security, anybody is asked."""
        registrar = self.registrar()
        found = yield self.user(Plain(), registrar).resolve(b"web")
        self.assertEqual(found.handle, b"web")

    @inlineCallbacks
    def test_certificate(self):
        """A registrar whose certificate is for the name is asked."""
        security = Certified(self.ca, "registrar.example")
        yield self.user(security, self.secure()).resolve(b"web")

    @inlineCallbacks
    def test_key(self):
        """A registrar that holds the same key is asked."""
        yield self.user(PreSharedKey("web-1", KEY), self.secure()).resolve(b"web")

    @inlineCallbacks
    def test_key_and_old_tls(self):
        """It may do so in TLS 1.2, where both sides allow it."""
        registrar = self.secure(minimum="1.2", maximum="1.2")
        yield self.user(PreSharedKey("web-1", KEY, "1.2"), registrar).resolve(b"web")

    @inlineCallbacks
    def test_silence_is_noticed(self):
        """TCP asks a silent registrar for signs of life, under TLS, too."""
        user = self.user(PreSharedKey("web-1", KEY), self.secure())
        yield user.resolve(b"web")
        handle = user._link._home.connection.transport.socket
        self.assertTrue(handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        if hasattr(socket, "TCP_KEEPIDLE"):
            idle = handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            self.assertEqual(idle, KEEPALIVE_IDLE)


class Refusing(Case):
    """Registrars that aren't."""

    def test_wrong_name(self):
        """A certificate for another name is told with both names."""
        words = "the certificate is for registrar.example, not other.example"
        return self.refusal(Certified(self.ca, "other.example"), self.secure(), words)

    def test_wrong_authority(self):
        """A certificate by an authority that isn't trusted is told as such."""
        other = self.mktemp()
        with open(other, "wb") as file:
            file.write(make.authority("another authority").certificate)
        return self.refusal(Certified(other, "registrar.example"), self.secure(), "authority")

    def test_wrong_key(self):
        """A wrong key is told as one, or as an identity that isn't known."""
        return self.refusal(
            PreSharedKey("web-1", OTHER_KEY), self.secure(), "refused identity 'web-1'"
        )

    def test_unknown_identity(self):
        """So is an unknown identity: the registrar doesn't tell which it is."""
        registrar = self.registrar(ServerCreator({"web-1": KEY}.get))
        return self.refusal(PreSharedKey("web-9", KEY), registrar, "refused identity 'web-9'")

    def test_certificate_instead_of_key(self):
        """A registrar that shows a certificate to one who wants a key isn't believed."""
        registrar = self.registrar(ServerCreator(
            certificate=ISSUED.certificate, private_key=ISSUED.private_key
        ))  # fmt: skip
        return self.refusal(PreSharedKey("web-1", KEY), registrar, "certificate")

    def test_client_certificate_refused(self):
        """A client certificate that isn't taken is told, though TLS had come about."""
        stranger = make.authority("a stranger")
        security = Certified(
            self.ca, "registrar.example", make.issue(stranger, ["web-1.example"], client=True)
        )
        return self.refusal(
            security, self.secure(authorities=AUTHORITY.certificate), "the other side refused"
        )

    def test_client_certificate_unwanted(self):
        """One that TLS takes and the registrar doesn't (revoked) is told as what may be."""
        client = make.issue(AUTHORITY, ["web-1.example"], client=True)
        registrar = self.secure(authorities=AUTHORITY.certificate)
        registrar.buildProtocol = lambda addr: Leaving()
        security = Certified(self.ca, "registrar.example", client)
        return self.refusal(security, registrar, "it may refuse the certificate")

    def test_hanging_up(self):
        """A port that hangs up instead of speaking TLS is told as such."""
        registrar = self.registrar()
        registrar.buildProtocol = lambda addr: None
        words = "it hung up in the TLS handshake"
        return self.refusal(PreSharedKey("web-1", KEY), registrar, words)

    def test_plain_registrar(self):
        """A registrar that speaks no TLS is told as such."""
        registrar = self.registrar()
        registrar.deaf = True
        registrar.buildProtocol = lambda addr: Chatter()
        return self.refusal(PreSharedKey("web-1", KEY), registrar, "no TLS there")

    def test_mute_port(self):
        """A port that takes the connection and says nothing is told as no port for TLS."""
        self.patch(call, "CALL_TIMEOUT", 0.2)
        registrar = self.registrar()
        registrar.buildProtocol = lambda addr: Mute()
        words = "no TLS within 0.2 seconds; is that its port for TLS?"
        return self.refusal(PreSharedKey("web-1", KEY), registrar, words)

    @inlineCallbacks
    def test_plain(self):
        """Who asks without TLS where TLS is spoken is told that this may be why."""
        yield self.refusal(Plain(), self.secure(), "it may want TLS there")

    @inlineCallbacks
    def test_next_one(self):
        """When one registrar can't be believed, another one is asked."""
        bad = self.registrar(ServerCreator({"web-1": OTHER_KEY}.get))
        good = self.registrar(ServerCreator({"web-1": KEY}.get))
        for _ in range(3):
            user = self.user(PreSharedKey("web-1", KEY), bad, good)
            yield user.resolve(b"web")
            self.assertEqual(user._link.home, good.endpoint)
        self.assertEqual(bad.heard, [])

    @inlineCallbacks
    def test_nobody_there(self):
        """A port on which nobody listens is told as such."""
        registrar = self.registrar()
        endpoint = registrar.endpoint
        yield registrar.port.stopListening()
        user = PoolUser(reactor, [endpoint], Plain())
        self.addCleanup(self.ended, user)
        failure = yield self.assertFailure(user.resolve(b"web", timeout=0.3), NoAnswer)
        self.assertEqual(str(failure), f"{endpoint}: nobody listens there (connection refused)")


class Serving(Case):
    """An element's whole life, in TLS."""

    def notified(self, what):
        """A Deferred of the next time this happens."""
        waited = Deferred()

        def notify(notice):
            self.notices.append(notice)
            if notice.what is what and not waited.called:
                waited.callback(None)

        return waited, notify

    @inlineCallbacks
    def test_life(self):
        """It registers, moves when its home dies, and de-registers at the new one."""
        first, second = self.secure(), self.secure()
        element = PoolElement(
            reactor, [first.endpoint, second.endpoint], PreSharedKey("web-1", KEY),
            membership(),
        )  # fmt: skip
        yield element.start()
        home, other = (first, second) if first.elements else (second, first)
        again, element._observer = self.notified(What.REGISTERED)
        yield home.stop()
        yield again
        self.assertEqual(element.home, other.endpoint)
        yield element.stop()
        self.assertEqual(other.kinds(), [asap.Registration, asap.Deregistration])
        self.assertEqual(other.elements, {})


class Wording(SynchronousTestCase):
    """Why there was no connection."""

    def test_errors(self):
        """Each way not to be reached has its words."""
        self.assertIn("didn't answer", connect_words(TookTooLong(), 1.0))
        self.assertIn("network", connect_words(ConnectError(string="no network here"), 1.0))
        self.assertEqual(connect_words(OSError(93, "no SCTP"), 1.0), "no SCTP")

    def test_name(self):
        """The certificate must be for the name that is configured, or the host called."""
        self.assertEqual(security_name(Certified(), "tcp:registrar.example:1"),
                         "registrar.example")  # fmt: skip
        named = Certified(name="other.example")
        self.assertEqual(security_name(named, "tcp:registrar.example:1"), "other.example")
