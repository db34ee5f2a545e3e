"""RFC 5355 section 2.13: a pool user floods a registrar with Endpoint-Unreachable messages."""

import json
import time

from rserpool.wire import asap
from tests.registrar.scene import registration
from tests.site import until
from tests.threats.answering import Answering
from tests.threats.scene import Attacked

REPORT = asap.EndpointUnreachable(handle=b"web", identifier=1)
#: What one reporter has at once, and each second; and one element, of keep-alives.
BURST, RATE = 5, 5
KEEP_ALIVES_BURST, KEEP_ALIVES_RATE = 5, 1
RESOLUTION = asap.HandleResolution(handle=b"web")


class Flood(Attacked):
    """An element that is well, and many that say it isn't."""

    settings = (
        # No keep-alives but those that reports cause.
        "--set", "timers.keep-alive-interval=3600", "--set", "timers.keep-alive-timeout=1",
        "--set", f"limits.unreachables-burst={BURST}", "--set", "limits.max-bad-pe-reports=2",
    )  # fmt: skip

    def setUp(self):
        super().setUp()
        self.element = Answering(self.line(self.key()), registration(1))
        self.began = time.monotonic()

    def refusals(self):
        """Lines of refused reports, and how many refusals they stand for."""
        lines = [json.loads(line) for line in self.audit_file.read_text().splitlines()]
        lines = [line for line in lines if line["what"] == "report.refused"]
        return lines, sum(line.get("repeated", 1) for line in lines)

    def bounded(self, sent, reporters):
        """
        What came through is what reporters may; what it has cost the element, too.

        :param reporters: how many budgets there are.
        """
        counted = lambda: self.site.status()["counters"]  # noqa: E731
        until(lambda: counted()["reports"] + counted()["reports_refused"] == sent)
        seconds = time.monotonic() - self.began
        accepted = counted()["reports"]
        self.assertLessEqual(accepted, reporters * (BURST + RATE * seconds + 1))
        self.assertGreaterEqual(accepted, reporters * BURST)
        over = self.site.status()["limits"]["over"]
        self.assertEqual(over["asap.unreachable"], sent - accepted)
        most = KEEP_ALIVES_BURST + KEEP_ALIVES_RATE * seconds + 1
        self.assertLessEqual(len(self.element.asked), most)
        self.assertGreater(len(self.element.asked), 0, "a report is heeded")
        self.assertGreater(over["keep-alives"], 0)
        # Audited: each is counted, and not each written.
        until(lambda: self.refusals()[1] == sent - accepted)
        self.assertLess(len(self.refusals()[0]), reporters * (3 + seconds))
        self.assertEqual(self.digest()["elements"], 1, "it is well, and stays")
        self.assertEqual(counted()["elements_reported"] + counted()["elements_silent"], 0)
        self.no_errors()

    def test_principals(self):
        """10 and 1,000 a second, on many connections and ever new ones: it gains nothing."""
        user = self.line(self.anonymous())
        slow, waits, sent = self.line(self.key("web-3")), [], 0
        fast = [self.line(self.key("web-2")) for _ in range(4)]
        with self.unchanged():
            for turn in range(20):
                slow.write(asap.encode(REPORT))
                for line in fast:
                    line.write(25 * asap.encode(REPORT))
                sent += 1 + 25 * len(fast)
                fast.pop(0).close()
                fast.append(self.line(self.key("web-2")))
                asked = time.monotonic()
                [answer] = user.tell(RESOLUTION)
                waits.append(time.monotonic() - asked)
                self.assertEqual(len(answer.elements), 1)
                time.sleep(max(0, self.began + 0.1 * (turn + 1) - time.monotonic()))
            # Both have spent their budgets: of 10 a second half is too much, too.
            self.bounded(sent, 2)
        self.assertLess(sorted(waits)[-2], 0.5, "others are served meanwhile")
        self.assertEqual({line["principal"] for line in self.refusals()[0]}, {"web-2", "web-3"})
        [line, *_] = self.audited(what="report.refused", principal="web-2")
        self.assertEqual((line["pool"], line["pe-id"], line["rule"]),
                         ("web", "0x00000001", "limits"))  # fmt: skip
        [answer] = self.line(self.key("web-2")).tell(registration(2))
        self.assertFalse(answer.rejected, "who is over one limit isn't over others")

    def test_addresses(self):
        """However many addresses who has proven nothing has, he removes nobody."""
        lines = [self.line(self.anonymous(), source=f"127.0.1.{i}") for i in range(1, 41)]
        with self.unchanged():
            for line in lines:
                line.write(50 * asap.encode(REPORT))
            self.bounded(50 * len(lines), len(lines))

    def test_rightful(self):
        """One report about a dead element removes it; so do several of who is known."""
        dead = self.line(self.key("web-2"))
        dead.tell(registration(2))
        self.line(self.anonymous()).write(
            asap.encode(asap.EndpointUnreachable(handle=b"web", identifier=2))
        )
        until(lambda: self.digest()["elements"] == 1, 5)
        self.audited(what="element.silent", pe_id="0x00000002")
        for name in ("web-1", "web-2"):
            self.line(self.key(name)).tell(REPORT, RESOLUTION)
        self.assertEqual(self.digest()["elements"], 1)
        self.line(self.key("web-3")).tell(REPORT, RESOLUTION)
        self.assertEqual(self.digest()["elements"], 0)
        self.audited(what="element.reported", pe_id="0x00000001")
