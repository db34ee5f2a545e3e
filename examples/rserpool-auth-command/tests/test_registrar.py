"""A registrar that runs asks the command for each element that has proven its key."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.testing import RegistrarBox

COMMAND = """#!/bin/sh
grep -q '"web-1"'
"""


class Running(SynchronousTestCase):
    """A real registrar, two real elements with good keys, and a command that takes one."""

    timeout = 60

    def test_running(self):
        """Whom the command takes is in the pool, and nobody else."""
        command = Path(self.mktemp()).absolute()
        command.write_text(COMMAND)
        command.chmod(0o755)
        auth = f"command:{command}:psk:{{directory}}/elements.psk"
        with RegistrarBox("--auth", auth) as box:
            box.element("web-2", box.directory / "web-2.psk", port=8)
            box.wait_for_log("the command refuses")
            box.element("web-1", box.directory / "web-1.psk", port=9)
            [element] = box.wait_for("web", 1)
            self.assertEqual(element["transport"]["port"], 9)
