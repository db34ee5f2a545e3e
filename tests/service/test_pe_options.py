"""What ``twistd rserpool-pe`` can be told."""

import os
import re
import tomllib
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import RFC, RSPLIB, Certified, Plain, PreSharedKey
from rserpool.security.certificate import make
from rserpool.service.pe_options import TABLES, Options, load, parse_policy
from rserpool.service.settings import ConfigError, Override, key_of
from rserpool.wire import policies
from rserpool.wire.delay import LeastUsedDPF, WeightedRandomDPF

EXAMPLE = Path(__file__).parents[2] / "etc" / "pe.toml"
GIVEN = {"pool": "web", "service": "tcp:127.0.0.1:80", "registrar": "tcp:127.0.0.1:3864"}


class Case(SynchronousTestCase):
    """A command line."""

    def key_file(self, *lines):
        """Write a key file."""
        path = self.mktemp()
        Path(path).write_text("".join(f"{line}\n" for line in lines or ("web-1:" + "00" * 32,)))
        os.chmod(path, 0o600)
        return path

    def load(self, path=None, **given):
        """Read a command line; None leaves an option out."""
        given = {**GIVEN, "security": "none", **given}
        return load(path, [
            Override("element", key_of(key), value)
            for key, value in given.items() if value is not None
        ])  # fmt: skip

    def faults(self, path=None, **given):
        """What is wrong with a command line."""
        with self.assertRaises(ConfigError) as caught:
            self.load(path, **given)
        return caught.exception.faults

    def fault(self, path=None, **given):
        """The only thing that is wrong with it."""
        [fault] = self.faults(path, **given)
        return fault


class Example(Case):
    """``etc/pe.toml``."""

    def test_loads(self):
        """It loads as it stands, with a key file."""
        table, security, *_ = load(str(EXAMPLE), [Override("element", "psk", self.key_file())])
        self.assertEqual((table.pool, table.service), ("web", ("127.0.0.1", 8080)))
        self.assertIsInstance(security, PreSharedKey)

    def test_defaults(self):
        """What it shows commented out as a default is the default."""
        shown = re.findall(r"^#([a-z-]+ = .+)$", EXAMPLE.read_text(), re.MULTILINE)
        given = [Override("element", *pair) for pair in map(self.pair, shown)]
        known = [one for one in given if one.key in
                 ("security", "tls-minimum", "policy", "lifetime", "check", "check-interval",
                  "check-timeout", "check-failures")]  # fmt: skip
        self.assertEqual(len(known), 8)
        plain = [Override("element", key, value) for key, value in GIVEN.items()]
        plain.append(Override("element", "psk", self.key_file()))
        self.assertEqual(load(None, [*plain, *known])[0], load(None, plain)[0])

    def pair(self, line):
        """The key and the value of a line."""
        [(key, value)] = tomllib.loads(line).items()
        return key, str(value)

    def test_complete(self):
        """Every key is described in it, and no other."""
        text = EXAMPLE.read_text()
        shown = set(re.findall(r"^#?([a-z-]+) = ", text, re.MULTILINE))
        keys = {key_of(field.name) for cls in TABLES.values() for field in attrs.fields(cls)}
        self.assertEqual(shown, keys)


class Everything(Case):
    """All that can be said."""

    def test_command_line(self):
        """All options of the command line are understood."""
        options = Options()
        options.parseOptions([
            "--pool", "web", "--service", "tcp:127.0.0.1:80", "--registrar", "tcp:a.example:1",
            "--registrar", "tcp:b.example:1", "--security", "required", "--identity", "web-1",
            "--psk", self.key_file(), "--policy", "weighted-round-robin:weight=3",
            "--lifetime", "60", "--pe-id", "0x2a", "--check", "http:/", "--check-interval",
            "5", "--spawn", "sh -c true", "--load", "echo 1", "--tls-minimum", "1.2",
        ])  # fmt: skip
        table, security, dialect, signer = options.configuration
        self.assertEqual((dialect, signer), (RFC, None))
        self.assertEqual(len(table.registrar), 2)
        self.assertEqual((table.pe_id, table.lifetime), (0x2A, 60))
        self.assertEqual(table.policy, policies.WeightedRoundRobin(weight=3))
        self.assertEqual((security.identity, security.minimum), ("web-1", "1.2"))

    def test_file(self):
        """The file says the same, with numbers as numbers; the command line wins."""
        path = self.mktemp()
        Path(path).write_text(
            "[element]\npe-id = 42\nlifetime = 60\ncheck-failures = 5\ncheck-interval = 1\n"
        )
        table, *_ = self.load(path, lifetime="90")
        self.assertEqual(
            (table.pe_id, table.lifetime, table.check_failures, table.check_interval),
            (42, 90, 5, 1.0),
        )

    def test_certificate(self):
        """Instead of a key there may be a certificate."""
        certificate, key = self.mktemp(), self.mktemp()
        authority = make.authority("an authority of tests")
        make.write(make.issue(authority, ["web-1.example"], client=True), certificate, key)
        ca = self.mktemp()
        Path(ca).write_bytes(authority.certificate)
        _, security, *_ = self.load(
            security="required", certificate=certificate, private_key=key, ca=ca
        )
        self.assertIsInstance(security, Certified)

    def signing(self, pools=(b"web",)):
        """A certificate of an authority of tests, and its key."""
        certificate, key = self.mktemp(), self.mktemp()
        issued = make.issue(
            make.authority("an authority of tests"), ["web-1.example"], client=True, pools=pools
        )
        make.write(issued, certificate, key)
        return {"signing_certificate": certificate, "signing_key": key}

    def test_signing(self):
        """It may sign: with a certificate for its pool, or with a key that users have."""
        given = self.signing()
        signer = self.load(**given)[3]
        self.assertEqual(signer.pools, {b"web"})
        del given["signing_certificate"]
        self.assertEqual(self.load(**given)[3].public, signer.public)

    def test_signing_faults(self):
        """What no user would believe isn't started with."""
        self.assertIn("is for pool 'other', not 'web'", self.fault(**self.signing((b"other",))))
        self.assertIn("for no pool", self.fault(**self.signing(())))
        given = self.signing()
        os.chmod(given["signing_key"], 0o644)
        self.assertIn("chmod 600", self.fault(**given))
        del given["signing_key"]
        self.assertIn("give signing-key", self.fault(**given))
        self.assertIn("can't be read", self.fault(signing_key=self.mktemp()))
        unsuited = {"signing_key": self.signing(())["signing_key"]}
        self.assertIn("not an Ed25519 key", self.fault(**unsuited))

    def test_plain(self):
        """Without security there is none."""
        self.assertEqual(self.load()[1], Plain())


class Service(Case):
    """Where users reach the service."""

    def test_address(self):
        """An address is taken as it is, in IPv6 with brackets or escaped."""
        for text, host in (
            ("tcp:192.0.2.7:80", "192.0.2.7"),
            ("tcp:[2001:db8::7]:80", "2001:db8::7"),
            (r"tcp:2001\:db8\:\:7:80", "2001:db8::7"),
        ):
            self.assertEqual(self.load(service=text)[0].service, (host, 80))

    def test_name(self):
        """A name is looked up; of its addresses an IPv4 one is taken."""
        self.assertEqual(self.load(service="tcp:localhost:80")[0].service, ("127.0.0.1", 80))

    def test_no_name(self):
        """A name without an address is refused."""
        self.assertIn("has no address", self.fault(service="tcp:nobody.invalid:80"))

    def test_everywhere(self):
        """An address that only a listener can use is refused."""
        for address in ("0.0.0.0", "[::]", "224.0.0.1"):
            self.assertIn("users can reach", self.fault(service=f"tcp:{address}:80"))

    def test_no_service(self):
        """What isn't a service is refused with how it is written."""
        for text in ("80", "udp:127.0.0.1:80", "tcp:80", "tcp:127.0.0.1:0", "tcp:127.0.0.1:x"):
            self.assertIn("tcp:ADDRESS:PORT", self.fault(service=text))


class Announced(Case):
    """Registrars that announce themselves."""

    def test_groups(self):
        """A group is enough; how it is listened to comes with it."""
        table, *_ = self.load(
            registrar=None, announce="rsplib", announce_interface="127.0.0.1",
            silent_transport="tcp",
        )  # fmt: skip
        heard = table.announcements
        self.assertEqual([str(group) for group in heard.groups], ["239.0.0.50:3863"])
        self.assertEqual((heard.interface, heard.silent), ("127.0.0.1", "tcp"))
        table, *_ = self.load()
        self.assertIsNone(table.announcements)
        self.assertEqual(self.load(announce="iana")[0].announcements.silent, "sctp")

    def test_refused(self):
        """What is no group, interface or transport is told."""
        self.assertIn("multicast", self.fault(registrar=None, announce="192.0.2.1"))
        self.assertIn("interface", self.fault(announce_interface="a b"))
        self.assertIn("sctp or tcp", self.fault(silent_transport="udp"))

    def test_anybody(self):
        """A certificate of a public authority would make anybody a registrar: not alone."""
        files = {"certificate": "x.pem", "private_key": "x.key"}
        faults = self.faults(security="required", announce="iana", **files)
        self.assertIn("a certificate for his own address", faults[0])


class Faults(Case):
    """What is wrong, all at once."""

    def test_missing(self):
        """What can't be left out is asked for."""
        self.assertEqual(
            self.faults(pool=None, service=None, registrar=None),
            [
                "--pool: is missing",
                "--service: is missing",
                "--registrar: is missing; give one, or announce",
            ],
        )

    def test_all_at_once(self):
        """Every fault is told, once, with its file and line or its option."""
        path = self.mktemp()
        Path(path).write_text('[element]\npool = ""\nlife = 3\nlifetime = 0\n\n[pool]\n')
        faults = self.faults(
            path, pool=None, service="80", registrar="x", security="required",
            policy="fair", check="udp", pe_id="first", spawn="no-such-program-here",
            check_interval="0", psk="/nowhere",
        )  # fmt: skip
        text = "\n".join(faults)
        for start in (
            f"{path}:2: element.pool:", f"{path}:3: element.life:", f"{path}:4: element.lif",
            f"{path}:6:", "--service:", "--registrar:", "--policy:", "--check:", "--pe-id:",
            "--spawn:", "--check-interval:", "--psk:",
        ):  # fmt: skip
            self.assertIn(start, text)
        self.assertEqual(len(faults), 12, text)

    def test_contradictions(self):
        """Settings that contradict each other are refused."""
        self.assertIn("leave this out", self.fault(psk="x"))
        self.assertIn("give psk", self.fault(security="required"))
        self.assertIn("go together", self.faults(private_key="x")[0])
        faults = self.faults(security="required", psk="x", certificate="y", private_key="z")
        self.assertIn("give one of the two", faults[0])

    def test_wrong_file(self):
        """A file that can't be read, or isn't what it should be, is told with its name."""
        self.assertIn(
            "/nowhere can't be read: No such file",
            self.fault(security="required", psk="/nowhere"),
        )
        path = self.key_file("-----BEGIN CERTIFICATE-----")
        self.assertIn(f"{path}:1", self.fault(security="required", psk=path))
        path = self.key_file(*["nonsense"] * 50)
        self.assertEqual(len(self.faults(security="required", psk=path)), 5)
        path = self.key_file()
        words = self.fault(security="required", psk=path, identity="web-9")
        self.assertIn("no identity 'web-9'; it has web-1", words)

    def test_readable_key(self):
        """A key file that others can read is refused."""
        path = self.key_file()
        os.chmod(path, 0o644)
        self.assertIn(path, self.fault(security="required", psk=path))

    def test_bad_authority(self):
        """An authority file that is none is told at the start."""
        certificate, key = self.mktemp(), self.mktemp()
        make.write(make.authority("an authority of tests"), certificate, key)
        path = self.key_file()
        faults = self.faults(
            security="required", certificate=certificate, private_key=key, ca=path
        )
        self.assertIn(path, "\n".join(faults))


class Interop(Case):
    """``--profile rsplib`` and what it stands for."""

    def dialect(self, *settings, **given):
        """How the element speaks."""
        overrides = [Override("element", key, value) for key, value in GIVEN.items()]
        overrides += [Override("element", "security", "none")]
        overrides += [Override("element", *pair) for pair in given.items()]
        return load(None, [*overrides, *(Override("interop", *pair) for pair in settings)])[2]

    def test_profile(self):
        """The profile is the client library's, but for what concerns pool users."""
        found = self.dialect(("profile", "rsplib"))
        for name in ("life_units", "handle_bytes", "renewals"):
            self.assertEqual(getattr(found, name), getattr(RSPLIB, name))
        self.assertEqual(self.dialect(), RFC)

    def test_keys(self):
        """Each is a key of its own, and what is given wins."""
        found = self.dialect(("profile", "rsplib"), ("renewals", "5"))
        self.assertEqual((found.life_units, found.renewals), (1000, 5))
        found = self.dialect(("life-unit", "milliseconds"))
        self.assertEqual((found.life_units, found.renewals), (1000, 0))

    def test_option(self):
        """The profile is an option of the command line."""
        options = Options()
        given = [f"--{key}={value}" for key, value in GIVEN.items()]
        options.parseOptions([*given, "--security=none", "--profile=rsplib"])
        self.assertEqual(options.configuration[2].life_units, 1000)

    def test_unbearable(self):
        """What the registrars can't take is said at the start."""
        for given, words in (
            ({"pool": "x" * 33}, "--pool: a pool handle of 33 octets would abort"),
            ({"lifetime": "2147484"}, "--lifetime: in 1000 units a second, 2147483 s are the"),
        ):
            with self.assertRaises(ConfigError) as caught:
                self.dialect(("profile", "rsplib"), **given)
            [fault] = caught.exception.faults
            self.assertIn(words, fault)
            self.dialect(**given)


class Policies(SynchronousTestCase):
    """``--policy NAME[:KEY=VALUE]``."""

    def test_each(self):
        """Every policy can be asked for."""
        for text, policy in (
            ("round-robin", policies.RoundRobin()),
            ("weighted-round-robin:weight=3", policies.WeightedRoundRobin(weight=3)),
            ("random", policies.Random()),
            ("weighted-random:weight=0x10", policies.WeightedRandom(weight=16)),
            ("priority:priority=7", policies.Priority(priority=7)),
            ("least-used", policies.LeastUsed(load=0)),
            (
                "least-used-degradation:degradation=5",
                policies.LeastUsedDegradation(load=0, degradation=5),
            ),
            (
                "priority-least-used:degradation=5",
                policies.PriorityLeastUsed(load=0, degradation=5),
            ),
            ("randomized-least-used", policies.RandomizedLeastUsed(load=0)),
            (
                "least-used-degradation:degradation=0.25",
                policies.LeastUsedDegradation(load=0, degradation=0x40000000),
            ),
            ("least-used-dpf:dpf=0.25", LeastUsedDPF(load=0, dpf=0x40000000, distance=0)),
            (
                "weighted-random-dpf:weight=7:dpf=1.0",
                WeightedRandomDPF(weight=7, dpf=0xFFFFFFFF, distance=0),
            ),
        ):
            self.assertEqual(parse_policy(text), policy)

    def test_refused(self):
        """What isn't one is refused with what there is."""
        for text, words in (
            ("fair", "there are round-robin"),
            ("weighted-random", "needs weight=NUMBER"),
            ("weighted-random:weight=-1", "whole number"),
            ("weighted-random:load=1", "it has weight"),
            ("round-robin:weight=1", "it has nothing"),
            ("least-used:load=7", "it has nothing"),
            ("least-used-dpf:dpf=1.5", "a number from 0 to 1"),
            ("least-used-dpf:dpf=0.1:distance=50", "it has dpf"),
            ("weighted-random:weight=0.5", "whole number"),
        ):
            with self.assertRaises(ValueError) as caught:
                parse_policy(text)
            self.assertIn(words, str(caught.exception))
