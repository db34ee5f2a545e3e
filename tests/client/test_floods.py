"""A home registrar that floods its elements (RFC 5355 section 2.14), over loopback."""

import time

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import LoopingCall, deferLater
from twisted.trial.unittest import TestCase

from rserpool.client import PoolElement, PreSharedKey, What
from rserpool.client.floods import KEEP_ALIVES_BURST, KEEP_ALIVES_PER_SECOND
from rserpool.security.psk.tls import ServerCreator
from rserpool.wire import asap
from tests.client.scene import Chance, keep_alive, membership
from tests.client.scripted import ScriptedRegistrar
from tests.site import free_port

KEY = bytes(range(32))
#: Keep-alives that the malicious registrar sends each second.
RATE = 1000


class Flooding(ScriptedRegistrar):
    """A registrar with a good key that was taken over by somebody."""

    def __init__(self, new_home=False):
        super().__init__(ServerCreator({"web-1": KEY}.get))
        self.new_home = new_home
        self.sent = 0
        self.rushing = LoopingCall(self.rush)

    def flood(self):
        """Begin."""
        self.rushing.start(0.01, now=False)

    def rush(self):
        """Send as many as fall due."""
        for session in self.sessions:
            for _ in range(RATE // 100):
                self.sent += 1
                message = keep_alive(server=self.sent, new_home=self.new_home)
                session.transport.write(asap.encode(message))

    def acks(self):
        """How many were answered."""
        return self.kinds().count(asap.EndpointKeepAliveAck)

    def stop(self):
        """Be gone."""
        if self.rushing.running:
            self.rushing.stop()
        return super().stop()


class Flooded(TestCase):
    """An element whose home floods it with 1,000 keep-alives a second."""

    timeout = 30

    def element(self, *endpoints):
        """Start one."""
        self.notices = []
        self.waiting = []
        made = PoolElement(
            reactor, list(endpoints), PreSharedKey("web-1", KEY),
            membership(), notify=self.happened, rng=Chance(),
        )  # fmt: skip
        self.addCleanup(made.stop, 0.1)
        made.start().addErrback(lambda failure: None)
        return made

    def happened(self, notice):
        """Remember it, and tell who waits."""
        self.notices.append(notice)
        for what, waited in list(self.waiting):
            if what is notice.what:
                self.waiting.remove((what, waited))
                waited.callback(notice)

    def wait(self, what):
        """A Deferred of the next time that this happens."""
        waited = Deferred()
        self.waiting.append((what, waited))
        return waited

    @inlineCallbacks
    def left(self, bad):
        """It leaves the malicious one for the honest one, which it is registered with."""
        self.addCleanup(bad.stop)
        port = free_port()
        element = self.element(bad.endpoint, f"tcp:127.0.0.1:{port}")
        yield self.wait(What.REGISTERED)
        honest = ScriptedRegistrar(ServerCreator({"web-1": KEY}.get), port)
        self.addCleanup(honest.stop)
        began = time.monotonic()
        bad.flood()
        gone = yield self.wait(What.UNLINKED)
        self.assertIn("it floods us with keep-alives", gone.words)
        yield self.wait(What.REGISTERED)
        self.assertEqual(element.home, honest.endpoint)
        took = time.monotonic() - began
        self.assertLessEqual(bad.acks(), KEEP_ALIVES_BURST + KEEP_ALIVES_PER_SECOND * took)
        self.assertGreater(bad.sent, bad.acks())
        self.assertEqual(list(honest.elements), [0x2A])
        # And stays there.
        heard = len(bad.heard)
        yield deferLater(reactor, 1.0)
        self.assertEqual((element.home, len(bad.heard)), (honest.endpoint, heard))

    def test_left_for_another(self):
        """Its answers stay within the budget, and it registers with an honest registrar."""
        return self.left(Flooding())

    def test_new_homes(self):
        """The same, when each keep-alive comes from another one that would be home (H)."""
        return self.left(Flooding(new_home=True))

    @inlineCallbacks
    def test_no_other(self):
        """Where there is no other, it comes back after a pause, while it is registered."""
        bad = Flooding()
        self.addCleanup(bad.stop)
        element = self.element(bad.endpoint)
        yield self.wait(What.REGISTERED)
        bad.flood()
        yield self.wait(What.UNLINKED)
        left = time.monotonic()
        bad.rushing.stop()
        yield self.wait(What.REGISTERED)
        self.assertTrue(0.2 < time.monotonic() - left < 4.0)  # our registrars wait for 5 s
        self.assertTrue(element.registered)

    @inlineCallbacks
    def test_pauses(self):
        """One that floods on is called seldom, and what it gets is bounded as before."""
        bad = Flooding()
        self.addCleanup(bad.stop)
        self.element(bad.endpoint)
        yield self.wait(What.REGISTERED)
        began = time.monotonic()
        bad.flood()
        yield deferLater(reactor, 4.0)
        took = time.monotonic() - began
        self.assertLessEqual(bad.acks(), KEEP_ALIVES_BURST + KEEP_ALIVES_PER_SECOND * took)
        # pauses of 0.4 s, 0.8 s, 1.5 s, 3 s
        calls = [notice.what for notice in self.notices].count(What.TRYING)
        self.assertTrue(3 <= calls <= 5, calls)
