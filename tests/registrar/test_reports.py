"""Unreachable reports (RFC 5352 section 3.5, RFC 5355 sections 2.13 and 2.14)."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.registrar.settings import Settings
from rserpool.security.decisions import UNREACHABLE, Proof
from rserpool.wire import asap
from tests.registrar.scene import Scene

REPORT = asap.EndpointUnreachable(handle=b"web", identifier=1)
ACK = asap.EndpointKeepAliveAck(handle=b"web", identifier=1)


class Reporting(SynchronousTestCase):
    """What a report does and what it can't do."""

    def setUp(self):
        self.scene = Scene(Settings(keep_alive_interval=1e6, max_bad_pe_reports=3))
        self.pe = self.scene.channel()
        self.scene.register(self.pe, life=-1)
        self.scene.sent[self.pe].clear()

    def reporter(self, number=1):
        """A pool user with a name of its own."""
        return self.scene.channel(f"pu-{number}", Proof.PSK, "127.0.1.1")

    def anonymous(self, number=1):
        """A pool user at an address of its own."""
        return self.scene.channel("anonymous", Proof.ANONYMOUS, f"127.0.1.{number}")

    def asked(self):
        """How many keep-alives the element has got."""
        return sum(isinstance(m, asap.EndpointKeepAlive) for m in self.scene.sent[self.pe])

    def test_asks_at_once(self):
        """A report makes the registrar ask the element at once; it isn't answered itself."""
        self.assertEqual(self.scene.tell(self.reporter(), REPORT), [])
        self.assertEqual(self.asked(), 1)

    def test_failed(self):
        """No answer: the element is removed."""
        self.scene.tell(self.reporter(), REPORT)
        self.scene.wait(5.1)
        self.assertEqual(self.scene.members(), set())

    def test_answered(self):
        """An answer keeps it."""
        self.scene.tell(self.reporter(), REPORT)
        self.scene.tell(self.pe, ACK)
        self.scene.wait(5.1)
        self.assertEqual(self.scene.members(), {1})

    def test_one_outstanding(self):
        """Any number of reports cause one keep-alive while it is outstanding."""
        for _ in range(50):
            self.scene.tell(self.reporter(), REPORT)
        self.assertEqual(self.asked(), 1)

    def test_budget(self):
        """Answered ones don't let more through than the element's budget."""
        for _ in range(50):
            self.scene.tell(self.reporter(), REPORT)
            self.scene.tell(self.pe, ACK)
        self.assertEqual(self.asked(), 5)
        self.scene.wait(10)
        for _ in range(50):
            self.scene.tell(self.reporter(), REPORT)
            self.scene.tell(self.pe, ACK)
        self.assertEqual(self.asked(), 10)

    def test_one_reporter_counts_once(self):
        """One address may complain as often as it likes, by as many connections."""
        for _ in range(20):
            self.scene.tell(self.reporter(), REPORT)
            self.scene.tell(self.pe, ACK)
        self.assertEqual(self.scene.members(), {1})

    def test_too_many_reporters(self):
        """More than MAX-BAD-PE-REPORT different ones within the window remove it."""
        for number in range(1, 4):
            self.scene.tell(self.reporter(number), REPORT)
            self.scene.tell(self.pe, ACK)
        self.assertEqual(self.scene.members(), {1})
        self.scene.tell(self.reporter(4), REPORT)
        self.assertEqual(self.scene.members(), set())
        self.assertEqual(self.scene.registrar.counters.elements_reported, 1)
        # It is told, so that one that is well after all can come back.
        gone = asap.DeregistrationResponse(handle=b"web", identifier=1)
        self.assertEqual(self.scene.sent[self.pe][-1], gone)

    def test_who_has_proven_nothing(self):
        """Any number of addresses makes us ask the element, and doesn't remove it."""
        for number in range(1, 50):
            self.scene.tell(self.anonymous(number), REPORT)
            self.scene.tell(self.pe, ACK)
        self.assertEqual(self.scene.members(), {1})
        self.assertEqual(self.asked(), 5)
        self.assertEqual(self.scene.registrar.counters.keep_alives_over_limit, 44)

    def test_who_has_proven_nothing_is_heard(self):
        """It may be right: an element that doesn't answer is removed."""
        self.scene.tell(self.anonymous(), REPORT)
        self.scene.wait(5.1)
        self.assertEqual(self.scene.members(), set())

    def test_only_reported(self):
        """Where limits only report, what is over the element's budget is sent and counted."""
        scene = Scene(Settings(keep_alive_interval=1e6, keep_alives_enforced=False))
        pe = scene.channel()
        scene.register(pe, life=-1)
        for _ in range(9):
            scene.tell(scene.channel("u", Proof.ANONYMOUS, "127.0.1.1"), REPORT)
            scene.tell(pe, ACK)
        asked = sum(isinstance(m, asap.EndpointKeepAlive) for m in scene.sent[pe])
        counted = scene.registrar.counters.keep_alives_over_limit
        self.assertEqual((asked, counted), (9, 4))

    def test_window(self):
        """Complaints older than the window are forgotten."""
        for number in range(1, 9):
            self.scene.tell(self.reporter(number), REPORT)
            self.scene.tell(self.pe, ACK)
            self.scene.wait(25)
        self.assertEqual(self.scene.members(), {1})

    def test_denied(self):
        """A report that the gate denies does nothing."""
        self.scene.gate.denied.add(UNREACHABLE)
        self.assertEqual(self.scene.tell(self.reporter(), REPORT), [])
        self.assertEqual(self.asked(), 0)
        self.assertEqual(self.scene.registrar.counters.reports_refused, 1)

    def test_unknown(self):
        """A report of an unknown element does nothing."""
        stranger = asap.EndpointUnreachable(handle=b"web", identifier=2)
        self.assertEqual(self.scene.tell(self.reporter(), stranger), [])

    def test_switched_off(self):
        """With 0 no number of reporters removes an element, and none is remembered."""
        scene = Scene(Settings(keep_alive_interval=1e6, max_bad_pe_reports=0))
        pe = scene.channel()
        scene.register(pe, life=-1)
        for number in range(1, 100):
            scene.tell(scene.channel("u", Proof.PLAIN, f"127.0.1.{number}"), REPORT)
            scene.tell(pe, ACK)
        self.assertEqual(scene.members(), {1})
