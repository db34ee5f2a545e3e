"""``CA-FILE;crl=FILE``: authorities, and the lists of what they have revoked."""

import attrs

from rserpool.security.certificate import authorities, lists
from rserpool.security.certificate.authorities import Authorities
from rserpool.security.certificate.lists import authority_id
from rserpool.security.certificate.revocation import Revocations

#: What separates the name of a revocation list from the authorities' before it.
CRL = ";crl="


@attrs.frozen
class Trust:
    """What is believed, and what isn't any more."""

    authorities: Authorities
    revocations: Revocations

    def uncovered(self) -> tuple[str, ...]:
        """Which authorities have no list, where others have one: nobody of theirs gets in."""
        listed = {each.issuer for each in self.revocations.lists}
        if not listed:
            return ()
        return tuple(
            f"{self.authorities.path}: there are revocation lists, but none of "
            f"{each.subject.rfc4514_string()!r}: nobody with a certificate of that authority "
            "is let in"
            for each in self.authorities.certificates
            if authority_id(each) not in listed
        )


def split(text: str) -> tuple[str, tuple[str, ...]]:
    """
    Return the names of the authorities' file and of the files of lists.

    :raise ValueError: one is empty.
    """
    path, *crls = text.split(CRL)
    if not path or not all(crls):
        raise ValueError(f"{text!r} isn't CA-FILE, or CA-FILE;crl=FILE")
    return path, tuple(crls)


def read(path: str, crls: tuple[str, ...] = ()) -> Trust:
    """
    Read authorities and lists; lists in the authorities' own file count as well.

    :raise ValueError: (or OSError) what can't be used of it.
    """
    found = authorities.read(path)
    return _trust(found, crls)


def parse(pem: bytes, name: str, crls: tuple[str, ...] = ()) -> Trust:
    """Do the same with PEM; `name` is for the messages."""
    return _trust(authorities.parse(pem, name), crls)


def _trust(found: Authorities, crls: tuple[str, ...]) -> Trust:
    inside = lists.parse(found.pem, found.path, found.certificates)
    beside = [each for crl in crls for each in lists.read(crl, found.certificates)]
    return Trust(found, Revocations((*inside, *beside)))
