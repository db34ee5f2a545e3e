"""Endpoint descriptions."""

import socket

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from rserpool.transport import endpoints


class Descriptions(TestCase):
    """What is understood, and what is said of the rest."""

    timeout = 20

    def test_refused(self):
        """Each mistake names the description and says what to write."""
        for make, text, words in (
            (endpoints.server, "sctp:3863", "no SCTP"),
            (endpoints.server, "3863", "write tcp:PORT"),
            (endpoints.server, "tcp", "write tcp:PORT"),
            (endpoints.server, "tcp:here", "isn't an endpoint to listen on"),
            (endpoints.server, "udp:1", "write tcp:PORT"),
            (lambda r, t: endpoints.client(r, t, 1), "sctp:h:1", "no SCTP"),
            (lambda r, t: endpoints.client(r, t, 1), "tcp:3863", "write tcp:HOST:PORT"),
            (lambda r, t: endpoints.client(r, t, 1), "tcp:h:x", "isn't an endpoint to call"),
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
        ):
            self.assertEqual(endpoints.host_of(text), host)

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
