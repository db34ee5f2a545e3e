"""Real processes in the lab, each on a host of its LAN or on the lab's own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.site import BIN, ROOT, until

#: Soon enough for a test.
TIMERS = {
    "timers.keep-alive-interval": 1, "timers.keep-alive-timeout": 3,
    "timers.peer-heartbeat-cycle": 1, "timers.max-time-last-heard": 3,
    "timers.max-time-no-response": 1,
}  # fmt: skip
#: Of an association, likewise: written after an endpoint.
QUICK = ":heartbeat=0.5:rtoInitial=0.2:rtoMinimum=0.1:rtoMaximum=0.5:pathRetransmissions=1"
INSECURE = ("--security", "none")


def settings(values):
    """The same on the command line."""
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


class Processes:
    """
    Starts programs, and ends them after a test.

    :ivar scratch: their directory, with their logs.
    """

    def __init__(self, case):
        self.scratch = Path(tempfile.mkdtemp(prefix="rserpool-interop-", dir="/tmp"))
        case.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        case.addCleanup(self.stop)
        self.running = {}

    def start(self, name, *words, host=None, stdin=subprocess.DEVNULL):
        """
        Start a program; its output is in its log.

        :param host: of a LAN, on which it runs.
        """
        command = list(words) if host is None else host.command(*words)
        with open(self.scratch / f"{name}.log", "wb") as log:
            self.running[name] = subprocess.Popen(
                command, stdin=stdin, stdout=log, stderr=subprocess.STDOUT, cwd=self.scratch,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        return self.running[name]

    def twistd(self, name, *words, host=None):
        """Start a service of ours."""
        return self.start(name, str(BIN / "twistd"), "-n", "--pidfile=", *words, host=host)

    def registrar(self, name, *words, host=None):
        """Start a registrar, and wait until it serves."""
        process = self.twistd(name, "rserpool-enrp", *settings(TIMERS), *words, host=host)
        until(lambda: process.poll() is not None or "serving, with" in self.log(name), 60)
        assert process.poll() is None, self.log(name)
        return process

    def element(self, name, registrars, service, *words, host=None):
        """Start a wrapper in the pool ``web``, and wait until it is registered."""
        called = [word for text in registrars for word in ("--registrar", text)]
        process = self.twistd(
            name, "rserpool-pe", "--pool", "web", *called, "--service", service,
            "--check", "none", *words, host=host,
        )  # fmt: skip
        until(lambda: process.poll() is not None or "registered in pool" in self.log(name), 60)
        assert process.poll() is None, self.log(name)
        return process

    def command(self, *words, host=None):
        """Run the rserpool command to its end."""
        ours = [sys.executable, "-m", "rserpool.cli.main", *words]
        return subprocess.run(
            ours if host is None else host.command(*ours), capture_output=True, text=True,
            timeout=60, cwd=self.scratch, env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )  # fmt: skip

    def elements(self, registrar, *words, host=None):
        """The elements of the pool ``web``, by their identifiers."""
        asked = self.command(
            "resolve", "web", "--registrar", registrar, *words, "--json", host=host
        )
        if asked.returncode == 1:
            return {}
        assert asked.returncode == 0, asked.stderr
        return {each["pe-id"]: each for each in json.loads(asked.stdout)["elements"]}

    def log(self, name):
        """What a program has said."""
        return (self.scratch / f"{name}.log").read_text(errors="replace")

    def says(self, name, words, seconds=30.0):
        """Wait until a program has said it."""
        try:
            until(lambda: words in self.log(name), seconds)
        except AssertionError:
            raise AssertionError(f"{name} hasn't said {words!r}:\n{self.log(name)}") from None

    def kill(self, name):
        """End one without a word."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()

    def stop(self):
        """End all that still run."""
        for name in list(self.running):
            self.kill(name)
