"""The registrar's service: what is wired, how it starts, reloads and stops."""

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.security.certificate import make
from rserpool.security.psk import keyfile
from rserpool.service import maker
from tests.service.made import ANYWHERE, service
from tests.site import BIN, ROOT, until


class NoCollector:
    """In place of the garbage collector: a test may not freeze the heap of all others."""

    freeze = set_threshold = staticmethod(lambda *_: None)


class Running(TestCase):
    """One service in this process."""

    def setUp(self):
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.patch(maker, "gc", NoCollector)
        before = signal.getsignal(signal.SIGHUP)
        self.addCleanup(signal.signal, signal.SIGHUP, before)

    def start(self, **table):
        """Make a service and start it as twistd does."""
        made = service(reactor, **table)
        made.privilegedStartService()
        made.startService()
        self.addCleanup(lambda: made.stopService() if made.running else None)
        return made

    def keys(self, *names):
        """Write a key file for these identities."""
        path = os.path.abspath(self.mktemp())
        for name in names:
            keyfile.add(path, name, name[-1:].encode() * 32)
        return path

    def said(self, level):
        """What was logged at this level."""
        return [
            event["log_format"].format(**event)
            for event in self.events
            if event.get("log_level") is level and "rserpool" in event["log_namespace"]
        ]

    def test_says_what_runs(self):
        """The log tells the version, the identifier, the security and each listener."""
        self.start(security="none", asap=(ANYWHERE, ANYWHERE), server_id=0x2A, status="tcp:0")
        said = "\n".join(self.said(LogLevel.info))
        self.assertIn("rserpool ", said)
        self.assertIn("registrar 0x0000002a", said)
        self.assertEqual(said.count("ASAP on 127.0.0.1 port"), 2)
        self.assertIn("status on http://127.0.0.1:", said)
        self.assertIn("SECURITY IS NONE", self.said(LogLevel.warn)[0])

    def test_says_what_is_not_enforced(self):
        """What is configured and isn't enforced is warned of at each start."""
        keys = f"psk:{self.keys('web-1')}"
        self.start(
            asap_tls=(ANYWHERE,), auth=(keys,), authorization="report", plain_resolution=True
        )
        said = "\n".join(self.said(LogLevel.warn))
        self.assertIn("DONE ALL THE SAME", said)
        self.assertIn("plain-resolution is on", said)
        self.assertNotIn("limits.mode", said)
        self.events.clear()
        self.start(asap_tls=(ANYWHERE,), auth=(keys,))
        self.assertNotIn("SAME", "\n".join(self.said(LogLevel.warn)))

    def test_says_how_secured(self):
        """For each listener the log tells how it is secured; and what ought to be better."""
        path = self.keys("web-1")
        self.start(asap_tls=(ANYWHERE,), asap=(ANYWHERE,), auth=(f"psk:{path}",))
        said = "\n".join(self.said(LogLevel.info))
        self.assertIn("(TLS 1.3 or later; elements prove themselves by psk)", said)
        self.assertIn("(plain: refuses)", said)
        self.assertEqual(self.said(LogLevel.warn), [])

    @inlineCallbacks
    def test_stops(self):
        """Once it is stopped its ports are free."""
        made = self.start(security="none", asap=(ANYWHERE,))
        [(_, listener)] = made.listeners
        port = int(listener.where.split()[-1])
        yield made.stopService()
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", port)), 0)

    def test_cannot_listen(self):
        """A port that can't be had ends the start; the log has one line on it."""
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            taken = f"tcp:{holder.getsockname()[1]}:interface=127.0.0.1"
            for where, words in ((taken, "in use"), ("tcp:0:interface=192.0.2.1", "assign")):
                self.events.clear()
                made = service(reactor, security="none", asap=(where,))
                error = self.assertRaises(maker.CannotStart, made.privilegedStartService)
                self.assertEqual(error.code, 1)
                [line] = self.said(LogLevel.critical)
                self.assertIn(where, line)
                self.assertIn(words, line)

    def test_reload_insecure(self):
        """SIGHUP at an insecure registrar finds nothing to read, and nothing wrong."""
        made = self.start(security="none", asap=(ANYWHERE,))
        made.reload()
        self.assertEqual(self.said(LogLevel.error) + self.said(LogLevel.critical), [])
        self.assertIn("reloaded; 0 sessions closed", self.said(LogLevel.info))

    def test_reload(self):
        """New connections get new TLS; what doesn't load is an error, and TLS stays good."""
        path = self.keys("web-1")
        made = self.start(asap_tls=(ANYWHERE,), auth=(f"psk:{path}",))
        [(_, listener)] = made.listeners
        first = listener.creator
        made.reload()
        self.assertIsNot(listener.creator, first)
        Path(path).write_text("nonsense\n")
        made.reload()
        [error] = self.said(LogLevel.error)
        self.assertIn(f"{path}:1", error)
        self.assertIn("reloaded in part", self.said(LogLevel.info)[-1])
        self.assertEqual(self.said(LogLevel.critical), [])

    def test_sighup(self):
        """The signal reloads, in the reactor's own turn."""
        made = self.start(security="none", asap=(ANYWHERE,))
        reloaded = []
        made.reload = lambda: reloaded.append(True)
        self.addCleanup(signal.signal, signal.SIGHUP, signal.SIG_DFL)
        turns = []
        self.patch(made, "_reactor", type("R", (), {"callFromThread": turns.append}))
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(reloaded, [])
        [turn] = turns
        turn()
        self.assertEqual(reloaded, [True])


class ByTwistd(SynchronousTestCase):
    """The same by twistd, where only a process of its own shows what happens."""

    def twistd(self, *words):
        """Run twistd to its end, or until it is a daemon."""
        self.scratch = Path(self.mktemp()).absolute()
        self.scratch.mkdir()
        return subprocess.run(
            [str(BIN / "twistd"), "--pidfile=pid", *words],
            capture_output=True, text=True, timeout=20, cwd=self.scratch, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def test_daemon_that_cannot_listen(self):
        """The process that waits for the daemon ends, too: status 1, a reason, no PID file."""
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            where = f"tcp:{holder.getsockname()[1]}:interface=127.0.0.1"
            done = self.twistd(
                "--logfile=log", "rserpool-enrp", "--security", "none", "--asap", where
            )
        self.assertEqual(done.returncode, 1)
        self.assertIn("can't listen on", done.stderr)
        log = (self.scratch / "log").read_text()
        self.assertEqual(log.count("Address already in use; 'ss -ltnp' tells which"), 1)
        self.assertNotIn("Traceback", log)
        # The process that waited may end before the daemon has taken its file away.
        until(lambda: not (self.scratch / "pid").exists())

    test_daemon_that_cannot_listen.timeout = 30

    def test_daemon(self):
        """As a daemon it takes SIGHUP, and reads its files although it left their directory."""
        files = Path(self.mktemp()).absolute()
        files.mkdir()
        keyfile.add(str(files / "elements.psk"), "web-1", b"k" * 32)
        made = make.issue(make.authority("test"), ["registrar.example"])
        make.write(made, str(files / "r.pem"), str(files / "r.key"))
        (files / "r.toml").write_text(
            f'[registrar]\nasap-tls = "{ANYWHERE}"\nauth = "psk:elements.psk"\n'
            'certificate = "r.pem"\nprivate-key = "r.key"\n'
        )
        (files / "run").mkdir()
        done = subprocess.run(
            [str(BIN / "twistd"), f"--pidfile={files}/pid", f"--logfile={files}/log",
             f"--rundir={files}/run", "rserpool-enrp", "--config", "r.toml"],
            capture_output=True, text=True, timeout=20, cwd=files, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        pid = int((files / "pid").read_text())
        self.addCleanup(self.end, files / "pid")
        log = files / "log"
        until(lambda: "ASAP on" in log.read_text())
        os.kill(pid, signal.SIGHUP)
        until(lambda: "reloaded" in log.read_text())
        self.assertNotIn("not reloaded", log.read_text())
        os.kill(pid, signal.SIGTERM)
        until(lambda: "Server Shut Down" in log.read_text())
        self.assertNotIn("Traceback", log.read_text())

    test_daemon.timeout = 60

    def end(self, pid_file):
        """End a daemon that a failed test has left; one that ended has taken its file along."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
