"""``[interop]``: profiles, what wins over them, and what can't be."""

from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rserpool.registrar.interop import RFC
from rserpool.registrar.settings import Settings
from rserpool.service import interop
from rserpool.service.config import load
from rserpool.service.settings import ConfigError, key_of, parse_set
from rserpool.service.tables import TABLES
from rserpool.transport import endpoints

ROOT = Path(__file__).parents[2]
INSECURE = ("registrar.security=none", "registrar.asap=tcp:3863")
PEERED = (*INSECURE, "registrar.enrp=tcp:9901")
PROFILE = "interop.profile=rsplib"
SECURE = ("registrar.asap-tls=tcp:1", "registrar.auth=psk:x")


def _shown(value):
    """A value as the document has it."""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


class Configured(SynchronousTestCase):
    """Configurations of single settings."""

    def config(self, *settings, path=None):
        """The configuration of these settings."""
        return load(path, [parse_set(text) for text in settings])

    def faults(self, *settings):
        """What is wrong with it."""
        return self.assertRaises(ConfigError, self.config, *settings).faults


class Profiles(Configured):
    """What a profile sets."""

    def test_rfc(self):
        """Without a profile everything is as the RFCs have it."""
        config = self.config(*PEERED)
        self.assertEqual(config.settings.interop, RFC)
        self.assertFalse(config.settings.lower_id_wins)
        for name in ("peer_heartbeat_cycle", "max_time_last_heard", "max_time_no_response"):
            self.assertEqual(getattr(config.settings, name), getattr(Settings(), name))
        self.assertEqual(config.handlespace_limits.handle_bytes, 255)

    def test_rsplib(self):
        """The profile sets each of rsplib's ways."""
        config = self.config(*PEERED, PROFILE)
        found = config.settings
        self.assertTrue(found.lower_id_wins)
        ways = attrs.asdict(found.interop)
        for name, usual in attrs.asdict(RFC).items():
            self.assertNotEqual(ways[name], usual, name)
        self.assertEqual(found.interop.life_unit, 0.001)
        self.assertEqual((found.interop.default_items, found.interop.table_bytes), (3, 1400))
        self.assertEqual(found.peer_heartbeat_cycle, 2.4)
        self.assertEqual(config.handlespace_limits.handle_bytes, 32)

    def test_each(self):
        """Each of its values is one that the key may have, and can be set by itself."""
        count = 0
        for name, cls in TABLES.items():
            for field in attrs.fields(cls):
                value = field.metadata["rsplib"]
                if value is None:
                    continue
                text = str(value).lower() if isinstance(value, bool) else str(value)
                text = value[0] if field.metadata["many"] else text
                key = key_of(field.name)
                often = "timers.peer-heartbeat-cycle=2"
                config = self.config(*PEERED, often, f"{name}.{key}={text}")
                self.assertEqual(getattr(getattr(config, name), field.name), value)
                count += 1
        self.assertGreater(count, 15)

    def test_documented(self):
        """docs/interoperability.rst has each key with both values."""
        rows = {}
        for line in (ROOT / "docs" / "interoperability.rst").read_text().splitlines():
            cells = [cell.strip().strip("`") for cell in line.split("|")]
            if line.startswith("   ``") and len(cells) == 4:
                for key in cells[0].split("``, ``"):
                    rows[key] = cells[1:3]
        for name, cls in TABLES.items():
            for field in attrs.fields(cls):
                value = field.metadata["rsplib"]
                if value is not None:
                    usual, other = rows.pop(f"{name}.{key_of(field.name)}")
                    self.assertEqual(other, _shown(value), field.name)
                    expected = _shown(field.default) or "none"
                    self.assertEqual(usual.removesuffix(" (all)"), expected, field.name)
        self.assertEqual(rows, {})

    def test_given(self):
        """A key that is given wins over the profile, by file or command line."""
        path = self.mktemp()
        Path(path).write_text(
            '[registrar]\nsecurity = "none"\nasap = "tcp:3863"\n[interop]\nprofile = "rsplib"\n'
            'life-unit = "seconds"\n[timers]\npeer-heartbeat-cycle = 1\n'
        )
        config = self.config("interop.default-items=7", path=path)
        self.assertEqual(config.interop.life_unit, "seconds")
        self.assertEqual(config.interop.default_items, 7)
        self.assertEqual(config.timers.peer_heartbeat_cycle, 1)
        self.assertEqual(config.interop.most_items, 128)

    def test_groups(self):
        """Its groups, where security is none and something listens that they could tell of."""
        for settings, asap, enrp in (
            (PEERED, ("rsplib",), ("rsplib",)),
            (INSECURE, ("rsplib",), ()),
            (SECURE, (), ()),
            ((*PEERED, "announce.enrp-group=239.1.2.3:9901"), ("rsplib",), ("239.1.2.3:9901",)),
        ):
            announce = self.config(*settings, PROFILE).announce
            self.assertEqual((announce.asap_group, announce.enrp_group), (asap, enrp))

    def test_source(self):
        """Other registrars are called over SCTP from the port where we listen for them."""
        for enrp, expected in (
            ("sctp:9901:interface=10.2.0.1", ":bindAddress=10.2.0.1:bindPort=9901"),
            ("sctp:9901:interface=10.2.0.1,10.3.0.1",
             ":bindAddress=10.2.0.1,10.3.0.1:bindPort=9901"),
            ("sctp:9901", ":bindPort=9901"),
            ("tcp:9901", ""),
        ):  # fmt: skip
            settings = (*INSECURE, f"registrar.enrp={enrp}")
            found = interop.source(self.config(*settings, PROFILE))
            self.assertEqual(found, expected)
            endpoints.client(None, f"sctp:10.2.0.2:9901{found}", 1.0)
            self.assertEqual(interop.source(self.config(*settings)), "")

    def test_option(self):
        """The usual value given explicitly wins as well."""
        config = self.config(*INSECURE, PROFILE, "interop.default-items=0")
        self.assertEqual(config.interop.default_items, 0)


class Contradictions(Configured):
    """What no profile can make up for."""

    def test_secure_peers(self):
        """Registrars of rsplib can't be peers of a secure one."""
        scope = ("registrar.enrp-tls=tcp:9902", "registrar.enrp-auth=psk:y")
        [found] = self.faults(*SECURE, *scope, PROFILE)
        self.assertIn("--profile: security is required, and rsplib has no TLS", found)

    def test_secure_alone(self):
        """A secure one without peers may mean it, and is told what it will be like."""
        config = self.config(*SECURE, PROFILE)
        [words] = interop.warnings(config)
        self.assertIn("only with plain-resolution", words)

    def test_insecure(self):
        """That the scope is insecure as a whole is said at the start."""
        [words] = interop.warnings(self.config(*INSECURE, PROFILE))
        self.assertIn("insecure as a whole", words)
        self.assertEqual(list(interop.warnings(self.config(*INSECURE))), [])

    def test_handles(self):
        """Handles that abort registrars of rsplib can't be allowed."""
        for length in (0, 33):
            [fault] = self.faults(*INSECURE, PROFILE, f"limits.handle-bytes={length}")
            self.assertIn("limits.handle-bytes: a pool handle of more than 32", fault)
        self.config(*INSECURE, PROFILE, "limits.handle-bytes=31")

    def test_keep_alives(self):
        """They must come before elements hang up, at the longest."""
        silence = "interop.element-silence=30"
        self.config(*INSECURE, silence, "timers.keep-alive-interval=16")
        for setting in (silence, PROFILE):
            [fault] = self.faults(*INSECURE, setting, "timers.keep-alive-interval=17")
            self.assertIn("elements hang up after 30 s", fault)

    def test_heartbeat(self):
        """A sign of life must come well before peers count us as dead."""
        [fault] = self.faults(*INSECURE, PROFILE, "timers.peer-heartbeat-cycle=2.6")
        self.assertIn("after 5 s of silence", fault)

    def test_presence(self):
        """Peers must be told where we are, if they insist."""
        for there in ("registrar.peer=tcp:r2:9901", "registrar.enrp=tcp:0"):
            [fault] = self.faults(*INSECURE, there, PROFILE)
            self.assertIn("--enrp: with full-presence", fault)

    def test_principals(self):
        """In a secure scope peers must be told whose an element is."""
        scope = ("registrar.enrp-tls=tcp:9902", "registrar.enrp-auth=psk:y")
        [fault] = self.faults(*SECURE, *scope, "interop.peer-parameters=rfc")
        self.assertIn("whose an element is", fault)
