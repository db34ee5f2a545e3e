"""What is made of connections that say nothing, half a hello, or something else."""

import socket

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rserpool.security.psk.tls import PSKClientCreator, Reason, ServerCreator
from rserpool.transport import endpoints
from rserpool.transport.allowance import Allowance, ConnectionLimits
from rserpool.transport.listener import Listener
from rserpool.transport.watch import Patience
from tests.transport.test_connection import Remembers


def connect(port):
    """Connect, without a word."""
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def hello():
    """Make the first octets of a client, and its connection."""
    creator = PSKClientCreator("a", b"k" * 32)
    client = creator.clientConnectionForTLS(None)
    client.set_connect_state()
    try:
        client.do_handshake()
    except SSL.WantReadError:
        return client, client.bio_read(1 << 15)
    raise AssertionError("it has ended before it began")


class Waiting(TestCase):
    """A listener whose creator counts what is made of it."""

    timeout = 20

    @inlineCallbacks
    def listen(self, **patience):
        """Listen on any port."""
        self.made, self.failed = [], []
        creator = ServerCreator({"a": b"k" * 32}.get)
        make = creator.serverConnectionForTLS
        creator.serverConnectionForTLS = lambda p: self.made.append(p) or make(p)
        self.receiver = Remembers()
        self.listener = Listener(
            self.receiver, Allowance(ConnectionLimits(), reactor.seconds),
            Patience(**patience), clock=reactor, creator=creator,
            failed=lambda address, reason, identity, words: self.failed.append(reason),
        )  # fmt: skip
        self.addCleanup(self.listener.stop)
        port = yield self.listener.listen(
            endpoints.server(reactor, "tcp:0:interface=127.0.0.1")
        )
        return port.getHost().port

    @inlineCallbacks
    def until(self, holds):
        """Wait until something holds."""
        end = reactor.seconds() + 5
        while not holds():
            self.assertLess(reactor.seconds(), end)
            yield deferLater(reactor, 0.01)

    @inlineCallbacks
    def test_octet_by_octet(self):
        """TLS is made when the first record is whole, however it came."""
        port = yield self.listen()
        client, said = hello()
        with connect(port) as line:
            for octet in said[:-1]:
                line.sendall(bytes([octet]))
                yield deferLater(reactor, 0)
            self.assertEqual((len(self.listener.connections), self.made), (1, []))
            line.sendall(said[-1:])
            yield self.until(lambda: self.made)
            client.bio_write((yield deferToThread(line.recv, 1 << 15)))
            client.do_handshake()
            line.sendall(client.bio_read(1 << 15))
            yield self.until(lambda: self.receiver.opened_ones)
        yield self.until(lambda: not self.listener.connections)
        self.assertEqual(len(self.made), 1)

    @inlineCallbacks
    def test_nothing_made(self):
        """Of silence, and of half a hello, nothing is made; they end by time, or by leaving."""
        port = yield self.listen(handshake=0.3)
        said = hello()[1]
        for beginning in (b"", said[:1], said[:5], said[:-1]):
            for leaves in (False, True):
                with connect(port) as line:
                    line.sendall(beginning)
                    yield self.until(lambda: self.listener.connections)
                    if not leaves:
                        yield self.until(lambda: not self.listener.connections)
                yield self.until(lambda: not self.listener.connections)
        self.assertEqual(self.made, [])
        self.assertEqual(self.failed, 8 * [Reason.LEFT])

    @inlineCallbacks
    def test_no_hello(self):
        """What can't become a hello is refused at once, by TLS itself."""
        port = yield self.listen()
        for wrong in (b"GET / HTTP/1.0\r\n\r\n", b"\x01", b"\x16\x03\x01\xff\xff", b"\x80" * 9):
            before = len(self.made)
            with connect(port) as line:
                line.sendall(wrong)
                yield self.until(lambda before=before: len(self.made) > before)
                if len(wrong) >= 5:
                    yield self.until(lambda: not self.listener.connections)
            yield self.until(lambda: not self.listener.connections)
        self.assertEqual(len(self.failed), 4)
        self.assertEqual(self.receiver.opened_ones, [])

    @inlineCallbacks
    def test_no_tls(self):
        """Where no TLS can be made the connection ends, and the listener goes on."""
        port = yield self.listen(handshake=0.3)

        def fails(protocol):
            raise MemoryError("no more")

        make = self.listener.creator.serverConnectionForTLS
        self.listener.creator.serverConnectionForTLS = fails
        with connect(port) as line:
            line.sendall(hello()[1])
            self.assertEqual((yield deferToThread(line.recv, 1)), b"")
        yield self.until(lambda: not self.listener.connections)
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)
        self.listener.creator.serverConnectionForTLS = make
        with connect(port) as line:
            line.sendall(hello()[1])
            self.assertEqual((yield deferToThread(line.recv, 1)), b"\x16")
        yield self.until(lambda: not self.listener.connections)
