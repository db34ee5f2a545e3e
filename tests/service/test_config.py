"""Configurations: read from two places, all faults at once."""

from ipaddress import ip_address
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rserpool.service import kinds
from rserpool.service.config import Config, load
from rserpool.service.settings import ConfigError, Override, parse_set
from rserpool.service.tables import LimitsTable, RegistrarTable, TimersTable
from rserpool.wire.parameters import SCTPTransport, TCPTransport

GOOD = """\
[registrar]
asap-tls = "tcp:3864"
auth = ["psk:keys"]
server-id = 0x2a

[limits]
pools = 5
"""
BAD = """\
[registrar]
securty = "required"
server-id = 0
asap-tls = ["tcp:3864", "sctp:none", "nonsense"]
certificate = "x.pem"

[timers]
keep-alive-interval = "soon"

[limts]
pools = 1

[limits]
pools = -1
"""
_TLS = {"asap-tls": "tcp:1", "auth": "psk:x"}
_SCOPE = {**_TLS, "enrp-auth": "psk:y", "identity": "r1"}


class Lenient(SynchronousTestCase):
    """What isn't enforced is said."""

    def test_limits(self):
        """Rates that only report, or are off, are warned of; the defaults are not."""
        for mode, count in (("enforce", 0), ("report", 1), ("off", 1)):
            config = Config(
                registrar=RegistrarTable(), timers=TimersTable(), limits=LimitsTable(mode=mode)
            )
            found = list(config.lenient)
            self.assertEqual(len(found), count)
            self.assertTrue(all(f"limits.mode is {mode}" in one for one in found))


class Configuring(SynchronousTestCase):
    """TOML and command line."""

    def load(self, text=None, *overrides):
        """Load a file with this text."""
        self.path = None
        if text is not None:
            self.path = self.mktemp()
            Path(self.path).write_text(text)
        return load(self.path, overrides)

    def faults(self, text=None, *overrides):
        """The faults of a configuration."""
        error = self.assertRaises(ConfigError, self.load, text, *overrides)
        return [fault.replace(f"{self.path}", "FILE") for fault in error.faults]

    def test_good(self):
        """Values come from the file; the rest are defaults."""
        config = self.load(GOOD)
        self.assertEqual(config.registrar.asap_tls, ("tcp:3864",))
        self.assertEqual(config.server_id, 0x2A)
        self.assertEqual(config.handlespace_limits.pools, 5)
        self.assertEqual(config.settings.keep_alive_interval, 10)
        self.assertTrue(config.required)

    def test_random_identifier(self):
        """Without a server-id it is random, and never 0."""
        config = self.load(GOOD.replace("server-id = 0x2a", ""))
        found = {config.server_id for _ in range(20)}
        self.assertEqual(len(found), 20)
        self.assertNotIn(0, found)

    def test_command_line_wins(self):
        """An option takes the place of the file's value, a list of its list."""
        config = self.load(
            GOOD,
            Override("registrar", "server-id", "0x10"),
            Override("registrar", "asap-tls", "tcp:1"),
            Override("registrar", "asap-tls", "tcp:2"),
            parse_set("limits.pools=9"),
        )
        self.assertEqual(config.server_id, 16)
        self.assertEqual(config.registrar.asap_tls, ("tcp:1", "tcp:2"))
        self.assertEqual(config.limits.pools, 9)

    def test_all_faults(self):
        """Every fault, with file, line and key, and a hint where one is near."""
        faults = self.faults(BAD)
        for place, words in (
            ("FILE:2: registrar.securty", "did you mean 'security'"),
            ("FILE:3: registrar.server-id", "whole number"),
            ("FILE:4: registrar.asap-tls", "no port"),
            ("FILE:1: registrar.private-key", "go together"),
            ("FILE:8: timers.keep-alive-interval", "must be a number"),
            ("FILE:10:", "no table [limts]"),
            ("FILE:14: limits.pools", "whole number"),
        ):
            found = [f for f in faults if f.startswith(place) and words in f]
            self.assertEqual(len(found), 1, f"{place} {words}: {faults}")

    def test_not_toml(self):
        """A file that isn't TOML, or isn't there, is a fault."""
        self.assertIn("FILE:", self.faults("[registrar")[0])
        error = self.assertRaises(ConfigError, load, "/nonexistent/x.toml", [])
        self.assertIn("can't be read", error.faults[0])

    def test_contradictions(self):
        """What can't be together."""
        for overrides, words in (
            ({"security": "none", "asap": "tcp:1", "auth": "psk:x"}, "would mix"),
            ({"security": "none", "asap-tls": "tcp:1"}, "would mix"),
            ({"security": "none", "asap": "tcp:1", "rules": "x"}, "would mix"),
            ({"asap": "tcp:1"}, "without a TLS listener"),
            ({"asap-tls": "tcp:1"}, "TLS needs auth"),
            ({}, "listens nowhere"),
            ({**_TLS, "peer": "tcp:h:1"}, "how registrars prove"),
            ({**_TLS, "enrp-tls": "tcp:1"}, "how registrars prove"),
            ({**_TLS, "peer": "tcp:h:1", "enrp-auth": "psk:y"}, "a name is needed"),
            ({**_SCOPE, "peer": "r1=tcp:h:1"}, "own name"),
            ({**_SCOPE, "identity": "r1@r2"}, "a registrar's name"),
            ({**_TLS, "peer": "tcp:h:1", "enrp-auth": "certificate:y"}, "peers are shown"),
            ({"security": "none", "asap": "tcp:1", "enrp-tls": "tcp:1"}, "would mix"),
            ({"security": "none", "asap": "tcp:1", "enrp-auth": "psk:x"}, "would mix"),
            ({"asap-tls": "tcp:1", "private-key": "x"}, "go together"),
        ):
            given = [Override("registrar", key, value) for key, value in overrides.items()]
            faults = self.faults(None, *given)
            self.assertTrue(any(words in fault for fault in faults), (overrides, faults))

    def test_nothing_follows(self):
        """What was given, but is no good, isn't said to be missing as well."""
        for text in (
            "[registrar\n",
            "registrar = 1\n",
            "[[registrar]]\nasap-tls = 1\n",
            "[registar]\nasap-tls = 'tcp:1'\n",
            "[registrar]\nasap-tls = 'nonsense'\n",
            "[registrar]\nasap-tsl = 'tcp:1'\n",
        ):
            self.assertEqual(len(self.faults(text)), 1, text)

    def test_each_of_a_list(self):
        """Each wrong entry of a list is a fault, on its own line."""
        faults = self.faults("[registrar]\nasap-tls = [\n 'x',\n 'tcp:1',\n 7]\nauth='psk:x'\n")
        self.assertEqual([f.partition(" ")[0] for f in faults], ["FILE:3:", "FILE:5:"])

    def test_peers(self):
        """Other registrars have names or not, and are called at their endpoints."""
        peers = 'identity = "r1"\nenrp-auth = "psk:x"\nenrp-tls = "tcp:9902"\n'
        peers += 'peer = ["r2=tcp:h:1", "tcp:host=x:2"]\nserver-id'
        config = self.load(GOOD.replace("server-id", peers))
        self.assertEqual(
            [(peer.name, peer.endpoint) for peer in config.peers],
            [("r2", "tcp:h:1"), (None, "tcp:host=x:2")],
        )
        self.assertEqual(config.settings.enrp_transport, TCPTransport(port=9902, addresses=()))

    def test_sctp(self):
        """Whoever is connected by SCTP is told where that is spoken, with all addresses."""
        more = 'identity = "r1"\nenrp-auth = "psk:x"\nenrp-tls = ["tcp:9902", '
        more += '"sctp:9902:interface=192.0.2.1,[2001:db8::1]"]\nserver-id'
        settings = self.load(GOOD.replace("server-id", more)).settings
        self.assertEqual(settings.enrp_transport, TCPTransport(port=9902, addresses=()))
        both = tuple(map(ip_address, ("192.0.2.1", "2001:db8::1")))
        self.assertEqual(settings.enrp_sctp, SCTPTransport(port=9902, addresses=both))

    def test_bad_peers(self):
        """A peer that can't be called is a fault, where it stands."""
        for peer in ("r2", "r2=", "tcp:h", "r2=sctp:h:0", "=tcp:h:1", "tcp:h:0", "r2=tcp:1"):
            [fault] = self.faults(GOOD.replace("server-id", f'peer = "{peer}"\nserver-id'))
            self.assertIn("registrar.peer", fault)
        twice = 'peer = ["tcp:h:1", "tcp:h:1"]\nidentity = "r1"\nenrp-auth = "psk:x"\nserver-id'
        [fault] = self.faults(GOOD.replace("server-id", twice))
        self.assertIn("given twice", fault)

    def test_where_peers_call(self):
        """A listener of one address is told with it; what only refuses isn't told."""
        secure = {"enrp_tls": (), "enrp": ("tcp:9901",)}
        for changed, expected in (
            ({"enrp_tls": ("tcp:1:interface=192.0.2.1", "tcp:2")}, (1, ["192.0.2.1"])),
            ({"enrp_tls": (r"tcp6:1:interface=2001\:db8\:\:1",)}, (1, ["2001:db8::1"])),
            ({"enrp_tls": ("tcp:1:interface=0.0.0.0",)}, (1, [])),
            ({"enrp_tls": ("tcp:0", "tcp:2")}, (2, [])),
            (secure, None),
            ({**secure, "security": "none"}, (9901, [])),
        ):
            config = self.load(GOOD)
            table = attrs.evolve(config.registrar, **changed)
            found = attrs.evolve(config, registrar=table).enrp_transport
            shown = found and (found.port, [str(address) for address in found.addresses])
            self.assertEqual(shown, expected, changed)

    def test_names_of_peers(self):
        """A name may be a URI, with what else there is of equals signs and colons."""
        for text, expected in (
            ("b=tcp:b.example:1", ("b", "tcp:b.example:1")),
            ("uri:x://y?a=b=tcp:[2001:db8::7]:1", ("uri:x://y?a=b", "tcp:[2001:db8::7]:1")),
            ("dns:b.example=tcp:192.0.2.1:1", ("dns:b.example", "tcp:192.0.2.1:1")),
            ("tcp:host=b.example:port=1", (None, "tcp:host=b.example:port=1")),
        ):
            self.assertEqual(kinds.split_peer(kinds.peer(text)), expected)

    def test_patience_with_peers(self):
        """Silence is the core's to judge: no connection of a peer is cut before it has."""
        config = self.load(GOOD, parse_set("limits.idle-timeout=10"))
        self.assertEqual((config.patience.idle, config.peer_patience.idle), (10, 122))
        config = self.load(GOOD, parse_set("limits.idle-timeout=0"))
        self.assertEqual(config.peer_patience.idle, 0)

    def test_wrong_peers(self):
        """What is wrong about other registrars is said of the key that is, and once."""
        good = {"asap-tls": "tcp:1", "auth": "psk:x"}
        for overrides, words in (
            ({**good, "peer": "tcp:h:1"}, "--enrp-auth: peer is given"),
            ({**good, "enrp-tls": "tcp:1"}, "--enrp-auth: enrp-tls is given"),
            ({**good, "peer": "tcp:h:1", "enrp-auth": "psk:y"}, "--identity: with"),
            ({**good, "enrp-tls": "tcp:1", "enrp-auth": "psk:x"}, "key file of their own"),
            ({**good, "enrp-auth": "psk:y", "identity": "a@b"}, "has no '@'"),
            ({**good, "enrp-auth": "psk:y", "identity": "a~2"}, "has no '@'"),
            ({"security": "none", "asap": "tcp:1", "enrp-tls": "tcp:1"}, "would mix"),
            ({"security": "none", "asap": "tcp:1", "identity": "a"}, "would mix"),
            ({**good, "peer": "b=sctp:h,:1"}, "with commas"),
            ({**good, "peer": "b=udp:h:1"}, "isn't an endpoint"),
            ({**good, "enrp": "tcp:99999"}, "has no port"),
        ):
            given = [Override("registrar", key, value) for key, value in overrides.items()]
            faults = self.faults(None, *given)
            self.assertEqual(len([f for f in faults if words in f]), 1, (overrides, faults))
            self.assertEqual(len(faults), 1, faults)

    def test_plain_beside_tls(self):
        """A secure registrar may listen plain as well: to refuse."""
        config = self.load(GOOD.replace("server-id", 'asap = "tcp:3863"\nserver-id'))
        self.assertTrue(config.required)

    def test_set(self):
        """--set takes TABLE.KEY=VALUE and nothing else."""
        for text in ("x", "a=b", ".b=c", "a.=c"):
            with self.assertRaises(ValueError):
                parse_set(text)
        faults = self.faults(GOOD, parse_set("nothing.here=1"), parse_set("limits.pool=1"))
        self.assertIn("--set nothing.here: there is no table [nothing]", faults)
        self.assertTrue(any("did you mean 'pools'" in fault for fault in faults))
