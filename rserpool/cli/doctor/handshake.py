"""
Handshakes that find out what a listener takes, and that are never finished.

Note [Never finished]

The server's proof comes before the client's.  So the client's last flight is held back: the
registrar sees a peer that has left, nobody comes in, and no key counts as used because the
doctor has looked.
"""

import os
import socket
from collections.abc import Callable, Iterator

import attrs
from cryptography import x509
from OpenSSL import SSL

from rserpool.client.security import PreSharedKey
from rserpool.security.certificate.refusal import openssl_words
from rserpool.security.psk.suites import SUITES_13
from rserpool.security.psk.tls import PSKClientCreator

#: Seconds that one step of a handshake may take.
TIMEOUT = 5.0
#: Octets of a whole flight of the server's: more is no TLS.
MAXIMUM_FLIGHT = 256 * 1024
_SUITES_13 = (
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256",
)  # fmt: skip
#: Everything that this OpenSSL has for certificates, however bad.
_SUITES_12 = "ALL:COMPLEMENTOFALL:eNULL:@SECLEVEL=0"
#: The same for keys: kPSK and its like have suites that encrypt nothing, on purpose.
_PSK_12 = "PSK:kPSK:kECDHEPSK:kDHEPSK:@SECLEVEL=0"
#: Whom no key file has: a listener that takes keys refuses it in another way than one that
#: doesn't.
_NOBODY = "rserpool-doctor"


class NoConnection(Exception):
    """Nothing is there that could be spoken to; the message says what it is like."""


@attrs.frozen
class Seen:
    """What a handshake has shown, as far as it came."""

    suite: str = ""
    version: str = ""
    certificate: x509.Certificate | None = None
    error: SSL.Error | None = None

    @property
    def words(self) -> str:
        """What OpenSSL says went wrong."""
        return openssl_words(self.error) if self.error is not None else ""


def connect(host: str, port: int) -> socket.socket:
    """
    Call.

    :raise NoConnection: nobody answers.
    """
    try:
        return socket.create_connection((host, port), TIMEOUT)
    except ConnectionRefusedError:
        raise NoConnection("nobody listens there (connection refused)") from None
    except TimeoutError:
        raise NoConnection(f"it doesn't answer within {TIMEOUT:g} seconds") from None
    except OSError as error:
        raise NoConnection(error.strerror or str(error)) from None


def shake(host: str, port: int, connection: SSL.Connection, *, early: bool = False) -> Seen:
    """
    Go as far as the server's proof: see Note [Never finished].

    :param early: no further than to what the server has chosen.
    :raise NoConnection: there is nobody, or nobody who speaks TLS.
    """
    connection.set_connect_state()
    heard = 0
    with connect(host, port) as line:
        while True:
            error = _step(connection)
            if error is not None or connection.get_peer_finished() is not None:
                return _seen(connection, error)
            if early and connection.get_cipher_name():
                return _seen(connection, None)
            data = _exchange(line, connection)
            heard += len(data)
            if not data:
                if heard:
                    return _seen(connection, SSL.Error([("", "", "it hung up")]))
                raise NoConnection("it hung up on TLS; is that its port for TLS?")
            if heard > MAXIMUM_FLIGHT:
                raise NoConnection("it sends and sends; that is no TLS")
            connection.bio_write(data)


def _step(connection: SSL.Connection) -> SSL.Error | None:
    """Go on; what went wrong, if anything did."""
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return None
    except SSL.Error as error:
        return error
    return None


def _exchange(line: socket.socket, connection: SSL.Connection) -> bytes:
    try:
        line.sendall(connection.bio_read(65536))
    except SSL.WantReadError:
        pass
    except OSError:
        return b""
    try:
        return line.recv(65536)
    except TimeoutError:
        raise NoConnection(
            f"no TLS within {TIMEOUT:g} seconds; is that its port for TLS?"
        ) from None
    except OSError:
        return b""


def _seen(connection: SSL.Connection, error: SSL.Error | None) -> Seen:
    certificate = connection.get_peer_certificate(as_cryptography=True)
    return Seen(
        connection.get_cipher_name() or "",
        connection.get_protocol_version_name(),
        certificate if isinstance(certificate, x509.Certificate) else None,
        error,
    )


#: Makes the client's side of one handshake that offers these suites.
Offer = Callable[[tuple[str, ...]], SSL.Connection]


def chosen(host: str, port: int, offer: Offer, suites: tuple[str, ...]) -> Iterator[Seen]:
    """
    Find out which of these suites a listener takes, its favourite first.

    What it chooses isn't offered again, until it refuses: one handshake for each, and one.
    """
    left = list(suites)
    while left:
        seen = shake(host, port, offer(tuple(left)), early=True)
        if seen.suite not in left:
            return
        yield seen
        left.remove(seen.suite)


def by_certificate_13(suites: tuple[str, ...] = _SUITES_13) -> SSL.Connection:
    """Make a client of TLS 1.3 that believes anything: it sends nothing."""
    context = _context(SSL.TLS1_3_VERSION)
    context.set_tls13_ciphersuites(":".join(suites).encode())
    return SSL.Connection(context, None)


def by_certificate_12(suites: tuple[str, ...]) -> SSL.Connection:
    """Make one of TLS 1.2."""
    context = _context(SSL.TLS1_2_VERSION)
    context.set_cipher_list(":".join([*suites, "@SECLEVEL=0"]).encode())
    return SSL.Connection(context, None)


def by_key_12(suites: tuple[str, ...]) -> SSL.Connection:
    """Make one of TLS 1.2 for keys: which suite is chosen comes before whose key it is."""
    offered = ":".join([*suites, "@SECLEVEL=0"])
    creator = PSKClientCreator(
        _NOBODY, os.urandom(32), minimum="1.2", maximum="1.2", suites=offered
    )
    return creator.clientConnectionForTLS(None)


def by_key_13(key: PreSharedKey | None, suites: tuple[str, ...] = SUITES_13) -> SSL.Connection:
    """Make one of TLS 1.3 for keys; None: with a key that nobody has."""
    identity, secret = (key.identity, key.key) if key else (_NOBODY, os.urandom(32))
    return PSKClientCreator(identity, secret, suites_13=suites).clientConnectionForTLS(None)


def all_13() -> tuple[str, ...]:
    """Return every suite of TLS 1.3."""
    return _SUITES_13


def all_12() -> tuple[str, ...]:
    """Return every suite of TLS 1.2 for certificates that this OpenSSL has."""
    return _known(_SUITES_12)


def all_keys_12() -> tuple[str, ...]:
    """Return those for keys."""
    return tuple(suite for suite in _known(_PSK_12) if "PSK" in suite)


def _known(words: str) -> tuple[str, ...]:
    context = _context(SSL.TLS1_2_VERSION)
    context.set_cipher_list(words.encode())
    found = SSL.Connection(context, None).get_cipher_list()
    return tuple(suite for suite in found if not suite.startswith("TLS_"))


def _context(version: int) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    context.set_verify(SSL.VERIFY_NONE)
    return context
