"""What the configuration names of keys, certificates and rules: read, and read again."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cryptography import x509

from rserpool.security.certificate.name import names, valid_until, when
from rserpool.security.interfaces import IAuthentication, IAuthorizer
from rserpool.security.plugin import make_authentication, make_authorizer
from rserpool.security.proven import AllowProven
from rserpool.security.psk.tls import ServerCreator
from rserpool.service.config import Config

#: Seconds before the end of the registrar's certificate in which it is warned of.
SOON = 30 * 86400


class Material:
    """
    Keys, authorities, the registrar's certificate, and who may do what.

    :ivar faults: what is wrong with it, as key of ``[registrar]`` and words.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self.authentications: list[IAuthentication] = []
        self.authorizer: IAuthorizer | None = None
        self._certificate: tuple[bytes, bytes] | None = None
        self.faults: list[tuple[str, str]] = []
        for text in config.registrar.auth:
            self._try("auth", partial(self._authentication, text))
        self._try("authorizer" if config.registrar.authorizer else "rules", self._authorize)
        self._try("certificate", self._read_certificate)

    @property
    def warnings(self) -> list[str]:
        """What ought to be better."""
        found = [w for a in self.authentications for w in getattr(a, "warnings", ())]
        if self._config.registrar.asap_tls and not self.authentications:
            found.append("nobody can register: there is no auth, like psk:FILE")
        if self._certificate is not None:
            found += _ending(self._config.registrar.certificate or "", self._certificate[0])
        return found

    def creator(self) -> ServerCreator:
        """Make the TLS of new connections from what was read last."""
        table = self._config.registrar
        keyed = any(a.keys is not None for a in self.authentications)
        authorities = [a.authorities for a in self.authentications if a.authorities]
        certificate, key = self._certificate or (None, None)
        return ServerCreator(
            self._lookup if keyed else None,
            certificate=certificate,
            private_key=key,
            authorities=b"\n".join(authorities) or None,
            minimum=table.tls_minimum,
            legacy_suites=table.legacy_suites,
        )

    def unusable(self) -> list[tuple[str, str]]:
        """What would let no handshake succeed, although nothing of it is wrong by itself."""
        table = self._config.registrar
        if not table.asap_tls:
            return []
        if not table.certificate and any(a.authorities for a in self.authentications):
            words = "auth with client certificates needs the registrar's own certificate, too"
            return [("certificate", words)]
        self.faults.clear()
        self._try("asap-tls", self.creator)
        return self.faults

    def reload(self) -> list[str]:
        """Read everything again; what doesn't load stays as it was, and why is returned."""
        self.faults.clear()
        for authentication in self.authentications:
            self._try("auth", authentication.reload)
        again = getattr(self.authorizer, "reload", None)
        if again is not None:
            self._try("rules", again)
        self._try("certificate", self._read_certificate)
        return [f"{key}: {words}" for key, words in self.faults]

    def _authentication(self, text: str) -> None:
        self.authentications.append(make_authentication(text))

    def _authorize(self) -> None:
        table = self._config.registrar
        if table.rules:
            self.authorizer = make_authorizer(f"rules:{table.rules}")
        elif table.authorizer:
            self.authorizer = make_authorizer(table.authorizer)
        elif self._config.required:
            self.authorizer = AllowProven()

    def _read_certificate(self) -> None:
        table = self._config.registrar
        if table.certificate and table.private_key:
            read = Path(table.certificate).read_bytes(), Path(table.private_key).read_bytes()
            try:
                ServerCreator(certificate=read[0], private_key=read[1])
            except Exception as error:
                raise ValueError(
                    f"{table.certificate} and {table.private_key} aren't a certificate and "
                    f"its private key: {_words(error)}"
                ) from None
            own, *_ = x509.load_pem_x509_certificates(read[0])
            if valid_until(own) <= time.time():
                raise ValueError(
                    f"{table.certificate}: the certificate ended on {when(valid_until(own))}: "
                    "issue another one"
                )
            self._certificate = read

    def _lookup(self, identity: str) -> bytes | None:
        for authentication in self.authentications:
            if authentication.keys is not None:
                key = authentication.keys.lookup(identity)
                if key is not None:
                    secret: bytes = key.secret
                    return secret
        return None

    def _try(self, key: str, do: Callable[[], object]) -> None:
        try:
            do()
        except OSError as error:
            self.faults.append((key, f"{error.filename} can't be read: {error.strerror}"))
        except ValueError as error:
            self.faults += [(key, words) for words in str(error).splitlines()]
        except Exception as error:  # a plugin's; what else there is, is read all the same
            self.faults.append((key, f"failed with {type(error).__name__}: {error}"))


def _ending(path: str, pem: bytes) -> list[str]:
    """Warn of certificates that will end soon, or have since they were read."""
    return [
        f"{path}: the certificate for {', '.join(names(certificate))} is valid until "
        f"{when(valid_until(certificate))}: issue another one, and send SIGHUP"
        for certificate in x509.load_pem_x509_certificates(pem)
        if valid_until(certificate) < time.time() + SOON
    ]


def _words(error: Exception) -> str:
    """What went wrong, without what OpenSSL wraps around it."""
    if error.args and isinstance(error.args[0], list):
        return "; ".join(str(entry[-1]) for entry in error.args[0])
    return str(error)
