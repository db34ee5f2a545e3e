"""``rserpool resolve``, ``watch`` and ``report``: what can't be asked."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.pools import MAXIMUM_HANDLE
from rserpool.wire import asap
from rserpool.wire.errors import EncodeError
from tests.cli.command import run


class Asking(SynchronousTestCase):
    """Nobody is called for these."""

    def refused(self, *words):
        """Why a command could not ask."""
        done = run(*words, "--registrar", "tcp:127.0.0.1:1", "--security", "none")
        self.assertEqual((done.status, done.out), (2, ""))
        self.assertNotIn("Traceback", done.err)
        return done.err

    def test_handle(self):
        """A handle has something in it, and room in a message."""
        for handle in ("", "hex:", "hex:zz", "hex:" + "61" * (MAXIMUM_HANDLE + 1)):
            for words in (["resolve", handle], ["watch", handle], ["report", handle, "1"]):
                self.assertIn("handle", self.refused(*words))

    def test_longest_handle(self):
        """One octet less is as much as fits."""
        for items in (None, 1):
            asap.encode(asap.HandleResolution(handle=b"x" * MAXIMUM_HANDLE, items=items))
        longer = asap.HandleResolution(handle=b"x" * (MAXIMUM_HANDLE + 1), items=1)
        self.assertRaises(EncodeError, asap.encode, longer)

    def test_items(self):
        """No less than one element can be wanted."""
        for items in ("0", "-1", "x", "1.5", "4294967296"):
            self.assertIn("--items", self.refused("resolve", "web", f"--items={items}"))

    def test_identifier(self):
        """What is reported is an identifier."""
        self.assertIn("isn't a PE identifier", self.refused("report", "web", "zz"))
