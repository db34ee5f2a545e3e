"""
Pool elements and pool users: pure state machines and their Twisted side.

Applications use `PoolElement` and `PoolUser`.  The pure machines are `element`, `user` and
`hunt`: events in, effects out, no clock and no socket; `link` performs their effects.
"""

from rserpool.client.causes import in_words
from rserpool.client.dialect import PROFILES, RFC, RSPLIB, Dialect
from rserpool.client.element import Membership
from rserpool.client.events import Notice, What
from rserpool.client.failover import Failover, Standing
from rserpool.client.listening import Announcements
from rserpool.client.pool_connection import NoElement, PoolConnection
from rserpool.client.pool_element import PoolElement, Refused, new_identifier
from rserpool.client.pool_user import NoAnswer, PoolUser
from rserpool.client.resolution import Chooser, Distrusted, Resolution
from rserpool.client.security import Certified, Plain, PreSharedKey, Security
from rserpool.client.verifier import Verifier
from rserpool.security.signing.signer import Signer
from rserpool.security.signing.signers import signers
from rserpool.transport.announce import asap_group

__all__ = [
    "Announcements",
    "PROFILES",
    "RFC",
    "RSPLIB",
    "Certified",
    "Chooser",
    "Dialect",
    "Distrusted",
    "Failover",
    "Membership",
    "NoAnswer",
    "NoElement",
    "Notice",
    "Plain",
    "PoolConnection",
    "PoolElement",
    "PoolUser",
    "PreSharedKey",
    "Refused",
    "Resolution",
    "Security",
    "Signer",
    "Standing",
    "Verifier",
    "What",
    "asap_group",
    "in_words",
    "new_identifier",
    "signers",
]
