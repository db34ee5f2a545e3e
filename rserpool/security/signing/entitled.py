"""Whose key has made a signature, and what it may speak for."""

from typing import Protocol

import attrs

from rserpool.security.decisions import NO_RESTRICTIONS, Restrictions
from rserpool.security.signing.signature import Signature


@attrs.frozen
class Entitled:
    """
    A key, whose it is, and what it may speak for.

    :ivar entitled: empty pools and PE identifiers: all; empty networks: all addresses.
    """

    name: str
    public: bytes
    entitled: Restrictions = NO_RESTRICTIONS


class Signers(Protocol):
    """Finds who has made a signature, which isn't checked yet."""

    def find(self, signature: Signature, now: float) -> Entitled:
        """
        Return whose key it is.

        :param now: seconds since the epoch.
        :raise Untrusted: nobody's who is believed now.
        """
