"""A registrar that runs takes its keys and rules from the database."""

import os

from rserpool_auth_sqlite.command import main
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.testing import RegistrarBox


class Running(SynchronousTestCase):
    """A real registrar, a real element, and a database that changes."""

    timeout = 60

    def test_running(self):
        """Who has a key and a rule gets in; at SIGHUP, who has none any more goes."""
        path = os.path.abspath(self.mktemp())
        main(["init", path])
        for name in ("web-1", "web-2"):
            main(["add-key", path, name, "--to", f"{path}.{name}"])
        main(["allow", path, "web-1", "asap.register"])
        source = f"sqlite:{path}"
        with RegistrarBox("--auth", source, authorizer=source) as box:
            box.element("web-2", f"{path}.web-2", port=8)
            box.element("web-1", f"{path}.web-1", port=9)
            [element] = box.wait_for("web", 1)
            self.assertEqual(element["transport"]["port"], 9)
            box.wait_for_log("no rule allows it")
            main(["remove-key", path, "web-1"])
            box.reload()
            box.wait_for("web", 0)
