"""Connections: framing, back-pressure, time limits, on a clock that the test turns."""

from OpenSSL import SSL
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.budgets import Rate
from rserpool.transport import connection as module
from rserpool.transport.allowance import (
    Allowance,
    ConnectionLimits,
    network,
    plain_address,
)
from rserpool.transport.listener import Listener
from rserpool.transport.watch import Patience

MESSAGE = bytes.fromhex("0700000800000000")


class Remembers:
    """A receiver that remembers, and answers as it is told."""

    def __init__(self, answer=b""):
        self.answer = answer
        self.chunks = []
        self.opened_ones = []
        self.lost_ones = []

    def opened(self, connection):
        """Remember."""
        self.opened_ones.append(connection)

    def arrived(self, connection, messages):
        """Remember and answer."""
        self.chunks.append(len(messages))
        if self.answer:
            connection.write(self.answer * len(messages))

    def lost(self, connection, reason):
        """Remember."""
        self.lost_ones.append(connection)


class Transport(StringTransport):
    """A transport that is full when it is told so, and knows how it was ended."""

    aborted = False

    def __init__(self):
        super().__init__()
        self.reading = True

    def pauseProducing(self):
        """The peer isn't read."""
        self.reading = False

    def resumeProducing(self):
        """The peer is read again."""
        self.reading = True

    def abortConnection(self):
        """Remember."""
        self.aborted = True


class Scene(SynchronousTestCase):
    """A listener without sockets."""

    limits = ConnectionLimits()

    def setUp(self):
        self.clock = Clock()
        self.receiver = Remembers()
        self.allowance = Allowance(self.limits, self.clock.seconds)
        self.refused = []
        self.listener = Listener(
            self.receiver, self.allowance, Patience(),
            clock=self.clock, refused=lambda *words: self.refused.append(words),
        )  # fmt: skip

    def connect(self, host="192.0.2.1"):
        """A new connection, or None when it is refused."""
        kind = IPv6Address if ":" in host else IPv4Address
        protocol = self.listener.buildProtocol(kind("TCP", host, 1234))
        if protocol is not None:
            protocol.makeConnection(Transport())
        return protocol

    def turns(self, count=20):
        """Let the event loop turn."""
        for _ in range(count):
            self.clock.advance(0)

    def end(self, connection):
        """The connection ends."""
        connection.connectionLost()


class Reading(Scene):
    """Bytes to messages."""

    def test_chunks(self):
        """The messages of one read come together, at most 64 in a turn of the event loop."""
        connection = self.connect()
        connection.dataReceived(MESSAGE * 3 + MESSAGE[:5])
        connection.dataReceived(MESSAGE[5:] + MESSAGE * 150)
        self.assertEqual(self.receiver.chunks, [3, 64])
        self.assertFalse(connection.transport.reading)
        self.turns()
        self.assertTrue(connection.transport.reading)
        self.assertEqual(self.receiver.chunks, [3, 64, 64, 23])

    def test_others_in_between(self):
        """Who sends thousands at once is served in turns with the others."""
        one, other = self.connect(), self.connect("192.0.2.2")
        one.dataReceived(MESSAGE * 200)
        other.dataReceived(MESSAGE * 2)
        self.turns(1)
        self.assertEqual(self.receiver.chunks, [64, 2, 64, 64, 8])

    def test_in_order(self):
        """What comes while a turn is waited for is served after what came before."""
        connection = self.connect()
        connection.dataReceived(MESSAGE * 70)
        connection.dataReceived(MESSAGE * 3)
        self.turns()
        self.assertEqual(self.receiver.chunks, [64, 9])

    def test_rest(self):
        """Who is over a limit is served nothing for a while, and then a little."""
        connection = self.connect()
        connection.dataReceived(MESSAGE * 10)
        connection.rest()
        connection.dataReceived(MESSAGE * 20)
        self.turns()
        self.assertEqual(self.receiver.chunks, [10])
        self.assertFalse(connection.transport.reading)
        self.clock.advance(module.REST)
        self.turns()
        self.assertEqual(self.receiver.chunks, [10, 8, 12])
        self.assertTrue(connection.transport.reading)

    def test_rests_again(self):
        """It rests again when it is over the limit still; its end ends that, too."""
        connection = self.connect()
        arrived = self.receiver.arrived

        def refuse(connection, messages):
            arrived(connection, messages)
            connection.rest()

        self.receiver.arrived = refuse
        connection.dataReceived(MESSAGE * 10)
        connection.dataReceived(MESSAGE * 20)
        for _ in range(3):
            self.clock.advance(module.REST)
        self.assertEqual(self.receiver.chunks, [10, 8, 8, 4])
        self.end(connection)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bad_length(self):
        """A Message Length under 4 ends the connection."""
        connection = self.connect()
        connection.dataReceived(MESSAGE + bytes.fromhex("07000002"))
        self.assertTrue(connection.transport.aborted)
        connection.dataReceived(MESSAGE)
        self.assertEqual(self.receiver.chunks, [])

    def test_held(self):
        """While it is held nothing is served, and nothing is lost."""
        connection = self.connect()
        connection.hold()
        self.assertFalse(connection.transport.reading)
        connection.dataReceived(MESSAGE * 2)
        self.assertEqual(self.receiver.chunks, [])
        connection.release()
        self.assertEqual(self.receiver.chunks, [2])
        self.assertTrue(connection.transport.reading)


class Broken(Scene):
    """What TLS says of octets that aren't the peer's."""

    def test_words(self):
        """They are kept for the audit log before anybody is told of the end."""
        words = []
        self.receiver.lost = lambda connection, reason: words.append(connection.broken)
        for error in (SSL.Error([("SSL routines", "", "bad record mac")]), ConnectionDone()):
            self.connect().connectionLost(Failure(error))
        self.assertEqual(words, ["bad record mac", ""])


class BackPressure(Scene):
    """A peer that doesn't read what it asks for."""

    def test_stops(self):
        """When the transport is full, the peer isn't read, and what it sent waits."""
        connection = self.connect()
        connection.pauseProducing()
        self.assertFalse(connection.transport.reading)
        connection.dataReceived(MESSAGE * 200)
        self.assertEqual(self.receiver.chunks, [])
        connection.resumeProducing()
        self.turns()
        self.assertEqual(sum(self.receiver.chunks), 200)
        self.assertTrue(connection.transport.reading)

    def test_stops_in_the_middle(self):
        """Of one read, no more is served once the transport is full."""
        self.receiver.answer = bytes(60000)
        connection = self.connect()
        write = connection.transport.write

        def filling(data):
            write(data)
            connection.pauseProducing()

        connection.transport.write = filling
        connection.dataReceived(MESSAGE * 1000)
        self.turns()
        self.assertEqual(self.receiver.chunks, [64])

    def test_cut_off_in_time(self):
        """A peer that doesn't drain within the time is cut off."""
        connection = self.connect()
        connection.pauseProducing()
        for _ in range(35):
            self.clock.advance(1)
            self.listener.sweep()
        self.assertTrue(connection.transport.aborted)

    def test_drained_in_time(self):
        """One that does stays."""
        connection = self.connect()
        for _ in range(20):
            connection.pauseProducing()
            for _ in range(20):
                self.clock.advance(1)
                self.listener.sweep()
            connection.resumeProducing()
        self.assertFalse(connection.transport.aborted)

    def test_pushed(self):
        """What is pushed without being asked for is bounded, too."""
        connection = self.connect()
        connection.pauseProducing()
        for _ in range(module.MAXIMUM_UNSENT // 60000 + 2):
            connection.write(bytes(60000))
        self.assertTrue(connection.transport.aborted)

    def test_unasked(self):
        """Where both sides tell without being asked, one that doesn't drain is read on."""
        connection = self.connect()
        connection.unasked = True
        connection.pauseProducing()
        self.assertTrue(connection.transport.reading)
        connection.dataReceived(MESSAGE * 150)
        self.turns()
        self.assertEqual(self.receiver.chunks, [64, 64, 22])
        self.assertTrue(connection.transport.reading)

    def test_unasked_is_bounded(self):
        """It is cut off all the same when more waits for it than may, answers included."""
        connection = self.connect()
        connection.unasked, connection.unsent = True, 50_000
        self.receiver.answer = bytes(1000)
        connection.pauseProducing()
        connection.dataReceived(MESSAGE * 150)
        self.assertTrue(connection.transport.aborted)
        self.assertEqual(self.receiver.chunks, [64])


class Time(Scene):
    """Idle connections, and handshakes that don't end."""

    def age(self, connection, seconds, each=lambda: None):
        """Let time pass, sweeping every second."""
        for _ in range(seconds):
            self.clock.advance(1)
            each()
            self.listener.sweep()
        return connection.ended

    def test_idle(self):
        """An idle connection is closed."""
        connection = self.connect()
        self.assertFalse(self.age(connection, 599))
        self.assertTrue(self.age(connection, 5))

    def test_traffic_in_either_direction(self):
        """One with traffic in either direction isn't."""
        connection = self.connect()
        self.assertFalse(self.age(connection, 700, lambda: connection.dataReceived(MESSAGE)))
        self.assertFalse(self.age(connection, 700, lambda: connection.write(MESSAGE)))

    def test_handshake(self):
        """A handshake that takes too long is cut off."""
        self.listener.creator = object()
        connection = self.connect()
        self.assertFalse(self.age(connection, 9))
        self.assertTrue(self.age(connection, 3))
        self.assertEqual(self.receiver.opened_ones, [])

    def test_goodbye_withheld(self):
        """One that is closed and doesn't go, but sends on, is cut off, and not listened to."""
        connection = self.connect()
        connection.close("enough")
        for _ in range(13):
            self.clock.advance(1)
            connection.dataReceived(MESSAGE * 100)
            self.listener.sweep()
        self.assertTrue(connection.transport.aborted)
        self.assertEqual(self.receiver.chunks, [])
        self.assertEqual(connection._waiting, [])

    def test_slow_checker(self):
        """So is one whose identity takes too long to be settled."""
        connection = self.connect()
        connection.hold()
        self.assertTrue(self.age(connection, 12))


class Allowed(Scene):
    """Who may connect at all."""

    limits = ConnectionLimits(
        connections=5, connections_per_address=2, handshake_failures=Rate(1, 3)
    )

    def test_per_address(self):
        """So many from one address, and again when one has gone."""
        one = self.connect()
        self.assertIsNotNone(self.connect())
        self.assertEqual(self.refused, [])
        self.assertIsNone(self.connect())
        words = "too many connections from its address"
        self.assertEqual(self.refused, [("192.0.2.1", words)])
        self.assertIsNotNone(self.connect("192.0.2.2"))
        self.end(one)
        self.assertIsNotNone(self.connect())

    def test_in_all(self):
        """So many in all."""
        found = [self.connect(f"192.0.2.{n}") for n in range(1, 8)]
        self.assertEqual([c is None for c in found], [False] * 5 + [True] * 2)
        self.assertEqual(len(self.allowance), 5)
        for connection in found[:5]:
            self.end(connection)
            self.end(connection)
        self.assertEqual(len(self.allowance), 0)

    def test_ipv6(self):
        """An IPv6 host has one budget, however many addresses it has."""
        found = [self.connect(f"2001:db8::{n}") for n in range(1, 4)]
        self.assertIsNone(found[2])
        self.assertIsNotNone(self.connect("2001:db8:0:1::1"))

    def test_failed_handshakes(self):
        """An address with too many failed handshakes is refused until it has recovered."""
        for _ in range(3):
            self.assertEqual(self.allowance.objection("192.0.2.1"), "")
            self.allowance.failed("192.0.2.1")
        self.assertIn("handshakes", self.allowance.objection("192.0.2.1"))
        self.assertEqual(self.allowance.objection("192.0.2.2"), "")
        self.clock.advance(1.5)
        self.assertEqual(self.allowance.objection("192.0.2.1"), "")

    def test_given_up_handshakes(self):
        """Who gives handshakes up, as an honest element does, may do so more often."""
        for _ in range(3 * 20):
            self.assertEqual(self.allowance.objection("192.0.2.1"), "")
            self.allowance.failed("192.0.2.1", given_up=True)
        self.assertIn("handshakes", self.allowance.objection("192.0.2.1"))

    def test_again_and_again(self):
        """An address that connects again and again is hung up on until it has rested."""
        limits = ConnectionLimits(rate=Rate(1, 2))
        allowance = Allowance(limits, self.clock.seconds)
        for _ in range(2):
            self.assertEqual(allowance.objection("192.0.2.1"), "")
            allowance.opened("192.0.2.1")
            allowance.closed("192.0.2.1")
        self.assertIn("again", allowance.objection("192.0.2.1"))
        self.assertEqual(allowance.objection("192.0.2.2"), "")
        self.assertEqual(allowance.over_limit["connection-rate"], 1)
        self.clock.advance(1.5)
        self.assertEqual(allowance.objection("192.0.2.1"), "")

    def test_only_counted(self):
        """Where limits only report, who is over a rate is counted and let in."""
        limits = ConnectionLimits(rate=Rate(1, 1), connections=2, enforced=False)
        allowance = Allowance(limits, self.clock.seconds)
        for _ in range(2):
            self.assertEqual(allowance.objection("192.0.2.1"), "")
            self.assertEqual(allowance.entered("web-1"), "")
            allowance.opened("192.0.2.1")
        self.assertEqual(allowance.over_limit["connection-rate"], 2)
        self.assertIn("too many", allowance.objection("192.0.2.1"))

    def test_addresses(self):
        """IPv4 in IPv6's clothes is IPv4; zones are nothing."""
        self.assertEqual(plain_address("::ffff:192.0.2.1"), "192.0.2.1")
        self.assertEqual(plain_address("fe80::1%eth0"), "fe80::1")
        self.assertEqual(network("2001:db8::1:2:3:4"), "2001:db8::")
