"""RFC 5355 section 2.14: a registrar floods an element with keep-alives, or is made to."""

import contextlib
import signal
import time

from rserpool.client.floods import KEEP_ALIVES_BURST, KEEP_ALIVES_PER_SECOND
from rserpool.security.psk.tls import ServerCreator
from rserpool.wire import asap
from tests.registrar.scene import registration
from tests.site import until
from tests.threats.answering import Answering
from tests.threats.impostor import Impostor
from tests.threats.scene import Attacked
from tests.threats.scope import ROGUE

BURST, RATE = 5, 1


class Made(Attacked):
    """Reports are made by many, so that the registrar asks the element each time."""

    settings = (
        "--set", "timers.keep-alive-interval=3600",
        "--set", f"limits.keep-alives-burst={BURST}",
        "--set", f"limits.keep-alives-per-second={RATE}",
    )  # fmt: skip

    def test_bounded(self):
        """However many report: in no while more than its budget."""
        element = Answering(self.line(self.key()), registration(1))
        other = Answering(self.line(self.key("web-2")), registration(2))
        reports = b"".join(
            asap.encode(asap.EndpointUnreachable(handle=b"web", identifier=i))
            for i in (1, 1, 2)
        )
        reporters = [self.line(self.anonymous(), source=f"127.0.2.{i}") for i in range(1, 61)]
        with self.unchanged():
            began, sent = time.monotonic(), 0
            while time.monotonic() < began + 2.5:
                reporters[sent % len(reporters)].write(reports)
                sent += 1
                time.sleep(0.002)
        self.assertGreater(sent, 300)
        time.sleep(0.2)  # the last ones are on their way
        counters = self.site.status()["counters"]
        self.assertGreater(counters["reports"], 200)
        for each in (element, other):
            self.assertGreater(len(each.asked), 1)
            for i, first in enumerate(each.asked):
                for count, last in enumerate(each.asked[i:], 1):
                    # Half a second for what waits on the way.
                    self.assertLessEqual(count, BURST + RATE * (last - first + 0.5))
        over = self.site.status()["limits"]["over"]["keep-alives"]
        sent = counters["keep_alives_sent"]
        self.assertEqual(sent, len(element.asked) + len(other.asked))
        self.assertGreater(over, 100)
        self.assertEqual(counters["keep_alives_acknowledged"], sent)
        self.no_errors()


class Rogue(Attacked):
    """A registrar that has been taken over by somebody: it has the element's key."""

    def setUp(self):
        super().setUp()
        self.acknowledged = []
        self.callers = []
        self.rogue = Impostor(
            self, ServerCreator({"web-1": self.secret()}.get), self.answers
        )  # fmt: skip

    def answers(self, caller, message):
        """Play the registrar."""
        if isinstance(message, asap.Registration):
            self.callers.append(caller)
            caller.say(
                asap.RegistrationResponse(
                    handle=message.handle, identifier=message.element.identifier
                )
            )
        elif isinstance(message, asap.EndpointKeepAliveAck):
            self.acknowledged.append(time.monotonic())

    def flood(self, caller, seconds):
        """Send keep-alives until the element hangs up; how many were sent."""
        sent, end = 0, time.monotonic() + seconds
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                batch = [
                    asap.EndpointKeepAlive(new_home=i % 2 == 1, server=ROGUE + i, handle=pool)
                    for i in range(50)
                    for pool in (b"web", b"another")
                ]
                caller.say(*batch)
                sent += len(batch)
                time.sleep(0.01)
        return sent

    def within_budget(self, began):
        """Whether it has answered as much as an honest registrar needs, and no more."""
        seconds = time.monotonic() - began
        allowed = 1 + KEEP_ALIVES_BURST + KEEP_ALIVES_PER_SECOND * seconds
        self.assertLessEqual(len(self.acknowledged), allowed)

    def test_flood(self):
        """An element leaves who floods it, comes back later, and goes on with its work."""
        port = self.site.server("web-1")
        self.site.port = self.rogue.port
        process = self.site.element("web-1", port)
        caller = until(lambda: self.callers)[0]
        # One, as an honest registrar sends it, is answered.
        caller.say(asap.EndpointKeepAlive(server=1, handle=b"web"))
        until(lambda: self.acknowledged)
        began = time.monotonic()
        for calls in (1, 2, 3):
            caller = until(lambda calls=calls: self.callers[calls - 1 : calls])[0]
            self.assertGreater(self.flood(caller, 5), 0)
        # It still looks after its server, and says so.
        until(lambda: self.callers[3:])
        self.site.processes["server-web-1"].kill()
        until(lambda: [m for m in self.rogue.heard if isinstance(m, asap.Deregistration)], 10)
        self.within_budget(began)
        self.assertIsNone(process.poll())
        log = self.site.log("web-1")
        self.assertIn("it floods us with", log)
        self.assertNotIn("Traceback", log)
        # Nor is its log the flood's.
        self.assertLess(log.count("\n"), 80)

    def test_left(self):
        """Where there is another registrar, the element goes there, and stays in its pool."""
        port = self.site.server("web-1")
        honest = self.site.endpoint
        self.site.port, kept = self.rogue.port, self.site.port
        # Which one answers first isn't left to chance.
        self.registrar.send_signal(signal.SIGSTOP)
        self.site.element("web-1", port, "--registrar", honest)
        until(lambda: self.callers)
        self.registrar.send_signal(signal.SIGCONT)
        self.site.port = kept
        began = time.monotonic()
        flooded = 0
        while self.site.elements() != {port}:
            self.assertLess(time.monotonic(), began + 20)
            if len(self.callers) > flooded:
                flooded += 1
                self.flood(self.callers[flooded - 1], 5)
        self.assertEqual(flooded, 1, "it wasn't the first to be called")
        self.within_budget(began)
        time.sleep(1)
        self.assertEqual((self.site.elements(), len(self.callers)), ({port}, 1))
