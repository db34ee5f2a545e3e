"""Does the service answer?"""

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.service import check as module
from rserpool.service.check import LONGEST_ANSWER, Health, check


class Says(Protocol):
    """A server that says one thing to each request, and waits."""

    def dataReceived(self, data):
        """Say it."""
        self.factory.requests.append(data)
        self.transport.write(self.factory.words)
        if self.factory.ends:
            self.transport.loseConnection()

    def connectionLost(self, reason):
        """Remember how it ended."""
        self.factory.ends_seen.append(reason.type)


class Checking(TestCase):
    """A service on loopback."""

    timeout = 10

    def serve(self, words=b"", ends=False):
        """Start a service."""
        self.service = Factory.forProtocol(Says)
        self.service.noisy = False
        self.service.words, self.service.ends, self.service.requests = words, ends, []
        self.service.ends_seen = []
        port = reactor.listenTCP(0, self.service, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return port.getHost().port

    @inlineCallbacks
    def seen(self, kind, words=b"", ends=False, timeout=2.0):
        """What is wrong with a service that says this."""
        port = self.serve(words, ends)
        wrong = yield check(reactor, kind, "127.0.0.1", port, timeout)()
        return wrong

    @inlineCallbacks
    def test_none(self):
        """``none`` always holds."""
        self.assertEqual((yield check(reactor, "none", "127.0.0.1", 1)()), "")

    @inlineCallbacks
    def test_tcp(self):
        """``tcp`` holds when a connection comes about."""
        self.assertEqual((yield self.seen("tcp")), "")

    @inlineCallbacks
    def test_nobody(self):
        """It fails when nobody listens, and says where."""
        port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        number = port.getHost().port
        yield port.stopListening()
        for kind in ("tcp", "http:/"):
            wrong = yield check(reactor, kind, "127.0.0.1", number)()
            self.assertEqual(wrong, f"nobody listens on 127.0.0.1 port {number}")

    @inlineCallbacks
    def test_http(self):
        """``http:PATH`` holds when a GET of it is answered with a status under 400."""
        for status in (b"200 OK", b"204 No Content", b"302 Found"):
            words = b"HTTP/1.1 %s\r\n\r\n" % status
            wrong = yield self.seen("http:/health?all=1", words, ends=True)
            self.assertEqual(wrong, "")
        self.assertTrue(self.service.requests[0].startswith(b"GET /health?all=1 HTTP/1.1\r\n"))

    @inlineCallbacks
    def test_http_status(self):
        """A status of 400 and more is a failure that is told."""
        for status in (b"404 Not Found", b"500 Oh", b"503 Wait"):
            wrong = yield self.seen("http:/", b"HTTP/1.0 %s\r\n\r\n" % status, ends=True)
            self.assertEqual(wrong, f"HTTP status {status[:3].decode()}")

    @inlineCallbacks
    def test_http_interim(self):
        """An interim answer is no answer yet."""
        words = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 500 Oh\r\n\r\n"
        self.assertEqual((yield self.seen("http:/", words, ends=True)), "HTTP status 500")

    @inlineCallbacks
    def test_http_endless(self):
        """Of a long answer only the status is read; one without end is cut off."""
        for length in (100_000, LONGEST_ANSWER + 1):
            words = b"HTTP/1.1 200 OK\r\n" + b"x" * length
            wrong = yield self.seen("http:/", words, ends=length < LONGEST_ANSWER)
            self.assertEqual(wrong, "")

    @inlineCallbacks
    def test_http_in_peace(self):
        """The service may send its answer to the end: it sees no connection cut off."""
        yield self.seen("http:/", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000, ends=True)
        yield deferLater(reactor, 0.01)
        self.assertEqual(self.service.ends_seen, [ConnectionDone])

    @inlineCallbacks
    def test_http_stays(self):
        """A service that keeps the connection open is hung up on."""
        self.patch(module, "LONGEST_GOODBYE", 0.05)
        self.assertEqual((yield self.seen("http:/", b"HTTP/1.1 200 OK\r\n\r\n")), "")

    @inlineCallbacks
    def test_no_http(self):
        """What isn't HTTP is told as that, however it goes on."""
        for words in (b"220 hello\r\n", b"\r\n\r\n", b"x" * 100_000):
            wrong = yield self.seen("http:/", words, ends=True)
            self.assertEqual(wrong, "it doesn't speak HTTP")

    @inlineCallbacks
    def test_http_hangs_up(self):
        """A service that hangs up without an answer fails."""
        wrong = yield self.seen("http:/", b"", ends=True)
        self.assertEqual(wrong, "it hung up without an answer")

    @inlineCallbacks
    def test_http_silence(self):
        """A service that doesn't answer in time fails."""
        wrong = yield self.seen("http:/", timeout=0.1)
        self.assertEqual(wrong, "no answer within 0.1 seconds")


class Choosing(SynchronousTestCase):
    """What may be asked for."""

    def test_unknown(self):
        """What isn't a check is refused, with what there is."""
        for kind in ("", "udp", "http", "http:", "http:health", "tcp:80", "http:/a\r\nb"):
            with self.assertRaises(ValueError) as caught:
                check(None, kind, "127.0.0.1", 80)
            self.assertIn("tcp, http:/PATH or none", str(caught.exception))

    def test_space(self):
        """A space in a path is refused, with what to write."""
        with self.assertRaises(ValueError) as caught:
            check(None, "http:/a b", "127.0.0.1", 80)
        self.assertIn("%20", str(caught.exception))


class Judging(SynchronousTestCase):
    """From checks to whether the service works."""

    def changes(self, *checks, failures=2):
        """After which checks it is another state, and which."""
        health = Health(failures)
        seen = [(health.seen("" if good else "bad"), health.works) for good in checks]
        return [works for changed, works in seen if changed]

    def test_first(self):
        """The first check settles it, either way."""
        self.assertEqual((self.changes(True), self.changes(False)), ([True], [False]))

    def test_one_failure(self):
        """One failure among successes isn't an end."""
        self.assertEqual(self.changes(True, False, True, False, True), [True])

    def test_failures(self):
        """So many in a row are; one success brings it back."""
        self.assertEqual(self.changes(True, False, False, False, True), [True, False, True])

    def test_threshold(self):
        """How many is for the operator to say."""
        self.assertEqual(self.changes(True, False, failures=1), [True, False])
        self.assertEqual(self.changes(True, False, False, failures=3), [True])

    def test_dead(self):
        """What is known to be dead needs no check."""
        health = Health()
        health.seen("")
        self.assertEqual((health.died(), health.works, health.died()), (True, False, False))
