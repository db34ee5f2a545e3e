"""Authorities: a PEM file of those whose certificates are believed."""

from collections.abc import Sequence
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256

from rserpool.security.certificate.name import SOON, valid_until, when


@attrs.frozen(eq=False)
class Authorities:
    """The authorities of one file, as it was read."""

    path: str
    pem: bytes = attrs.field(repr=False)
    certificates: tuple[x509.Certificate, ...] = attrs.field(repr=False)
    #: SHA-256 of each: which authorities these are.
    fingerprints: frozenset[bytes] = attrs.field(repr=False)

    def warnings(self, now: float) -> tuple[str, ...]:
        """Say what ought to be better in it: what has expired, or will soon."""
        found = []
        for each in self.certificates:
            end = valid_until(each)
            if end <= now:
                found.append(
                    f"{self.path}: the authority {_name(each)} has expired on {when(end)}"
                )
            elif end < now + SOON:
                found.append(
                    f"{self.path}: the authority {_name(each)} is valid until {when(end)}: add "
                    "its successor, and send SIGHUP"
                )
        return tuple(found)

    def beneath(self, chain: Sequence[x509.Certificate]) -> frozenset[bytes]:
        """
        Return those of these authorities (their fingerprints) that stand in a verified chain.

        None of them: the chain rests on others, whatever else the handshake believed.
        """
        shown = frozenset(each.fingerprint(SHA256()) for each in chain)
        return shown & self.fingerprints

    def chain_of(self, certificate: x509.Certificate) -> tuple[x509.Certificate, ...]:
        """Return the chain of a certificate that one of these authorities has signed itself."""
        for each in self.certificates:
            if each.subject == certificate.issuer and _signed(each, certificate):
                return certificate, each
        return (certificate,)


def read(path: str) -> Authorities:
    """
    Read a file of authorities.

    :raise ValueError: it holds no certificate, or one that is no authority's.
    :raise OSError: it can't be read.
    """
    pem = Path(path).read_bytes()
    return parse(pem, path)


def parse(pem: bytes, name: str) -> Authorities:
    """Parse PEM; `name` is for the messages."""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ValueError(f"{name}: there is no certificate (PEM) in it") from None
    faults = [
        f"{name}: {_name(each)} is the certificate of no authority (CA)"
        for each in certificates
        if not _may_sign(each)
    ]
    if faults:
        raise ValueError("\n".join(faults))
    return Authorities(
        name,
        pem,
        tuple(certificates),
        frozenset(each.fingerprint(SHA256()) for each in certificates),
    )


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        # Version 1 roots have no extensions; self-signed, they are roots all the same.
        return certificate.subject == certificate.issuer
    except ValueError:
        return False


def _signed(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _name(certificate: x509.Certificate) -> str:
    return repr(certificate.subject.rfc4514_string())
