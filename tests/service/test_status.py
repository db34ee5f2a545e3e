"""The status page, for people, programs and Prometheus."""

import json
from html.parser import HTMLParser
from ipaddress import ip_address

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, HTTPConnectionPool, readBody

from rserpool.registrar.events import Channel, Protocol
from rserpool.security.decisions import PERMISSIONS, Proof, Subject
from rserpool.service import status
from rserpool.wire import asap
from tests.registrar.scene import registration
from tests.service.made import ANYWHERE, service

EVIL = b'<script>alert("x")</script>{facts}'


class Connection:
    """Takes what it is sent."""

    def write(self, data):
        """Take it."""

    def close(self, reason):
        """Do nothing."""


def fill(made, *handles):
    """Register an element in a pool of each handle."""
    subject = Subject("plain", Proof.PLAIN, "127.0.0.1")
    channel = Channel(Protocol.ASAP, subject, frozenset({ip_address("127.0.0.1")}), 1)
    made.driver.opened(channel, Connection())
    made.sessions.uses.opened(subject)
    messages = [asap.encode(registration(n, handle)) for n, handle in enumerate(handles, 1)]
    made.driver.arrived(channel, messages)


class Text(HTMLParser):
    """What a browser would show, and which elements there are."""

    def __init__(self):
        super().__init__()
        self.tags, self.shown = set(), ""

    def handle_starttag(self, tag, attrs):
        """Remember."""
        self.tags.add(tag)

    def handle_data(self, data):
        """Remember."""
        self.shown += data


class Telling(SynchronousTestCase):
    """What is told."""

    def setUp(self):
        self.made = service(Clock(), security="none", asap=(ANYWHERE,), status=ANYWHERE,
                            server_id=42)  # fmt: skip
        self.addCleanup(self.made.driver.stop)
        self.status = self.made.status

    def test_json(self):
        """Programs get everything: who it is, what there is, what has happened."""
        fill(self.made, b"web", b"web", b"\xff\x00")
        told = json.loads(self.status.json())
        self.assertEqual(told["server-id"], "0x0000002a")
        self.assertEqual((told["security"], told["pools"], told["elements"]), ("none", 2, 3))
        self.assertEqual(
            [(p.get("pool"), p.get("pool-hex"), p["elements"]) for p in told["pool-list"]],
            [("web", None, 2), (None, "ff00", 1)],
        )
        self.assertEqual(told["counters"]["registrations_new"], 2)
        self.assertEqual(told["sessions"]["plain"], 1)
        self.assertEqual(told["listeners"][0]["endpoint"], ANYWHERE)
        self.assertGreaterEqual(told["uptime"], 0)
        self.assertTrue(told["version"])

    def test_credentials(self):
        """Who came in by which credential, and when last; open ones are now."""
        uses = self.made.sessions.uses
        old = Subject("web-1", Proof.PSK, "127.0.0.1", identity="web-1")
        new = Subject("web-1", Proof.PSK, "127.0.0.1", identity="web-1~2")
        uses.opened(new)
        uses.opened(old)
        uses.closed(old)
        second, first = json.loads(self.status.json())["credentials"]
        self.assertEqual((first["identity"], first["open"]), ("web-1", 0))
        self.assertRegex(first["last"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")
        self.assertEqual(
            second,
            {"principal": "web-1", "identity": "web-1~2", "proof": "psk", "open": 1,
             "last": "now"},
        )  # fmt: skip

    def test_peer_connections(self):
        """Those of other registrars are told apart from those of elements and users."""
        self.made.peer_allowance.opened("192.0.2.1")
        self.made.peer_allowance.failed("192.0.2.1")
        self.made.peer_allowance.refused += 2
        told = json.loads(self.status.json())
        self.assertEqual(
            told["peer-connections"], {"open": 1, "refused": 2, "failed-handshakes": 1}
        )
        self.assertEqual(told["connections"]["failed-handshakes"], 0)
        text = self.status.metrics().decode()
        for line in ("rserpool_peer_connections 1", "rserpool_peer_connections_refused_total 2",
                     "rserpool_peer_connections_failed_handshakes_total 1"):  # fmt: skip
            self.assertIn(line, text)

    def test_over(self):
        """Each limit has its count from the start, 0 as well, for whoever watches it."""
        self.made.gate.over_limit["asap.resolve"] += 2
        limits = json.loads(self.status.json())["limits"]
        self.assertEqual(limits["over"]["asap.resolve"], 2)
        kinds = {*PERMISSIONS, "connections", "connection-rate", "handshake-failures",
                 "keep-alives"}  # fmt: skip
        self.assertLessEqual(kinds, set(limits["over"]))
        text = self.status.metrics().decode()
        self.assertIn('rserpool_over_limit_total{limit="asap.resolve"} 2.0', text)
        self.assertIn('rserpool_over_limit_total{limit="enrp.takeover"} 0.0', text)

    def test_metrics(self):
        """Prometheus understands what it gets."""
        fill(self.made, b"web")
        families = {
            family.name: family
            for family in text_string_to_metric_families(self.status.metrics().decode())
        }
        self.assertEqual(families["rserpool_elements"].samples[0].value, 1)
        self.assertEqual(families["rserpool_registrations_new"].type, "counter")
        self.assertEqual(
            {s.labels["proof"]: s.value for s in families["rserpool_sessions"].samples},
            {"plain": 1, "anonymous": 0, "psk": 0, "certificate": 0},
        )

    def test_page(self):
        """People read what peers have sent as text: none of it becomes markup."""
        fill(self.made, b"web", EVIL, b"&lt;")
        page = Text()
        page.feed(self.status.page().decode())
        self.assertIn("Registrar 0x0000002a", page.shown)
        self.assertIn(EVIL.decode(), page.shown)
        self.assertIn("&lt;", page.shown)
        self.assertNotIn("script", page.tags)

    def test_bounded(self):
        """Of many pools only some are listed, so that a page costs little; all are counted."""
        self.patch(status, "MAXIMUM_POOLS", 5)
        fill(self.made, *(b"pool-%d" % n for n in range(20)))
        told = json.loads(self.status.json())
        self.assertEqual((len(told["pool-list"]), told["pools"]), (5, 20))


class Serving(TestCase):
    """The same over HTTP."""

    def start(self, endpoint):
        """Serve on this endpoint."""
        made = service(reactor, security="none", asap=(ANYWHERE,), status=endpoint)
        self.addCleanup(made.driver.stop)
        self.addCleanup(made.status.stop)
        return made.status, made.status.listen(reactor)

    @inlineCallbacks
    def test_loopback(self):
        """Without an interface only this host reaches it; its address is one for browsers."""
        made, listening = self.start("tcp:0")
        yield listening
        self.assertRegex(made.where, r"^http://127\.0\.0\.1:\d+/$")

    @inlineCallbacks
    def test_pages(self):
        """Each page has its type, and allows a browser nothing; others aren't there."""
        made, listening = self.start(ANYWHERE)
        yield listening
        pool = HTTPConnectionPool(reactor, persistent=False)
        agent = Agent(reactor, pool=pool)
        for path, code, kind in (
            ("", 200, b"text/html"), ("status.json", 200, b"application/json"),
            ("metrics", 200, b"text/plain"), ("nothing", 404, b"text/html"),
            ("metrics/x", 404, b"text/html"), ("../etc/passwd", 404, b"text/html"),
        ):  # fmt: skip
            response = yield agent.request(b"GET", f"{made.where}{path}".encode())
            body = yield readBody(response)
            self.assertEqual(response.code, code, path)
            self.assertIn(kind, response.headers.getRawHeaders(b"content-type")[0])
            if code == 200:
                [policy] = response.headers.getRawHeaders(b"content-security-policy")
                self.assertIn(b"default-src 'none'", policy)
                self.assertTrue(body)
        response = yield agent.request(b"POST", made.where.encode())
        yield readBody(response)
        self.assertEqual(response.code, 405)
