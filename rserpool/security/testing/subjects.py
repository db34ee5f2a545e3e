"""Subjects for tests: somebody who has proven a name in each way, and somebody who hasn't."""

from rserpool.security.decisions import NO_RESTRICTIONS, Proof, Restrictions, Subject

ADDRESS = "192.0.2.1"


def by_key(
    name: str = "web-1",
    identity: str = "",
    restrictions: Restrictions = NO_RESTRICTIONS,
    address: str = ADDRESS,
) -> Subject:
    """Somebody who holds a pre-shared key; `identity` with its generation, if it has one."""
    return Subject(name, Proof.PSK, address, identity or name, restrictions)


def by_certificate(name: str = "dns:pu.example", address: str = ADDRESS) -> Subject:
    """Somebody who has shown a certificate."""
    return Subject(name, Proof.CERTIFICATE, address, "serial 2a")


def anonymous(address: str = ADDRESS) -> Subject:
    """Somebody who speaks TLS and has proven nothing."""
    return Subject("anonymous", Proof.ANONYMOUS, address)


def plain(address: str = ADDRESS) -> Subject:
    """Somebody without TLS."""
    return Subject("plain", Proof.PLAIN, address)
