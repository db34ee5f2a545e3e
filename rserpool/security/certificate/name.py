"""The names in a certificate: its subject alternative names."""

from datetime import UTC, datetime

from cryptography import x509


def alternatives(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    """The SAN extension, if there is one."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def names(certificate: x509.Certificate) -> list[str]:
    """Every DNS name, IP address and URI, for people."""
    found = alternatives(certificate)
    if found is None:
        return []
    return [
        *found.get_values_for_type(x509.DNSName),
        *(str(ip) for ip in found.get_values_for_type(x509.IPAddress)),
        *found.get_values_for_type(x509.UniformResourceIdentifier),
    ]


def principal(certificate: x509.Certificate) -> str | None:
    """The principal that a client certificate proves: its first DNS name, or else URI."""
    found = alternatives(certificate)
    if found is None:
        return None
    dns = found.get_values_for_type(x509.DNSName)
    if dns:
        return f"dns:{dns[0]}"
    uris = found.get_values_for_type(x509.UniformResourceIdentifier)
    return f"uri:{uris[0]}" if uris else None


def valid_until(certificate: x509.Certificate) -> float:
    """When it ends, in seconds since the epoch."""
    return certificate.not_valid_after_utc.timestamp()


def when(seconds: float) -> str:
    """A time for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
