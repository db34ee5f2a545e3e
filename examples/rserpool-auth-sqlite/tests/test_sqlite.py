"""The plugin conforms, and does what its README says."""

import os

from rserpool_auth_sqlite.authentication import SQLiteKeys
from rserpool_auth_sqlite.authorizer import SQLiteRules
from rserpool_auth_sqlite.command import main
from rserpool_auth_sqlite.database import opened
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.decisions import Request
from rserpool.security.testing import (
    AuthenticationConformance,
    AuthorizerConformance,
    KeyStoreConformance,
    SecurityPluginConformance,
    anonymous,
    by_key,
)
from twisted.plugins import rserpool_auth_sqlite as drop_in


class Made(SynchronousTestCase):
    """A database with one key and one rule."""

    def database(self):
        """Make it."""
        self.path = self.mktemp()
        self.run_it("init", self.path)
        self.run_it("add-key", self.path, "web-1", "--to", f"{self.path}.psk")
        self.run_it("allow", self.path, "web-1", "asap.register")
        return self.path

    def run_it(self, *words, status=0):
        """Run the command."""
        self.assertEqual(main(words), status, words)


class Keys(AuthenticationConformance, Made):
    """As an authentication."""

    known = "web-1"

    def make(self):
        """Make it."""
        return SQLiteKeys(self.database())

    def spoil(self, made):
        """Others could read it."""
        os.chmod(self.path, 0o644)

    def revoke(self, made):
        """Take the key out."""
        self.run_it("remove-key", self.path, "web-1")


class Store(KeyStoreConformance, Made):
    """As a key store."""

    known = "web-1"

    def make(self):
        """Make it."""
        return SQLiteKeys(self.database())


class Rules(AuthorizerConformance, Made):
    """As an authorizer."""

    allowed = (
        (by_key(), Request("asap.register.new", b"web")),
        (anonymous(), Request("asap.resolve", b"web")),
    )
    denied = (
        (by_key("web-2"), Request("asap.register.new", b"web")),
        (by_key(), Request("asap.deregister", b"web")),
    )

    def make(self):
        """Make it."""
        return SQLiteRules(self.database())


class DropIn(SecurityPluginConformance, Made):
    """As a drop-in."""

    bad_arguments = ("/nonexistent", "")

    def make(self):
        """Make it."""
        return drop_in.authentication


class Wrongly(Made):
    """What goes wrong is told, and loses nothing."""

    def test_wrongly(self):
        """A database that is there, a key twice, a short one, one that isn't there."""
        path = self.database()
        self.run_it("init", path, status=2)
        self.run_it("add-key", path, "web-1", "--to", f"{path}.again", status=2)
        self.assertFalse(os.path.exists(f"{path}.again"))
        self.run_it("remove-key", path, "web-9", status=2)
        made = SQLiteKeys(path)
        with opened(path) as database:
            database.execute("UPDATE keys SET secret = x'00'")
        self.assertIn("16 to 64", str(self.assertRaises(ValueError, made.reload)))
        self.assertIsNotNone(made.lookup("web-1"))
