"""Certificates that are each wrong in one way, for whoever shows them."""

import attrs

from rserpool.security.certificate import make
from rserpool.security.certificate.make import Issued
from rserpool.security.psk.tls import ServerCreator
from tests.security.certificate import hierarchy

HERE = "127.0.0.1"


@attrs.frozen
class Wrong:
    """
    What is believed, and what isn't.

    :ivar authorities: PEM of the authority that is believed.
    :ivar crl: PEM of its revocation list.
    :ivar right: a certificate that is in order.
    :ivar shown: others, by what is wrong with them.
    """

    authorities: bytes
    crl: bytes
    right: Issued
    shown: dict[str, Issued]


def certificates(name=HERE, authority=None):
    """
    Make all of them for one name.

    :param authority: that is believed, instead of a new one.
    """
    authority = authority or make.authority("Believed")
    revoked = make.issue(authority, [name])
    namesake = make.authority("Believed")  # of the same name as ours, with its own key
    return Wrong(
        authority.certificate,
        hierarchy.crl(authority, hierarchy.certificate(revoked).serial_number),
        make.issue(authority, [name]),
        {
            "of another authority": make.issue(namesake, [name]),
            "signed by itself": make.authority(name),
            "for another name": make.issue(authority, ["192.0.2.66", "rogue.example"]),
            "over": make.issue(authority, [name], days=-1),
            "of a client": make.issue(authority, [name], client=True),
            "revoked": revoked,
            "by who may not issue": _by_who_may_not(authority, name),
        },
    )


def server(issued):
    """The server's side of TLS of who shows this."""
    return ServerCreator(certificate=issued.certificate, private_key=issued.private_key)


def _by_who_may_not(authority, name):
    """Issued by somebody whose own certificate is in order, but isn't an authority's."""
    element = make.issue(authority, ["element.example"])
    leaf = make.issue(element, [name])
    return Issued(leaf.certificate + element.certificate, leaf.private_key)
