"""Key files."""

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.psk.keyfile import KeyFileError, add, parse, read, remove

A, B = "aa" * 32, "bb" * 32


class Files(SynchronousTestCase):
    """A file in a directory of its own."""

    def setUp(self) -> None:
        """Make the directory."""
        directory = self.mktemp()
        os.mkdir(directory)
        self.path = os.path.join(directory, "keys")

    def write(self, text: str, mode: int = 0o600) -> None:
        """Write the file."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path, mode)

    def content(self) -> str:
        """Return what is in the file."""
        with open(self.path, encoding="utf-8") as file:
            return file.read()


class Read(Files):
    """Reading."""

    def test_good(self) -> None:
        """Comments and empty lines are passed over; CR LF is a line's end, too."""
        self.write(f"# keys\n\n  # more\npe-1:{A}\r\npe-2:{B};pe-id=1\n")
        file = read(self.path)
        self.assertEqual([key.identity for key in file.keys], ["pe-1", "pe-2"])
        self.assertEqual(file.warnings, ())

    def test_all_faults(self) -> None:
        """All faults come together, each with file and line."""
        self.write(f"pe-1:{A}\npe-1:{B}\npe-2:zz\n\npe-3\n", 0o640)
        error = self.assertRaises(KeyFileError, read, self.path)
        mode, *lines = error.faults
        self.assertIn("0640", mode)
        self.assertIn("chmod 600", mode)
        self.assertEqual(
            [line.removeprefix(self.path).partition(": ")[0] for line in lines],
            [":2", ":3", ":5"],
        )
        self.assertIn("line 1", lines[0])
        self.assertIsInstance(error, ValueError)

    def test_no_key_is_shown(self) -> None:
        """No fault and no repr has a key in it."""
        self.write(f"pe-1:{A}\npe-1:{B}\n{A}\npe-2:{B}x;{A}\n", 0o644)
        error = self.assertRaises(KeyFileError, read, self.path)
        self.write(f"pe-1:{A}\n")
        for text in (str(error), repr(error), repr(read(self.path))):
            self.assertNotIn("aaaa", text)
            self.assertNotIn("bbbb", text)
            self.assertNotIn("xaa", text)

    def test_permissions(self) -> None:
        """A file that group or others can get at in any way is refused."""
        for mode in (0o640, 0o620, 0o604, 0o602, 0o610, 0o644, 0o660, 0o777):
            self.write(f"pe-1:{A}\n", mode)
            self.assertRaises(KeyFileError, read, self.path)
        for mode in (0o600, 0o400, 0o700):
            self.write(f"pe-1:{A}\n", mode)
            self.assertEqual(len(read(self.path).keys), 1)

    def test_warnings(self) -> None:
        """Keys under 32 octets, and one key under two names, are warned of."""
        self.write(f"pe-1:{'ab' * 16}\npe-2:{A}\npe-3:{A}\n")
        short, same = read(self.path).warnings
        self.assertIn(f"{self.path}:1", short)
        self.assertIn("16 octets", short)
        self.assertIn(f"{self.path}:3", same)
        self.assertIn("line 2", same)

    def test_not_utf8(self) -> None:
        """A line that isn't UTF-8 is a fault of that line."""
        error = self.assertRaises(KeyFileError, parse, b"a:00\n\xff:00\n", "keys")
        self.assertIn("keys:2: this line isn't UTF-8", error.faults)

    def test_missing(self) -> None:
        """A file that can't be read is an OSError, with its name."""
        error = self.assertRaises(OSError, read, self.path)
        self.assertEqual(error.filename, self.path)


class Change(Files):
    """Adding and removing."""

    def test_add_makes_the_file(self) -> None:
        """The first key makes the file, for its owner alone."""
        add(self.path, "pe-1", bytes.fromhex(A), ";pe-id=1")
        self.assertEqual(self.content(), f"pe-1:{A};pe-id=1\n")
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        self.assertEqual(read(self.path).keys[0].restrictions.pe_ids, {1})

    def test_others_stay(self) -> None:
        """Comments and other lines stay as they are, byte for byte."""
        before = f"# ours\r\n\npe-1:{A}   \n  # the last has no end of line\npe-2:{B}"
        self.write(before)
        add(self.path, "pe-3", bytes(32))
        self.assertEqual(self.content(), f"{before}\npe-3:{'00' * 32}\n".replace("\r", ""))
        with open(self.path, "rb") as file:
            self.assertIn(b"# ours\r\n", file.read())
        remove(self.path, "pe-3")
        remove(self.path, "pe-1")
        self.assertNotIn(A, self.content())
        self.assertIn(f"# the last has no end of line\npe-2:{B}\n", self.content())

    def test_add_refuses(self) -> None:
        """Nothing is added that would make the file a bad one."""
        self.write(f"pe-1:{A}\n")
        for identity, secret, restrictions in (
            ("pe-1", bytes(32), ""),
            ("pe:2", bytes(32), ""),
            ("pe-2\npe-3", bytes(32), ""),
            ("#pe", bytes(32), ""),
            ("pe-2", bytes(15), ""),
            ("pe-2", bytes(65), ""),
            ("pe-2", bytes(32), ";pe-id=x"),
            ("pe-2", bytes(32), f";pool=a\npe-4:{B}"),
        ):
            self.assertRaises(ValueError, add, self.path, identity, secret, restrictions)
        self.assertEqual(self.content(), f"pe-1:{A}\n")

    def test_remove_unknown(self) -> None:
        """An identity that isn't there can't be removed; one is no prefix of another."""
        self.write(f"pe-10:{A}\n#pe-1:{B}\n")
        self.assertRaises(KeyError, remove, self.path, "pe-1")
        self.assertEqual(self.content(), f"pe-10:{A}\n#pe-1:{B}\n")

    def test_remove_generation(self) -> None:
        """Generations of a name are identities of their own."""
        self.write(f"pe-1:{A}\npe-1~2:{B}\n")
        remove(self.path, "pe-1")
        self.assertEqual(self.content(), f"pe-1~2:{B}\n")

    def test_remove_heals(self) -> None:
        """A bad line can be removed from a file that is refused because of it."""
        self.write(f"pe-1:{A}\npe-2:zz\n")
        remove(self.path, "pe-2")
        self.assertEqual(len(read(self.path).keys), 1)
