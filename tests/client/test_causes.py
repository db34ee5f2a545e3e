"""Error causes for people."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client.causes import all_in_words, in_words
from rserpool.wire import causes
from rserpool.wire.parameters import OperationError


class InWords(SynchronousTestCase):
    """What people read."""

    def test_known(self):
        """A cause is told with its number, for whoever looks it up."""
        words = in_words(causes.UnknownPoolHandle())
        self.assertEqual(words, "there is no such pool (cause 0x9)")

    def test_unknown(self):
        """A cause that nobody here knows is still told by its number."""
        self.assertIn("0x4d2", in_words(causes.UnknownCause(code=1234, data=b"")))

    def test_all(self):
        """All causes of an error are told."""
        error = OperationError(causes=(causes.LackOfResources(), causes.Unspecified()))
        words = all_in_words(error)
        self.assertIn("lacks resources", words)
        self.assertIn("no reason", words)

    def test_none(self):
        """A refusal without a cause is said to be one."""
        self.assertIn("no reason", all_in_words(None))
