"""
Pool elements and pool users: pure state machines and their Twisted side.

Applications use `PoolElement` and `PoolUser`.
"""

from rserpool.client.element import Membership
from rserpool.client.events import Notice, What
from rserpool.client.pool_element import PoolElement, Refused
from rserpool.client.pool_user import NoAnswer, PoolUser
from rserpool.client.security import Certified, Plain, PreSharedKey, Security
from rserpool.client.user import Chooser, Resolution

__all__ = [
    "Certified",
    "Chooser",
    "Membership",
    "NoAnswer",
    "Notice",
    "Plain",
    "PoolElement",
    "PoolUser",
    "PreSharedKey",
    "Refused",
    "Resolution",
    "Security",
    "What",
]
