"""Endpoint descriptions."""

import socket

from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from rserpool.transport import endpoints
from rserpool.transport.sctp import options
from rserpool.transport.sctp.options import SCTPUnavailable
from rserpool.transport.sctp.payload import Payload


class Descriptions(TestCase):
    """What is understood, and what is said of the rest."""

    timeout = 20

    def test_refused(self):
        """Each mistake names the description and says what to write."""
        for make, text, words in (
            (endpoints.server, "sctp:here", "no port"),
            (endpoints.server, "sctp:1:interface=10.1.1.1,here", "isn't an endpoint to listen"),
            (endpoints.server, "sctp:1:interface=0.0.0.0,10.1.1.1", "can't be together"),
            (endpoints.server, "sctp:1:heartbeat=0", "heartbeat must be from 0.1"),
            (endpoints.server, "sctp:1:rtoMaximum=0.2", "must rise"),
            (endpoints.server, "sctp:1:hartbeat=5", "there is no option hartbeat"),
            (endpoints.server, "3863", "write tcp:PORT"),
            (endpoints.server, "tcp", "write tcp:PORT"),
            (
                endpoints.server,
                "tcp:here",
                "isn't an endpoint to listen on: 'here' isn't a number",
            ),
            (endpoints.server, "tcp:1:iface=lo", "there is no option 'iface'"),
            (endpoints.server, "udp:1", "write tcp:PORT"),
            (lambda r, t: endpoints.client(r, t, 1), "sctp:h:x", "no port"),
            (lambda r, t: endpoints.client(r, t, 1), "sctp:h,,i:1", "with commas"),
            (lambda r, t: endpoints.client(r, t, 1), "sctp:3863", "write tcp:HOST:PORT"),
            (lambda r, t: endpoints.client(r, t, 1), "tcp:3863", "write tcp:HOST:PORT"),
            (
                lambda r, t: endpoints.client(r, t, 1),
                "tcp:h:x",
                "isn't an endpoint to call: 'x' isn't a number",
            ),
            (lambda r, t: endpoints.client(r, t, 1), "h:3863", "write tcp:HOST:PORT"),
        ):
            error = self.assertRaises(ValueError, make, reactor, text)
            self.assertIn(repr(text), str(error))
            self.assertIn(words, str(error))

    def test_host(self):
        """The host that is called is the name that a certificate must be for."""
        for text, host in (
            ("tcp:registrar.example:3864", "registrar.example"),
            ("tcp:host=registrar.example:port=3864", "registrar.example"),
            ("tcp:192.0.2.1:3864:timeout=3", "192.0.2.1"),
            ("tcp:[2001:db8::7]:3864", "2001:db8::7"),
            ("tcp:[fe80::7%eth0]:3864", "fe80::7%eth0"),
            (r"tcp:2001\:db8\:\:7:3864", "2001:db8::7"),
            ("sctp:192.0.2.1,[2001:db8::7]:3864", "192.0.2.1"),
        ):
            self.assertEqual(endpoints.host_of(text), host)

    def test_hosts(self):
        """With SCTP, all addresses of the peer that is called."""
        both = "sctp:192.0.2.1,[2001:db8::7]:3864"
        self.assertEqual(endpoints.hosts_of(both), ("192.0.2.1", "2001:db8::7"))
        self.assertEqual(endpoints.client(None, both, 1).hosts, ("192.0.2.1", "2001:db8::7"))
        self.assertEqual(endpoints.hosts_of("tcp:192.0.2.1:3864"), ("192.0.2.1",))

    def test_sctp(self):
        """Where SCTP listens, what it carries, and by which times it lives."""
        text = "sctp:3863:interface=10.1.1.1,[fd10::1]:heartbeat=2.5:retransmissions=4"
        found = endpoints.server(None, text, Payload.ENRP)
        self.assertEqual((found.port, *map(str, found.bound)), (3863, "10.1.1.1", "fd10::1"))
        self.assertIs(found.payload, Payload.ENRP)
        self.assertEqual((found.times.heartbeat, found.times.retransmissions), (2.5, 4))
        self.assertEqual(endpoints.server(None, "sctp:3863").bound, ())

    def test_unavailable(self):
        """A host without SCTP is told what to load, by whoever listens and whoever calls."""
        self.patch(options, "SCTP", 253)  # a protocol that no host has
        factory = Factory.forProtocol(Protocol)
        listening = endpoints.server(reactor, "sctp:0").listen(factory)
        error = self.failureResultOf(listening, CannotListenError).value
        self.assertIn("modprobe sctp", str(error.socketError))
        calling = endpoints.client(reactor, "sctp:127.0.0.1:1", 1).connect(factory)
        error = self.failureResultOf(calling, SCTPUnavailable).value
        self.assertIn("modprobe sctp", str(error))

    async def test_both_families(self):
        """Listening and calling, over IPv4 and IPv6, in either notation."""
        hosts = [("127.0.0.1", "127.0.0.1")]
        if socket.has_ipv6:
            hosts += [("[::1]", "[::1]"), (r"\:\:1", r"\:\:1")]
        factory = Factory.forProtocol(Protocol)
        for listening, calling in hosts:
            listen = endpoints.server(reactor, f"tcp:0:interface={listening}")
            port = await listen.listen(factory)
            number = port.getHost().port
            call = endpoints.client(reactor, f"tcp:{calling}:{number}", 5)
            protocol = await call.connect(factory)
            self.assertEqual(protocol.transport.getPeer().port, number)
            protocol.transport.abortConnection()
            await port.stopListening()
