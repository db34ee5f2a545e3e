"""How a client and its registrars prove themselves to each other."""

import time

import attrs
from cryptography import x509
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from rserpool.security.certificate.make import Issued, load
from rserpool.security.certificate.name import valid_until
from rserpool.security.certificate.trust import verifying_client
from rserpool.security.decisions import Proof
from rserpool.security.psk.keyfile import read
from rserpool.security.psk.keystore import in_force
from rserpool.security.psk.rotation import generation
from rserpool.security.psk.tls import PSKClientCreator


@attrs.frozen
class Plain:
    """No TLS: for an insecure scope only."""

    proof = Proof.PLAIN
    until = None

    def creator(self, host: str) -> IOpenSSLClientConnectionCreator | None:
        """None: nothing to make."""
        return None


@attrs.frozen
class PreSharedKey:
    """Both sides hold the same key: for pool elements (RFC 5352 section 9.2)."""

    identity: str
    key: bytes = attrs.field(repr=False)
    minimum: str = "1.3"
    until: float | None = None  # when the key ends, in seconds since the epoch
    proof = Proof.PSK

    @classmethod
    def from_file(cls, path: str, identity: str | None, minimum: str = "1.3") -> "PreSharedKey":
        """
        Take a key from a key file: of this identity, in its newest generation in force.

        :param identity: None: the file's only one.
        :raise ValueError: (or OSError) there is none, with what to do.
        """
        keys = read(path).keys
        now = time.time()
        names = sorted({key.principal for key in keys})
        if identity is None and len(names) != 1:
            raise ValueError(
                f"{path} has {len(names)} identities; say which: {', '.join(names)}"
            )
        name = names[0] if identity is None else identity
        fitting = [key for key in keys if name in (key.identity, key.principal)]
        if not fitting:
            raise ValueError(f"{path} has no identity {name!r}; it has {', '.join(names)}")
        good = [key for key in fitting if in_force(key, now)]
        if not good:
            raise ValueError(f"{path}: no key of {name!r} is in force now")
        newest = max(good, key=generation)
        return cls(newest.identity, newest.secret, minimum, newest.not_after)

    def creator(self, host: str) -> IOpenSSLClientConnectionCreator:
        """Make the client side of TLS."""
        return PSKClientCreator(self.identity, self.key, minimum=self.minimum)


@attrs.frozen
class Certified:
    """
    The registrar shows a certificate for the name by which it is called.

    :ivar ca: file of the authorities to trust; None: this machine's.
    :ivar name: the name it must be for, if not the host that is called.
    :ivar authorities: PEM of the authorities to trust, instead of a file.
    :ivar crl: file of the authorities' revocation lists, read with them.
    """

    ca: str | None = None
    name: str | None = None
    client: Issued | None = None
    minimum: str = "1.3"
    authorities: bytes | None = None
    crl: str | None = None
    proof = Proof.CERTIFICATE

    @property
    def until(self) -> float | None:
        """When the certificate that is shown ends, or one above it; None: none is."""
        if self.client is None:
            return None
        chain = x509.load_pem_x509_certificates(self.client.certificate)
        return min(map(valid_until, chain))

    def creator(self, host: str) -> IOpenSSLClientConnectionCreator:
        """Make the client side of TLS."""
        return verifying_client(
            self.name or host,
            self.ca,
            client=self.client,
            minimum=self.minimum,
            trusted=self.authorities,
            crl=self.crl,
        )

    @classmethod
    def with_files(
        cls,
        ca: str | None,
        name: str | None,
        certificate: str,
        private_key: str,
        minimum: str = "1.3",
        *,
        crl: str | None = None,
    ) -> "Certified":
        """
        Show a certificate of one's own as well, from PEM files.

        :raise ValueError: (or OSError) they aren't what they should be.
        """
        return cls(ca, name, load(certificate, private_key), minimum, crl=crl)


Security = Plain | PreSharedKey | Certified
