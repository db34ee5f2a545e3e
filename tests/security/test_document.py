"""Which line it stands on, in every way in which TOML can be written."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.document import Document, lines

TEXT = '''\
# [limits] in a comment, x = 1
registrar.asap-tls = [ # with = a comment ]
  "tcp:1", # x = 2
  "no=pe",
  [ 1, 2 ], { a = 1 },
]
registrar . 'rules' = """
security = "none" \\"""
[timers]
"""
limits = { pools = -1, since = 1979-05-27 07:32:00, in = { deep = [] } }
"timers"."keep-\\u0061live-interval" = true
empty = ""
odd = \'\'\'it's
security = 1\'\'\'

  [ table . "a b" ] # [other]
key = 'a#b' # "
[[many]]
one = 1
[[many]]
two = 2
'''


class Lines(SynchronousTestCase):
    """Keys, tables, entries of lists."""

    def test_lines(self):
        """Each is where it begins; what only looks like one isn't found."""
        found = lines(TEXT)
        for path, line in (
            (("registrar",), 2), (("registrar", "asap-tls"), 2),
            (("registrar", "asap-tls", 0), 3), (("registrar", "asap-tls", 1), 4),
            (("registrar", "asap-tls", 2, 1), 5), (("registrar", "asap-tls", 3, "a"), 5),
            (("registrar", "rules"), 7), (("limits",), 11), (("limits", "pools"), 11),
            (("limits", "in", "deep"), 11), (("timers",), 12),
            (("timers", "keep-alive-interval"), 12), (("empty",), 13), (("odd",), 14),
            (("table", "a b"), 17), (("table", "a b", "key"), 18),
            (("many", "one"), 20), (("many", "two"), 22),
        ):  # fmt: skip
            self.assertEqual(found[path], line, path)
        self.assertFalse({("security",), ("x",), ("other",), ("foo",)} & set(found))

    def test_places(self):
        """What isn't there is at what would hold it, or at the beginning."""
        document = Document("f", TEXT.encode())
        self.assertEqual(document.place("limits", "pools"), "f:11")
        self.assertEqual(document.place("table", "nothing", "here"), "f:17")
        self.assertEqual(document.place("nothing"), "f:1")
        self.assertEqual(document.place("registrar", "asap-tls", 9), "f:2")

    def test_carriage_returns(self):
        """Lines may end as they do elsewhere."""
        self.assertEqual(lines('a = """\r\nx"""\r\nb = 1\r\n')[("b",)], 3)

    def test_no_toml(self):
        """What can't be read is refused with its line, where it has one."""
        for content, words in (
            (b"a = 1\na = 2\n", "f:2: "),
            (b"a = 1\nb = '\xff'\n", "f:2: isn't UTF-8 text"),
            (b"[a = 1\n", "f:1: "),
            (b'a = """', "f: "),
        ):
            error = self.assertRaises(ValueError, Document, "f", content)
            self.assertTrue(str(error).startswith(words), error)
            self.assertNotIn("line", str(error))

    @given(st.text(alphabet="ab.=\"'[]{},#\n \\1", max_size=40))
    def test_any(self, text):
        """Whatever tomllib reads is walked to its end, and each of its keys is found."""
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            return
        found = lines(text)
        for path in paths(values):
            self.assertIn(path, found)

    @given(st.recursive(
        st.text() | st.integers() | st.booleans(),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=12,
    ).map(lambda value: {"k": value}))  # fmt: skip
    def test_written(self, values):
        """Whatever can be written inline is found, in full."""
        text = f"\n{quoted('k')} = {written(values['k'])}\nlast = 1\n"
        self.assertEqual(tomllib.loads(text)["k"], values["k"])
        found = lines(text)
        self.assertEqual(found[("last",)], 3)
        for path in paths(values):
            self.assertEqual(found[path], 2)


def paths(values, at=()):
    """The path of each table and key."""
    for key, value in values.items():
        yield (*at, key)
        if isinstance(value, dict):
            yield from paths(value, (*at, key))


def quoted(text):
    """A basic string of TOML."""
    return '"' + "".join(
        c if c.isascii() and c.isalnum() else f"\\U{ord(c):08X}" for c in text
    ) + '"'  # fmt: skip


def written(value):
    """A value in TOML, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return f"{{{', '.join(f'{quoted(k)} = {written(v)}' for k, v in value.items())}}}"
