"""Keys and certificates over their life, with real processes and real time."""

import json
import os
import signal
import subprocess
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.psk import keyfile
from tests.site import BIN, Site, until

_RULES = """
[roles.anonymous]
rules = ["!asap"]
[roles.all]
rules = ["asap.resolve"]
[users."dns:pe.example"]
rules = ["asap.register", "asap.deregister"]
"""


class ByCertificate(SynchronousTestCase):
    """Pool elements and users that prove themselves by certificates."""

    def setUp(self):
        """A registrar that believes certificates, and what was revoked of them."""
        self.site = Site(self)
        self.issue("pe.example")
        self.issue("pu.example")
        self.revoke()
        (self.site.files / "rules.toml").write_text(_RULES)

    def issue(self, name, out=None):
        """Issue a client's certificate."""
        done = self.site.command(
            "certificate", "issue", str(self.site.files), "--client", "--name", name,
            "--out", str(self.site.files / (out or name)),
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)

    def revoke(self, *words):
        """Make the list anew; when it is over."""
        done = self.site.command("certificate", "revoke", str(self.site.files), *words)
        self.assertEqual(done.returncode, 0, done.stderr)

    def certificate(self, name):
        """The options to show a certificate."""
        base = self.site.files / name
        return ["--certificate", f"{base}.pem", "--private-key", f"{base}.key",
                "--ca", str(self.site.files / "ca.pem")]  # fmt: skip

    def registrar(self):
        """Start it."""
        trusted = f"certificate:{self.site.files}/ca.pem;crl={self.site.files}/crl.pem"
        return self.site.registrar("--auth", trusted)

    def element(self, *words):
        """Start an element, by its certificate; its port."""
        port = self.site.server("pe")
        self.site.twistd(
            "pe", "rserpool-pe", "--pool", "web", "--service", f"tcp:127.0.0.1:{port}",
            "--registrar", self.site.endpoint, "--check-interval", "0.3",
            *self.certificate("pe.example"), *words,
        )  # fmt: skip
        return port

    def resolve(self, *words):
        """Ask who is in the pool."""
        return self.site.command(
            "resolve", "web", "--registrar", self.site.endpoint, "--json", *words
        )

    def ports(self):
        """Who is in the pool, as a user with a certificate is told."""
        done = self.resolve(*self.certificate("pu.example"))
        found = json.loads(done.stdout)["elements"] if done.returncode == 0 else []
        return {one["transport"]["port"] for one in found}

    def test_story(self):
        """An element and a user prove themselves by certificates, until those are revoked."""
        registrar = self.registrar()
        port = self.element()
        until(lambda: self.ports() == {port})
        self.assertIn('"principal": "dns:pe.example"', self.site.log("registrar"))
        nobody = self.resolve("--ca", str(self.site.files / "ca.pem"))
        self.assertEqual(
            nobody.returncode, 1, "the rules let nobody resolve who proves nothing"
        )
        [use] = [one for one in self.site.status()["credentials"]
                 if one["principal"] == "dns:pe.example"]  # fmt: skip
        self.assertEqual((use["open"], use["proof"]), (1, "certificate"))

        self.revoke(str(self.site.files / "pe.example.pem"))
        registrar.send_signal(signal.SIGHUP)
        until(lambda: self.ports() == set(), 20)
        until(lambda: "has been revoked" in self.site.log("registrar"))
        self.assertIn("1 sessions closed", self.site.log("registrar"))

        self.revoke("--name", "pu.example", "--name", "localhost")
        registrar.send_signal(signal.SIGHUP)
        until(lambda: self.site.log("registrar").count("] reloaded") == 2)
        self.assertEqual(self.resolve(*self.certificate("pu.example"),
                                      "--timeout", "2").returncode, 2)  # fmt: skip
        crl = ["--crl", str(self.site.files / "crl.pem")]
        done = self.resolve("--ca", str(self.site.files / "ca.pem"), *crl, "--timeout", "2")
        self.assertEqual(done.returncode, 2)
        self.assertIn("the certificate has been revoked", done.stderr)
        self.assertNotIn("Traceback", self.site.log("registrar"))

    test_story.timeout = 90

    def test_renewed(self):
        """At SIGHUP a renewed certificate is taken, and who isn't believed any more is left."""
        self.registrar()
        crl = ["--crl", str(self.site.files / "crl.pem")]
        port = self.element(*crl)
        until(lambda: self.ports() == {port})
        self.issue("pe.example", "next")
        for end in ("pem", "key"):
            os.replace(self.site.files / f"next.{end}", self.site.files / f"pe.example.{end}")
        self.site.processes["pe"].send_signal(signal.SIGHUP)
        until(lambda: "moved to a new connection" in self.site.log("pe"))
        self.assertEqual((self.ports(), self.open()), ({port}, 1))

        self.revoke("--name", "localhost")
        self.site.processes["pe"].send_signal(signal.SIGHUP)
        until(lambda: "isn't believed any more: the certificate has been revoked"
              in self.site.log("pe"))  # fmt: skip
        until(lambda: self.open() == 0)

    test_renewed.timeout = 60

    def test_list_over(self):
        """When the list is over, sessions by certificate end at once, and not by and by."""
        registrar = self.registrar()
        port = self.element()
        until(lambda: self.ports() == {port})
        # Not before they are up: starting them may take as long as this list is good.
        self.revoke("--days", str(6 / 86400))
        registrar.send_signal(signal.SIGHUP)
        until(lambda: "reloaded;" in self.site.log("registrar"))
        until(lambda: self.open() == 0, 30)
        from cryptography import x509

        crl = x509.load_pem_x509_crl((self.site.files / "crl.pem").read_bytes())
        ended = datetime.fromisoformat(self.audited("session.revoked")["time"])
        late = (ended - crl.next_update_utc).total_seconds()
        self.assertTrue(0 <= late < 3, late)
        until(lambda: "the revocation list of 'CN=rserpool authority' ended"
              in self.site.log("registrar"))  # fmt: skip

    test_list_over.timeout = 60

    def audited(self, what):
        """The first line of the audit log that tells of this."""
        lines = (self.site.files / "audit.log").read_text().splitlines()
        return next(one for one in map(json.loads, lines) if one["what"] == what)

    def open(self):
        """How many sessions the element has."""
        return sum(one["open"] for one in self.site.status()["credentials"])

    def test_list_is_over(self):
        """With a list that is over the registrar doesn't start, and says what to do."""
        self.revoke("--days", str(1 / 86400))
        time.sleep(1.1)
        with self.assertRaises(AssertionError) as caught:
            self.registrar()
        self.assertIn("crl.pem: the revocation list of 'CN=rserpool authority' ended",
                      str(caught.exception))  # fmt: skip


class Open(SynchronousTestCase):
    """Private keys that others can read."""

    def test_registrar(self):
        """The registrar doesn't start with one, and says what to type."""
        site = Site(self)
        key = site.files / "registrar.key"
        key.chmod(0o640)
        with self.assertRaises(AssertionError) as caught:
            site.registrar()
        self.assertIn(f"chmod 600 {key}", str(caught.exception))

    def test_element(self):
        """Nor does an element."""
        site = Site(self)
        key = site.files / "registrar.key"
        key.chmod(0o604)
        done = subprocess.run(
            [str(BIN / "twistd"), "-n", "--pidfile=", "rserpool-pe", "--pool", "web",
             "--service", "tcp:127.0.0.1:1", "--registrar", site.endpoint,
             "--certificate", str(site.files / "registrar.pem"), "--private-key", str(key)],
            capture_output=True, text=True, timeout=30, cwd=site.scratch,
            env=site.environment, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"chmod 600 {key}", done.stdout + done.stderr)


class Keys(SynchronousTestCase):
    """Keys that end, and keys that are rotated."""

    def test_ends(self):
        """A session ends within a second when its key does."""
        site = Site(self)
        keys = str(site.files / "elements.psk")
        end = int(time.time()) + 15  # time for two processes to start
        moment = datetime.fromtimestamp(end, UTC).isoformat()
        done = site.command("psk", "add", keys, "brief", "--not-after", moment,
                            "--to", str(site.files / "brief.psk"))  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        site.registrar()
        port = site.server("brief")
        site.element("brief", port)
        until(lambda: site.elements() == {port})
        self.assertLess(time.time(), end)
        until(lambda: not any(one["open"] for one in site.status()["credentials"]), 20)
        late = time.time() - end
        self.assertTrue(0 <= late < 1, late)
        self.assertIn("its credential isn't in force any more", site.log("registrar"))
        self.assertIn(f"{keys}:4: the key of 'brief' is good until", site.log("registrar"))

    test_ends.timeout = 60

    def test_rotation(self):
        """A key is rotated without a gap, and the old one goes when nobody uses it."""
        site = Site(self)
        registrar = site.registrar()
        keys, status = str(site.files / "elements.psk"), f"tcp:{site.status_port}"
        port = site.server("web-1")
        site.element("web-1", port)
        until(lambda: site.elements() == {port})
        new = site.files / "new.psk"
        rotate = ["psk", "rotate", keys, "web-1", "--status", status]
        self.assertEqual(site.command(*rotate, "--to", str(new)).returncode, 0)
        too_early = site.command(*rotate)
        self.assertEqual(too_early.returncode, 1)
        self.assertIn("'web-1' is in use still, by 1 connection", too_early.stderr)
        registrar.send_signal(signal.SIGHUP)
        until(lambda: "] reloaded" in site.log("registrar"))
        self.assertEqual(site.elements(), {port}, "the old key goes on")
        site.processes["web-1"].terminate()
        site.processes["web-1"].wait()
        os.replace(new, site.files / "web-1.psk")
        site.element("web-1", port)
        until(lambda: site.elements() == {port})
        retired = site.command(*rotate)
        self.assertEqual(retired.returncode, 0, retired.stderr)
        registrar.send_signal(signal.SIGHUP)
        until(lambda: site.log("registrar").count("] reloaded") == 2)
        self.assertEqual(site.elements(), {port})
        names = [key.identity for key in keyfile.read(keys).keys]
        self.assertEqual(names, ["web-2", "web-3", "web-1~2"])
        self.assertNotIn(Path(site.files / "web-1.psk").read_text().split(":")[1].strip(),
                         site.log("registrar"))  # fmt: skip

    test_rotation.timeout = 60


class Watch:
    """Resolves the pool again and again, in a thread; see what it was told."""

    def __init__(self, case, site):
        self.answers = []
        self._site = site
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        case.addCleanup(self.stop)

    def _look(self):
        end = time.monotonic() + 120
        while not self._over.is_set() and time.monotonic() < end:
            self.answers.append(self._site.ask("resolve", "web", "--json"))

    def more(self, count=2):
        """Wait for so many answers to questions that weren't asked before this."""
        count += len(self.answers) + 1
        until(lambda: len(self.answers) >= count, 60)

    def stop(self):
        """Ask no more; which elements every answer had."""
        self._over.set()
        self._thread.join()
        return [
            {one["transport"]["port"] for one in json.loads(answer.stdout)["elements"]}
            if answer.returncode == 0 else answer.stderr
            for answer in self.answers
        ]  # fmt: skip


class InPlace(SynchronousTestCase):
    """An element that gets another key while it runs."""

    def setUp(self):
        """It is registered."""
        self.site = Site(self)
        self.keys = self.site.files / "elements.psk"
        self.own = self.site.files / "web-1.psk"
        self.registrar = self.site.registrar()
        self.port = self.site.server("web-1")
        self.element = self.site.element("web-1", self.port)
        until(lambda: self.site.elements() == {self.port})

    def rotate(self, *words):
        """Do what is next."""
        status = f"tcp:{self.site.status_port}"
        return self.site.command(
            "psk", "rotate", str(self.keys), "web-1", "--status", status, *words
        )

    def reload(self, process, name, count=1):
        """SIGHUP; when it has been heeded."""
        process.send_signal(signal.SIGHUP)
        until(lambda: self.site.log(name).count("] reloaded") >= count)

    def open(self):
        """The identities by which somebody is connected."""
        return {one["identity"] for one in self.site.status()["credentials"] if one["open"]}

    def audited(self):
        """What has happened to elements."""
        lines = (self.site.files / "audit.log").read_text().splitlines()
        found = [json.loads(line)["what"] for line in lines]
        return [what for what in found if what.startswith(("element.", "registration."))]

    def test_rotation(self):
        """From one key to the next by SIGHUP alone, and every answer has the element."""
        watch = Watch(self, self.site)
        watch.more(1)
        new = self.site.files / "new.psk"
        done = self.rotate("--to", str(new))
        self.assertIn("kill -HUP", done.stdout)
        self.reload(self.registrar, "registrar")
        os.replace(new, self.own)
        self.reload(self.element, "web-1")
        until(lambda: self.open() == {"web-1~2"})
        self.assertIn("moved to a new connection", self.site.log("web-1"))
        retired = self.rotate()
        self.assertEqual(retired.returncode, 0, retired.stderr)
        self.reload(self.registrar, "registrar", 2)
        watch.more()
        answers = watch.stop()
        self.assertGreater(len(answers), 3)
        self.assertEqual([one for one in answers if one != {self.port}], [])
        self.assertEqual(self.audited(), ["element.new"])
        self.assertNotIn("home registrar was lost", self.site.log("web-1"))

    test_rotation.timeout = 120

    def test_too_early(self):
        """A key that the registrar doesn't know yet waits for it, and the old one goes on."""
        new = self.site.files / "new.psk"
        self.rotate("--to", str(new))
        os.replace(new, self.own)
        self.reload(self.element, "web-1")
        until(lambda: "the old one stays" in self.site.log("web-1"))
        self.assertEqual((self.open(), self.site.elements()), ({"web-1"}, {self.port}))
        self.reload(self.registrar, "registrar")
        until(lambda: self.open() == {"web-1~2"})
        self.assertEqual(self.audited(), ["element.new"])

    test_too_early.timeout = 90

    def test_no_key(self):
        """A file that doesn't load changes nothing, and is told with its line."""
        self.own.write_text(f"# mine\nweb-1:{'zz' * 32}\n")
        self.element.send_signal(signal.SIGHUP)
        until(lambda: "reloaded in part" in self.site.log("web-1"))
        self.assertIn("not reloaded, the last good one stays: psk: "
                      f"{self.own}:2: ", self.site.log("web-1"))  # fmt: skip
        self.assertNotIn("zz", self.site.log("web-1"))
        self.assertEqual((self.open(), self.site.elements()), ({"web-1"}, {self.port}))

    test_no_key.timeout = 60
