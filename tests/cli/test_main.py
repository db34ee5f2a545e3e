"""What the command imports, and when."""

import argparse
import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli import options
from rserpool.cli.main import _parser, chosen
from rserpool.client import PROFILES
from rserpool.client.listening import SILENT
from rserpool.security.certificate.revoking import REASONS
from rserpool.security.psk import keyfile
from tests.site import ROOT

#: Runs a command, and prints what it has imported.
_IMPORTED = """
import sys
from rserpool.cli.main import main
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code
assert status == 0, status
print("imported:", *sys.modules)
"""


def imported(*words):
    """The packages and modules that are there when a command has run."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED, *words], capture_output=True, text=True, cwd=ROOT,
        check=True,
    )  # fmt: skip
    return set(done.stdout.rpartition("imported:")[2].split())


def leaves(parser):
    """All commands beneath a parser, by their words."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    for name, inner in [pair for group in groups for pair in group.choices.items()]:
        below = list(leaves(inner))
        yield from ([(f"{name} {words}", found) for words, found in below] or [(name, inner)])


class Importing(SynchronousTestCase):
    """Only what is needed."""

    def test_keys(self):
        """``psk list`` has no need of Twisted, nor of TLS."""
        path = os.path.abspath(self.mktemp())
        keyfile.add(path, "web-1", b"k" * 32)
        found = imported("psk", "list", path)
        self.assertIn("rserpool.cli.psk", found)
        self.assertEqual(found & {"twisted", "OpenSSL", "rserpool.cli.doctor"}, set())

    def test_help(self):
        """``--help`` imports none of the commands."""
        found = {name for name in imported("--help") if name.startswith("rserpool.")}
        self.assertEqual(
            found,
            {f"rserpool.cli{name}" for name in ("", ".main", ".options", ".outcome")},
        )

    def test_every_command(self):
        """Every command names a function that is there."""
        found = dict(leaves(_parser()))
        self.assertIn("psk rotate", found)
        for name, parser in found.items():
            run = parser.get_default("run")
            self.assertTrue(callable(chosen(argparse.Namespace(run=run))), name)

    def test_choices(self):
        """What can be chosen is what there is, although nothing of it is imported."""
        self.assertEqual(options.PROFILES, tuple(PROFILES))
        self.assertEqual(options.SILENT, SILENT)
        self.assertEqual(options.REASONS, tuple(REASONS))
