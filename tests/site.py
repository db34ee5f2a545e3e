"""A site for tests with real processes: keys, certificates, a registrar, servers."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tests import secrets

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parent.parent


def _first_of_callers():
    """The first of the ports that the system gives to those who call."""
    with contextlib.suppress(OSError, ValueError):
        words = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        return max(int(words[0]), 12_000)
    return 32_768


def free_port():
    """
    A port that nobody listens on, nor is given for a call before the test listens there.

    Asked for any port, the system gives one of those from which it takes calls' own ports, too.
    """
    while True:
        port = random.randrange(10_000, _first_of_callers() - 100)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def until(holds, seconds=30.0):
    """Wait until something holds, and give it back."""
    end = time.monotonic() + seconds
    while True:
        result = holds()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} seconds")
        time.sleep(0.05)


class Site:
    """What `rserpool init` makes, and the processes that a test starts."""

    def __init__(self, case, secure=True):
        self.scratch = Path(tempfile.mkdtemp(prefix="rserpool-test-"))
        case.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        case.addCleanup(self.stop)
        self.secure = secure
        self.processes = {}
        self.port = free_port()
        self.status_port = free_port()
        self.files = self.scratch / "site"
        made = self.command("init", str(self.files), "--port", str(self.port),
                            "--interface", "127.0.0.1")  # fmt: skip
        assert made.returncode == 0, made.stderr

    @property
    def endpoint(self):
        """Where the registrar is called."""
        return f"tcp:127.0.0.1:{self.port}"

    def twistd(self, name, *words):
        """Start a service of twistd; its log is in the scratch directory."""
        with open(self.scratch / f"{name}.log", "wb") as log:
            self.processes[name] = subprocess.Popen(
                [str(BIN / "twistd"), "-n", "--pidfile=", *words],
                stdout=log, stderr=subprocess.STDOUT, cwd=self.scratch, env=self.environment,
            )  # fmt: skip
        return self.processes[name]

    @property
    def environment(self):
        """Programs find our package from the scratch directory, too."""
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    def registrar(self, *words):
        """Start the registrar and wait until it listens."""
        config = ["--config", str(self.files / "registrar.toml")]
        if not self.secure:
            config = ["--security", "none", "--asap", f"tcp:{self.port}:interface=127.0.0.1"]
        process = self.twistd("registrar", "rserpool-enrp", *config,
                              "--status", f"tcp:{self.status_port}", *words)  # fmt: skip
        until(lambda: process.poll() is not None or self.listens())
        assert process.poll() is None, self.log("registrar")
        return process

    def listens(self):
        """Whether the registrar does, its status page included, which comes last."""
        for port in (self.port, self.status_port):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)):
                    return False
        return True

    def element(self, name, port, *words, key=None):
        """Start a wrapper."""
        proof = ["--psk", str(key or self.files / f"{name}.psk")]
        return self.twistd(
            name, "rserpool-pe", "--pool", "web", "--service", f"tcp:127.0.0.1:{port}",
            "--registrar", self.endpoint, "--check-interval", "0.3",
            *(proof if self.secure else ["--security", "none"]), *words,
        )  # fmt: skip

    def server(self, name):
        """Start an HTTP server, and give back its port."""
        port = free_port()
        root = self.scratch / f"www-{name}"
        root.mkdir()
        (root / "index.html").write_text(name)
        self.processes[f"server-{name}"] = subprocess.Popen(
            [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=root,
        )  # fmt: skip
        return port

    def command(self, *words):
        """Run the rserpool command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "rserpool.cli.main", *words],
            capture_output=True, text=True, timeout=30, cwd=self.scratch,
            env=self.environment, check=False,
        )  # fmt: skip

    def ask(self, *words):
        """Run a command that asks the registrar."""
        proof = ["--ca", str(self.files / "ca.pem")] if self.secure else ["--security", "none"]
        return self.command(*words, "--registrar", self.endpoint, *proof)

    def elements(self):
        """The ports of the elements in the pool."""
        answer = self.ask("resolve", "web", "--json")
        if answer.returncode == 1:
            return set()
        assert answer.returncode == 0, answer.stderr
        return {e["transport"]["port"] for e in json.loads(answer.stdout)["elements"]}

    def status(self):
        """What /status.json tells."""
        where = f"http://127.0.0.1:{self.status_port}/status.json"
        with urllib.request.urlopen(where, timeout=5) as page:
            return json.load(page)

    def log(self, name):
        """The log of a process."""
        return (self.scratch / f"{name}.log").read_text(errors="replace")

    def stop(self):
        """End everything that was started here; no key may stand in what was written."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        self.no_secrets()

    def no_secrets(self):
        """Search every log for every key that there is, in whatever form."""
        keys = secrets.of(self.scratch)
        secrets.remember(keys)
        for log in self.scratch.rglob("*.log*"):
            found = secrets.leaked(keys, log.read_bytes())
            assert not found, f"{log.name} has the key of {found}"
