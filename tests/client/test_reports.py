"""Reports of unreachable elements, within bounds (RFC 5352 section 3.5)."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client.reports import FRESH, ONE_EVENT, REPORTS, REPORTS_SECONDS, Reports
from rserpool.wire import asap


class Reporting(SynchronousTestCase):
    """What may be said."""

    def setUp(self):
        """Nothing has been said."""
        self.reports = Reports()

    def said(self, identifier, now=1000.0):
        """Whether a report of this element is made."""
        return self.reports.report(b"web", identifier, now) is not None

    def test_message(self):
        """A report has the pool handle and the PE identifier."""
        message = asap.decode(self.reports.report(b"web", 0x2A, 0.0)).message
        self.assertEqual(message, asap.EndpointUnreachable(handle=b"web", identifier=0x2A))

    def test_once_an_event(self):
        """Many failures at one element in one moment are one event, reported once."""
        self.assertEqual([self.said(1), self.said(1), self.said(2)], [True, False, True])

    def test_next_event(self):
        """A failure a while later is another event."""
        self.assertTrue(self.said(1) and self.said(1, 1000.0 + ONE_EVENT))

    def test_budget(self):
        """A user whose own network is down doesn't report the whole world."""
        self.assertEqual(sum(self.said(number) for number in range(100)), REPORTS)
        later = 1000.0 + REPORTS_SECONDS / REPORTS
        self.assertEqual(sum(self.said(number, later) for number in range(100, 200)), 1)

    def test_memory(self):
        """What was said long ago is forgotten."""
        for number in range(50):
            self.said(number, 1000.0 * number)
        self.assertEqual(len(self.reports._told), 1)

    def test_held(self):
        """What can't be sent yet is kept, the latest few, and given out once."""
        for number in range(REPORTS + 5):
            self.reports.hold(b"%d" % number, 1000.0)
        self.assertEqual(self.reports.held(1001.0)[0].data, b"5")
        self.assertEqual(self.reports.held(1001.0), [])

    def test_stale(self):
        """What has waited too long for a registrar isn't said any more: it may be over."""
        self.reports.hold(b"old", 1000.0)
        self.reports.hold(b"new", 1001.0)
        held = self.reports.held(1000.0 + FRESH)
        self.assertEqual([effect.data for effect in held], [b"new"])

    def test_clock_going_back(self):
        """A clock that is set back takes nothing from the budget, and gives nothing."""
        self.assertTrue(self.said(1, 1000.0))
        self.assertTrue(self.said(2, 10.0))
        self.assertEqual(sum(self.said(number, 11.0) for number in range(3, 100)), REPORTS - 2)
