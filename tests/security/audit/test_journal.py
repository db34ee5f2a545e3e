"""The journal: files that go on where they ended, are rotated, and survive a full disk."""

import errno
import json
import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.audit import journal as journals
from rserpool.security.audit.chain import Head, Verifier
from rserpool.security.audit.journal import Journal


class Keeping(SynchronousTestCase):
    """One file, and what happens to it."""

    def setUp(self):
        self.path = self.mktemp()

    def journal(self, size=0, keep=3):
        """Open one."""
        journal = Journal(self.path, size, keep, lambda: "now")
        journal.open()
        self.addCleanup(journal.close)
        return journal

    def write(self, journal, count):
        """Add so many lines, and write them."""
        for number in range(count):
            journal.add({"what": "x", "n": number})
            journal.flush()

    def faults(self, *paths, head=None):
        """What is wrong with these files."""
        verifier = Verifier(head)
        for path in paths or (self.path,):
            verifier.feed(path, Path(path).read_bytes().splitlines())
        verifier.end()
        return [fault.words for fault in verifier.faults]

    def test_private(self):
        """Nobody else reads it."""
        self.journal()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_goes_on(self):
        """A new start goes on where the last one ended."""
        first = self.journal()
        self.write(first, 3)
        first.close()
        second = self.journal()
        self.write(second, 3)
        self.assertEqual(second.head.seq, 8)
        self.assertEqual(self.faults(head=second.head), [])

    def test_cut_short(self):
        """A line that was cut short by a crash is one fault, and the chain goes on."""
        first = self.journal()
        self.write(first, 3)
        first.close()
        os.truncate(self.path, os.path.getsize(self.path) - 20)
        second = self.journal()
        self.write(second, 3)
        self.assertEqual(self.faults(head=second.head), [
            "this is no line of an audit log, or is cut short"
        ])  # fmt: skip

    def test_another_process(self):
        """Two that write one file would break the chain: the second one doesn't start."""
        self.journal()
        other = Journal(self.path, 0, 0, lambda: "now")
        self.assertIn("another process", str(self.assertRaises(ValueError, other.open)))

    def test_something_else(self):
        """What is no audit log isn't written into, nor followed through a link."""
        Path(self.path).write_text("my diary\n")
        journal = Journal(self.path, 0, 0, lambda: "now")
        self.assertIn("no audit log", str(self.assertRaises(ValueError, journal.open)))
        journal.close()
        self.assertEqual(Path(self.path).read_text(), "my diary\n")
        os.symlink("elsewhere", f"{self.path}-link")
        self.assertRaises(OSError, Journal(f"{self.path}-link", 0, 0, lambda: "now").open)

    def test_rotated(self):
        """By size; so many are kept, and the chain goes through all of them."""
        journal = self.journal(size=2000)
        self.write(journal, 90)
        names = [f"{self.path}.{n}" for n in (3, 2, 1)] + [self.path]
        self.assertTrue(all(os.path.exists(name) for name in names))
        self.assertFalse(os.path.exists(f"{self.path}.4"))
        self.assertEqual(self.faults(*names, head=journal.head), [])

    def test_moved_away(self):
        """Who keeps logs may move it; after SIGHUP a new one says what it goes on with."""
        journal = self.journal()
        self.write(journal, 3)
        os.rename(self.path, f"{self.path}.old")
        self.write(journal, 1)
        journal.reopen()
        self.write(journal, 2)
        self.assertEqual(self.faults(f"{self.path}.old", self.path, head=journal.head), [])
        journal.reopen()
        self.assertEqual(self.faults(head=journal.head), [])

    def test_full_disk(self):
        """What can't be written waits; the chain stays whole."""
        journal = self.journal()
        real, full = os.write, [True]

        def write(descriptor, data):
            if full[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(descriptor, data[:7])

        self.patch(os, "write", write)
        self.write(journal, 5)
        full[0] = False
        for _ in range(1000):
            journal.flush()
        self.assertEqual(self.faults(head=journal.head), [])

    def test_lost(self):
        """What has no room while a disk is full is lost; that is told, and how much."""
        self.patch(journals, "MAXIMUM_PENDING", 500)
        journal = self.journal()
        real, full = os.write, [True]

        def write(descriptor, data):
            if full[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(descriptor, data)

        self.patch(os, "write", write)
        self.write(journal, 20)
        full[0] = False
        self.write(journal, 0)
        journal.flush()
        self.write(journal, 2)
        self.assertGreater(journal.lost, 10)
        words = f"{journal.lost} lines before line {journal.head.seq - 2} were taken out"
        self.assertEqual(self.faults(head=journal.head), [words])
        lines = [json.loads(line) for line in Path(self.path).read_bytes().splitlines()]
        told = [line["outcome"] for line in lines if line["what"] == "audit.lost"]
        self.assertEqual(told, [f"{journal.lost} lines before this one"])

    def test_without_file(self):
        """Without a file there is a chain all the same."""
        journal = Journal(None, 0, 0, lambda: "now")
        journal.open()
        journal.add({"what": "x"})
        journal.flush()
        journal.reopen()
        self.assertEqual(journal.head.seq, 2)
        self.assertNotEqual(journal.head, Head())
