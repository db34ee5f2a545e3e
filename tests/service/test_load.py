"""The load of a service, for adaptive policies."""

import os

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, inlineCallbacks
from twisted.internet.process import ProcessReader
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.service import load as module
from rserpool.service.load import FULL, load, machine_load, parse, percent


class Parsing(SynchronousTestCase):
    """What a command prints."""

    def test_share(self):
        """Up to 1 a number is a share."""
        self.assertEqual([parse("0"), parse("0.5\n"), parse(" 1 ")], [0, 0x80000000, FULL])

    def test_percentage(self):
        """Above 1, or with its sign, it is a percentage."""
        self.assertEqual([parse("50"), parse("50%"), parse("100")], [0x80000000] * 2 + [FULL])
        self.assertEqual(parse("1%"), round(FULL / 100))

    def test_refused(self):
        """Anything else is refused, and quoted in part."""
        for words in ("", "high", "-0.1", "101", "100.5%", "nan", "inf", "1 2", "x" * 9999):
            with self.assertRaises(ValueError, msg=words) as caught:
                parse(words)
            self.assertLess(len(str(caught.exception)), 150)

    def test_words(self):
        """People read percent."""
        self.assertEqual((percent(0), percent(0x80000000), percent(FULL)),
                         ("0 %", "50 %", "100 %"))  # fmt: skip


class Machine(SynchronousTestCase):
    """The machine's load."""

    def test_by_processors(self):
        """It is the load average by the number of processors, and 100 % at most."""
        for average, processors, expected in ((1.0, 4, 0x40000000), (9.0, 4, FULL), (0, 1, 0)):
            self.patch(os, "getloadavg", lambda average=average: (average, 0, 0))
            self.patch(os, "cpu_count", lambda processors=processors: processors)
            self.assertEqual(machine_load(), expected)

    def test_asked(self):
        """Without a command it is the answer."""
        self.patch(os, "getloadavg", lambda: (0.0, 0, 0))
        self.assertEqual(self.successResultOf(load(None, None)), 0)


class Command(TestCase):
    """A load command."""

    timeout = 20

    @inlineCallbacks
    def tearDown(self):
        """Wait for the end of what was killed."""
        while any(isinstance(reader, ProcessReader) for reader in reactor.getReaders()):
            yield deferLater(reactor, 0.01)

    @inlineCallbacks
    def test_answer(self):
        """What it prints is the load; the shell runs it."""
        self.assertEqual((yield load(reactor, "echo 30 | tr 3 5")), 0x80000000)

    @inlineCallbacks
    def failed(self, command):
        """Why a command failed."""
        error = yield self.assertFailure(load(reactor, command), ValueError)
        return str(error)

    @inlineCallbacks
    def test_failure(self):
        """A command that fails is told with what it said."""
        self.assertEqual((yield self.failed("echo no sensor >&2; exit 3")), "no sensor")
        self.assertIn("exit code 3", (yield self.failed("exit 3")))

    @inlineCallbacks
    def test_nonsense(self):
        """A command that prints no load is told with what it printed."""
        self.assertIn("'high'", (yield self.failed("echo high")))

    @inlineCallbacks
    def test_flood(self):
        """A command that prints without end takes no memory, and is ended in time."""
        self.patch(module, "TIMEOUT", 0.5)
        self.assertIn("took longer", (yield self.failed("yes")))

    @inlineCallbacks
    def test_hangs(self):
        """A command that hangs is ended, with what it started."""
        self.patch(module, "TIMEOUT", 0.3)
        mark = self.mktemp()
        words = yield self.failed(f"(sleep 0.6; touch {os.path.abspath(mark)}) & sleep 60")
        self.assertIn("took longer than 0.3 seconds", words)
        yield deferLater(reactor, 0.5)
        self.assertFalse(os.path.exists(mark))

    @inlineCallbacks
    def test_cancelled(self):
        """Cancelling ends the command."""
        asked = load(reactor, "sleep 60")
        asked.cancel()
        yield self.assertFailure(asked, CancelledError)
