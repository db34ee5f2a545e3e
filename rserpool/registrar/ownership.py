"""
Whose an element is, when two registrars say that it is theirs.

Note [Ownership]

Each element has one home, which alone speaks for it (RFC 5353 section 1.1).  A second one
claims it when the element has registered there: because its old home died, because it lost
the connection with it, or after a partition.  Then:

- The home that has no connection with the element any more yields at once, and tells all
  others so: its last word on the element names the new home.
- The home that still has one asks the element.  No answer: it yields.  An answer: the claim
  was wrong, and the claimant is told so; it yields.
- Everybody else, in a secure scope, keeps to the home that is alive until that one yields,
  ends, or lists the element no more: else any registrar could take elements from another
  (RFC 5355 section 2.5).  Meanwhile the element stays in the answers as it was.  In an
  insecure scope, where any registrar could be anybody, the last word counts, as RFC 5353
  section 3.3.1 has it.

So of two claims the one that a living connection stands behind wins, whoever hears of them
in whatever order.

Note [Two lists]

A claim by an update comes from an element that has just registered; that of a list may be one
without a connection as well: two registrars have taken over a third one, each on its side of
a partition.  If both yielded, each to the other one's list, the element would be lost; so the
smaller server ID doesn't yield to a list, but claims the element itself: the other one
yields, or asks the element and objects.

A registrar of rsplib believes any claim, and says nothing of a takeover.  When ours was cut off
and comes back, one of theirs may have taken over its elements; those have left ours for it.  If
ours claimed them, theirs would believe it, they wouldn't answer ours, and be lost.  So with the
ways of rsplib we yield an element that has lost its connection with us to any list, and ask for
the other one's list before we give ours (see `rserpool.registrar.tables`).

Note [A tie]

A registrar that has told a claimant that the element is here yields when it is claimed again.
By an update that names its receiver that can be seen (it is the claimant's objection); where
all updates name one, two registrars that both have a connection with the element could claim
it from each other for ever.  There the smaller server ID yields to the second claim.
"""

import attrs

from rserpool.handlespace.description import Description
from rserpool.handlespace.element import Element
from rserpool.registrar.peers import Peer, Peers
from rserpool.registrar.share import Share

#: Claims remembered until the home yields: a rogue registrar could claim everything.  One
#: that isn't remembered comes again by audit.
MAXIMUM_CLAIMS = 10_000


@attrs.frozen
class Claim:
    """A registrar says that it is the home of an element, and describes it."""

    peer: int
    element: Description


class Ownership:
    """The claims that aren't settled."""

    def __init__(self, share: Share, peers: Peers) -> None:
        self._share = share
        self._peers = peers
        #: of elements of other registrars
        self._claims: dict[Element, Claim] = {}
        #: of our own, which are being asked
        self._contests: dict[Element, Claim] = {}
        #: elements that have come to us from a home that hasn't yielded yet
        self._moved: dict[Element, int] = {}
        #: those of ours of which a claimant was told so, which may claim them again
        self._insisted: dict[Element, int] = {}

    def granted(self, peer: Peer, element: Element, entry: Description) -> bool | None:
        """
        Whether `peer` may take an element that has another home.

        None: it is ours, and has to be asked first.
        """
        if element.home == self._share.server_id:
            if element.channel is None or self._tied(peer, element):
                return True
            self._contests[element] = Claim(peer.identifier, entry)
            return None
        if peer.name and self._peers.alive(element.home):
            if len(self._claims) < MAXIMUM_CLAIMS:
                self._claims[element] = Claim(peer.identifier, entry)
            return False
        return True

    def moved(self, element: Element, former: int) -> None:
        """`element` has registered with us; `former` was its home until now."""
        self._moved[element] = former

    def objected(self, element: Element, peer: Peer) -> bool:
        """Whether `peer` is the home it came from, which has asked it and had an answer."""
        if self._moved.get(element) != peer.identifier:
            return False
        del self._moved[element]
        return True

    def yielded(self, element: Element) -> Claim | None:
        """Its home lets it go: whose it is then, if somebody claims it."""
        self._moved.pop(element, None)
        self._insisted.pop(element, None)
        return self._claims.pop(element, None) or self._contests.pop(element, None)

    def withdrawn(self, element: Element, peer: Peer) -> bool:
        """`peer` doesn't claim it any more; whether it did."""
        claim = self._claims.get(element)
        if claim is None or claim.peer != peer.identifier:
            return False
        del self._claims[element]
        return True

    def asserted(self, element: Element) -> Claim | None:
        """It is its home's still: the claim that has come to nothing."""
        self._claims.pop(element, None)
        claim = self._contests.pop(element, None)
        told = claim is not None and self._share.settings.interop.update_receiver
        if claim is not None and told and len(self._insisted) < MAXIMUM_CLAIMS:
            self._insisted[element] = claim.peer
        return claim

    def departed(self, peer: int) -> None:
        """The connection with it is gone: what it was told it may have forgotten, and we do."""
        gone = [element for element, told in self._insisted.items() if told == peer]
        for element in gone:
            del self._insisted[element]

    def _tied(self, peer: Peer, element: Element) -> bool:
        """See Note [A tie]."""
        if not self._share.settings.interop.update_receiver:
            return False  # then it objects, and doesn't claim again
        insisted = self._insisted.get(element) == peer.identifier
        return insisted and self._share.server_id < peer.identifier

    def contested(self, element: Element) -> bool:
        """Whether somebody else claims an element of ours."""
        return element in self._contests

    def claims_on(self, home: int) -> list[Element]:
        """The elements of a registrar that others claim."""
        return [element for element in self._claims if element.home == home]
