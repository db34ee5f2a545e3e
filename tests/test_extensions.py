"""The test vectors of docs/extensions.rst are what the code makes."""

import re
from ipaddress import ip_address
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client.statement import ELEMENT_SIGNATURE, signatures, signed, statement
from rserpool.security.signing.signature import CONTEXT, MOST_CERTIFICATE, SKEW, covered
from rserpool.security.signing.signer import LIFE
from rserpool.wire import parameters
from rserpool.wire.parameters import PoolElement, TCPTransport
from rserpool.wire.policies import WeightedRoundRobin
from tests.security.signing.signing import signer

TEXT = (Path(__file__).parent.parent / "docs" / "extensions.rst").read_text()


def vector(name):
    """The octets of a block of the document."""
    [block] = re.findall(rf":name: {name}\n\n((?:   [0-9a-f]+\n)+)", TEXT)
    return bytes.fromhex(block)


class Signature(SynchronousTestCase):
    """Element Signature."""

    def setUp(self):
        """The element of the document."""
        self.element = PoolElement(
            identifier=0x2A,
            life=300,
            user_transport=TCPTransport(port=80, addresses=(ip_address("192.0.2.7"),)),
            policy=WeightedRoundRobin(weight=3),
        )

    def test_vectors(self):
        """What is signed, and what is sent."""
        self.assertEqual(signer().public, vector("signature-public"))
        one = signed(b"web", self.element, signer())
        self.assertEqual(parameters.encode(one), vector("signature-element"))
        [value] = signatures(one)
        said = covered(value[:28], statement(b"web", self.element))
        self.assertEqual(said, vector("signature-covered"))

    def test_numbers(self):
        """The numbers in the text are those of the code."""
        self.assertEqual(len(CONTEXT), 30)
        self.assertIn(f'{len(CONTEXT)} octets   "{CONTEXT[:-1].decode()}"', TEXT)
        self.assertIn(f"{MOST_CERTIFICATE:,} octets at most", TEXT)
        self.assertIn(f"extended by {SKEW:.0f} seconds", TEXT)
        self.assertIn(f"SHOULD be {LIFE / 60:.0f} minutes ahead", TEXT)
        self.assertIn(f"Type = {ELEMENT_SIGNATURE:#x}", TEXT)
