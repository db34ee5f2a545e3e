"""``rserpool psk rotate``, and ``psk list --status``."""

import json
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.usage import REMEMBERED, url_of
from rserpool.security.psk import keyfile
from tests.cli.command import StatusPage, run, values
from tests.site import ROOT, free_port

LIMITS = "pool=web;pe-id=0x2a;addr=192.0.2.0/24"


class Rotating(SynchronousTestCase):
    """A file with one element that has restrictions."""

    def setUp(self):
        """Make it."""
        self.file = os.path.abspath(self.mktemp())
        keyfile.add(self.file, "web-1", b"k" * 32, LIMITS)
        keyfile.add(self.file, "web-2", b"l" * 32)

    def identities(self):
        """Who is in the file."""
        return [key.identity for key in keyfile.read(self.file).keys]

    def line(self, identity):
        """Its line."""
        lines = Path(self.file).read_text().splitlines()
        [line] = [line for line in lines if line.startswith(f"{identity}:")]
        return line

    def test_add(self):
        """The next generation has the same restrictions and another key."""
        done = run("psk", "rotate", self.file, "web-1")
        self.assertEqual((done.status, done.err), (0, ""))
        one, two = (key for key in keyfile.read(self.file).keys if key.principal == "web-1")
        self.assertEqual(two.identity, "web-1~2")
        self.assertEqual(one.restrictions, two.restrictions)
        self.assertEqual(len(two.secret), 32)
        self.assertNotEqual(one.secret, two.secret)
        self.assertNotIn(two.secret.hex(), done.out)
        for words in ("kill -HUP REGISTRAR", "kill -HUP PE", "retire the old one"):
            self.assertIn(words, done.out)
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o600)

    def test_to(self):
        """--to has the new key alone, for its owner alone; a file that is there is refused."""
        to = self.mktemp()
        found = values("psk", "rotate", self.file, "web-1", "--to", to)
        self.assertEqual((found["new"], found["copy"], found["step"]), ("web-1~2", to, "add"))
        self.assertNotIn("key", found)
        [alone] = keyfile.read(to).keys
        self.assertIn(alone.secret.hex(), self.line("web-1~2"))
        self.assertEqual(os.stat(to).st_mode & 0o777, 0o600)
        done = run("psk", "rotate", self.file, "web-2", "--to", to)
        self.assertEqual(done.status, 2)
        self.assertIn("give another --to", done.err)
        self.assertEqual(self.identities(), ["web-1", "web-2", "web-1~2"])
        done = run("psk", "rotate", self.file, "web-2", "--to", "/nonexistent/x")
        self.assertEqual((done.status, "web-2~2" in self.identities()), (2, False))

    def test_nothing_left_over(self):
        """A key that the registrar's file doesn't take isn't left for anybody to roll out."""
        to = self.mktemp()
        self.patch(keyfile, "replace", self.failing(keyfile.replace))
        done = run("psk", "rotate", self.file, "web-1", "--to", to)
        self.assertEqual(done.status, 2)
        self.assertIn("No space left", done.err)
        self.assertFalse(os.path.exists(to))

    def failing(self, replace):
        """Let changing the registrar's file fail."""

        def instead(path, data, mode):
            if path == self.file:
                raise OSError(28, "No space left on device")
            replace(path, data, mode)

        return instead

    def test_other_locale(self):
        """What stands in a key file is UTF-8, in whatever locale the command is run."""
        keyfile.add(self.file, "web-4", b"m" * 32, "pool=bücher")
        done = subprocess.run(
            [sys.executable, "-X", "utf8=0", "-m", "rserpool.cli.main", "psk", "rotate",
             self.file, "web-4"],
            env={**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0",
                 "PYTHONPATH": str(ROOT)},
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(";pool=bücher", self.line("web-4~2"))

    def test_show(self):
        """The key is printed when that is asked for, and only then."""
        found = values("psk", "rotate", self.file, "web-1", "--show")
        self.assertIn(found["key"], self.line("web-1~2"))

    def test_time(self):
        """The end is carried over, unless another is given; one that is past is refused."""
        keyfile.add(self.file, "late", b"m" * 32, "not-after=2099-01-31")
        values("psk", "rotate", self.file, "late")
        self.assertIn(";not-after=2099-01-31", self.line("late~2"))
        keyfile.add(self.file, "long", b"n" * 32, "not-after=2099-01-31;not-before=2020-01-01")
        values("psk", "rotate", self.file, "long", "--not-after", "never")
        self.assertNotIn("not-", self.line("long~2"))
        keyfile.add(self.file, "over", b"o" * 32, "not-after=2021-01-31")
        done = run("psk", "rotate", self.file, "over")
        self.assertEqual(done.status, 2)
        self.assertIn("--not-after", done.err)
        values("psk", "rotate", self.file, "over", "--not-after", "2099-05-05")
        self.assertTrue(self.line("over~2").endswith(";not-after=2099-05-05"))
        keyfile.add(self.file, "bad", b"p" * 32)
        self.assertEqual(run("psk", "rotate", self.file, "bad", "--not-after", "x").status, 2)
        self.assertNotIn("bad~2", self.identities())

    def test_pair(self):
        """A key between registrars goes to who is called first."""
        keyfile.add(self.file, "r1@r2", b"q" * 32)
        first, second, third = values("psk", "rotate", self.file, "r1@r2")["next"]
        self.assertIn("'r2'", first)
        self.assertIn("not before", second)
        self.assertIn("psk rotate", third)

    def test_wrong_use(self):
        """What can't be done is said, with what to do, and changes nothing."""
        before = Path(self.file).read_bytes()
        for words, status, expected in (
            ((self.file, "nobody"), 1, "no identity 'nobody'"),
            ((self.file, "web-1", "--retire"), 1, "the only generation"),
            (("/nonexistent", "web-1"), 2, "No such file"),
        ):
            done = run("psk", "rotate", *words)
            self.assertEqual(done.status, status, done.err)
            self.assertIn(expected, done.err)
        os.chmod(self.file, 0o644)
        done = run("psk", "rotate", self.file, "web-1")
        self.assertEqual((done.status, "chmod 600" in done.err), (2, True))
        self.assertEqual(Path(self.file).read_bytes(), before)

    def test_several(self):
        """Three generations at once are refused, and which there are is said."""
        for number in (2, 3):
            keyfile.add(self.file, f"web-1~{number}", bytes([number]) * 32)
        done = run("psk", "rotate", self.file, "web-1~2", "--force")
        self.assertEqual(done.status, 2)
        self.assertIn("3 generations, 'web-1', 'web-1~2', 'web-1~3'", done.err)


class Retiring(SynchronousTestCase):
    """Two generations, and a registrar that tells who uses them."""

    def setUp(self):
        """Make them."""
        self.file = os.path.abspath(self.mktemp())
        keyfile.add(self.file, "web-1", b"k" * 32)
        keyfile.add(self.file, "web-1~2", b"l" * 32)
        self.page = StatusPage(self)

    def identities(self):
        """Who is in the file."""
        return [key.identity for key in keyfile.read(self.file).keys]

    def rotate(self, *words, status=None):
        """Run it."""
        where = ["--status", status or self.page.url]
        return run("psk", "rotate", self.file, "web-1", *where, *words)

    def refused(self, done, words, status=1):
        """It is refused for this reason, and nothing was changed."""
        self.assertEqual(done.status, status, done.out)
        self.assertIn(words, done.err)
        self.assertEqual(self.identities(), ["web-1", "web-1~2"])

    def test_done(self):
        """When only the new one is used, the old one goes."""
        self.page.used("web-1~2", 1)
        self.page.used("web-1")
        done = self.rotate()
        self.assertEqual((done.status, done.err), (0, ""))
        self.assertIn("retired 'web-1'", done.out)
        self.assertIn("kill -HUP", done.out)
        self.assertEqual(self.identities(), ["web-1~2"])
        found = values("psk", "rotate", self.file, "web-1")
        self.assertEqual(found["new"], "web-1~3", "and on it goes")

    def test_in_use(self):
        """One that is in use stays."""
        self.page.used("web-1~2", 3)
        self.page.used("web-1", 2)
        self.refused(self.rotate(), "in use still, by 2 connections")
        forced = self.rotate("--force", "--json")
        self.assertEqual(forced.status, 0)
        value = json.loads(forced.out)
        self.assertTrue(value["forced"])
        self.assertIn("in use still", value["despite"])
        self.assertEqual(self.identities(), ["web-1~2"])

    def test_new_not_in_use(self):
        """While nobody has come in by the new one, the old one stays."""
        self.refused(self.rotate(), "nobody has come in by 'web-1~2' yet")
        self.page.used("web-1")
        self.refused(self.rotate("--retire"), "used last 2027")

    def test_cannot_know(self):
        """Without a registrar's word, or with one that may have forgotten, it stays."""
        self.refused(run("psk", "rotate", self.file, "web-1"), "--status URL")
        self.refused(self.rotate(status=f"127.0.0.1:{free_port()}"), "no status there", 2)
        self.page.body = b"<html>"
        self.refused(self.rotate(), "no status there", 2)
        self.page.body = b'{"credentials": [{}]}'
        self.refused(self.rotate(), "no registrar's status", 2)
        self.page.body = None
        for n in range(REMEMBERED):
            self.page.used(f"x{n}")
        self.page.used("web-1~2", 1)
        self.refused(self.rotate(), "too many credentials")
        self.assertEqual(run("psk", "rotate", self.file, "web-1", "--force").status, 0)

    def test_every_registrar(self):
        """Of several registrars each must say that it isn't used."""
        other = StatusPage(self)
        other.used("web-1", 1)
        self.page.used("web-1~2", 1)
        self.refused(self.rotate("--status", other.url), f"{other.url}/status.json: 'web-1'")

    def test_another_proof(self):
        """A certificate that is called the same isn't this key."""
        self.page.used("web-1~2", 1, proof="certificate")
        self.refused(self.rotate(), "nobody has come in")

    def test_over(self):
        """One whose time is over is of no use to anybody, and may go without a question."""
        keyfile.remove(self.file, "web-1")
        keyfile.add(self.file, "web-1", b"k" * 32, "not-after=2021-01-31")
        self.assertEqual(run("psk", "rotate", self.file, "web-1").status, 0)
        self.assertEqual(self.identities(), ["web-1~2"])

    def test_nothing_to_make(self):
        """Whoever wants a new key now is told that it isn't its time."""
        self.refused(self.rotate("--to", self.mktemp()), "retire the older one", 2)


class Listing(SynchronousTestCase):
    """``psk list``."""

    def test_list(self):
        """Everything about each key but the key, and who uses it."""
        file = os.path.abspath(self.mktemp())
        keyfile.add(file, "web-1", b"k" * 16, LIMITS)
        keyfile.add(file, "web-1~2", b"l" * 32, "not-after=2021-01-31")
        keyfile.add(file, "web-3", b"m" * 32, "not-before=2099-01-31")
        page = StatusPage(self)
        page.used("web-1", 2)
        page.used("web-1~2")
        found = values("psk", "list", file, "--status", page.url)["keys"]
        self.assertEqual([one["generation"] for one in found], [1, 2, 1])
        self.assertEqual([one["bits"] for one in found], [128, 256, 256])
        self.assertEqual([one["state"] for one in found], ["in force", "over", "not yet"])
        self.assertEqual(found[0]["use"][0]["open"], 2)
        self.assertEqual(
            [one["use"][0]["last"] for one in found],
            ["now", "2027-01-01T00:00:00+00:00", None],
        )
        done = run("psk", "list", file, "--status", page.url)
        for words in (
            "web-1  generation 1  128 bits  pools=web  pe-ids=0x0000002a  "
            "addresses=192.0.2.0/24  used now by 2 connections",
            "web-1~2  generation 2  256 bits  over  not-after=2021-02-01 00:00 UTC  last used",
            "web-3  generation 1  256 bits  not yet  not-before=2099-01-31 00:00 UTC  not used",
            "warning:",
        ):
            self.assertIn(words, done.out)
        self.assertNotIn((b"k" * 16).hex(), done.out)
        self.assertNotIn("used", run("psk", "list", file).out)

    def test_one(self):
        """With an identity, all generations of it, or the one that was named."""
        file = os.path.abspath(self.mktemp())
        for identity in ("web-1", "web-1~2", "web-2"):
            keyfile.add(file, identity, os.urandom(32))
        for identity, expected in (
            ("web-1", ["web-1", "web-1~2"]), ("web-1~2", ["web-1~2"]), ("web-2", ["web-2"]),
        ):  # fmt: skip
            found = values("psk", "list", file, identity)["keys"]
            self.assertEqual([one["identity"] for one in found], expected)
        done = run("psk", "list", file, "web-3")
        self.assertEqual((done.status, done.out), (1, ""))

    def test_for_ever(self):
        """An end beyond the calendar, as people write it, is shown all the same."""
        file = os.path.abspath(self.mktemp())
        keyfile.add(file, "web-1", b"k" * 32, "not-after=9999-12-31")
        self.assertIn("not-after=9999-12-31", run("psk", "list", file).out)

    def test_forgotten(self):
        """Nobody is said not to have come whom the registrar may have forgotten."""
        file = os.path.abspath(self.mktemp())
        keyfile.add(file, "web-1", b"k" * 32)
        page = StatusPage(self)
        for number in range(REMEMBERED):
            page.used(f"other-{number}")
        done = run("psk", "list", file, "--status", page.url)
        self.assertNotIn("not used yet", done.out)
        self.assertIn("not among the credentials that are remembered", done.out)

    def test_no_status(self):
        """A registrar that can't be asked is said."""
        file = os.path.abspath(self.mktemp())
        keyfile.add(file, "web-1", b"k" * 32)
        done = run("psk", "list", file, "--status", f"tcp:127.0.0.1:{free_port()}")
        self.assertEqual(done.status, 2)
        self.assertIn("refused", done.err)

    def test_url(self):
        """A status page may be named as its endpoint is, or as browsers do."""
        for text, url in (
            ("tcp:8080", "http://127.0.0.1:8080/status.json"),
            ("r1.example:8080", "http://r1.example:8080/status.json"),
            ("tcp:[2001:db8::7]:80", "http://[2001:db8::7]:80/status.json"),
            ("https://r1.example/x/", "https://r1.example/x/status.json"),
            ("http://r1.example/status.json", "http://r1.example/status.json"),
        ):
            self.assertEqual(url_of(text), url)
        for text in ("", "ftp://x/", "nonsense", "file:///etc/passwd"):
            self.assertRaises(ValueError, url_of, text)
