"""Keys, certificates and rules that the configuration names."""

import time
from datetime import UTC, datetime
from pathlib import Path

from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.security import plugin
from rserpool.security.certificate import make
from rserpool.security.interfaces import IPeerAuthentication, IRateLimit, Key
from rserpool.security.plugin import SecurityPlugin
from rserpool.security.psk import keyfile
from rserpool.service import material
from rserpool.service.config import Config
from rserpool.service.material import Material
from rserpool.service.tables import LimitsTable, RegistrarTable, TimersTable
from tests.security.certificate.hierarchy import crl


class Reading(SynchronousTestCase):
    """What is read at the start, and again."""

    def setUp(self):
        self.keys = self.mktemp()
        keyfile.add(self.keys, "web-1", b"k" * 32)
        self.authority = make.authority("test")
        self.files = f"{self.mktemp()}.pem", f"{self.mktemp()}.key"
        self.issue(300)

    def issue(self, days):
        """Write a certificate that is valid for so long."""
        make.write(make.issue(self.authority, ["registrar.example"], days=days), *self.files)

    def material(self, **changed):
        """Read it all."""
        table = {
            "asap_tls": ("tcp:3864",), "auth": (f"psk:{self.keys}",),
            "certificate": self.files[0], "private_key": self.files[1], **changed,
        }  # fmt: skip
        return Material(
            Config(
                registrar=RegistrarTable(**table), timers=TimersTable(), limits=LimitsTable()
            )
        )

    def test_good(self):
        """Nothing is wrong, and TLS can be made of it."""
        found = self.material()
        self.assertEqual((found.faults, found.warnings), ([], []))
        found.creator()

    def test_faults(self):
        """Everything that is wrong is there, by the key that names it."""
        Path(self.keys).write_text("nonsense")
        other = make.issue(self.authority, ["other.example"])
        Path(self.files[1]).write_bytes(other.private_key)
        faults = self.material(rules="/nonexistent").faults
        self.assertEqual({key for key, _ in faults}, {"auth", "rules", "certificate"})

    def test_ending(self):
        """A certificate that ends within a month is warned of."""
        self.issue(10)
        [warning] = self.material().warnings
        self.assertIn("registrar.example", warning)
        self.assertIn("SIGHUP", warning)

    def test_nobody(self):
        """Without a way to prove oneself nobody can register, which is warned of."""
        [warning] = self.material(auth=()).warnings
        self.assertIn("nobody can register", warning)

    def test_ended(self):
        """A certificate that has ended isn't one; read again, it leaves the last good one."""
        good = self.material()
        self.issue(-1)
        [(key, words)] = self.material().faults
        self.assertEqual(key, "certificate")
        self.assertIn(f"{self.files[0]}: the certificate ended on", words)
        self.assertEqual(len(good.reload()), 1)
        good.creator()

    def test_no_proof(self):
        """What would let no handshake succeed is said at the start."""
        authority = f"{self.mktemp()}.pem"
        Path(authority).write_bytes(self.authority.certificate)
        none = {"certificate": None, "private_key": None}
        for auth in (
            (f"certificate:{authority}",),
            (f"certificate:{authority}", f"psk:{self.keys}"),
        ):
            [(key, words)] = self.material(auth=auth, **none).unusable()
            self.assertEqual(key, "certificate")
            self.assertIn("registrar's own certificate", words)
            self.assertEqual(self.material(auth=auth).unusable(), [])
        self.assertEqual(self.material(asap_tls=(), auth=(), **none).unusable(), [])
        [(key, words)] = self.material(auth=(), **none).unusable()
        self.assertEqual(key, "asap-tls")

    def peers(self, **changed):
        """Read it all, with another registrar that is called."""
        authority = f"{self.mktemp()}.pem"
        Path(authority).write_bytes(self.authority.certificate)
        return self.material(
            enrp_tls=("tcp:9902",), enrp_auth=(f"certificate:{authority}",),
            peer=("tcp:other.example:9902",), **changed,
        )  # fmt: skip

    def test_keys_of_others(self):
        """Registrars are called with the keys of whatever plugin has such, not only ours."""
        drop_in = SecurityPlugin(
            "theirs", IPeerAuthentication, "tests.security.test_plugin.Theirs"
        )
        self.patch(plugin, "getPlugins", lambda interface: [drop_in, *getPlugins(interface)])
        found = self.material(
            enrp_auth=("theirs:x",), peer=("r2=tcp:other.example:9902",), identity="r1"
        )
        self.assertEqual((found.faults, found.unusable()), ([], []))
        call = found.to_call("r2", "r2=tcp:other.example:9902")
        self.assertEqual(call.security.identity, "r1@r2")

    def test_limit(self):
        """A limit may be a plugin's; broken, it stops the start with its traceback."""
        made = self.material(rate_limit="refuse-all:")
        verifyObject(IRateLimit, made.limits)
        self.assertIsNone(self.material().limits)
        self.assertEqual(self.material(rate_limit="x:").faults[0][0], "rate-limit")

    def test_certificate_for_servers(self):
        """A registrar that calls others needs a certificate that a client may show."""
        self.assertEqual(self.peers().unusable(), [])
        make.write(make.issue(self.authority, ["registrar.example"], client=True), *self.files)
        self.assertEqual(self.peers().unusable(), [])
        self.patch(material, "for_clients", lambda pem: False)
        [(key, words)] = self.peers().unusable()
        self.assertEqual(key, "peer")
        self.assertIn("a certificate for servers only", words)

    def test_nothing_to_show(self):
        """A registrar that can't be shown anything is a fault, and what to add is said."""
        peers = self.mktemp()
        keyfile.add(peers, "a@c", b"k" * 32)
        found = self.material(
            enrp_tls=("tcp:9902",), enrp_auth=(f"psk:{peers}",), identity="a",
            peer=("b=tcp:h:1", "c=tcp:h:1"),
        )  # fmt: skip
        [(key, words)] = found.unusable()
        self.assertEqual(key, "peer")
        self.assertIn(f"b=tcp:h:1: no key is in force with which 'a' could call it: add a@b to "
                      f"{peers}", words)  # fmt: skip

    def test_peer_warnings(self):
        """What lets less happen, or more, than one would think is warned of."""
        peers = self.mktemp()
        keyfile.add(peers, "b", b"k" * 32)
        [warning] = self.material(enrp_auth=(f"psk:{peers}",)).warnings
        self.assertIn("can't call them", warning)
        authority = f"{self.mktemp()}.pem"
        Path(authority).write_bytes(self.authority.certificate)
        both = {
            "auth": (f"certificate:{authority}",),
            "enrp_auth": (f"certificate:{authority}",),
        }
        [warning] = self.material(**both).warnings
        self.assertIn("speak as a registrar", warning)

    def test_same_authority(self):
        """Whether lists are asked doesn't hide that elements could speak as registrars."""
        authority, listed = f"{self.mktemp()}.pem", f"{self.mktemp()}.pem"
        Path(authority).write_bytes(self.authority.certificate)
        Path(listed).write_bytes(crl(self.authority))
        found = self.material(
            auth=(f"certificate:{authority}",),
            enrp_auth=(f"certificate:{authority};crl={listed}",),
        )
        [warning] = found.warnings
        self.assertIn(f"{authority} is auth and enrp-auth", warning)

    def test_moments(self):
        """A list that begins, ends, or will end in a day is no matter of a daily look."""
        authority, listed = f"{self.mktemp()}.pem", f"{self.mktemp()}.pem"
        Path(authority).write_bytes(self.authority.certificate)
        Path(listed).write_bytes(crl(self.authority, end=86400 + 50))
        found = self.material(auth=(f"certificate:{authority};crl={listed}",))
        self.assertEqual(found.warnings, [])
        coming = sorted(moment - time.time() for moment in found.moments)
        for found, wanted in zip(coming[-2:], (50, 86450), strict=True):
            self.assertLess(abs(found - wanted), 30)

    def test_keys_that_end(self):
        """Keys that end within a month are warned of, with file and line."""
        self.assertEqual(self.material().warnings, [])
        keyfile.add(self.keys, "web-2", b"l" * 32, "not-after=2021-01-31")
        soon = datetime.fromtimestamp(time.time() + 29 * 86400, UTC).isoformat()
        keyfile.add(self.keys, "web-3", b"m" * 32, f"not-after={soon}")
        over, ends = self.material().warnings
        self.assertIn(f"{self.keys}:2: the key of 'web-2' is over since", over)
        self.assertIn(f"{self.keys}:3: the key of 'web-3' is good until", ends)

    def test_open_private_key(self):
        """A private key that others can read is a fault, with what to type."""
        Path(self.files[1]).chmod(0o640)
        [(key, words)] = self.material().faults
        self.assertEqual(key, "private-key")
        self.assertIn(f"chmod 600 {self.files[1]}", words)

    def test_both_at_once(self):
        """What is wrong with a certificate and with its key is told together."""
        Path(self.files[0]).unlink()
        Path(self.files[1]).chmod(0o640)
        self.assertEqual(
            [key for key, _ in self.material().faults], ["certificate", "private-key"]
        )

    def test_selfie_by_plugin(self):
        """Nobody shows us our own name, whatever a plugin's keys say (RFC 9257 section 4.1)."""

        class Anybody:
            authorities = None
            keys = property(lambda self: self)

            def lookup(self, identity):
                return Key(identity, b"k" * 32)

        made = []
        found = self.material(identity="a", enrp_tls=("tcp:9902",), enrp_auth=())
        found.peer_authentications.append(Anybody())
        self.patch(material, "ServerCreator", lambda lookup, **terms: made.append(lookup))
        found.peer_creator()
        for identity, good in (("b", True), ("b@a~2", True), ("a", False), ("a@b", False),
                               ("b@c", False)):  # fmt: skip
            self.assertEqual(made[0](identity) is not None, good, identity)

    def test_plugin_that_fails(self):
        """A plugin that raises whatever it likes is a fault; the rest is read all the same."""
        found = self.material()

        class Odd:
            keys = authorities = None

            def reload(self):
                raise RuntimeError("no database")

        found.authentications.insert(0, Odd())
        Path(self.keys).unlink()
        keyfile.add(self.keys, "web-2", b"k" * 32)
        [fault] = found.reload()
        self.assertTrue(fault.startswith("auth: failed with RuntimeError: no database"))
        self.assertIn("Traceback", fault)
        self.assertIsNotNone(found.authentications[1].keys.lookup("web-2"))

    def test_last_good_one(self):
        """What doesn't load again stays as it was."""
        found = self.material()
        Path(self.files[0]).write_text("nonsense")
        Path(self.keys).write_text("nonsense")
        self.assertEqual(len(found.reload()), 2)
        found.creator()
        [authentication] = found.authentications
        self.assertIsNotNone(authentication.keys.lookup("web-1"))
        self.issue(300)
        Path(self.keys).unlink()
        keyfile.add(self.keys, "web-2", b"k" * 32)
        self.assertEqual(found.reload(), [])
        self.assertIsNone(authentication.keys.lookup("web-1"))
