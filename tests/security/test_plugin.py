"""Plugins are found by name, and a missing or broken one stops the start."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.security.interfaces import IAuthentication, IAuthorizer, ISecurityPlugin
from rserpool.security.plugin import (
    SecurityPlugin,
    find,
    make_authentication,
    make_authorizer,
)
from rserpool.security.psk import keyfile


class Finding(SynchronousTestCase):
    """twisted.plugin's drop-ins, by name."""

    def test_ours(self):
        """All of ours are there and make what they say."""
        path = self.mktemp()
        keyfile.add(path, "web-1", b"k" * 32)
        verifyObject(IAuthentication, make_authentication(f"psk:{path}"))
        verifyObject(IAuthorizer, make_authorizer("refuse-all:"))
        verifyObject(IAuthorizer, make_authorizer("raise-always:"))
        rules = Path(self.mktemp())
        rules.write_text("")
        verifyObject(IAuthorizer, make_authorizer(f"rules:{rules}"))
        verifyObject(ISecurityPlugin, find("certificate", IAuthentication))

    def test_unknown(self):
        """The error lists those there are."""
        error = self.assertRaises(ValueError, find, "pks", IAuthentication)
        self.assertIn("'pks'", str(error))
        self.assertIn("certificate, psk", str(error))

    def test_usage(self):
        """An --auth that isn't KIND:ARGS says so."""
        for text in ("psk", "psk:", ":x"):
            with self.assertRaises(ValueError):
                make_authentication(text)

    def test_broken(self):
        """What can't be imported or made isn't skipped."""
        with self.assertRaises(ImportError):
            SecurityPlugin("x", IAuthorizer, "rserpool.security.nothing.Here").make("")
        with self.assertRaises(AttributeError):
            SecurityPlugin("x", IAuthorizer, "rserpool.security.failing.Nobody").make("")

    def test_wrong_product(self):
        """What makes something else than it says is refused."""
        with self.assertRaises(TypeError):
            SecurityPlugin("x", IAuthentication, "rserpool.security.failing.refuse_all").make(
                ""
            )
