"""RFC 5355 section 2.12, where announcements are listened to: forged ones by the thousand."""

import json
import secrets
import time

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import announced
from rserpool.registrar import announcing
from rserpool.security.psk.tls import ServerCreator
from rserpool.wire import enrp
from tests.registrar.scene import registration
from tests.site import Site, free_port, until
from tests.threats.forger import FIRST, Forger, announcements, presences
from tests.threats.impostor import Impostor
from tests.threats.scene import Attacked
from tests.threats.scope import Scoped
from tests.transport.test_announce import HERE, free_group

THOUSANDS = 3000


class ToElementsAndUsers(Attacked):
    """ASAP_SERVER_ANNOUNCE, to who is told of no registrar at all."""

    def prepare(self):
        """The registrar announces itself; so do, far more often, three who are none."""
        self.group = free_group()
        self.settings = ("--set", f"announce.asap-group={self.group}",
                         "--set", f"announce.interface={HERE}")  # fmt: skip
        self.impostors = [
            Impostor(self, ServerCreator(lambda identity: b"k" * 32)),
            Impostor(self),  # says nothing
            Impostor(
                self, answer=lambda caller, message: caller.put(b"\x15\x03\x03\0\2\2\x28")
            ),
        ]
        self.hearing = ("--announce", str(self.group), "--announce-interface", HERE)

    def forge(self):
        """Begin to forge."""
        return Forger(self, self.group, announcements([one.port for one in self.impostors]))

    def unheard(self):
        """None of the impostors has been told anything."""
        self.assertEqual([one.heard for one in self.impostors], [[], [], []])

    def test_found(self):
        """In the middle of it element and user find the real one, and tell no other one."""
        forger = self.forge()
        began = time.monotonic()
        port = self.site.server("web-1")
        self.site.twistd("web-1", "rserpool-pe", "--pool", "web", "--check", "none",
                         "--service", f"tcp:{HERE}:{port}", *self.hearing,
                         "--psk", str(self.site.files / "web-1.psk"))  # fmt: skip
        until(lambda: "registered in pool" in self.site.log("web-1"), 90)
        seconds = time.monotonic() - began
        tried = self.site.log("web-1").count("trying registrar")
        each = announced.NEW_PER_SECOND + announced.DRAWN
        # As many new ones as may be in so many seconds, and some rounds of those in the list.
        self.assertLess(
            tried, announced.NEW_BURST + each * (seconds + 1) + 5 * announced.MAXIMUM
        )
        found = self.site.command("resolve", "web", "--json", "--timeout", "60", *self.hearing,
                                  "--ca", str(self.site.files / "ca.pem"))  # fmt: skip
        self.assertEqual(found.returncode, 0, found.stderr)
        self.assertEqual(json.loads(found.stdout)["elements"][0]["transport"]["port"], port)
        self.assertGreater(forger.sent, THOUSANDS)
        self.unheard()
        self.no_errors()

    def test_served(self):
        """Who has a registrar keeps it; the configured one is called first; it isn't hurt."""
        port = self.site.server("web-1")
        self.site.element("web-1", port, *self.hearing)
        until(lambda: self.site.elements() == {port})
        forger = self.forge()
        until(lambda: forger.sent > THOUSANDS)
        line = self.line(self.key("web-2"))
        for _ in range(20):
            [answer] = line.tell(registration(2))
            self.assertFalse(answer.rejected)
        self.assertEqual(self.site.log("web-1").count("trying registrar"), 1)
        self.assertEqual([one.calls for one in self.impostors], [0, 0, 0])
        self.assertNotIn("was lost", self.site.log("web-1"))
        self.unheard()
        self.no_errors()


class ToRegistrars(Scoped):
    """ENRP_PRESENCE in a secure scope, where that is switched on."""

    def prepare(self):
        """Each calls whom it doesn't know by a key, so that forged presences cause calls."""
        self.group = free_group("239.255.0.51")
        self.settings = ("--set", f"announce.enrp-group={self.group}",
                         "--set", f"announce.interface={HERE}",
                         "--set", "announce.listen=always",
                         "--set", "timers.peer-heartbeat-cycle=1")  # fmt: skip
        for name in self.running:
            keys = self.site.scope / name / "registrars.psk"
            with keys.open("a") as file:
                file.write(f"{name}:{secrets.token_hex(32)}\n")

    def test_flood(self):
        """They call a few, say nothing to who proves nothing, and go on as before."""
        creator = ServerCreator(lambda identity: b"k" * 32)
        trap = Impostor(self, creator, decode=enrp, host=FIRST)
        began = time.monotonic()
        forger = Forger(self, self.group, presences([trap.port]))
        with self.unchanged():
            until(lambda: forger.sent > 2 * THOUSANDS and trap.calls)
            line = self.line(self.key())
            [answer] = line.tell(registration(1, handle=b"other"))
            self.assertFalse(answer.rejected)
            until(lambda: self.digest_of("r2")["elements"] == 1)
            calls, seconds = trap.calls, time.monotonic() - began
            forger.stop()
            line.close()
            until(lambda: all(self.digest_of(one)["elements"] == 0 for one in self.running))
        most = announcing.CALLS_BURST + announcing.CALLS_PER_SECOND * (seconds + 1)
        self.assertLessEqual(calls, most * len(self.running))
        self.assertEqual((trap.heard, trap.entered), ([], 0))
        for name in self.running:
            status = self.site.status_of(name)
            self.assertEqual(len(status["peers"]), 1)
            self.assertGreater(status["counters"]["presences_overheard"], 0)
        until(lambda: all(self.agrees(name, 1) for name in self.running))
        self.no_errors()


class Insecure(SynchronousTestCase):
    """Where nobody proves anything, floods still don't make a registrar one."""

    timeout = 120

    def test_flood(self):
        """Two find each other among forged presences, and call strangers at a bounded rate."""
        group, trap = free_group("239.255.0.51"), Impostor(self, decode=enrp, host=FIRST)
        forger = Forger(self, group, presences([trap.port]))
        began = time.monotonic()
        sites = [Site(self, secure=False) for _ in range(2)]
        for site in sites:
            site.registrar(
                "--enrp", f"tcp:{free_port()}:interface={HERE}",
                "--set", f"announce.enrp-group={group}", "--set", f"announce.interface={HERE}",
                "--set", "timers.peer-heartbeat-cycle=1",
                "--set", "timers.max-time-no-response=2",
            )  # fmt: skip

        def met():
            return all(
                any(each["synchronized"] for each in site.status()["peers"]) for site in sites
            )

        until(met, 60)
        calls, seconds = trap.calls, time.monotonic() - began
        most = announcing.CALLS_BURST + announcing.CALLS_PER_SECOND * (seconds + 1)
        self.assertLessEqual(calls, most * len(sites))
        self.assertGreater(forger.sent, THOUSANDS)
        for site in sites:
            self.assertEqual(len(site.status()["peers"]), 1)
            self.assertNotIn("Traceback", site.log("registrar"))
