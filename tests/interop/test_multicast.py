"""Announcements by multicast: ours to programs of rsplib, and theirs to ours."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.interop import only_in_the_lab
from tests.interop.lan import Lan
from tests.site import BIN, ROOT, until

test_suite = only_in_the_lab(__name__)

POOL = "EchoPool"
THEIRS = 0x77000001


class Hosts(SynchronousTestCase):
    """Two hosts, of which one has our programs and the other one rsplib's."""

    timeout = 240
    ipv6 = False

    def setUp(self):
        """Join them."""
        lan = Lan(2, ipv6=self.ipv6).up()
        self.addCleanup(lan.down)
        self.ours, self.theirs = lan.hosts
        self.scratch = Path(tempfile.mkdtemp(prefix="rserpool-multicast-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.addCleanup(self.end)
        self.processes = {}

    def start(self, name, host, *words):
        """Start a program on a host."""
        with (self.scratch / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                host.command(*words), stdout=log, stderr=subprocess.STDOUT, cwd=self.scratch,
                stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip

    def kill(self, name):
        """End one."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def end(self):
        """End all; the hosts go then."""
        for name in list(self.processes):
            self.kill(name)

    def command(self, host, *words):
        """Run our command on a host, to its end."""
        return subprocess.run(
            host.command(sys.executable, "-m", "rserpool.cli.main", *words),
            capture_output=True, text=True, timeout=60, check=False, cwd=self.scratch,
            stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def status(self):
        """What ours tells; nothing, while it doesn't."""
        with contextlib.suppress(OSError):
            where = f"http://{self.ours.address}:8080/status.json"
            with urllib.request.urlopen(where, timeout=5) as page:
                return json.load(page)
        return {}

    def log(self, name):
        """What a program has said."""
        return (self.scratch / f"{name}.log").read_text(errors="replace")


class WithTheirs(Hosts):
    """Programs of rsplib on the other host."""

    def registrar(self, *words):
        """Ours, as it is beside rsplib."""
        where = self.ours.address
        self.start(
            "registrar", self.ours, str(BIN / "twistd"), "-n", "--pidfile=", "rserpool-enrp",
            "--profile", "rsplib", "--security", "none",
            "--asap", f"sctp:3863:interface={where}",
            "--enrp", f"sctp:9901:interface={where}", "--set", "announce.interface=eth0",
            "--status", f"tcp:8080:interface={where}", *words,
        )  # fmt: skip
        until(lambda: self.status().get("serving"), 60)

    def rspserver(self):
        """An element of rsplib, which is told of no registrar."""
        self.start("rspserver", self.theirs, "rspserver", "-echo", f"-poolhandle={POOL}",
                   "-reregintervaltime=5000")  # fmt: skip

    def rspregistrar(self):
        """A registrar of rsplib, which is told of no other one."""
        where = self.theirs.address
        self.start("rspregistrar", self.theirs, "rspregistrar", f"-asap={where}:3863",
                   f"-enrp={where}:9901", f"-identifier={THEIRS:#x}",
                   "-disable-ipv6")  # fmt: skip

    def test_ours_to_element(self):
        """An element of rsplib finds our registrar, by eight octets and by a transport."""
        for silent in ("true", "false"):
            self.registrar("--set", f"announce.silent={silent}")
            self.rspserver()
            until(lambda: self.status()["elements"] == 1, 60)
            self.kill("rspserver")
            self.assertNotIn("Traceback", self.log("registrar"))
            self.kill("registrar")

    def test_registrars(self):
        """Our registrar and rsplib's find each other, in either order, and are of one mind."""
        for first, second in (
            (self.registrar, self.rspregistrar),
            (self.rspregistrar, self.registrar),
        ):
            first()
            second()
            until(lambda: [
                peer["server-id"] for peer in self.status().get("peers", ())
                if peer["synchronized"] and peer["state"] == "active"
            ] == [f"{THEIRS:#010x}"], 60)  # fmt: skip
            self.assertNotIn("Traceback", self.log("registrar"))
            self.end()

    def test_theirs_to_user(self):
        """A user of ours finds rsplib's registrar, and by it rsplib's element."""
        self.rspregistrar()
        self.rspserver()

        def resolved():
            words = ("resolve", POOL, "--json", "--security", "none", "--profile", "rsplib",
                     "--announce", "rsplib", "--announce-interface", "eth0")  # fmt: skip
            ran = self.command(self.ours, *words)
            self.assertIn(ran.returncode, (0, 1), ran.stderr)
            return json.loads(ran.stdout)["elements"] if ran.returncode == 0 else ()

        [element] = until(resolved, 90)
        self.assertEqual(element["transport"]["addresses"], [self.theirs.address])
        self.assertEqual(element["home"], f"{THEIRS:#010x}")


class OverIPv6(Hosts):
    """IPv6's groups, among programs of ours."""

    ipv6 = True

    def test_user(self):
        """A user on the other host finds a registrar that listens everywhere, and asks it."""
        self.start(
            "registrar", self.ours, str(BIN / "twistd"), "-n", "--pidfile=", "rserpool-enrp",
            "--security", "none", "--asap", "tcp6:3863", "--set", "announce.asap-group=iana6",
            "--set", "announce.interface=eth0",
            "--status", f"tcp:8080:interface={self.ours.address}",
        )  # fmt: skip
        until(lambda: self.status().get("serving"), 60)
        words = ("--security", "none", "--announce", "iana6", "--announce-interface", "eth0")
        asked = self.command(self.theirs, "resolve", "web", "-v", *words)
        self.assertEqual(asked.returncode, 1, asked.stderr)
        self.assertIn("there is no pool", asked.stderr)
        self.assertIn("linked: tcp:[fd10:2::1]:3863", asked.stderr)
        self.assertNotIn("Traceback", self.log("registrar"))
