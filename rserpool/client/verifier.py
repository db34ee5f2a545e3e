"""
The pool user's judgement of what a registrar tells (RFC 5355 section 2.17).

.. code-block:: python

    verifier = Verifier(signers("certificate:ca.pem"))
    user = PoolUser(reactor, ["tcp:registrar.example:3864"], Certified(ca="ca.pem"),
                    verifier=verifier)

Note [The policy of the pool]

The registrar tells the pool's policy once for all elements (RFC 5352 section 2.2.6), and no
element signs that.  But the elements of a pool have policies of one type, and each signs its
own: an element whose policy is of another type than the registrar tells isn't believed.
"""

import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import attrs

from rserpool.client.resolution import Distrusted, Resolution
from rserpool.client.statement import signatures, statement
from rserpool.security.decisions import Mode, Restrictions
from rserpool.security.signing.signature import Doubt, Signature, Untrusted
from rserpool.security.signing.signers import Signers
from rserpool.wire.parameters import PoolElement
from rserpool.wire.policies import policy_number

#: Element signatures that are looked at in one element.  Elements send one; who puts more into
#: what a registrar tells wants to keep its users busy.
MOST_SIGNATURES = 1


@attrs.frozen
class Verifier:
    """
    Looks at the signatures in each resolution.

    :param signers: whose are believed.
    :param mode: ``ENFORCE`` leaves out elements that aren't believed, ``REPORT`` only tells.
    :param clock: seconds since the epoch.
    """

    signers: Signers
    mode: Mode = Mode.ENFORCE
    clock: Callable[[], float] = time.time

    def __call__(self, found: Resolution) -> Resolution:
        """The resolution with those who aren't believed in `distrusted`."""
        now = self.clock()
        distrusted = []
        for element in found.elements:
            try:
                self.check(found, element, now)
            except Untrusted as error:
                distrusted.append(Distrusted(element, error.doubt, str(error)))
        if not distrusted:
            return found
        elements = found.elements
        if self.mode is Mode.ENFORCE:
            # By object: a registrar may tell one identifier twice.
            doubted = {id(one.element) for one in distrusted}
            elements = tuple(one for one in elements if id(one) not in doubted)
        return attrs.evolve(found, elements=elements, distrusted=tuple(distrusted))

    def check(self, found: Resolution, element: PoolElement, now: float) -> None:
        """
        Check one element of a resolution.

        :raise Untrusted: it isn't what its key has signed.
        """
        values = signatures(element)
        if not values:
            raise Untrusted(Doubt.UNSIGNED, "there is no signature")
        if len(values) > MOST_SIGNATURES:
            raise Untrusted(Doubt.MALFORMED, f"there are {len(values)} signatures")
        signature = Signature.decode(values[0])
        signer = self.signers.find(signature, now)
        signature.check(signer.public, statement(found.handle, element))
        signature.check_time(now)
        _check_entitled(signer.name, signer.entitled, found.handle, element)
        told, own = policy_number(found.policy), policy_number(element.policy)
        if told != own:
            words = f"it has signed policy {own:#x}, and the registrar tells {told:#x}"
            raise Untrusted(Doubt.POLICY, words)


def _check_entitled(
    name: str, entitled: Restrictions, handle: bytes, element: PoolElement
) -> None:
    if entitled.pools and handle not in entitled.pools:
        raise Untrusted(Doubt.UNENTITLED, f"the key of {name!r} is for other pools")
    if entitled.pe_ids and element.identifier not in entitled.pe_ids:
        raise Untrusted(Doubt.UNENTITLED, f"the key of {name!r} is for other identifiers")
    addresses: tuple[IPv4Address | IPv6Address, ...] = getattr(
        element.user_transport, "addresses", ()
    )
    for address in addresses if entitled.networks else ():
        if not any(address in network for network in entitled.networks):
            words = f"the key of {name!r} is for other addresses than {address}"
            raise Untrusted(Doubt.UNENTITLED, words)
