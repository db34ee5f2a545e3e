"""The names in a certificate, and its time, for the checker and for people."""

import re
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

import idna
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

#: Octets of a name that becomes a principal: what DNS allows, and room for a URI.  It goes
#: into logs, rules and budgets, so a client may not make it long.
MAXIMUM_NAME = 255
#: Seconds before its end in which something is warned of: time enough for people to act.
SOON = 30 * 86400
#: The first and the last minute of the calendar: the end of 9999-12-31, with which people say
#: "for ever", is beyond it.
_FIRST = datetime.min.replace(tzinfo=UTC).timestamp()
_LAST = datetime.max.replace(second=0, microsecond=0, tzinfo=UTC).timestamp()

#: In front of a pool handle, percent-encoded, in the URI by which a certificate says that its
#: key may sign for elements of that pool.
_POOL = "rserpool:///"

_LABELS = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}")


def ascii_host(name: str) -> str:
    """
    Return a host name as it stands in certificates: ASCII, in lower case, no dot at its end.

    :raise ValueError: it is none.
    """
    text = name.removesuffix(".").lower()
    if not text.isascii():
        try:
            text = idna.encode(name.removesuffix("."), uts46=True).decode("ascii")
        except idna.IDNAError as fault:
            raise ValueError(f"{name!r} isn't a host name: {fault}") from None
    if len(text) > MAXIMUM_NAME or not _LABELS.fullmatch(text):
        raise ValueError(f"{name!r} isn't a host name")
    return text


def alternatives(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    """Return the SAN extension, or None when there is none that can be read."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def hosts(certificate: x509.Certificate) -> list[str]:
    """Return the DNS names and IP addresses that a server certificate is for."""
    found = alternatives(certificate)
    if found is None:
        return []
    return [
        *found.get_values_for_type(x509.DNSName),
        *(str(address) for address in found.get_values_for_type(x509.IPAddress)),
    ]


def uris(certificate: x509.Certificate) -> list[str]:
    """Return the URIs that a certificate is for."""
    found = alternatives(certificate)
    return [] if found is None else found.get_values_for_type(x509.UniformResourceIdentifier)


def pool_uri(handle: bytes) -> str:
    """Return the URI of a pool."""
    return _POOL + quote(handle, safe="")


def pools(certificate: x509.Certificate) -> frozenset[bytes]:
    """Return the pools whose elements the key of this certificate may sign for."""
    found = [uri.removeprefix(_POOL) for uri in uris(certificate) if uri.startswith(_POOL)]
    return frozenset(unquote_to_bytes(handle) for handle in found if handle)


def names(certificate: x509.Certificate) -> list[str]:
    """Return every DNS name, IP address and URI, for people."""
    return [printable(name) for name in (*hosts(certificate), *uris(certificate))]


def printable(text: str) -> str:
    """
    Return a text of somebody else's choosing as people may see it.

    Who hasn't proven anything yet may show whatever certificate he likes: what a terminal
    would obey, or begins a line of a log, is escaped, and what is long is cut off.
    """
    cut = text if len(text) <= MAXIMUM_NAME else f"{text[:MAXIMUM_NAME]}..."
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in cut
    )


def whom(name: x509.Name) -> str:
    """Return whom a certificate is of, or by, for people."""
    return printable(name.rfc4514_string())


def principal(certificate: x509.Certificate) -> str | None:
    """
    Return the principal that a client certificate proves: its first DNS name, or first URI.

    None: it names nobody.  A common name is no name (RFC 9525 section 2), and neither is a
    wildcard, which would be many, nor a pool, which has many elements.
    """
    found = alternatives(certificate)
    if found is None:
        return None
    for kind, values in (
        ("dns", [name.lower() for name in found.get_values_for_type(x509.DNSName)]),
        ("uri", [uri for uri in uris(certificate) if not uri.startswith(_POOL)]),
    ):
        if values:
            return f"{kind}:{values[0]}" if _usable(values[0]) else None
    return None


def for_clients(pem: bytes) -> bool:
    """Whether the first certificate of this PEM may be shown by a client."""
    first, *_ = x509.load_pem_x509_certificates(pem)
    try:
        usage = first.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage


def _usable(name: str) -> bool:
    printable = name.isascii() and name.isprintable() and " " not in name
    return printable and 0 < len(name) <= MAXIMUM_NAME and "*" not in name


def valid_from(certificate: x509.Certificate) -> float:
    """When it begins, in seconds since the epoch."""
    return certificate.not_valid_before_utc.timestamp()


def valid_until(certificate: x509.Certificate) -> float:
    """When it ends, in seconds since the epoch."""
    return certificate.not_valid_after_utc.timestamp()


def when(seconds: float) -> str:
    """Return a time for people; of one that no calendar has, the nearest that it has."""
    within = min(max(seconds, _FIRST), _LAST)
    return datetime.fromtimestamp(within, UTC).strftime("%Y-%m-%d %H:%M UTC")
