"""What the configuration names of keys, certificates and rules: read, and read again."""

import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs
from cryptography import x509
from twisted.internet.defer import Deferred

from rserpool.client.security import Certified, Plain, PreSharedKey, Security
from rserpool.security.certificate.make import Issued
from rserpool.security.certificate.name import SOON, for_clients, names, valid_until, when
from rserpool.security.certificate.revocation import LIST_SOON
from rserpool.security.credentials import credentials_of
from rserpool.security.decisions import Proof, Subject
from rserpool.security.interfaces import (
    IAuthentication,
    IAuthorizer,
    IPeerAuthentication,
    IRateLimit,
    Key,
)
from rserpool.security.plugin import (
    make_authentication,
    make_authorizer,
    make_peer_authentication,
    make_rate_limit,
)
from rserpool.security.private import read_private
from rserpool.security.psk.keystore import secrets_of
from rserpool.security.psk.pairwise import objection
from rserpool.security.psk.tls import Lookup, ServerCreator
from rserpool.service.config import Config
from rserpool.transport.connection import Connection


@attrs.frozen
class Call:
    """
    How another registrar is called.

    :ivar subject: makes the subject of the one who has answered, once TLS has proven it.
    """

    security: Security
    subject: Callable[[Connection], "Subject | Deferred[Subject]"]


class Material:
    """
    Keys, authorities, the registrar's certificate, and who may do what.

    :ivar faults: what is wrong with it, as key of ``[registrar]`` and words.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self.authentications: list[IAuthentication] = []
        self.authorizer: IAuthorizer | None = None
        self.limits: IRateLimit | None = None
        self.peer_authentications: list[IAuthentication] = []
        self._certificate: tuple[bytes, bytes] | None = None
        self.faults: list[tuple[str, str]] = []
        for text in config.registrar.auth:
            self._try("auth", partial(self._authentication, text))
        for text in config.registrar.enrp_auth:
            self._try("enrp-auth", partial(self._peer_authentication, text))
        self._try("authorizer" if config.registrar.authorizer else "rules", self._authorize)
        if config.registrar.rate_limit:
            self._try("rate-limit", partial(self._limit, config.registrar.rate_limit))
        self._read_certificate()

    @property
    def warnings(self) -> list[str]:
        """What ought to be better."""
        both = [*self.authentications, *self.peer_authentications]
        found = [w for a in both for w in getattr(a, "warnings", ())]
        if self._config.registrar.asap_tls and not self.authentications:
            found.append("nobody can register: there is no auth, like psk:FILE")
        if self._certificate is not None:
            found += _ending(self._config.registrar.certificate or "", self._certificate[0])
        return [*found, *self._peer_warnings()]

    @property
    def moments(self) -> list[float]:
        """When a list begins, ends, or will end in a day: nothing to be told a day late."""
        both = [*self.authentications, *self.peer_authentications]
        changes = [moment for a in both for moment in getattr(a, "changes", tuple)()]
        return [*changes, *(moment - LIST_SOON for moment in changes)]

    def creator(self) -> ServerCreator:
        """Make the TLS of pool elements and users from what was read last."""
        return self._creator(self.authentications)

    def peer_creator(self) -> ServerCreator:
        """
        Make the TLS of registrars that call us: with keys of their own.

        Without authorities there is no certificate either: it would let in who shows nothing.
        """
        return self._creator(
            self.peer_authentications,
            certified=any(a.authorities for a in self.peer_authentications),
            own=self._config.registrar.identity,
        )

    def to_call(self, name: str | None, target: str) -> "Call":
        """
        How the registrar `name` is called: what we show, and what it must prove.

        :param target: by which it is known if it has no name.
        :raise ValueError: there is nothing that could be shown to it.
        """
        table = self._config.registrar
        if not self._config.required:
            return Call(Plain(), _plain)
        for authentication in self.peer_authentications:
            if IPeerAuthentication.providedBy(authentication):
                key = authentication.to_show(name)
                if key is not None:
                    security = PreSharedKey(key.identity, key.secret, table.tls_minimum)
                    # Never one name for all that have none: the core would take them for one.
                    known = name or target
                    return Call(security, partial(_keyed, authentication, key, known))
            elif authentication.authorities and self._certificate is not None:
                certified = Certified(
                    name=name,
                    client=Issued(*self._certificate),
                    minimum=table.tls_minimum,
                    authorities=authentication.authorities,
                )
                return Call(certified, partial(_certified, authentication))
        raise ValueError(self._nothing(name))

    def _nothing(self, name: str | None) -> str:
        """What lacks for calling the registrar `name`, and what to do."""
        own = self._config.registrar.identity
        peers = [a for a in self.peer_authentications if IPeerAuthentication.providedBy(a)]
        files = [str(getattr(a, "path", type(a).__name__)) for a in peers]
        if not files:
            return "enrp-auth has nothing that this registrar could show it"
        if own is None:
            return "this registrar has no name for its keys: give identity"
        words = f"no key is in force with which {own!r} could call it: add "
        words += f"{own}@{name or 'NAME'} to {' or '.join(files)}"
        return words if name else f"{words}, and write peer as NAME=ENDPOINT"

    def unusable(self) -> list[tuple[str, str]]:
        """What would let no handshake succeed, although nothing of it is wrong by itself."""
        table = self._config.registrar
        self.faults.clear()
        for listens, key, authentications, creator in (
            (table.asap_tls, "asap-tls", self.authentications, self.creator),
            (table.enrp_tls, "enrp-tls", self.peer_authentications, self.peer_creator),
        ):
            if not listens:
                continue
            if not table.certificate and any(a.authorities for a in authentications):
                auth = "auth" if key == "asap-tls" else "enrp-auth"
                words = f"{auth} with certificates needs the registrar's own certificate, too"
                self.faults.append(("certificate", words))
            else:
                self._try(key, creator)
        for peer in self._config.peers if self._config.required else ():
            self._try("peer", partial(self._callable, peer.target, peer.name))
        return self.faults

    def _callable(self, target: str, name: str | None) -> None:
        try:
            how = self.to_call(name, target)
        except ValueError as error:
            raise ValueError(f"{target}: {error}") from None
        own = self._certificate
        if isinstance(how.security, Certified) and own and not for_clients(own[0]):
            raise ValueError(
                f"{target} would be shown {self._config.registrar.certificate}, which is a "
                "certificate for servers only (extended key usage): issue one for clients, too"
            )

    def reload(self) -> list[str]:
        """Read everything again; what doesn't load stays as it was, and why is returned."""
        self.faults.clear()
        for authentication in self.authentications:
            self._try("auth", authentication.reload)
        for authentication in self.peer_authentications:
            self._try("enrp-auth", authentication.reload)
        table = self._config.registrar
        by = "authorizer" if table.authorizer else "rules"
        for key, plugin in ((by, self.authorizer), ("rate-limit", self.limits)):
            again = getattr(plugin, "reload", None)
            if again is not None:
                self._try(key, again)
        self._read_certificate()
        return [f"{key}: {words}" for key, words in self.faults]

    def _peer_warnings(self) -> list[str]:
        table = self._config.registrar
        found = []
        if not table.identity and any(
            IPeerAuthentication.providedBy(a) for a in self.peer_authentications
        ):
            found.append(
                "without identity this registrar is called by others, but can't call them: "
                "give the name that its keys have"
            )
        both = {_source(a) for a in self.authentications} & {
            _source(a) for a in self.peer_authentications
        }
        if both and not (table.rules or table.authorizer):
            found.append(
                f"{', '.join(sorted(both))} is auth and enrp-auth: each pool element could "
                "speak as a registrar; give rules, or registrars an authority of their own"
            )
        return found

    def _authentication(self, text: str) -> None:
        self.authentications.append(make_authentication(text))

    def _peer_authentication(self, text: str) -> None:
        name = self._config.registrar.identity
        self.peer_authentications.append(make_peer_authentication(text, name))

    def _creator(
        self,
        authentications: list[IAuthentication],
        *,
        certified: bool = True,
        own: str | None = None,
    ) -> ServerCreator:
        table = self._config.registrar
        stores = [a.keys for a in authentications if a.keys is not None]
        authorities = [a.authorities for a in authentications if a.authorities]
        certificate, key = (self._certificate if certified else None) or (None, None)
        lookup = secrets_of(*stores) if stores else None
        return ServerCreator(
            _guarded(lookup, own) if lookup and own else lookup,
            certificate=certificate,
            private_key=key,
            authorities=b"\n".join(authorities) or None,
            minimum=table.tls_minimum,
            legacy_suites=table.legacy_suites,
        )

    def _authorize(self) -> None:
        table = self._config.registrar
        if table.rules:
            self.authorizer = make_authorizer(f"rules:{table.rules}")
        elif table.authorizer:
            self.authorizer = make_authorizer(table.authorizer)
        elif self._config.required:
            self.authorizer = make_authorizer("allow-proven:")

    def _limit(self, text: str) -> None:
        self.limits = make_rate_limit(text)

    def _read_certificate(self) -> None:
        """Read the certificate and its private key: what is wrong with both, if both are."""
        table, pair = self._config.registrar, list[bytes]()
        if table.certificate and table.private_key:
            where = Path(table.certificate)
            self._try("certificate", lambda: pair.append(where.read_bytes()))
            key = partial(read_private, table.private_key)
            self._try("private-key", lambda: pair.append(key()))
        if len(pair) == 2:
            self._try("certificate", partial(self._take_certificate, *pair))

    def _take_certificate(self, certificate: bytes, private_key: bytes) -> None:
        table = self._config.registrar
        try:
            ServerCreator(certificate=certificate, private_key=private_key)
        except Exception as error:
            raise ValueError(
                f"{table.certificate} and {table.private_key} aren't a certificate and "
                f"its private key: {_words(error)}"
            ) from None
        own, *_ = x509.load_pem_x509_certificates(certificate)
        if valid_until(own) <= time.time():
            raise ValueError(
                f"{table.certificate}: the certificate ended on {when(valid_until(own))}: "
                "issue another one"
            )
        self._certificate = certificate, private_key

    def _try(self, key: str, do: Callable[[], object]) -> None:
        try:
            do()
        except OSError as error:
            self.faults.append((key, f"{error.filename} can't be read: {error.strerror}"))
        except ValueError as error:
            self.faults += [(key, words) for words in str(error).splitlines()]
        except Exception as error:  # a plugin's; what else there is, is read all the same
            words = f"failed with {type(error).__name__}: {error}"
            self.faults.append((key, f"{words}\n{traceback.format_exc().rstrip()}"))


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


def _guarded(lookup: Lookup, own: str) -> Lookup:
    """Refuse our own identities, a plugin's as well: see Note [Selfie] of pairwise keys."""
    return lambda identity: None if objection(identity, own) else lookup(identity)


def _source(authentication: IAuthentication) -> str:
    """What an authentication takes its trust from: revocation lists don't widen it."""
    return str(getattr(authentication, "path", id(authentication)))


def _plain(connection: Connection) -> Subject:
    """Who is called where nobody proves anything."""
    return Subject("plain", Proof.PLAIN, connection.address)


def _keyed(keys: IPeerAuthentication, key: Key, name: str, connection: Connection) -> Subject:
    """Who holds our key, too."""
    return keys.called(key, name, connection.address)


def _certified(
    authentication: IAuthentication, connection: Connection
) -> "Subject | Deferred[Subject]":
    """Who has shown a certificate: the same as if it had called us with it."""
    assert connection.evidence is not None, "the call has seen its certificate"
    assert connection.evidence.certificate is not None
    shown = credentials_of(connection.evidence, connection.address)
    found: Subject | Deferred[Subject] = authentication.checker.requestAvatarId(shown)
    return found
