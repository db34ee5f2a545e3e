"""The benchmark of a scope, small: so that it doesn't rot."""

from twisted.trial.unittest import SynchronousTestCase

from bench import scope


class Small(SynchronousTestCase):
    """Each measurement with few elements."""

    def test_synchronization(self):
        """All elements arrive, and what it cost is told."""
        found = scope.synchronization(50)
        self.assertGreater(found["wall, start of the process included (s)"], 0)
        self.assertGreater(found["CPU to send (s)"], 0)
        self.assertGreater(found["peak memory of the mentor (MB)"], 10)

    test_synchronization.timeout = 120

    def test_updates(self):
        """Every renewal reaches the other registrar."""
        found = scope.updates(1, size=50)
        self.assertGreater(found["renewals a second, 1 others"], 100)
        self.assertGreater(found["CPU of an update at a receiver, 1 others (us)"], 0)

    test_updates.timeout = 120
