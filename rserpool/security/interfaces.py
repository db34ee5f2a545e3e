"""
What the security layer consists of, as interfaces: plugins provide them, the core asks them.

What holds of all of them, unless one says otherwise:

Thread
   The reactor's, and no other: a provider needs no locks.
Blocking
   Nothing may block: while a method runs, nobody is served.  A slow backend is asked
   beforehand, by a checker, whose answer may be a Deferred; it has ``check-timeout`` seconds,
   and then it is a denial.  What is made (`ISecurityPlugin.make`) and read again (``reload``)
   may read files: the one before anybody is served, the other when the operator says so.
Exceptions
   An exception is a denial, with its traceback in the log, and so is an answer of another type
   than the one declared.  Providers needn't be fault tolerant: who asks is.  No message of an
   exception, and no reason of a denial, may hold a secret; both go to the log, and neither to
   the peer.

An authorizer, a limit or an authentication may have a method ``reload()`` (an authentication
must): it is called at SIGHUP, keeps the last good state when it fails, and its exception
(ValueError and OSError with words for people, any other with a traceback) is told in the log.
"""

from collections.abc import Iterable

import attrs
from zope.interface import Attribute, Interface

from rserpool.security.decisions import (
    NO_RESTRICTIONS,
    Decision,
    Request,
    Restrictions,
    Subject,
)


@attrs.frozen
class Key:
    """A pre-shared key and what it is good for (RFC 4279, RFC 9257)."""

    identity: str  # as the peer sends it: 1 to 128 octets of printable UTF-8
    secret: bytes = attrs.field(repr=False)
    not_before: float | None = None  # seconds since the epoch
    not_after: float | None = None
    restrictions: Restrictions = NO_RESTRICTIONS

    @property
    def principal(self) -> str:
        """The identity without its generation: ``web-1`` of ``web-1~2``."""
        name, tilde, generation = self.identity.rpartition("~")
        return name if tilde and name and generation.isdecimal() else self.identity


class IGate(Interface):
    """
    The one place where the core asks.

    Use cases it must serve: a registration, a resolution, a report, an update by another
    registrar, each asked for every time; an insecure registrar, where plain peers may do
    everything within the limits; rules that are only tried out; a test that wants all or
    nothing allowed.

    :Called by: the registrar's core, for every message that asks for something.
    :Thread: the reactor's.
    :May block: never.
    :Exceptions: it raises none; those of whom it asks are denials.
    """

    def ask(subject: Subject, request: Request, now: float) -> Decision:
        """
        May `subject` do this now?  Never raises.

        :param now: the registrar's clock, in seconds.
        """


class IAuthorizer(Interface):
    """
    Decides by who asks for what.

    Use cases it must serve: the rules file; a directory service's groups, read beforehand; a
    site that gives each customer the pools under its own name; a registrar whose every question
    is about a pool handle that a stranger thought of, of whatever octets.

    :Called by: the gate, for each request of a peer with TLS, before the limits.
    :Thread: the reactor's.
    :May block: never; answer from memory.
    :Exceptions: a denial.

    The same question must get the same answer until ``reload``: answers may be kept.  What no
    rule can lift (who has proven nothing, another's element, a forged address) is denied
    whatever this says.
    """

    def decide(subject: Subject, request: Request) -> Decision:
        """May `subject`, as far as its name and proof go?"""


class IRateLimit(Interface):
    """
    Decides by how often.

    Use cases it must serve: token buckets by principal; a quota kept elsewhere and read
    beforehand; no limit at all in a benchmark; an attacker with any number of connections,
    addresses and names, of which none may cost memory for ever.

    :Called by: the gate, for each request that the authorizer has allowed, and for plain peers.
    :Thread: the reactor's.
    :May block: never.
    :Exceptions: a denial.

    Budgets are kept under ``subject.key``, so that reconnecting gains nothing.  A denial of
    which ``by`` is ``decisions.LIMITS`` is of this moment only, and makes the connection rest.
    """

    def spend(subject: Subject, request: Request, now: float) -> Decision:
        """
        Take one from the subject's budget for this kind of request, or deny.

        :param now: the registrar's clock, in seconds: monotonic, from any beginning.
        """


class IKeyStore(Interface):
    """
    Finds the pre-shared key of an identity, inside the TLS handshake.

    Use cases it must serve: a key file; a database read into memory; keys that another program
    hands out; anybody who guesses identities, thousands a second.

    :Called by: TLS, in OpenSSL's callback, for whatever identity a client shows; once more for
        the same handshake if the client is asked to begin again.
    :Thread: the reactor's.
    :May block: never: the handshake can't wait, and gets no second try.
    :Exceptions: as if the identity were unknown.
    """

    def lookup(identity: str) -> Key | None:
        """The key in force now, or None: nobody has it."""


class IAuthentication(Interface):
    """
    One configured ``--auth KIND:ARGS``: how the clients of a listener prove themselves.

    Use cases it must serve: keys from a file or a database; client certificates of a site's
    authority; either of them and a second opinion, from a program or a directory; a credential
    that is taken back while its session is open.

    :Called by: the service: `keys` and `authorities` when TLS is made, at the start and after
        each `reload`; `checker` once for each connection, after its handshake; `holds` for
        each session after a reload, at the time that `changes` names, and every few seconds.
    :Thread: the reactor's.
    :May block: `reload` may read files; the checker answers with a Deferred instead, and has
        ``check-timeout`` seconds; the others never.
    :Exceptions: of the checker and of `holds`: the peer isn't let in, or its session is closed.
        Of `reload`: the last good state stays in force.

    Several are asked in their order: the first that knows the peer decides.  It may also have
    ``warnings``, an iterable of what ought to be better now, and ``changes()``: the times
    (seconds since the epoch) at which `holds` may answer otherwise for many at once, though
    nothing was read again.
    """

    keys = Attribute("An `IKeyStore`, or None: pre-shared keys that the handshake accepts.")
    authorities = Attribute(
        "PEM of the authorities whose client certificates are accepted (bytes), or None."
    )
    checker = Attribute(
        "A `twisted.cred.checkers.ICredentialsChecker` whose avatar id is a `Subject`; "
        "it may answer with a Deferred."
    )

    def reload() -> Iterable[str]:
        """
        Read the source again and return its warnings; keep the last good state on an error.

        :raise ValueError: (or OSError) what is wrong, with file and line.
        """

    def holds(subject: Subject) -> bool:
        """Whether the credential by which this subject came in would still let it in."""


class IPeerAuthentication(IAuthentication):
    """
    One configured ``--enrp-auth KIND:ARGS`` with keys for both ways: called and calling.

    Use cases it must serve: a key for each pair of registrars; one for each registrar; the same
    from a database.  One that has certificates needs no more than an `IAuthentication`: who
    calls shows its own certificate, and checks the other's by `authorities`.

    :Called by: the service: `introduce` once, before anything else; `to_show` each time another
        registrar is called; `called` when TLS with that key has come about.
    :Thread: the reactor's.
    :May block: never.
    :Exceptions: of `introduce`: the start is stopped.  Of `to_show` and `called`: the other
        registrar isn't called, which is told in the log, and tried again later.

    An identity under which this registrar calls is refused when somebody shows it to us,
    whatever `keys` says: see Note [Selfie] of ``psk/pairwise.py``.
    """

    def introduce(name: str | None) -> None:
        """Take the name of this registrar, or None: it has none, and calls nobody by key."""

    def to_show(name: str | None) -> Key | None:
        """
        Return the key in force now with which the registrar `name` is called, or None.

        :param name: as configured, or None: it has none.
        """

    def called(key: Key, name: str, address: str) -> Subject:
        """
        Make the subject of a registrar that we have called, and which holds `key`, too.

        :param name: who that is, if the key doesn't say so; `holds` is asked for it later.
        """


class ISecurityPlugin(Interface):
    """
    A drop-in of ``twisted/plugins``: names what a configuration may ask for.

    Use cases it must serve: a registrar that starts with what its configuration names and
    imports nothing else; one whose configuration names what isn't there, or is broken, and
    which must not start.

    :Called by: the service, for each ``KIND:ARGS`` of the configuration, once, at the start.
    :Thread: the reactor's.
    :May block: `make` may read files, and take its time: nobody is served yet.
    :Exceptions: the start is stopped: ValueError and OSError say what is wrong with ARGS, in
        words for people; of any other the traceback is told, as of a broken plugin.
    """

    name = Attribute("What the configuration calls it: the KIND of ``--auth KIND:ARGS``.")
    interface = Attribute("Which interface its maker's product provides.")
    help = Attribute("One line on its ARGS.")

    def make(args: str) -> object:
        """
        Import the plugin and make its provider.

        :raise ValueError: (or OSError) the arguments are wrong; the message says how.
        """
