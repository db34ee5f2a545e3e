"""
What happened in one handshake: which identity was named, and whether its key is known.

Note [What a callback may believe]

That TLS asked for an identity proves nothing: a client may name one whose key it hasn't.
So this is only a note of what was asked; whether it was proven is read from the finished
handshake (:func:`rserpool.security.psk.tls.authentication`).  A HelloRetryRequest makes
TLS ask twice, perhaps for another identity: the last time counts.
"""

import attrs

from rserpool.security.psk.identity import fingerprint, readable, stand_in
from rserpool.security.psk.terms import Lookup

#: Identities that one client may offer, over both of its hellos.  Each costs a call from C
#: and a hash, and 64 KiB hold nine thousand: a cheap way to keep us busy.  Honest clients
#: offer one, and perhaps a stale ticket or two.
MAXIMUM_OFFERED = 16


@attrs.define(eq=False)
class ServerHandshake:
    """The server's side of one handshake."""

    lookup: Lookup | None = attrs.field(repr=False)
    hide_unknown: bool = True
    identity: str | None = None  # the last that was asked for
    known: bool = False  # there is a key for it
    failed: str = ""  # what the lookup raised
    fingerprint: bytes | None = attrs.field(default=None, repr=False)
    foreign: int = 0  # what was offered and can't be an identity: a stale ticket
    offered: int = 0
    refused: str = ""  # why the client's certificate wasn't believed

    def secret(self, octets: bytes) -> bytes:
        """
        Return the key for TLS to go on with; empty: go on without.

        Never raises: an exception in the lookup is an unknown identity to the peer.  What
        can't be an identity gets no stand-in key: certificate clients do offer their stale
        tickets here, and must be able to go on.
        """
        self.known, self.fingerprint = False, None
        replacement = stand_in(octets)  # always, so that known and unknown take as long
        self.identity = readable(octets)
        if self.identity is None:
            self.foreign += 1
            return b""
        found = self._looked_up(self.identity)
        if not found:
            return replacement if self.hide_unknown else b""
        self.known, self.fingerprint = True, fingerprint(found)
        return found

    def _looked_up(self, identity: str) -> bytes | None:
        try:
            return None if self.lookup is None else self.lookup(identity)
        except BaseException as error:
            # Whatever it is, C would only print it and go on without a key.  Its type
            # alone is kept: its text might have a secret in it.
            self.failed = type(error).__name__
            return None

    def one_more(self) -> bool:
        """Count an identity; False: that is too many."""
        self.offered += 1
        return self.offered <= MAXIMUM_OFFERED


@attrs.define(eq=False)
class ClientHandshake:
    """The client's side of one handshake."""

    identity: bytes
    secret: bytes = attrs.field(repr=False)
