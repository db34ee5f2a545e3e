"""
Whether a certificate has been revoked, by the lists of the authorities above it.

Once there is one list, every certificate of a chain but the last, which is what we trust, must
have a list of its issuer in force that doesn't name it: no list, one that is over, or one that
hasn't begun is a refusal (RFC 5280 section 6.3: "undetermined" isn't good enough).
"""

from collections.abc import Iterable, Sequence

import attrs
from cryptography import x509

from rserpool.security.certificate.lists import RevocationList, authority_id
from rserpool.security.certificate.name import when

#: Seconds before its end in which a list is warned of: an authority makes a new one in time.
LIST_SOON = 86400


@attrs.frozen
class Link:
    """One certificate of a chain: all that its revocation is told by."""

    issuer: bytes = attrs.field(repr=False)  # authority_id
    issuer_name: str
    serial: int
    own: bool  # the peer's own, and not an authority's above it


def links(chain: Sequence[x509.Certificate]) -> tuple[Link, ...]:
    """Return what can be revoked of a verified chain, the peer's own certificate first."""
    return tuple(
        Link(
            authority_id(issuer),
            repr(issuer.subject.rfc4514_string()),
            certificate.serial_number,
            own=index == 0,
        )
        for index, (certificate, issuer) in enumerate(zip(chain, chain[1:], strict=False))
    )


@attrs.frozen
class Revocations:
    """The lists of one source; none at all: nothing is asked."""

    lists: tuple[RevocationList, ...] = ()

    def objection(self, chain: Iterable[Link], now: float) -> str:
        """Why this chain isn't good (any more); empty: it is."""
        if not self.lists:
            return ""
        for link in chain:
            found = self.in_force(link.issuer, now)
            if found is None:
                return f"there is no revocation list of {link.issuer_name}"
            if found.begin > now:
                return f"the revocation list of {link.issuer_name} begins {when(found.begin)}"
            if found.end <= now:
                return f"the revocation list of {link.issuer_name} ended {when(found.end)}"
            if link.serial in found.serials:
                which = "the certificate" if link.own else "an authority's certificate above it"
                return f"{which}, serial {link.serial:x}, has been revoked"
        return ""

    def in_force(self, issuer: bytes, now: float) -> RevocationList | None:
        """Return the newest list of an issuer that has begun, else the first to begin."""
        own = [each for each in self.lists if each.issuer == issuer]
        begun = [each for each in own if each.begin <= now]
        if begun:
            return max(begun, key=lambda each: (each.begin, each.number))
        return min(own, key=lambda each: each.begin, default=None)

    def current(self, now: float) -> tuple[RevocationList, ...]:
        """Return those that count now, one of each issuer."""
        issuers = dict.fromkeys(each.issuer for each in self.lists)
        found = [self.in_force(issuer, now) for issuer in issuers]
        return tuple(each for each in found if each is not None)

    def faults(self, now: float) -> tuple[str, ...]:
        """What lets in nobody at all: lists that are over, or haven't begun."""
        found = []
        for each in self.current(now):
            whose = f"{each.path}: the revocation list of {each.issuer_name}"
            nobody = "nobody with a certificate of it is let in"
            if each.end <= now:
                found.append(
                    f"{whose} ended {when(each.end)}: {nobody} before there is a new one"
                )
            elif each.begin > now:
                found.append(f"{whose} begins {when(each.begin)}: {nobody} before")
        return tuple(found)

    def warnings(self, now: float) -> tuple[str, ...]:
        """What ought to be better: lists that will end soon, or have."""
        soon = tuple(
            f"{each.path}: the revocation list of {each.issuer_name} ends {when(each.end)}; "
            "then nobody with a certificate of that authority is let in: make a new one, and "
            "send SIGHUP"
            for each in self.current(now)
            if each.begin <= now < each.end < now + LIST_SOON
        )
        return (*self.faults(now), *soon)

    def changes(self) -> tuple[float, ...]:
        """When something else may hold than before, without anything being read again."""
        return tuple(moment for each in self.lists for moment in (each.begin, each.end))
