"""
For authors of plugins: conformance tests, fake subjects, and a registrar in a box.

.. code-block:: python

    class MineConforms(AuthorizerConformance, unittest.TestCase):
        def make(self):
            return Mine("...")
"""

from rserpool.security.testing.box import RegistrarBox
from rserpool.security.testing.conformance import (
    AuthenticationConformance,
    AuthorizerConformance,
    GateConformance,
    KeyStoreConformance,
    RateLimitConformance,
    SecurityPluginConformance,
)
from rserpool.security.testing.peers import PeerAuthenticationConformance
from rserpool.security.testing.subjects import anonymous, by_certificate, by_key, plain

__all__ = [
    "AuthenticationConformance",
    "AuthorizerConformance",
    "GateConformance",
    "KeyStoreConformance",
    "PeerAuthenticationConformance",
    "RateLimitConformance",
    "RegistrarBox",
    "SecurityPluginConformance",
    "anonymous",
    "by_certificate",
    "by_key",
    "plain",
]
