"""
A failover, as the application is told of it (RFC 5355 section 2.9): pure.

"The application SHOULD be notified when failover occurs so the application can take appropriate
action to establish a trusted relationship with PE B."  What it had with one element, a key of
its own or a login, it doesn't have with the next.
"""

import attrs

from rserpool.security.decisions import Proof
from rserpool.wire.parameters import PoolElement


@attrs.frozen
class Standing:
    """
    How a connection to an element is secured.

    :ivar name: whom the element has proven to be (certificate), or whose key both sides hold.
    :ivar version, cipher: of TLS; empty where there is none.
    """

    proof: Proof
    name: str = ""
    version: str = ""
    cipher: str = ""

    @property
    def secure(self) -> bool:
        """Whether it is TLS, and the element has proven something."""
        return self.proof in (Proof.PSK, Proof.CERTIFICATE)

    def __str__(self) -> str:
        if not self.version:
            return "no TLS"
        return f"{self.version}, {self.name or 'nobody'} by {self.proof.value}"


@attrs.frozen
class Failover:
    """
    From one element to another, of which nothing has been sent to the new one yet.

    :ivar why: what became of the old one, in words.
    :ivar before, now: how the old connection was secured, and how the new one is.
    """

    handle: bytes
    old: PoolElement
    new: PoolElement
    why: str
    before: Standing
    now: Standing


def objection(failover: Failover, *, downgrade: bool = False) -> str:
    """
    Why this can't be, before the application is asked; empty: it can.

    :param downgrade: from TLS to none is allowed.
    """
    if failover.before.secure and not failover.now.secure and not downgrade:
        return (
            f"the connection before was secure ({failover.before}), and this one isn't "
            f"({failover.now}): a failover may not take that away"
        )
    return ""
