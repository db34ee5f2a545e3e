"""A pool user's memory of resolutions (RFC 5352 section 3.3, C1 to C4)."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import Resolution
from rserpool.client.cache import MOST, Cache
from rserpool.wire.causes import UnknownPoolHandle

WEB = Resolution(b"web")


class Remembering(SynchronousTestCase):
    """What was answered before."""

    def test_fresh(self):
        """An answer that isn't stale is used again (C4)."""
        cache = Cache(10.0)
        cache.keep(WEB, None, 100.0)
        self.assertIs(cache.find(b"web", None, 109.9), WEB)

    def test_stale(self):
        """An answer that is stale isn't (C2)."""
        cache = Cache(10.0)
        cache.keep(WEB, None, 100.0)
        self.assertIsNone(cache.find(b"web", None, 110.0))

    def test_off(self):
        """With a stale time of 0 nothing is used twice."""
        cache = Cache(0.0)
        cache.keep(WEB, None, 100.0)
        self.assertIsNone(cache.find(b"web", None, 100.0))

    def test_other_number(self):
        """An answer to another number of elements is another answer."""
        cache = Cache(10.0)
        cache.keep(WEB, 1, 100.0)
        self.assertIsNone(cache.find(b"web", None, 100.0))

    def test_refusal(self):
        """A refusal isn't remembered, and ends what was."""
        cache = Cache(10.0)
        cache.keep(WEB, None, 100.0)
        cache.keep(Resolution(b"web", refusal=UnknownPoolHandle()), 1, 101.0)
        self.assertIsNone(cache.find(b"web", None, 101.0))

    def test_bound(self):
        """Not more than so many are remembered: the oldest goes first."""
        cache = Cache(10.0)
        cache.keep(WEB, None, 100.0)
        for number in range(MOST):
            cache.keep(Resolution(b"%d" % number), None, 100.0)
        self.assertIsNone(cache.find(b"web", None, 100.0))
        self.assertIsNotNone(cache.find(b"0", None, 100.0))
