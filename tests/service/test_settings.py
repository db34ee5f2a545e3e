"""Settings: kinds of values, tables, where faults are."""

from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rserpool.service.settings import (
    ConfigError,
    Override,
    Reader,
    boolean,
    choice,
    number,
    parse_set,
    setting,
    text,
    whole,
)


@attrs.frozen(kw_only=True)
class One:
    """``[one]``."""

    word: str | None = setting(text, default=None, option="WORD", help="")
    words: tuple[str, ...] = setting(text, default=(), many=True, help="")
    some_number: int = setting(whole(1, 9), default=3, help="")


@attrs.frozen(kw_only=True)
class Two:
    """``[two]``."""

    word: str = setting(choice("a", "b"), default="a", help="")


class Kinds(SynchronousTestCase):
    """What a value may be."""

    def test_good(self):
        """Values of TOML, and their texts on the command line, are read alike."""
        for kind, given, expected in (
            (text, "x", "x"), (whole(), 0, 0), (whole(), "0x2a", 42), (whole(1, 3), 3, 3),
            (number(), 1, 1.0), (number(), "0.5", 0.5), (number(0, 1), 1, 1.0),
            (boolean, True, True), (boolean, "false", False), (choice("a", "b"), "b", "b"),
        ):  # fmt: skip
            self.assertEqual(kind(given), expected)
            self.assertIs(type(kind(given)), type(expected))

    def test_bad(self):
        """Everything else is refused."""
        for kind, *values in (
            (text, "", 0, None, [], {}, True),
            (whole(1, 3), 0, 4, 1.0, True, "", "x", "1.0", None, [1], "9" * 5000),
            (
                number(0, 1),
                -0.1,
                1.1,
                "nan",
                float("nan"),
                "inf",
                True,
                "",
                "x",
                None,
                [1],
                10**400,
            ),
            (boolean, 0, 1, "yes", "", None, []),
            (choice("a", "b"), "c", "", 1, None, ["a"]),
        ):
            for value in values:
                with self.assertRaises(ValueError, msg=(kind, value)):
                    kind(value)

    def test_set(self):
        """TABLE.KEY=VALUE, where the value may have anything in it."""
        self.assertEqual(parse_set("a.b=c=d.e"), Override("a", "b", "c=d.e"))
        self.assertEqual(parse_set(" a.b = c "), Override("a", "b", "c"))


class Reading(SynchronousTestCase):
    """Tables from a file and a command line."""

    def read(self, content, *overrides):
        """Read; the values, and the faults as they are told."""
        self.reader = Reader({"one": One, "two": Two})
        path = None
        if content is not None:
            path = self.mktemp()
            Path(path).write_text(content)
        values = self.reader.read(path, overrides)
        return values, [fault.replace(f"{path}", "F") for fault in self.reader.faults]

    def test_nothing(self):
        """Without a file and without options there are the defaults."""
        values, faults = self.read(None)
        self.assertEqual((values, faults), ({"one": One(), "two": Two()}, []))
        self.reader.check()

    def test_ways_of_writing(self):
        """However TOML has it, it is the same."""
        expected = One(word="x", words=("y",), some_number=4)
        for content in (
            "[one]\nword = 'x'\nwords = ['y']\nsome-number = 4\n",
            "one = { word = 'x', words = 'y', some-number = 4 }\n",
            "one.word = 'x'\none . words = ['y']\n'one'.\"some-number\" = 4\n",
        ):
            values, faults = self.read(content)
            self.assertEqual((values["one"], faults), (expected, []))

    def test_places(self):
        """A fault is at the line of its key, however that was written."""
        for content, place in (
            ("[one]\n\nsome-number = 0", "F:3: one.some-number: "),
            ("\none.some-number = true", "F:2: one.some-number: "),
            ("one = { word = 'x', some-number = 0 }", "F:1: one.some-number: "),
            ("[one]\nword = '''\nsome-number\n'''\nsome-number = 0", "F:5: one.some-number: "),
            ("[one]\nwords = [\n'a',\n'',\n]", "F:4: one.words: "),
            ("[two]\nword='a'\n[one]\nword = ''", "F:4: one.word: "),
            ("[one]\nword='a'\nwrod='b'", "F:3: one.wrod: there is no such setting; did you "
             "mean 'word'?"),
            ("[one]\nsome_number=3", "F:2: one.some_number: there is no such setting; did you "
             "mean 'some-number'?"),
            ("\n[three]", "F:2: there is no table [three]"),
            ("one = 1", "F:1: one must be one table, [one]"),
            ("[[one]]\nword = 'x'", "F:1: one must be one table, [one]"),
        ):  # fmt: skip
            _, [fault] = self.read(content)
            self.assertTrue(fault.startswith(place), (content, fault))

    def test_overridden(self):
        """A fault of the command line is the option's, or that of --set; the file's is gone."""
        _, faults = self.read(
            "[one]\nsome-number = 0\nword = 7\n",
            Override("one", "some-number", "99"), Override("one", "word", ""),
        )  # fmt: skip
        self.assertEqual(
            sorted(fault.partition(": ")[0] for fault in faults),
            ["--set one.some-number", "--word"],
        )

    def test_lists(self):
        """The command line's list takes the place of the file's."""
        content = "[one]\nwords = ['a', 'b']\n"
        values, _ = self.read(
            content, Override("one", "words", "c"), Override("one", "words", "d")
        )
        self.assertEqual(values["one"].words, ("c", "d"))

    def test_at_fault(self):
        """It is known of what something was said already."""
        self.read("[one]\nwrod = 'x'\nsome-number = 0\n")
        self.assertTrue(self.reader.at_fault("one", "some-number"))
        self.assertTrue(self.reader.at_fault("one", "word"))
        self.assertFalse(self.reader.at_fault("one", "words"))
        self.assertFalse(self.reader.at_fault("two", "word"))
        self.read("[oen]\nword = 'x'\n")
        self.assertTrue(self.reader.at_fault("one", "word"))
        self.assertFalse(self.reader.at_fault("two", "word"))
        self.read("[one")
        self.assertTrue(self.reader.at_fault("two", "word"))

    def test_check(self):
        """All faults are in one exception."""
        self.read("[one]\nword = 7\nsome-number = 0\n[two]\nword = 'c'\n")
        error = self.assertRaises(ConfigError, self.reader.check)
        self.assertEqual(len(error.faults), 3)
        self.assertEqual(str(error).splitlines(), error.faults)
