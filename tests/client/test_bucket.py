"""A budget that refills."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client.bucket import Bucket


class Spending(SynchronousTestCase):
    """Tokens."""

    def taken(self, bucket, now, tries=100):
        """How many of so many tries are granted."""
        return sum(bucket.spend(now) for _ in range(tries))

    def test_burst_and_rate(self):
        """It holds so many at first, gains by time, and never holds more."""
        bucket = Bucket(2.0, 5)
        self.assertEqual(self.taken(bucket, 50.0), 5)
        self.assertEqual(self.taken(bucket, 51.5), 3)
        self.assertEqual(self.taken(bucket, 9000.0), 5)

    def test_slow(self):
        """Less than one token a second adds up, however often it is asked."""
        bucket = Bucket(0.25, 1)
        granted = sum(bucket.spend(number / 8) for number in range(8 * 40))
        self.assertEqual(granted, 10)

    def test_back(self):
        """A clock that goes back neither gives nor takes."""
        bucket = Bucket(1.0, 3)
        self.assertTrue(bucket.spend(100.0))
        self.assertEqual(self.taken(bucket, 50.0), 2)
        self.assertEqual(self.taken(bucket, 52.0), 2)
