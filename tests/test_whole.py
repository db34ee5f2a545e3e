"""The whole, as its users have it: real processes, real connections, real failures."""

import json
import signal
import socket
import subprocess
import time
import urllib.request

from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import asap, causes
from rserpool.wire.framing import Splitter
from tests.registrar.scene import registration
from tests.site import BIN, Site, free_port, until

#: How twistd ends when it is told to: by itself, or by the same signal once all is done.
ENDED = (0, -signal.SIGTERM)


class Served(SynchronousTestCase):
    """A secure registrar with real servers."""

    def test_story(self):
        """Servers come and are resolved; one is killed, one hangs, a key is revoked."""
        site = Site(self)
        registrar = site.registrar("--set", "timers.keep-alive-interval=1",
                                   "--set", "timers.keep-alive-timeout=1")  # fmt: skip
        ports = {name: site.server(name) for name in ("web-1", "web-2", "web-3")}
        for name, port in ports.items():
            site.element(name, port, "--check", "http:/")
        until(lambda: site.elements() == set(ports.values()))

        # its server is killed: the wrapper takes it out
        site.processes["server-web-1"].kill()
        until(lambda: site.elements() == {ports["web-2"], ports["web-3"]})

        # the wrapper is killed: the registrar takes it out
        site.processes["web-2"].kill()
        until(lambda: site.elements() == {ports["web-3"]})
        self.assertIn('"element.lost"', site.log("registrar"))

        # the wrapper hangs: it doesn't answer keep-alives
        site.processes["web-3"].send_signal(signal.SIGSTOP)
        until(lambda: site.elements() == set())
        site.processes["web-3"].send_signal(signal.SIGCONT)
        until(lambda: site.elements() == {ports["web-3"]})

        # its key is revoked: the session ends, and no new one begins
        removed = site.command("psk", "remove", str(site.files / "elements.psk"), "web-3")
        self.assertEqual(removed.returncode, 0)
        registrar.send_signal(signal.SIGHUP)
        until(lambda: site.elements() == set())
        self.assertIn("unknown identity", until(lambda: site.log("registrar")))

        # the registrar is told to end: it does, cleanly
        registrar.send_signal(signal.SIGTERM)
        self.assertIn(registrar.wait(30), ENDED)
        self.no_secrets(site)
        self.no_errors(site)

    test_story.timeout = 120

    def no_secrets(self, site):
        """No key stands in any log."""
        keys = [
            line.split(":")[1].strip()
            for name in ("web-1", "web-2", "web-3")
            for line in (site.files / f"{name}.psk").read_text().splitlines()
        ]
        logs = "".join(path.read_text(errors="replace") for path in site.scratch.glob("*.log"))
        for key in keys:
            self.assertNotIn(key, logs)
            self.assertNotIn(repr(bytes.fromhex(key))[2:-1], logs)

    def no_errors(self, site):
        """No log has a traceback."""
        for path in site.scratch.glob("*.log"):
            self.assertNotIn("Traceback", path.read_text(errors="replace"), path.name)

    def test_leaves(self):
        """At SIGTERM the wrapper leaves the pool before it ends, and ends what it spawned."""
        site = Site(self)
        site.registrar()
        port = free_port()
        command = f"{BIN}/python -m http.server {port} --bind 127.0.0.1"
        wrapper = site.element("web-1", port, "--spawn", command)
        until(lambda: site.elements() == {port})
        wrapper.send_signal(signal.SIGTERM)
        self.assertIn(wrapper.wait(30), ENDED)
        self.assertEqual(site.elements(), set())
        self.assertIn("element.deregistered", site.log("registrar"))
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", port)), 0)
        self.no_errors(site)

    test_leaves.timeout = 60

    def test_reload(self):
        """SIGHUP: what doesn't load stays as it was, what does counts, sessions go on."""
        site = Site(self)
        registrar = site.registrar()
        port = site.server("web-1")
        site.element("web-1", port)
        until(lambda: site.elements() == {port})
        keys, rules = site.files / "elements.psk", site.files / "rules.toml"
        good = keys.read_text()
        keys.write_text(good + "garbage\n")
        rules.write_text('[roles.anonymous]\nrules = ["!asap"]\n')
        registrar.send_signal(signal.SIGHUP)
        until(lambda: "elements.psk:4:" in site.log("registrar"))
        until(lambda: site.ask("resolve", "web").returncode == 1)
        done = site.ask("resolve", "web")
        self.assertIn("security considerations", done.stderr)
        self.assertEqual(site.status()["elements"], 1)
        keys.write_text(good)
        added = site.command("psk", "add", str(keys), "web-9", "--to", "web-9.psk")
        self.assertEqual(added.returncode, 0, added.stderr)
        rules.write_text('[roles.all]\nrules = ["asap"]\n')
        registrar.send_signal(signal.SIGHUP)
        other = site.server("web-9")
        site.element("web-9", other, key=site.scratch / "web-9.psk")
        until(lambda: site.elements() == {port, other})
        self.assertNotIn("home registrar was lost", site.log("web-1"))

    test_reload.timeout = 60

    def test_registrar_comes_back(self):
        """Elements find their registrar again after it was killed."""
        site = Site(self)
        site.registrar()
        port = site.server("web-1")
        site.element("web-1", port)
        until(lambda: site.elements() == {port})
        site.processes["registrar"].kill()
        site.processes["registrar"].wait()
        site.registrar()
        until(lambda: site.elements() == {port}, 40)
        self.no_errors(site)

    test_registrar_comes_back.timeout = 90


class Refused(SynchronousTestCase):
    """What a newcomer does wrongly, and what an attacker tries."""

    def test_starts_that_fail(self):
        """Each wrong start ends with a clear line and a status that isn't 0."""
        site = Site(self)
        site.registrar()
        keys = site.files / "elements.psk"
        for change, words, expected in (
            (None, ["--config", str(site.files / "registrar.toml")], "already in use"),
            (None, ["--config", "/nonexistent"], "can't be read"),
            (None, ["--asap-tls", "tcp:1", "--auth", "magic:x"], "no security plugin 'magic'"),
            (None, ["--asap-tls", "tcp:1", "--auth", "psk:/nonexistent"], "/nonexistent"),
            (lambda: keys.chmod(0o644), ["--asap-tls", "tcp:1", "--auth", f"psk:{keys}"],
             "chmod 600"),
        ):  # fmt: skip
            if change:
                change()
            done = subprocess.run(
                [str(BIN / "twistd"), "-n", "--pidfile=", "rserpool-enrp", *words],
                capture_output=True, text=True, timeout=30, cwd=site.scratch,
                env=site.environment, check=False,
            )  # fmt: skip
            output = done.stdout + done.stderr
            self.assertIn(expected, output, words)
            self.assertNotEqual(done.returncode, 0, words)
            self.assertNotIn("Traceback", output, words)

    test_starts_that_fail.timeout = 60

    def test_all_at_once(self):
        """Faults of the configuration and of the files that it names come together."""
        site = Site(self)
        config = site.files / "registrar.toml"
        text = config.read_text().replace("server-id", "servr-id")
        config.write_text(f"{text}\n[limits]\npools = -1\n")
        (site.files / "elements.psk").write_text("web-1:abc\n")
        (site.files / "registrar.key").unlink()
        (site.files / "rules.toml").write_text('[roles.all]\nrules = ["asp"]\n')
        done = subprocess.run(
            [str(BIN / "twistd"), "-n", "--pidfile=", "rserpool-enrp", "--config", str(config)],
            capture_output=True, text=True, timeout=30, cwd=site.scratch,
            env=site.environment, check=False,
        )  # fmt: skip
        for words in ("5 faults", "'server-id'", "limits.pools", "elements.psk:1:",
                      "registrar.key can't be read", "'asp' isn't a permission"):  # fmt: skip
            self.assertIn(words, done.stderr)
        self.assertNotIn("abc", done.stderr)
        self.assertEqual(done.returncode, 1)

    def test_questions_that_fail(self):
        """Exit status 1: the answer is no; 2: it could not be asked; and why."""
        site = Site(self)
        site.registrar()
        ca = ["--ca", str(site.files / "ca.pem")]
        where = ["--registrar", site.endpoint]
        nobody = f"tcp:127.0.0.1:{free_port()}"
        for words, status, expected in (
            (["resolve", "nothing", *where, *ca], 1, "there is no pool 'nothing'"),
            (["resolve", "web"], 2, "--registrar"),
            (["resolve", "web", *where, *ca, "--name", "x.example"], 2, "not x.example"),
            (["resolve", "web", *where], 2, "authority"),
            (["resolve", "web", *where, "--ca", "/nonexistent"], 2, "/nonexistent"),
            (["resolve", "web", "--registrar", nobody, *ca], 2, "refused"),
            (["resolve", "web", "--registrar", "udp:x:1", *ca], 2, "isn't an endpoint"),
            (["resolve", "web", *where, "--security", "none"], 2, ""),
            (["report", "web", "nonsense", *where, *ca], 2, "isn't a PE identifier"),
            (["psk", "add", str(site.files / "elements.psk"), "web-1"], 2, "web-1"),
            (["psk", "remove", str(site.files / "elements.psk"), "nobody"], 1, "nobody"),
            (["certificate", "show", str(site.files / "ca.key")], 2, "no certificate"),
            (["init", str(site.files)], 2, "isn't empty"),
            (["frobnicate"], 2, "invalid choice"),
        ):
            timeout = ["--timeout", "1.5"] if words[0] in ("resolve", "report") else []
            done = site.command(*words, *timeout)
            self.assertEqual(done.returncode, status, (words, done.stderr))
            self.assertIn(expected, done.stderr, words)
            self.assertNotIn("Traceback", done.stderr, words)
            self.assertEqual(done.stdout, "", words)

    test_questions_that_fail.timeout = 90

    def test_wrong_key(self):
        """A wrong key and an unknown identity are refused alike, and logged apart."""
        site = Site(self)
        site.registrar()
        port = site.server("x")
        names = ("web-1", "stranger")
        for name in names:
            key = site.scratch / f"{name}.wrong"
            key.write_text(f"{name}:{'ab' * 32}\n")
            key.chmod(0o600)
            site.element(name, port, key=key)
        refusals = [until(lambda name=name: self.refusal(site, name)) for name in names]
        self.assertEqual(*refusals)
        until(lambda: "identity 'web-1': wrong key" in site.log("registrar"))
        until(lambda: "identity 'stranger': unknown identity" in site.log("registrar"))
        self.assertEqual(site.elements(), set())

    def refusal(self, site, name):
        """What the wrapper has logged of its refusal, without the identity."""
        lines = site.log(name).splitlines()
        found = [line.partition("not reached:")[2] for line in lines if "not reached" in line]
        return found[0].replace(name, "NAME") if found else ""

    test_wrong_key.timeout = 60


def exchange(port, *messages, want=1):
    """Send messages over plain TCP; what comes back within a second."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
        line.sendall(
            b"".join(asap.encode(m) if not isinstance(m, bytes) else m for m in messages)
        )
        splitter, found = Splitter(), []
        try:
            while len(found) < want:
                data = line.recv(65536)
                if not data:
                    break
                found += [asap.decode(m).message for m in splitter.feed(data)]
        except TimeoutError:
            pass
        return found


class Plain(SynchronousTestCase):
    """Plain connections, at a secure registrar and at an insecure one."""

    def test_polite_refusal(self):
        """A secure registrar's plain listener refuses everything with 0xa (RFC 5352 9.3)."""
        site = Site(self)
        plain = free_port()
        site.registrar("--asap", f"tcp:{plain}:interface=127.0.0.1")
        found = exchange(
            plain, registration(1), asap.Deregistration(handle=b"web", identifier=1),
            asap.HandleResolution(handle=b"web"), want=3,
        )  # fmt: skip
        self.assertEqual([type(m).__name__ for m in found], [
            "RegistrationResponse", "DeregistrationResponse", "HandleResolutionResponse",
        ])  # fmt: skip
        self.assertTrue(found[0].rejected)
        for message in found:
            self.assertEqual(message.error.causes, (causes.RejectedForSecurity(),))
        self.assertEqual(site.status()["elements"], 0)

    def test_insecure(self):
        """An insecure registrar serves anybody, says so aloud, and knows no TLS."""
        site = Site(self, secure=False)
        site.registrar()
        port = site.server("web-1")
        site.element("web-1", port)
        until(lambda: site.elements() == {port})
        self.assertIn("SECURITY IS NONE", site.log("registrar"))
        status = site.status()
        self.assertEqual((status["security"], status["elements"]), ("none", 1))
        where = f"http://127.0.0.1:{site.status_port}/"
        self.assertIn(
            b"rserpool_elements 1.0", urllib.request.urlopen(f"{where}metrics").read()
        )
        self.assertIn(b"<td>web</td>", urllib.request.urlopen(where).read())

    test_insecure.timeout = 60

    def test_watch(self):
        """Watch prints every change, and ends quietly with Ctrl-C."""
        site = Site(self, secure=False)
        site.registrar()
        line = socket.create_connection(("127.0.0.1", site.port))
        self.addCleanup(line.close)
        line.sendall(asap.encode(registration(1)))
        until(site.elements)
        watcher = subprocess.Popen(
            [str(BIN / "python"), "-m", "rserpool.cli.main", "watch", "web", "--json",
             "--registrar", site.endpoint, "--security", "none"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=site.environment,
            # Who runs tests in the background of a shell has SIGINT ignored, and so we.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )  # fmt: skip
        site.processes["watch"] = watcher
        first = json.loads(watcher.stdout.readline())
        self.assertEqual(len(first["elements"]), 1)
        line.sendall(asap.encode(registration(2)))
        self.assertEqual(len(json.loads(watcher.stdout.readline())["elements"]), 2)
        watcher.send_signal(signal.SIGINT)
        self.assertEqual(watcher.wait(30), 130)
        self.assertEqual(watcher.stderr.read(), "")
        watcher.stdout.close()
        watcher.stderr.close()

    test_watch.timeout = 60

    def test_report(self):
        """Report makes the registrar ask the element, which leaves when it is silent."""
        site = Site(self, secure=False)
        # It isn't asked but for the report.
        site.registrar("--set", "timers.keep-alive-timeout=1",
                       "--set", "timers.keep-alive-interval=3600")  # fmt: skip
        line = socket.create_connection(("127.0.0.1", site.port))
        self.addCleanup(line.close)
        line.sendall(asap.encode(registration(1)))
        until(site.elements)
        done = site.ask("report", "web", "1", "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["reported"]), (0, True))
        until(lambda: site.elements() == set())

    test_report.timeout = 60

    def test_who_does_not_read(self):
        """A client that asks and doesn't read is cut off; others are served meanwhile."""
        site = Site(self, secure=False)
        site.registrar("--set", "limits.resolutions-burst=1000000",
                       "--set", "limits.registrations-burst=1000000")  # fmt: skip
        line = socket.create_connection(("127.0.0.1", site.port))
        self.addCleanup(line.close)
        line.sendall(b"".join(asap.encode(registration(n)) for n in range(1, 1000)))
        until(lambda: site.status()["elements"] == 999)
        greedy = socket.create_connection(("127.0.0.1", site.port))
        self.addCleanup(greedy.close)
        greedy.settimeout(0.2)
        question = asap.encode(asap.HandleResolution(handle=b"web")) * 2000
        try:
            for _ in range(50):
                greedy.sendall(question)
        except OSError:
            pass
        began = time.monotonic()
        self.assertEqual(len(site.elements()), 999)
        self.assertLess(time.monotonic() - began, 5)
        pid = site.processes["registrar"].pid
        with open(f"/proc/{pid}/status") as status:
            memory = next(int(row.split()[1]) for row in status if row.startswith("VmRSS"))
        self.assertLess(memory, 250_000, "kilobytes")

    test_who_does_not_read.timeout = 60
