"""A chain of lines: whatever is done to it is found."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.audit.chain import CONTINUES, Head, Verifier, seal


def chain(*lines, begin=Head()):  # noqa: B008 - a frozen value
    """Seal these."""
    found, head = [], begin
    for line in lines:
        text, head = seal(line, head)
        found.append(text)
    return found, head


def begun(count, begin=Head()):  # noqa: B008
    """A whole file of so many lines more."""
    return chain(
        {CONTINUES: str(begin)}, *({"what": "x", "n": n} for n in range(count)), begin=begin
    )


def faults(*files, head=None):
    """What is wrong with them."""
    verifier = Verifier(head)
    for number, lines in enumerate(files):
        verifier.feed(f"f{number}", lines)
    verifier.end()
    return [fault.words for fault in verifier.faults]


class Broken(SynchronousTestCase):
    """What somebody has done to it."""

    def setUp(self):
        self.lines, self.head = begun(9)

    def test_whole(self):
        """Nothing was done."""
        self.assertEqual(faults(self.lines, head=self.head), [])

    @settings(deadline=None, derandomize=True)
    @given(st.integers(0, 9), st.integers(0, 10_000), st.integers(1, 255))
    def test_any_octet(self, line, at, change):
        """A line of which an octet was changed, the last one too."""
        lines, head = begun(9)
        octets = bytearray(lines[line])
        octets[at % len(octets)] ^= change
        lines[line] = bytes(octets)
        self.assertNotEqual(faults(lines, head=head), [])

    def test_taken_out(self):
        """A line that was taken out, wherever it stood."""
        for at in range(len(self.lines)):
            lines = [*self.lines[:at], *self.lines[at + 1 :]]
            self.assertEqual(len(faults(lines, head=self.head)), 1, at)

    def test_put_in(self):
        """One that was put in, or stands twice, or elsewhere."""
        new, _ = seal({"what": "y"}, Head(4, self.head.chain))
        self.assertNotEqual(faults([*self.lines[:5], new, *self.lines[5:]]), [])
        self.assertNotEqual(faults([*self.lines[:5], *self.lines[4:]]), [])
        swapped = [*self.lines[:4], self.lines[5], self.lines[4], *self.lines[6:]]
        self.assertNotEqual(faults(swapped), [])

    def test_rewritten(self):
        """An end that was reckoned anew is found by whoever kept the head."""
        forged, _ = begun(9)
        end, _ = chain({"what": "forged"}, begin=Head(9, "1" * 64))
        lines = [*forged[:-1], *end]
        self.assertNotEqual(faults(lines, head=self.head), [])
        other, _ = chain({"what": "other"}, *({"n": n} for n in range(9)))
        self.assertEqual(faults(other), [])
        self.assertIn("isn't the one", faults(other, head=self.head)[0])

    def test_rewritten_and_gone_on(self):
        """A line that was kept is looked for wherever it stands, and not at the end alone."""
        kept = Head(5, self.lines[4][-66:-2].decode())
        self.assertEqual(faults(self.lines, head=kept), [])
        other, _ = begun(12)
        other[3:], _ = chain(*({"what": "forged", "n": n} for n in range(9)),
                             begin=Head(3, other[2][-66:-2].decode()))  # fmt: skip
        self.assertEqual(faults(other), [])
        self.assertEqual(faults(other, head=kept), ["line 5 isn't the one that was written"])

    def test_kept_in_a_file_that_is_gone(self):
        """What isn't here can't be vouched for; the line that a file goes on with can."""
        later, _ = begun(3, self.head)
        self.assertEqual(faults(later, head=self.head), [])
        before = Head(5, self.lines[4][-66:-2].decode())
        self.assertIn("give the older files", faults(later, head=before)[0])
        self.assertEqual(faults(self.lines, later, head=before), [])

    def test_end_cut_off(self):
        """What lacks at the end is found by whoever kept the head."""
        self.assertEqual(faults(self.lines[:7]), [])
        self.assertIn("cut off", faults(self.lines[:7], head=self.head)[0])
        self.assertEqual(faults([*self.lines[:9], self.lines[9][:-9]]).__len__(), 1)

    def test_beginning_cut_off(self):
        """A file whose first lines lack doesn't say what it goes on with."""
        self.assertIn("2 lines before", faults(self.lines[2:])[0])

    def test_empty(self):
        """A file without any line is no audit log."""
        self.assertEqual(len(faults([])), 1)
        self.assertEqual(len(faults([b"hello", b"world"])), 1)


class Files(SynchronousTestCase):
    """Rotated files, and a daemon's log."""

    def test_rotated(self):
        """Files follow each other; one that lacks is missed, and the first may be old."""
        first, head = begun(3)
        second, head = begun(3, head)
        third, head = begun(3, head)
        self.assertEqual(faults(first, second, third, head=head), [])
        self.assertEqual(faults(second, third, head=head), [])
        self.assertIn("4 lines", faults(first, third)[0])
        self.assertNotEqual(faults(first, third, second), [])

    def test_new_chain_in_a_file(self):
        """Nobody begins a chain anew in the middle of a file."""
        first, _ = begun(3)
        second, _ = begun(3)
        self.assertNotEqual(faults([*first, *second]), [])

    def test_log(self):
        """In a daemon's log, between other lines, each start may begin a new chain."""
        front = b"2027-01-01T00:00:00+0000 [rserpool.audit#info] "
        other = b'2027-01-01T00:00:00+0000 [-] says {"what": 1}'
        first, _ = begun(3)
        second, _ = begun(3)
        lines = [other, *(front + line for line in first), b"Traceback", b" x",
                 *(front + line for line in second)]  # fmt: skip
        self.assertEqual(faults(lines), [])
        self.assertEqual(len(faults([*lines[:2], *lines[3:]])), 1)
