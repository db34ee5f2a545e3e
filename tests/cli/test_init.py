"""``rserpool init``: all of it, or nothing."""

import os
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.psk import keyfile
from tests.cli.command import run, values


class Making(SynchronousTestCase):
    """A directory that isn't there yet."""

    def setUp(self):
        """Name it."""
        self.dir = Path(self.mktemp()).absolute()

    def refused(self, *words):
        """Why nothing was made, and nothing was."""
        done = run("init", self.dir, *words)
        self.assertEqual((done.status, done.out), (2, ""))
        self.assertNotIn("Traceback", done.err)
        return done.err

    def test_all_or_nothing(self):
        """What can't be made leaves nothing behind, so that it can be tried again."""
        for words in (
            ("--element", "a:b"), ("--element", "ok", "--element", " "), ("--name", "bad name"),
            ("--port", "99999"), ("--registrars", "0"), ("--interface", 'x"y'),
            ("--registrars", "2", "--name", "bad name"),
        ):  # fmt: skip
            self.assertTrue(self.refused(*words))
            self.assertFalse(self.dir.exists(), words)
        self.dir.mkdir()
        self.refused("--name", "bad name")
        self.assertEqual(list(self.dir.iterdir()), [], "it was there before, and is")
        self.assertEqual(run("init", self.dir).status, 0)

    def test_not_empty(self):
        """What is there already is left alone; a file is no directory."""
        self.dir.mkdir()
        (self.dir / "mine").touch()
        self.assertIn("isn't empty", self.refused())
        self.assertEqual(os.listdir(self.dir), ["mine"])
        self.dir /= "mine"
        self.assertIn("Not a directory", self.refused())

    def test_files(self):
        """Each element has a file, whatever it is called; two never share one."""
        made = values("init", self.dir, "--element", "a/b", "--element", "../c",
                      "--element", "a/b")  # fmt: skip
        self.assertEqual(made["elements"], ["a/b", "../c"])
        for name, file in (("a/b", "a_b.psk"), ("../c", ".._c.psk")):
            [key] = keyfile.read(str(self.dir / file)).keys
            self.assertEqual(key.identity, name)
        told = tomllib.loads((self.dir / "pe.toml").read_text())
        self.assertEqual(told["element"]["psk"], str(self.dir / "a_b.psk"))
        self.dir = Path(self.mktemp()).absolute()
        for other in ("a_b", "elements", "admin"):
            self.assertIn("another key file", self.refused("--element", "a/b",
                                                           "--element", other))  # fmt: skip

    def test_quotes(self):
        """A directory's name stands in the configurations as TOML wants it."""
        for more in ((), ("--registrars", "2")):
            self.dir = Path(self.mktemp()).absolute() / 'a "b\\c'
            self.assertEqual(run("init", self.dir, *more).status, 0)
            found = list(self.dir.rglob("registrar.toml"))
            self.assertEqual(len(found), 2 if more else 1)
            for path in found:
                told = tomllib.loads(path.read_text())["registrar"]
                self.assertTrue(os.path.exists(told["certificate"]))
                self.assertTrue(os.path.exists(told["auth"][0].removeprefix("psk:")))
            told = tomllib.loads((self.dir / "pe.toml").read_text())
            self.assertTrue(os.path.exists(told["element"]["psk"]))
