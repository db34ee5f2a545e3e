"""On which terms TLS is spoken: what was configured, checked before any handshake."""

from collections.abc import Callable

import attrs
from twisted.logger import Logger

from rserpool.security.certificate import authorities as authority_files
from rserpool.security.certificate.authorities import Authorities
from rserpool.security.certificate.shown import Shown, shown
from rserpool.security.psk.entry import check_secret
from rserpool.security.psk.identity import MAXIMUM_IDENTITY, readable
from rserpool.security.psk.suites import SUITES_13

#: The secret of an identity, or None.  Called inside the handshake: it may not block.
Lookup = Callable[[str], bytes | None]

VERSIONS = ("1.2", "1.3")
_log = Logger(namespace="rserpool.security.psk")


@attrs.frozen(kw_only=True)
class ServerTerms:
    """Those of a listener."""

    lookup: Lookup | None = attrs.field(repr=False)
    shown: Shown | None
    authorities: Authorities | None
    minimum: str
    maximum: str
    hide_unknown: bool
    legacy_suites: bool


@attrs.frozen(kw_only=True)
class ClientTerms:
    """Those of a client with a key."""

    identity: bytes
    secret: bytes = attrs.field(repr=False)
    minimum: str
    maximum: str
    legacy_suites: bool
    suites: str | None = None  # of TLS 1.2, instead of ours: to find out what a server takes
    suites_13: tuple[str, ...] = SUITES_13


def server_terms(
    *,
    lookup: Lookup | None,
    certificate: bytes | None,
    private_key: bytes | None,
    chain: bytes,
    authorities: bytes | None,
    minimum: str,
    maximum: str,
    hide_unknown: bool,
    legacy_suites: bool,
) -> ServerTerms:
    """
    Check the terms of a listener.

    :raise ValueError: nobody could ever be let in, or something can't be read.
    """
    _check_versions(minimum, maximum)
    if (certificate is None) != (private_key is None):
        raise ValueError("a certificate and its private key are needed both, or neither")
    own = None
    if certificate is not None and private_key is not None:
        own = shown(certificate + b"\n" + chain, private_key)
    if lookup is None and own is None:
        raise ValueError("TLS needs pre-shared keys or a certificate: there is neither")
    if authorities and own is None:
        raise ValueError(
            "client certificates need a certificate of the server's own: only one that has "
            "shown its own may ask for the client's (RFC 8446 section 4.3.2)"
        )
    if legacy_suites:
        warn_of_legacy()
    return ServerTerms(
        lookup=lookup,
        shown=own,
        authorities=authority_files.parse(authorities, "authorities") if authorities else None,
        minimum=minimum,
        maximum=maximum,
        hide_unknown=hide_unknown,
        legacy_suites=legacy_suites,
    )


def client_terms(
    identity: str | bytes,
    secret: bytes,
    *,
    minimum: str,
    maximum: str,
    legacy_suites: bool,
    suites: str | None = None,
    suites_13: tuple[str, ...] = SUITES_13,
) -> ClientTerms:
    """
    Check the terms of a client.

    :raise ValueError: what is wrong with them.
    """
    _check_versions(minimum, maximum)
    octets = identity.encode("utf-8") if isinstance(identity, str) else identity
    if readable(octets) is None:
        raise ValueError(f"an identity is 1 to {MAXIMUM_IDENTITY} octets of printable UTF-8")
    check_secret(secret)
    if legacy_suites:
        warn_of_legacy()
    return ClientTerms(
        identity=octets,
        secret=secret,
        minimum=minimum,
        maximum=maximum,
        legacy_suites=legacy_suites,
        suites=suites,
        suites_13=suites_13,
    )


def warn_of_legacy() -> None:
    """Tell the operator what the legacy suites cost."""
    _log.warn(
        "legacy TLS 1.2 suites are on (CBC with SHA-1, no forward secrecy): who learns a "
        "key can read recorded connections"
    )


def _check_versions(minimum: str, maximum: str) -> None:
    if minimum not in VERSIONS or maximum not in VERSIONS or minimum > maximum:
        raise ValueError(f"versions of TLS are 1.2 and 1.3, not {minimum!r} to {maximum!r}")
