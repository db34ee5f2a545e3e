"""
TLS with pre-shared keys and certificates on one listener: what transports use.

Which library does it is chosen here, once: pyOpenSSL's private bindings, or, where they are
gone, the standard library's (Python 3.13 and later).

Note [Who is it]

A client may name an identity whose key it doesn't have, and the handshake may go on with
certificates.  So the proof is read from the finished handshake: in TLS 1.3 a session that
was taken up is an external key, because resumption is off; in TLS 1.2 the suite says so.
"""

from importlib import import_module
from types import ModuleType
from typing import Any

import attrs
from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from zope.interface import implementer

from rserpool.security.certificate.name import principal
from rserpool.security.credentials import Evidence
from rserpool.security.decisions import Proof
from rserpool.security.psk.handshake import ClientHandshake, ServerHandshake
from rserpool.security.psk.outcome import Reason, forget, handshake_failure
from rserpool.security.psk.suites import SUITES_13
from rserpool.security.psk.terms import Lookup, client_terms, server_terms
from rserpool.security.psk.unavailable import PSKUnavailable

__all__ = [
    "Lookup",
    "NotAuthenticated",
    "PSKClientCreator",
    "PSKUnavailable",
    "Reason",
    "ServerCreator",
    "authentication",
    "forget",
    "handshake_failure",
]


#: In the order in which they are wanted.
BACKENDS = ("tls_pyopenssl", "tls_stdlib")


class NotAuthenticated(Exception):
    """A handshake isn't finished, or has proven less than it had to."""


def choose() -> ModuleType:
    """
    Return the first backend that this installation has.

    :raise PSKUnavailable: none; the message says what each lacks.
    """
    lacking = []
    for name in BACKENDS:
        try:
            return import_module(f"rserpool.security.psk.{name}")
        except PSKUnavailable as error:
            lacking.append(str(error))
    raise PSKUnavailable(f"no TLS with pre-shared keys here: {'; '.join(lacking)}")


_backend = choose()


@implementer(IOpenSSLServerConnectionCreator)
class ServerCreator:
    """
    Makes the server's side of connections: pre-shared keys, certificates, or both.

    :param lookup: identity to secret; None: no pre-shared keys.
    :param certificate: PEM of the certificate and its chain, for clients without a key.
    :param private_key: PEM, not encrypted.
    :param chain: PEM of more authorities between.
    :param authorities: PEM of the authorities whose client certificates are accepted.
    :param minimum, maximum: the oldest and newest version of TLS, "1.3" or "1.2".
    :param hide_unknown: let an unknown identity fail as a wrong key does.
    :param legacy_suites: also accept what RFC 5352 section 9.2 makes mandatory.
    :raise ValueError: these don't make a server.
    """

    def __init__(
        self,
        lookup: Lookup | None = None,
        *,
        certificate: bytes | None = None,
        private_key: bytes | None = None,
        chain: bytes = b"",
        authorities: bytes | None = None,
        minimum: str = "1.3",
        maximum: str = "1.3",
        hide_unknown: bool = True,
        legacy_suites: bool = False,
        backend: ModuleType = _backend,
    ) -> None:
        self._given: dict[str, Any] = {
            "lookup": lookup,
            "certificate": certificate,
            "private_key": private_key,
            "chain": chain,
            "authorities": authorities,
            "minimum": minimum,
            "maximum": maximum,
            "hide_unknown": hide_unknown,
            "legacy_suites": legacy_suites,
        }
        self._backend = backend
        self._terms = server_terms(**self._given)
        # Made once: it takes as long as a whole handshake.
        self._context = backend.server_context(self._terms)

    def replace(self, **changes: Any) -> None:
        """
        Change the terms for connections to come; see `__init__` for their names.

        :raise ValueError: they don't make a server; the old ones stay in force.
        """
        given = {**self._given, **changes}
        terms = server_terms(**given)
        context = self._backend.server_context(terms)
        self._given, self._terms, self._context = given, terms, context

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:  # noqa: N802,N803
        """Make the connection of one peer."""
        handshake = ServerHandshake(self._terms.lookup, self._terms.hide_unknown)
        made: SSL.Connection = self._backend.connection(self._context, handshake)
        return made


@implementer(IOpenSSLClientConnectionCreator)
class PSKClientCreator:
    """
    Makes the client's side of connections on which both sides prove the same key.

    Call :func:`authentication` when the handshake is done: it raises if the server has not
    used the key.

    :param suites, suites_13: offer these and no others: to find out what a server takes.
    :raise ValueError: the identity or the key is no good.
    """

    def __init__(
        self,
        identity: str | bytes,
        key: bytes,
        *,
        minimum: str = "1.3",
        maximum: str = "1.3",
        legacy_suites: bool = False,
        suites: str | None = None,
        suites_13: tuple[str, ...] = SUITES_13,
        backend: ModuleType = _backend,
    ) -> None:
        self._backend = backend
        self._terms = client_terms(
            identity, key, minimum=minimum, maximum=maximum, legacy_suites=legacy_suites,
            suites=suites, suites_13=suites_13,
        )  # fmt: skip
        self._context = backend.client_context(self._terms)

    def __repr__(self) -> str:
        return f"<PSKClientCreator {self._terms.identity.decode()!r}>"

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:  # noqa: N802,N803
        """Make one connection."""
        handshake = ClientHandshake(self._terms.identity, self._terms.secret)
        made: SSL.Connection = self._backend.connection(self._context, handshake)
        return made


def authentication(connection: Any, address: str = "") -> Evidence:
    """
    Return what a finished handshake has proven about the peer; see Note [Who is it].

    :param connection: ``transport.getHandle()``, of a creator of this module or another.
    :param address: the peer's IP address, to go into the evidence.
    :raise NotAuthenticated: the handshake isn't finished, something was resumed, or a client
        with a key speaks to a server that hasn't used it.
    """
    if connection.get_peer_finished() is None:
        raise NotAuthenticated("the handshake isn't finished")
    handshake = getattr(connection, "handshake", None)
    seen = Evidence(
        Proof.ANONYMOUS,
        version=connection.get_protocol_version_name(),
        cipher=connection.get_cipher_name() or "",
        group=connection.get_group_name(),
        address=address,
    )
    if _keyed(connection, handshake, seen):
        return _by_key(handshake, seen)
    if isinstance(handshake, ClientHandshake):
        raise NotAuthenticated("the server hasn't used the key")
    certificate = connection.get_peer_certificate(as_cryptography=True)
    if not isinstance(certificate, x509.Certificate):
        return seen
    return attrs.evolve(
        seen,
        proof=Proof.CERTIFICATE,
        identity=principal(certificate) or "",
        certificate=certificate,
        chain=tuple(connection.get_verified_chain(as_cryptography=True) or ()),
    )


def _keyed(connection: Any, handshake: object, seen: Evidence) -> bool:
    if handshake is None:
        return False  # of a creator that has no keys
    reused: bool = connection.session_reused()
    if seen.version == "TLSv1.3":
        return reused
    if reused:
        raise NotAuthenticated("a session was resumed, and nobody knows whose")
    return "PSK" in seen.cipher


def _by_key(handshake: object, seen: Evidence) -> Evidence:
    if isinstance(handshake, ClientHandshake):
        return attrs.evolve(seen, proof=Proof.PSK, identity=handshake.identity.decode("utf-8"))
    if not isinstance(handshake, ServerHandshake) or not handshake.known:
        raise NotAuthenticated("a session was resumed that is no key of ours")
    assert handshake.identity is not None
    return attrs.evolve(
        seen,
        proof=Proof.PSK,
        identity=handshake.identity,
        fingerprint=handshake.fingerprint,
    )
