"""The benchmark over SCTP, short: so that it doesn't rot."""

from twisted.trial.unittest import SynchronousTestCase

from bench import sctp
from tests.interop import only_in_the_lab

test_suite = only_in_the_lab(__name__)


class Short(SynchronousTestCase):
    """One shape of load for a moment."""

    timeout = 180

    def test_all(self):
        """A registrar of ours, rspregistrar and an echo serve the same load."""
        self.patch(sctp, "SHAPES", ((2, 4),))
        self.patch(sctp, "SECONDS", 0.3)
        found = sctp.measure(1)
        names = {f"{what} {name} c2 w4" for what in ("resolve", "renew") for name in sctp.PORTS}
        self.assertEqual(set(found), names)
        self.assertTrue(all(each["rate"] > 10 for each in found.values()), found)
        self.assertEqual(len(sctp.ratios(found)), 4)
