"""docs/client.rst: its programs run as they stand."""

import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.main import _parser, chosen
from tests.site import Site, free_port, until

TEXT = (Path(__file__).parent.parent / "docs" / "client.rst").read_text()
_PROGRAM = re.compile(r"code-block:: python\n    :caption: (\S+)\n\n((?:    .*\n|\n)+)")


class Programs(SynchronousTestCase):
    """A registrar, and beside its files the programs of the document."""

    def setUp(self):
        """Make what the document has its reader make."""
        self.site = Site(self)
        for name, text in _PROGRAM.findall(TEXT):
            here = textwrap.dedent(text).replace(
                "127.0.0.1:3864", f"127.0.0.1:{self.site.port}"
            )
            (self.site.files / name).write_text(here)
        issued = self.site.command(
            "certificate", "issue", str(self.site.files), "--name", "echo.example",
            "--out", str(self.site.files / "echo"),
        )  # fmt: skip
        self.assertEqual(issued.returncode, 0, issued.stderr)

    def run_program(self, name, *words):
        """Run one to its end; its exit status and what it has printed."""
        done = subprocess.run(
            [sys.executable, name, *words], cwd=self.site.files, env=self.site.environment,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def begin(self, name, program, *words):
        """Start one; its log is kept as that of `name`."""
        environment = {**self.site.environment, "PYTHONUNBUFFERED": "1"}
        with open(self.site.scratch / f"{name}.log", "wb") as log:
            self.site.processes[name] = subprocess.Popen(
                [sys.executable, program, *words], cwd=self.site.files, stdout=log,
                stderr=subprocess.STDOUT, env=environment,
            )  # fmt: skip
        return self.site.processes[name]

    def says(self, name, words):
        """Wait until a program has said it."""
        until(lambda: words in self.site.log(name), 60)

    def test_all(self):
        """Two elements, a user who loses one of them, one who asks, and a clean end."""
        self.site.registrar()
        ports = {name: free_port() for name in ("web-1", "web-2")}
        elements = {
            name: self.begin(name, "element.py", str(port), name)
            for name, port in ports.items()
        }
        for name in ports:
            self.says(name, "registered")
        self.begin("user", "user.py")
        self.says("user", "heard b'hello")
        [heard] = [n for n, port in ports.items() if f"port {port}" in self.site.log("user")]
        [other] = set(ports) - {heard}
        elements[heard].kill()
        self.says("user", f"from port {ports[other]}")
        self.assertRegex(
            self.site.log("user"), r"failover, since .*; now TLSv1.3, .*echo.example"
        )

        status, said = self.run_program("ask.py")
        self.assertEqual((status, said.splitlines()[-1]), (0, "answered: b'a question'"), said)

        elements[other].send_signal(signal.SIGINT)
        self.assertEqual(elements[other].wait(30), 0, self.site.log(other))
        self.says(other, "withdrawn")
        self.says("user", "NoElement")
        # The one that was killed is in the answers until the registrar has waited for it.
        until(lambda: "refuses: there is no such pool" in self.run_program("ask.py")[1], 60)
        for name in ("web-1", "web-2"):
            self.assertNotIn("Traceback", self.site.log(name))

    test_all.timeout = 180

    def test_cookies(self):
        """What is sealed is opened, and nothing else is."""
        status, said = self.run_program("cookies.py")
        self.assertEqual(
            (status, said.splitlines()),
            (0, ["b'user 42, three items in the basket'", "refused: WrongPool",
                 "refused: Tampered"]),
        )  # fmt: skip
        self.assertEqual(os.stat(self.site.files / "cookies.psk").st_mode & 0o777, 0o600)


class Commands(SynchronousTestCase):
    """What the document has its reader type."""

    def test_parse(self):
        """Every command of rserpool is one."""
        found = re.findall(r"(?m)^    rserpool (.+)$|``rserpool (resolve [^`]+)``", TEXT)
        self.assertEqual(len(found), 3)
        for block, inline in found:
            given = _parser().parse_args(shlex.split(block or inline))
            self.assertTrue(callable(chosen(given)))

    def test_programs(self):
        """None of the document's programs is left out here."""
        self.assertEqual(
            [name for name, _ in _PROGRAM.findall(TEXT)],
            ["element.py", "user.py", "ask.py", "cookies.py"],
        )
        self.assertEqual(TEXT.count("code-block:: python"), 4)
