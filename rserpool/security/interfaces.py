"""
What the security layer consists of, as interfaces: plugins provide them, the core asks them.

Every method here is called in the reactor's thread and must answer at once (a slow
backend asks beforehand, in a checker, whose answer may be a Deferred).  An exception is
a denial: the gate catches it, denies and logs it.
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

    Use cases: a registration, a resolution, a report, each asked for every time; an
    insecure registrar, where plain peers may do everything within the limits; a test
    that wants all or nothing allowed.
    """

    def ask(subject: Subject, request: Request, now: float) -> Decision:
        """
        May `subject` do this now?  Never raises.

        :param now: the registrar's clock, in seconds.
        """


class IAuthorizer(Interface):
    """
    Decides by who asks for what.

    Use cases: the rules file; a directory service's groups, read beforehand; a site
    that gives each customer the pools under its own name.  The same question must get
    the same answer until `reload`, so that answers may be kept.
    """

    def decide(subject: Subject, request: Request) -> Decision:
        """May `subject`, as far as its name and proof go?"""


class IRateLimit(Interface):
    """
    Decides by how often.

    Use cases: token buckets by principal; a quota kept elsewhere; no limit at all in
    a benchmark.
    """

    def spend(subject: Subject, request: Request, now: float) -> Decision:
        """Take one from the subject's budget for this kind of request, or deny."""


class IKeyStore(Interface):
    """
    Finds the pre-shared key of an identity, inside the TLS handshake.

    Use cases: a key file; a database read into memory; keys that another program
    hands out.  Called from OpenSSL's callback: it may not block and gets no second
    try; None means that the identity is unknown.
    """

    def lookup(identity: str) -> Key | None:
        """The key in force now, or None."""


class IAuthentication(Interface):
    """
    One configured ``--auth KIND:ARGS``: how the clients of a listener prove themselves.

    The listener puts `keys` and `authorities` into its TLS; after the handshake,
    `checker` makes a :class:`Subject` of what TLS proved.

    It may also have ``warnings``, an iterable of what ought to be better now, and
    ``changes()``: the times (seconds since the epoch) at which `holds` may answer otherwise
    for many at once, though nothing was read again.
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


class ISecurityPlugin(Interface):
    """A drop-in of ``twisted/plugins``: names what a configuration may ask for."""

    name = Attribute("What the configuration calls it: the KIND of ``--auth KIND:ARGS``.")
    interface = Attribute("Which interface its maker's product provides.")
    help = Attribute("One line on its ARGS.")

    def make(args: str) -> object:
        """
        Import the plugin and make its provider.

        :raise ValueError: (or OSError) the arguments are wrong; the message says how.
        """
