"""Plugins are found by name, and a missing or broken one stops the start."""

import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementer
from zope.interface.interface import InterfaceClass
from zope.interface.verify import verifyObject

from rserpool.security import failing, interfaces, plugin, testing
from rserpool.security.interfaces import (
    IAuthentication,
    IAuthorizer,
    IPeerAuthentication,
    IRateLimit,
    ISecurityPlugin,
    Key,
)
from rserpool.security.plugin import (
    SecurityPlugin,
    find,
    make_authentication,
    make_authorizer,
    make_peer_authentication,
    make_rate_limit,
)
from rserpool.security.psk import keyfile


@implementer(IPeerAuthentication)
class Theirs:
    """Keys between registrars that have nothing to do with ours."""

    keys = authorities = None
    checker = object()

    def __init__(self, args):
        self.args = args

    def introduce(self, name):
        """Remember."""
        self.name = name

    def to_show(self, name):
        """The same for everybody."""
        return Key(f"{self.name}@{name}", bytes(32))

    def called(self, key, name, address):
        """Nobody."""

    def reload(self):
        """There is nothing to read."""
        return ()

    def holds(self, subject):
        """For ever."""
        return True


class Described(SynchronousTestCase):
    """What an author must know stands with each interface."""

    def test_each(self):
        """Use cases, who calls it, in which thread, what may block, what an exception means."""
        found = [one for one in vars(interfaces).values() if isinstance(one, InterfaceClass)]
        described = [one for one in found if one is not Interface]
        self.assertEqual(len(described), 7)
        for one in described:
            for words in (
                "Use cases it must serve: ", ":Called by: ", ":Thread: ", ":May block: ",
                ":Exceptions: ",
            ):  # fmt: skip
                self.assertEqual(one.__doc__.count(words), 1, (one, words))
            for name, what in one.namesAndDescriptions():
                self.assertTrue(what.__doc__, name)

    def test_conformance(self):
        """Each has its conformance test to mix in."""
        for name in vars(interfaces):
            if name.startswith("I") and name not in ("Iterable", "Interface"):
                self.assertTrue(hasattr(testing, f"{name[1:]}Conformance"), name)


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

    def test_looks_like_wrong_arguments(self):
        """A plugin whose import raises what else stands for wrong arguments is broken, too."""
        for what in ("ValueError('x')", "FileNotFoundError(2, 'No such file', 'x')"):
            directory = Path(self.mktemp())
            directory.mkdir()
            name = f"broken_{directory.name.replace('.', '_')}"
            (directory / f"{name}.py").write_text(f"raise {what}\n")
            sys.path.insert(0, str(directory))
            self.addCleanup(sys.path.remove, str(directory))
            error = self.assertRaises(
                ImportError, SecurityPlugin("x", IAuthorizer, f"{name}.Here").make, ""
            )
            self.assertIn(what[:8], repr(error.__cause__))

    def test_incomplete(self):
        """What says that it provides an interface, and doesn't, isn't made."""

        @implementer(IAuthorizer)
        class Lacking:
            def __init__(self, args):
                pass

        self.patch(failing, "refuse_all", Lacking)
        plugin = SecurityPlugin("x", IAuthorizer, "rserpool.security.failing.refuse_all")
        self.assertIn("decide", str(self.assertRaises(TypeError, plugin.make, "")))

    def test_two_of_a_name(self):
        """Of two plugins with one name none is taken: which it were would be chance."""
        ours = find("rules", IAuthorizer)
        theirs = SecurityPlugin("rules", IAuthorizer, "acme.Rules")
        self.patch(plugin, "getPlugins", lambda interface: [ours, theirs, ours])
        error = self.assertRaises(ValueError, find, "rules", IAuthorizer)
        self.assertIn("more than one", str(error))
        self.assertIn("acme.Rules", str(error))
        self.patch(plugin, "getPlugins", lambda interface: [ours, ours])
        self.assertIs(find("rules", IAuthorizer), ours)

    def test_of_others(self):
        """Keys between registrars and limits may be anybody's, found by their names."""
        drop_ins = [
            SecurityPlugin("theirs", IPeerAuthentication, f"{__name__}.Theirs"),
            SecurityPlugin("theirs", IRateLimit, "rserpool.security.failing.refuse_all"),
        ]
        self.patch(plugin, "getPlugins", lambda interface: drop_ins)
        made = make_peer_authentication("theirs:x", "r1")
        self.assertEqual((made.args, made.name), ("x", "r1"))
        verifyObject(IRateLimit, make_rate_limit("theirs:"))

    def test_wrong_product(self):
        """What makes something else than it says is refused."""
        with self.assertRaises(TypeError):
            SecurityPlugin("x", IAuthentication, "rserpool.security.failing.refuse_all").make(
                ""
            )
