"""Looking at certificates, authorities and revocation lists: their time, names and strength."""

import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from rserpool.cli.doctor.finding import Finding, error, note, warning
from rserpool.cli.doctor.listener import Report
from rserpool.security.certificate import files
from rserpool.security.certificate.name import SOON, hosts, names, valid_from, valid_until, when
from rserpool.security.certificate.revocation import LIST_SOON
from rserpool.security.certificate.trust import host

#: Bits of an RSA key; shorter ones OpenSSL refuses at its usual level of security.
RSA_BITS = 2048
_ISSUE = "issue another one (rserpool certificate issue), and send SIGHUP"


def look_own(path: str, where: str, reports: Sequence[Report]) -> Iterator[Finding]:
    """Look at the registrar's own certificate, and whether it is the one that is shown."""
    try:
        chain = x509.load_pem_x509_certificates(Path(path).read_bytes())
    except OSError as fault:
        yield error("certificate", f"{path} can't be read: {fault.strerror}", where)
        return
    except ValueError:
        yield error("certificate", f"{path}: there is no certificate (PEM) in it", where)
        return
    for one in chain:
        yield from _life(one, path)
        yield from _strength(one, path)
    yield from _purpose(chain[0], path)
    yield from _names(chain[0], path, reports)
    for report in reports:
        if report.certificate is not None and report.certificate != chain[0]:
            yield warning(
                "certificate-other", f"{report.place.name} shows another certificate than "
                f"{path}, serial {report.certificate.serial_number:x}", where,
                "send SIGHUP to the registrar",
            )  # fmt: skip


def look_trust(text: str, where: str) -> Iterator[Finding]:
    """Look at authorities and their lists: ``CA-FILE;crl=FILE``."""
    now = time.time()
    try:
        trust = files.read(*files.split(text))
    except OSError as fault:
        yield error("authorities", f"{fault.filename} can't be read: {fault.strerror}", where)
        return
    except ValueError as fault:
        for words in str(fault).splitlines():
            yield error("authorities", words, where)
        return
    for one in trust.authorities.certificates:
        yield from _life(one, trust.authorities.path, "the authority")
        yield from _strength(one, trust.authorities.path)
    for words in trust.revocations.faults(now):
        yield error("crl-over", words, where, "make it anew (rserpool certificate revoke DIR)")
    for words in set(trust.revocations.warnings(now)) - set(trust.revocations.faults(now)):
        yield warning("crl-ends", words, where, "rserpool certificate revoke DIR")
    for words in trust.uncovered():
        yield warning("crl-missing", words, where, "give a list of each, or of none")
    for each in trust.revocations.current(now):
        if each.end - now >= LIST_SOON:
            yield note(
                "crl", f"the revocation list of {each.issuer_name} names {len(each.serials)}, "
                f"and is good until {when(each.end)}", each.path,
            )  # fmt: skip


def _life(one: x509.Certificate, path: str, what: str = "the certificate") -> Iterator[Finding]:
    now, begin, end = time.time(), valid_from(one), valid_until(one)
    which = f"{what} {one.subject.rfc4514_string()!r}"
    if end <= now:
        yield error("certificate-over", f"{which} is over since {when(end)}", path, _ISSUE)
    elif begin > now:
        yield error(
            "certificate-not-yet", f"{which} isn't valid before {when(begin)}", path,
            "is this host's clock right?",
        )  # fmt: skip
    elif end < now + SOON:
        yield warning("certificate-ends", f"{which} is valid until {when(end)}", path, _ISSUE)


def _strength(one: x509.Certificate, path: str) -> Iterator[Finding]:
    key, subject = one.public_key(), repr(one.subject.rfc4514_string())
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < RSA_BITS:
        yield warning(
            "certificate-weak", f"{subject} has an RSA key of {key.key_size} bits", path, _ISSUE
        )
    used = one.signature_hash_algorithm
    if used is not None and used.name in ("md5", "sha1"):
        yield warning("certificate-weak", f"{subject} is signed by {used.name}", path, _ISSUE)


def _purpose(one: x509.Certificate, path: str) -> Iterator[Finding]:
    try:
        usage = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        yield error(
            "certificate-purpose", "the registrar's certificate is for clients only: no user "
            "believes it", path, _ISSUE,
        )  # fmt: skip


def _names(one: x509.Certificate, path: str, reports: Sequence[Report]) -> Iterator[Finding]:
    """Is it for this host, by any name that users may call it?"""
    if not hosts(one):
        yield error(
            "certificate-names", f"the certificate is for {', '.join(names(one)) or 'nobody'}: "
            "users want a host's name or address", path, _ISSUE,
        )  # fmt: skip
        return
    wanted = _own_names(reports)
    if not any(_for(one, name) for name in wanted):
        yield warning(
            "certificate-names", f"the certificate is for {', '.join(hosts(one))}, and none of "
            f"that is this host ({', '.join(wanted)}): users must call it by a name in it, or "
            "say --name", path, _ISSUE,
        )  # fmt: skip


def _own_names(reports: Sequence[Report]) -> list[str]:
    called = [report.place.host for report in reports if report.place.protocol == "asap"]
    return list(dict.fromkeys([socket.gethostname(), socket.getfqdn(), *called]))


def _for(one: x509.Certificate, name: str) -> bool:
    try:
        host(name).check(one)
    except Exception:
        return False
    return True
