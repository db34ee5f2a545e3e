"""Command lines that are made from the declarations of settings."""

import contextlib
import io

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rserpool.service.options import options
from rserpool.service.settings import Reader, boolean, key_of, number, setting, text, whole


@attrs.frozen(kw_only=True)
class Table:
    """``[one]``."""

    plain: str | None = setting(text, default=None, option="WORD", help="a word")
    many_words: tuple[str, ...] = setting(
        text, default=(), many=True, option="WORD", help="words", group="More"
    )
    hidden_words: tuple[str, ...] = setting(text, default=(), many=True, help="more words")
    hidden: int = setting(whole(0, 9), default=3, help="only in the file")
    share: float = setting(number(), default=0.5, help="of the whole")
    sure: bool = setting(boolean, default=False, help="or not")


TABLES = {"one": Table}


def load(path, overrides):
    """Read a table."""
    reader = Reader(TABLES)
    table = reader.read(path, overrides)["one"]
    reader.check()
    return table


Options = options("Options", TABLES, load, "Does nothing at all.")


class CommandLines(SynchronousTestCase):
    """Options, their help, their faults."""

    def parse(self, *words):
        """Parse these words."""
        parsed = Options()
        parsed.parseOptions(list(words))
        return parsed.configuration

    def refused(self, *words):
        """What is said of these words."""
        return str(self.assertRaises(SystemExit, self.parse, *words).code)

    def printed(self, *words):
        """What is printed, when that is all that is asked for."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            error = self.assertRaises(SystemExit, self.parse, *words)
        self.assertEqual(error.code, 0)
        return out.getvalue()

    def test_values(self):
        """An option sets its key, again and again if it may; --set any key."""
        table = self.parse(
            "--plain", "a", "--many-words=b", "--many-words", "c", "--set", "one.hidden=5",
            "--set", "one.sure=true",
        )  # fmt: skip
        self.assertEqual(
            (table.plain, table.many_words, table.hidden, table.sure),
            ("a", ("b", "c"), 5, True),
        )

    def test_defaults(self):
        """Without words everything is as declared."""
        self.assertEqual(self.parse(), Table())

    def test_all_faults(self):
        """Every fault is told at once, a --set that is none among them, without the help."""
        words = self.refused("--set", "x", "--set", "one.hidden=99", "--plain", "")
        self.assertTrue(words.startswith("3 faults in the configuration; nothing was started"))
        for expected in ("--set 'x'", "--set one.hidden: must be", "--plain: must be"):
            self.assertIn(expected, words)
        self.assertNotIn("only in the file", words)

    def test_one_fault(self):
        """One is one."""
        self.assertTrue(self.refused("--set", "x").startswith("one fault in"))

    def test_unknown_option(self):
        """What is no option is told by name, without the help, and where to find that."""
        for words, told in (
            (("--nothing", "x"), "option --nothing not recognized"),
            (("--hidden", "5"), "option --hidden not recognized"),
            (("--plain",), "option --plain requires argument"),
            (("--plain", "a", "left", "over"), "'left' isn't an option"),
        ):
            refusal = self.refused(*words)
            self.assertIn(told, refusal)
            self.assertTrue(refusal.endswith("--help tells which options there are"))
            self.assertEqual(len(refusal.splitlines()), 1)

    def test_help(self):
        """The help has what it is for, every option with its value, and every other key."""
        shown = self.printed("--help")
        self.assertIn("Does nothing at all.", shown)
        for field in attrs.fields(Table):
            self.assertIn(key_of(field.name), shown)
            self.assertIn(field.metadata["help"], shown)
        self.assertIn("--plain WORD", shown)
        self.assertIn("words; may be repeated", shown)
        self.assertIn("hidden = 3", shown)
        self.assertIn("hidden_words = []".replace("_", "-"), shown)
        self.assertIn("share = 0.5", shown)
        self.assertIn("sure = false", shown)
        self.assertLess(shown.index("--plain"), shown.index("More:"))
        self.assertLess(max(map(len, shown.splitlines())), 81)

    def test_version(self):
        """The version is ours and not Twisted's."""
        self.assertTrue(self.printed("--version").startswith("rserpool "))
