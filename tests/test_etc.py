"""The files in etc/ are what they say they are."""

import re
import tomllib
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.decisions import Proof, Request
from rserpool.security.rules.file import load as load_rules
from rserpool.service.config import load
from rserpool.service.settings import key_of
from rserpool.service.tables import TABLES

ETC = Path(__file__).parent.parent / "etc"


class Registrar(SynchronousTestCase):
    """etc/registrar.toml."""

    def test_loads(self):
        """It is a configuration without faults."""
        config = load(str(ETC / "registrar.toml"), [])
        self.assertTrue(config.required)

    def test_scope(self):
        """What it shows of other registrars is a configuration without faults, too."""
        text = (ETC / "registrar.toml").read_text()
        keys = "peer|enrp-tls|enrp-auth|identity|enrp"
        path = self.mktemp()
        Path(path).write_text(re.sub(f"(?m)^# ((?:{keys}) = )", r"\1", text))
        config = load(path, [])
        self.assertEqual([peer.name for peer in config.peers], ["r2", "r3"])
        self.assertEqual(config.enrp_transport.port, 9902)

    def test_all_keys(self):
        """With what is commented out it has every key, at its default."""
        text = (ETC / "registrar.toml").read_text()
        whole = re.sub(r"(?m)^# ([a-z0-9-]+ = )", r"\1", text)
        document = tomllib.loads(whole)
        for table, cls in TABLES.items():
            for field in attrs.fields(cls):
                key = key_of(field.name)
                self.assertIn(key, document[table])
                if table != "registrar" and field.default is not None:
                    default = field.default
                    default = list(default) if field.metadata["many"] else default
                    self.assertEqual(document[table][key], default, key)


class Rules(SynchronousTestCase):
    """etc/rules.toml."""

    def test_as_it_says(self):
        """What its comments say holds."""
        policy = load_rules(str(ETC / "rules.toml"))
        join, leave = "asap.register.join", "asap.deregister"
        for name, permission, pool, expected in (
            ("web-1", join, b"web", True),
            ("web-1", join, b"payments", False),
            ("web-1", leave, b"payments", True),
            ("web-2", join, b"payments", True),
            ("web-0", join, b"web", False),
            ("operator", join, b"web", True),
            ("stranger", join, b"web", False),
            ("stranger", "asap.resolve", b"web", True),
        ):
            decision = policy.decide(name, Proof.PSK, Request(permission, pool))
            self.assertEqual(decision.allowed, expected, (name, permission, pool))
