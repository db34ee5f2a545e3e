"""What the application hears of its pool element or pool user."""

import enum

import attrs


class What(enum.Enum):
    """What has happened."""

    LINKED = "linked"  # there is a home registrar
    UNLINKED = "unlinked"  # it was lost, and another is looked for
    UNREACHABLE = "unreachable"  # a registrar could not be reached
    REGISTERED = "registered"  # for the first time, or with a new home
    RENEWED = "renewed"  # again
    REJECTED = "rejected"  # and tried again later
    REFUSED = "refused"  # for good
    EXPIRED = "expired"  # the registrar says that we are no longer registered
    WITHDRAWN = "withdrawn"  # de-registered
    ADOPTED = "adopted"  # another registrar is home now


@attrs.frozen
class Notice:
    """One thing that has happened, in words."""

    what: What
    words: str = ""
