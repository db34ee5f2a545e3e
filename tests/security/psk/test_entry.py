"""One line of a key file."""

import string
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.decisions import NO_RESTRICTIONS
from rserpool.security.interfaces import Key
from rserpool.security.psk.entry import check_identity, parse_entry

HEX = "00112233445566778899aabbccddeeff" * 2


class Entry(SynchronousTestCase):
    """Good lines and bad ones."""

    def refused(self, line: str) -> str:
        """Return why a line is refused."""
        return str(self.assertRaises(ValueError, parse_entry, line))

    def test_plain(self) -> None:
        """``identity:hexkey`` is a key without restrictions."""
        self.assertEqual(parse_entry(f"pe-1:{HEX}"), Key("pe-1", bytes.fromhex(HEX)))
        self.assertEqual(parse_entry(f"pe-1:{HEX.upper()}").restrictions, NO_RESTRICTIONS)

    def test_generation(self) -> None:
        """The principal is the identity without its generation."""
        self.assertEqual(parse_entry(f"web-1~2:{HEX}").principal, "web-1")
        self.assertEqual(parse_entry(f"a@b:{HEX}").principal, "a@b")

    def test_restrictions(self) -> None:
        """Restrictions stand after the key; lists of them may be repeated."""
        key = parse_entry(
            f"pe-1:{HEX};not-before=2027-01-31T12:00:00Z;not-after=2027-02-01T12:00:00+01:00"
            ";pe-id=42;pe-id=0x2b;pool=web;pool=päy;addr=10.1.0.0/16;addr=2001:db8::/32"
        )
        self.assertEqual(key.not_after - key.not_before, 82_800)
        self.assertEqual(key.restrictions.pe_ids, {42, 43})
        self.assertEqual(key.restrictions.pools, {b"web", "päy".encode()})
        self.assertEqual(
            key.restrictions.networks, (ip_network("10.1.0.0/16"), ip_network("2001:db8::/32"))
        )

    def test_times(self) -> None:
        """A time without a zone is UTC; a day alone is the whole of that day."""
        key = parse_entry(f"a:{HEX};not-before=1970-01-02;not-after=1970-01-02")
        self.assertEqual((key.not_before, key.not_after), (86_400, 172_800))
        self.assertEqual(
            parse_entry(f"a:{HEX};not-after=1970-01-02T00:00:01").not_after, 86_401
        )

    def test_lengths(self) -> None:
        """A key has 16 to 64 octets."""
        for octets in (0, 1, 15, 65, 100):
            self.refused(f"a:{'ab' * octets}")
        for octets in (16, 64):
            self.assertEqual(len(parse_entry(f"a:{'ab' * octets}").secret), octets)

    def test_faults(self) -> None:
        """Each fault is told."""
        for line, words in (
            ("pe-1", "identity:hexkey"),
            (f":{HEX}", "identity"),
            (f"{'x' * 129}:{HEX}", "identity"),
            (f" pe:{HEX}", "space"),
            ("pe-1:", "no key"),
            (f"pe-1:{HEX}a", "hexadecimal"),
            (f"pe-1:{HEX} # mine", "comments"),
            (f"pe-1:{HEX};pe-id=4294967296", "PE identifier"),
            (f"pe-1:{HEX};pe-id=-1", "PE identifier"),
            (f"pe-1:{HEX};pool=", "pool handle"),
            (f"pe-1:{HEX};pool=a\npe-2:{HEX}", "pool handle"),
            (f"pe-1:{HEX};addr=10.1.2.3/8", "host bits"),
            (f"pe-1:{HEX};not-after=soon", "time"),
            (f"pe-1:{HEX};not-after=2027-01-01;not-after=2028-01-01", "twice"),
            (f"pe-1:{HEX};not-before=2028-01-01;not-after=2027-01-01", "later"),
            (f"pe-1:{HEX};owner=me", "may stand"),
        ):
            self.assertIn(words, self.refused(line), line)

    def test_all_at_once(self) -> None:
        """All that is wrong with a line is told together."""
        words = self.refused("x\ny:zz;pe-id=a;pool=")
        for part in ("identity", "hexadecimal", "PE identifier", "pool"):
            self.assertIn(part, words)

    @given(some.text(string.hexdigits, min_size=8), some.text(max_size=20))
    def test_no_key_in_messages(self, digits: str, more: str) -> None:
        """No message quotes what stands in the key's place, good or bad."""
        for secret in (f"{digits}!", f"{digits};{digits}", f"{digits};{digits}={digits}"):
            try:
                parse_entry(f"pe-1:{secret}{more}")
            except ValueError as error:
                self.assertNotIn(digits, str(error))

    def test_check_identity(self) -> None:
        """What would break the file can't be an identity in it."""
        for identity in ("", "a:b", " a", "a ", "#a", "a\nb", "x" * 129, "\udcff", "plain",
                         "anonymous", "anonymous~2"):  # fmt: skip
            self.assertRaises(ValueError, check_identity, identity)
        check_identity("dialer@acceptor~3")
