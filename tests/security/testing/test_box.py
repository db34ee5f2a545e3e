"""A registrar in a box, for authors of plugins; and what plugins that fail do to it."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security import testing
from tests import secrets
from tests.site import ROOT

KEYS = "psk:{directory}/elements.psk"


class RegistrarBox(testing.RegistrarBox):
    """One in whose logs no key may stand."""

    def stop(self):
        """Search them before they are gone."""
        keys = secrets.of(self._scratch)
        secrets.remember(keys)
        found = [
            name for log in self._scratch.glob("*.log")
            if (name := secrets.leaked(keys, log.read_bytes()))
        ]  # fmt: skip
        super().stop()
        assert not found, f"a log has the key of {found}"


class Boxed(SynchronousTestCase):
    """Real processes."""

    timeout = 120

    def test_rightful(self):
        """An element with a good key is in its pool; of a closed box nothing is left."""
        with RegistrarBox() as box:
            self.assertEqual(box.resolve("web"), [])
            box.element("web-1", box.directory / "web-1.psk")
            [element] = box.wait_for("web", 1)
            self.assertEqual(element["transport"]["port"], 9)
            self.assertEqual(box.status()["elements"], 1)
        self.assertFalse(box.directory.exists())
        self.assertTrue(all(one.poll() is not None for one in box._processes))

    def test_fails_each_time(self):
        """Plugins that refuse, raise, or are slow let nobody in, and the registrar goes on."""
        for kind, words in (
            ("refuse-all", "refuse-all is configured"),
            ("raise-always", "raise-always is configured"),
            ("slow:60", "its check took longer than 0.5 s"),
        ):
            limit = ("--set", "limits.check-timeout=0.5")
            with RegistrarBox("--auth", f"{kind}:{KEYS}", *limit) as box:
                box.element("web-1", box.directory / "web-1.psk")
                self.assertIn("not let in", box.wait_for_log(words))
                self.assertEqual(box.resolve("web"), [], "who proves nothing is served")

    def test_slow(self):
        """Who answers late, but in time, is heard."""
        with RegistrarBox("--auth", f"slow:0.3:{KEYS}") as box:
            box.element("web-1", box.directory / "web-1.psk")
            box.wait_for("web", 1)

    def test_authorizers(self):
        """An authorizer that refuses or raises denies all, and the log has its traceback."""
        for kind, words in (
            ("refuse-all:", "refuse-all is configured"),
            ("raise-always:", "RuntimeError: raise-always is configured"),
        ):
            with RegistrarBox(authorizer=kind) as box:
                box.element("web-1", box.directory / "web-1.psk")
                box.wait_for_log(words)
                self.assertRaises(RuntimeError, box.resolve, "web")

    def test_limits(self):
        """A limit of a plugin takes the place of ours: without budget nobody does a thing."""
        for kind, words in (
            ("refuse-all:", "refuse-all is configured"),
            ("raise-always:", "RuntimeError: raise-always is configured"),
        ):
            with RegistrarBox("--set", f"registrar.rate-limit={kind}") as box:
                self.assertRaises(RuntimeError, box.resolve, "web")
                box.wait_for_log(words)

    def test_broken_import(self):
        """A plugin that is there, and can't be imported, stops the start with its traceback."""
        place = Path(self.mktemp()).absolute()
        (place / "twisted" / "plugins").mkdir(parents=True)
        (place / "twisted" / "plugins" / "acme_drop_in.py").write_text(
            "from rserpool.security.interfaces import IAuthentication\n"
            "from rserpool.security.plugin import SecurityPlugin\n"
            "one = SecurityPlugin('acme', IAuthentication, 'acme_broken.Keys', 'FILE')\n"
        )
        (place / "acme_broken.py").write_text("port = int('many')\n")
        there = {"PYTHONPATH": f"{place}:{ROOT}"}
        box = RegistrarBox("--auth", "acme:x", environment=there)
        failed = str(self.assertRaises(RuntimeError, box.__enter__))
        for words in ("Traceback", "acme_broken.py", "invalid literal for int()"):
            self.assertIn(words, failed)

    def test_broken(self):
        """A plugin that can't be imported, or isn't there, stops the start and says why."""
        for auth, words in (
            ("nowhere:x", "no security plugin 'nowhere'"),
            (f"slow:never:{KEYS}", "write slow:SECONDS:KIND:ARGS"),
        ):
            failed = self.assertRaises(RuntimeError, RegistrarBox("--auth", auth).__enter__)
            self.assertIn(words, str(failed))
