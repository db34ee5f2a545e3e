"""Registrars that announce themselves: real processes and real multicast, on loopback."""

import json
import signal
import sys

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.site import Site, free_port, until
from tests.transport.test_announce import HERE, free_group

if not sys.platform.startswith("linux"):
    raise SkipTest("multicast on loopback as Linux has it")


class Announced(SynchronousTestCase):
    """Nobody is told where the registrar is."""

    timeout = 120

    def setUp(self):
        """A group that nobody else uses."""
        self.group = free_group()

    def announcing(self, site, *words):
        """Start a registrar that announces itself."""
        return site.registrar("--set", f"announce.asap-group={self.group}",
                              "--set", f"announce.interface={HERE}", *words)  # fmt: skip

    def hearing(self, *words):
        """Words of whoever listens."""
        return ("--announce", str(self.group), "--announce-interface", HERE, *words)

    def element(self, site, name, *words):
        """A wrapper that isn't told of any registrar; the port of its server."""
        port = site.server(name)
        proof = ("--psk", str(site.files / f"{name}.psk"))
        if not site.secure:
            proof = ("--security", "none")
        site.twistd(name, "rserpool-pe", "--pool", "web", "--check-interval", "0.3",
                    "--service", f"tcp:{HERE}:{port}", *proof,
                    *self.hearing(*words))  # fmt: skip
        return port

    def resolved(self, site, *words, proof):
        """The ports of the pool's elements, as a user has them who knows no registrar."""
        found = site.command("resolve", "web", "--json", *proof, *self.hearing(*words))
        if found.returncode == 1:
            return set()
        self.assertEqual(found.returncode, 0, found.stderr)
        return {each["transport"]["port"] for each in json.loads(found.stdout)["elements"]}

    def no_errors(self, site):
        """All logs are without a traceback."""
        for path in site.scratch.glob("*.log"):
            self.assertNotIn("Traceback", path.read_text(errors="replace"), path.name)

    def test_secure(self):
        """Element and user find it, believe it by TLS, and find it again when it is back."""
        site = Site(self)
        self.announcing(site)
        ca = ("--ca", str(site.files / "ca.pem"))
        port = self.element(site, "web-1")
        until(lambda: self.resolved(site, proof=ca) == {port})
        self.assertIn(f"the home registrar is tcp:{HERE}:{site.port}", site.log("web-1"))
        site.processes["registrar"].send_signal(signal.SIGTERM)
        self.assertIn(site.processes["registrar"].wait(30), (0, -signal.SIGTERM))
        self.no_errors(site)
        until(lambda: "the home registrar was lost" in site.log("web-1"))
        self.announcing(site)
        until(lambda: site.status()["elements"] == 1)
        self.no_errors(site)

    def test_silent(self):
        """One that says nothing but who it is, as rsplib, is found by where that came from."""
        site = Site(self, secure=False)
        # Whoever hears it calls the port that it came from: the group's.
        self.group = type(self.group)(self.group.address, site.port)
        self.announcing(site, "--set", "announce.silent=true")
        port = self.element(site, "web-1", "--silent-transport", "tcp")
        plain = ("--security", "none")
        until(lambda: self.resolved(site, "--silent-transport", "tcp", proof=plain) == {port})
        self.assertIn(f"whoever sends to {self.group} may have", site.log("web-1"))
        self.no_errors(site)

    def test_registrars(self):
        """Registrars that aren't told of each other are one scope, and are so again."""
        sites = [Site(self, secure=False) for _ in range(2)]
        group = free_group("239.255.0.51")
        ports = [free_port() for _ in sites]

        def start(number):
            sites[number].registrar(
                "--enrp", f"tcp:{ports[number]}:interface={HERE}",
                "--set", f"announce.enrp-group={group}",
                "--set", f"announce.interface={HERE}",
                "--set", "timers.peer-heartbeat-cycle=1",
                "--set", "timers.max-time-no-response=2",
            )  # fmt: skip

        def agree():
            peers = [site.status()["peers"] for site in sites]
            return all(
                len(each) == 1 and each[0]["synchronized"] and each[0]["state"] == "active"
                for each in peers
            )

        for number in range(2):
            start(number)
        until(agree)
        port = sites[0].server("web-1")
        sites[0].element("web-1", port)
        until(lambda: sites[1].elements() == {port})
        sites[1].processes["registrar"].kill()
        sites[1].processes["registrar"].wait()
        start(1)
        until(lambda: sites[1].status()["serving"] and sites[1].elements() == {port})
        for site in sites:
            self.no_errors(site)

    def test_no_group(self):
        """A group that can't be joined ends the start, and the log says which."""
        site = Site(self)
        process = site.twistd("registrar", "rserpool-enrp", "--config",
                              str(site.files / "registrar.toml"),
                              "--set", f"announce.asap-group={self.group}",
                              "--set", "announce.interface=nosuch0")  # fmt: skip
        self.assertNotEqual(process.wait(30), 0)
        self.assertIn(f"can't join the group {self.group}", site.log("registrar"))
        self.assertIn("nosuch0", site.log("registrar"))
