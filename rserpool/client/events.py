"""What the application hears of its pool element or pool user."""

import enum

import attrs


class What(enum.Enum):
    """What has happened."""

    TRYING = "trying"  # a registrar is called
    UNREACHABLE = "unreachable"  # a registrar could not be reached, or hasn't proven itself
    LINKED = "linked"  # there is a home registrar
    UNLINKED = "unlinked"  # it was lost, and another is looked for
    REGISTERED = "registered"  # for the first time, or with a new home
    RENEWED = "renewed"  # again
    REJECTED = "rejected"  # and tried again later
    REFUSED = "refused"  # for good, until something is corrected
    FAILED = "failed"  # more than MAX-REG-ATTEMPT attempts in a row have come to nothing
    EXPIRED = "expired"  # the registrar says that we are no longer registered
    WITHDRAWN = "withdrawn"  # de-registered
    RETAINED = "retained"  # the registrar refuses to de-register us
    IDENTIFIED = "identified"  # the home registrar has told its server ID
    ADOPTED = "adopted"  # a registrar has made itself the home, by a takeover
    DISTRUSTED = "distrusted"  # the registrar tells of elements what these haven't signed
    MOVED = "moved"  # to a new connection with its home, by another key or certificate
    UNMOVED = "unmoved"  # that has come to nothing; the connection made before stays
    COMPLAINED = "complained"  # the registrar has sent an ASAP_ERROR


@attrs.frozen
class Notice:
    """One thing that has happened, in words."""

    what: What
    words: str = ""
