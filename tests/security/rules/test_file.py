"""Rules files: all faults at once, with their lines."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.security.decisions import Proof, Request, Subject
from rserpool.security.interfaces import IAuthorizer
from rserpool.security.rules.authorizer import Rules
from rserpool.security.rules.file import RulesError, parse

BAD = """\
[roles.web]
rules = ["asap.regster", "asap", "asap.resolve"]

[users."web-1"]
roles = ["wbe"]
admin = "yes"
lockd = true

[gates."poool:x"]
[gates."pool:y".roles.nobody]
rules = "asap"

[more]
"""


class Faults(SynchronousTestCase):
    """Everything that is wrong is told in one go."""

    def test_all(self):
        """Each fault stands with its line."""
        error = self.assertRaises(RulesError, parse, BAD, "rules.toml")
        text = "\n".join(error.faults)
        for line, words in (
            (2, "'asap.regster' isn't a permission"), (2, "'asap.resolve' is never reached"),
            (5, "there is no role 'wbe'"), (6, "admin must be true or false"),
            (7, "no 'lockd'"), (9, "isn't pool:HANDLE"), (10, "there is no role 'nobody'"),
            (13, "no 'more'"),
        ):  # fmt: skip
            found = [fault for fault in error.faults if words in fault]
            self.assertEqual(len(found), 1, f"{words!r} in\n{text}")
            self.assertTrue(found[0].startswith(f"rules.toml:{line}:"), found[0])
        self.assertEqual(len([f for f in error.faults if "list of strings" in f]), 1)

    def test_where(self):
        """A fault is told where it stands, and not where the same word stands as well."""
        text = """\
# asap.register, asap.regster, wbe
[roles.web]
rules = [
    "asap.register",
    "asap.resolve",
]
[roles.other]
rules = [
    "asap.regster",  # asap.register
    "asap",
    "asap.register",
]
[users."web-1"]
roles = [
    "web",
    "wbe",
]
[gates."pool:web".users.x]
rules = ["asap", "!asap"]
[gates."pool-hex:776562".users.x]
rules = ["nothing"]
"""
        error = self.assertRaises(RulesError, parse, text, "r")
        self.assertEqual(
            [(fault.split(":")[1], fault.split(": ", 1)[1]) for fault in error.faults],
            [
                ("9", "roles.other.rules: 'asap.regster' isn't a permission, nor the beginning "
                 "of one"),
                ("11", "roles.other.rules: 'asap.register' is never reached: 'asap' wins"),
                ("16", "users.web-1.roles: there is no role 'wbe'; did you mean 'web'?"),
                ("19", "gates.\"pool:web\".users.x.rules: "
                 "'!asap' is never reached: 'asap' wins"),
                ("20", "gate 'pool-hex:776562': the same pool has another gate"),
                ("21", "gates.\"pool-hex:776562\".users.x.rules: "
                 "'nothing' isn't a permission, nor the beginning of one"),
            ],
        )  # fmt: skip

    def test_in_vain(self):
        """What could never decide anything is a fault, whatever the reason."""
        for text, words in (
            ("[roles.x]\nrules = ['asap.register.new', '!asap.register.join', "
             "'asap.register.renew', 'asap.register']",
             "r:2: roles.x.rules: 'asap.register' is never reached: those before it"),
            ("[users.'web-1~2']\nlocked = true", "r:1: users.\"web-1~2\": 'web-1~2' is a key's "
             "generation: write 'web-1'"),
            ("[gates.'pool:x'.users.'web-1~2']\nrules = ['!asap']", "write 'web-1'"),
            ("[users.'dns:PU.example']\nlocked = true", "write 'dns:pu.example'"),
            ("[users.anonymous]\nroles = ['psk']", "r:2: users.anonymous.roles: who has"),
            ("[gates.'pool:x'.roles.all]\nrules = ['!enrp.takeover']", "never asked of a pool"),
            ("[gates.'peer:x'.roles.all]\nrules = ['!asap']", "never asked of a registrar"),
        ):  # fmt: skip
            error = self.assertRaises(RulesError, parse, text, "r")
            self.assertIn(words, str(error))
            self.assertEqual(len(error.faults), 1, error.faults)
        parse("[gates.'pool:x'.roles.all]\nrules = ['!enrp', 'admin', 'asap']", "r")
        parse("[users.'uri:x~2']\nlocked = true\n[users.anonymous]\nlocked = true", "r")

    def test_odd_shapes(self):
        """Whatever stands in a wrong place is a fault, and nothing else happens."""
        for text, words in (
            ("users = 1", "users must be a table"),
            ("[users]\nx = 1", "users.x must be a table"),
            ("[gates]\n'pool:x' = 1", "gates.'pool:x' must be a table"),
            ("[roles.x]\nrules = [1]", "roles.x.rules must be a list of strings"),
            ("[gates.'pool:']", "isn't pool:HANDLE"),
            ("[gates.'pool-hex:f']", "isn't pool:HANDLE"),
            ("[gates.'pool:x']\nroles = 1", 'gates."pool:x".roles must be a table'),
            ("[users.x]\nroles = ['a', 1]", "users.x.roles must be a list of strings"),
            ("x = \xff", "r:1:"),
        ):
            error = self.assertRaises(RulesError, parse, text, "r")
            self.assertIn(words, str(error), text)

    def test_toml(self):
        """What isn't TOML says where."""
        error = self.assertRaises(RulesError, parse, "[roles", "r.toml")
        self.assertIn("r.toml:", str(error))

    def test_octets(self):
        """A gate may name a handle that isn't text."""
        found = parse('[gates."pool-hex:ff00".users.x]\nrules = ["!asap"]\n', "r")
        self.assertEqual(list(found.pools), [b"\xff\x00"])


class Authorizing(SynchronousTestCase):
    """The authorizer that a file makes."""

    def setUp(self):
        self.path = Path(self.mktemp())
        self.write('["asap.resolve"]')
        self.rules = Rules(str(self.path))
        self.who = Subject("web-1", Proof.PSK, "192.0.2.1")

    def write(self, listed):
        """Write rules for everybody."""
        self.path.write_text(f"[roles.all]\nrules = {listed}\n")

    def may(self, permission):
        """Whether it may."""
        return self.rules.decide(self.who, Request(permission, b"web")).allowed

    def test_decides(self):
        """It is an authorizer, and decides by the file, the second time as the first."""
        verifyObject(IAuthorizer, self.rules)
        for _ in range(2):
            self.assertTrue(self.may("asap.resolve"))
            self.assertFalse(self.may("asap.deregister"))

    def test_reload(self):
        """A new file counts at once; one with faults doesn't, and the last good one stays."""
        self.may("asap.deregister")
        self.write('["asap"]')
        self.rules.reload()
        self.assertTrue(self.may("asap.deregister"))
        self.write('["asapp"]')
        with self.assertRaises(RulesError):
            self.rules.reload()
        self.assertTrue(self.may("asap.deregister"))

    def test_bounded(self):
        """Asking for ever new handles doesn't fill the memory."""
        from rserpool.security.rules import authorizer

        self.patch(authorizer, "REMEMBERED", 50)
        for number in range(1000):
            self.rules.decide(self.who, Request("asap.resolve", b"%d" % number))
        self.assertLessEqual(len(self.rules._answers), 50)
