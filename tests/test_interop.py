"""The profile rsplib with real processes, ours on both sides."""

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.site import Site, until

CONFIG = """\
[interop]
profile = "rsplib"
elements = "any"  # tests are on loopback

[announce]
asap-group = []
"""


class Profile(SynchronousTestCase):
    """Registrar, wrapper and command agree about it."""

    def test_all(self):
        """Lives are milliseconds on the wire, seconds for people; the start says the rest."""
        site = Site(self, secure=False)
        config = site.scratch / "rsplib.toml"
        config.write_text(CONFIG)
        site.registrar("--config", str(config))
        until(lambda: "insecure as a whole" in site.log("registrar"))
        port = site.server("web-1")
        rsplib = ("--profile", "rsplib")
        site.element("web-1", port, *rsplib, "--lifetime", "30")
        until(lambda: site.elements() == {port})
        for words, expected in ((rsplib, 30), ((), 30_000)):
            answer = site.ask("resolve", "web", "--json", *words)
            [element] = json.loads(answer.stdout)["elements"]
            self.assertEqual(element["lifetime"], expected)
        self.assertIn("life 30 s", site.log("registrar"))
        [element] = json.loads(answer.stdout)["elements"]
        done = site.ask("report", "web", element["pe-id"], *rsplib)
        self.assertIn("third report", done.stdout)
        for command in ("resolve", "watch"):
            done = site.ask(command, "x" * 33, *rsplib)
            self.assertEqual(done.returncode, 2)
            self.assertIn("would abort a registrar of rsplib", done.stderr)

    test_all.timeout = 90

    def test_refused(self):
        """What the profile can't make up for stops the start, in words."""
        site = Site(self, secure=False)
        process = site.twistd(
            "registrar", "rserpool-enrp", "--profile", "rsplib", "--enrp-tls", "tcp:1",
            "--enrp-auth", "psk:x", "--asap-tls", "tcp:2", "--auth", "psk:y",
            "--set", "limits.handle-bytes=100",
        )  # fmt: skip
        self.assertEqual(process.wait(30), 1)
        self.assertIn("rsplib has no TLS", site.log("registrar"))
        self.assertIn("limits.handle-bytes", site.log("registrar"))

    test_refused.timeout = 60
