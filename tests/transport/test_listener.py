"""Listeners over loopback: who isn't let in is hung up on, with TLS as without."""

import gc
import socket
import weakref

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rserpool.security.psk.tls import PSKClientCreator, ServerCreator
from rserpool.transport import endpoints
from rserpool.transport.allowance import Allowance, ConnectionLimits
from rserpool.transport.listener import Listener
from rserpool.transport.watch import Patience
from tests.threats.scene import Line
from tests.transport.test_connection import Remembers


def ask(port):
    """Connect, and give back what is read until the other side hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
        return probe.recv(1)


class Refusing(TestCase):
    """Nothing is read from them, and nothing of them stays."""

    timeout = 20

    @inlineCallbacks
    def listen(self, creator, limits=None):
        """Listen on any port; give back the listener and the port."""
        allowance = Allowance(limits or ConnectionLimits(), reactor.seconds)
        listener = Listener(Remembers(), allowance, Patience(), clock=reactor, creator=creator)
        self.addCleanup(listener.stop)
        port = yield listener.listen(endpoints.server(reactor, "tcp:0:interface=127.0.0.1"))
        return listener, port.getHost().port

    @inlineCallbacks
    def test_not_admitted(self):
        """While a listener admits nobody, who connects is hung up on; then it is let in."""
        for creator in (None, ServerCreator({"a": b"k" * 32}.get)):
            listener, port = yield self.listen(creator)
            listener.admits = False
            found = yield deferToThread(ask, port)
            self.assertEqual((found, len(listener.connections)), (b"", 0))
            listener.admits = True
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                yield deferLater(reactor, 0.05)
                self.assertEqual(len(listener.connections), 1)
            yield deferLater(reactor, 0.05)

    @inlineCallbacks
    def test_nothing_stays(self):
        """One that has ended is gone at once, and doesn't wait for the garbage collector."""
        listener, port = yield self.listen(ServerCreator({"a": b"k" * 32}.get))
        listener.opened = listener.arrived = lambda *_: None
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for goodbye in (False, True):
            line = yield deferToThread(Line, port, PSKClientCreator("a", b"k" * 32))
            yield deferLater(reactor, 0.05)
            [connection] = [weakref.ref(c) for c in listener.connections]
            if goodbye:
                line.tls.shutdown()
            line.close()
            yield deferLater(reactor, 0.1)
            self.assertEqual(len(listener.connections), 0)
            self.assertIsNone(connection(), f"goodbye: {goodbye}")
        with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
            probe.sendall(b"no TLS at all")
            yield deferLater(reactor, 0.1)
        yield deferLater(reactor, 0.1)

    @inlineCallbacks
    def test_too_many(self):
        """Who is over a limit is hung up on, and counted."""
        limits = ConnectionLimits(connections_per_address=1)
        for creator in (None, ServerCreator({"a": b"k" * 32}.get)):
            listener, port = yield self.listen(creator, limits)
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                found = yield deferToThread(ask, port)
                self.assertEqual(found, b"")
                self.assertEqual(listener._allowance.refused, 1)
            yield deferLater(reactor, 0.05)
