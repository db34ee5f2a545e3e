"""Several addresses: one is taken down, and what one may say of them."""

import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.interop import only_in_the_lab
from tests.interop.lan import Lan
from tests.interop.processes import INSECURE, QUICK, Processes
from tests.site import until

test_suite = only_in_the_lab(__name__)

#: On a host of the LAN: registers with both its addresses, and tells whether that is granted.
_REGISTERS = """
import sys
from ipaddress import ip_address
from rserpool.wire import asap
from rserpool.wire.parameters import PoolElement, TCPTransport
from rserpool.wire.policies import RoundRobin
from tests.interop.peers import Peer
registrar, own, *addresses = sys.argv[1:]
peer = Peer([registrar], 3863, bound=own.split(","))
for number, address in enumerate(addresses, 1):
    where = TCPTransport(port=80, addresses=(ip_address(address),))
    element = PoolElement(
        identifier=number, home=0, life=300, user_transport=where, policy=RoundRobin()
    )
    peer.send(asap.encode(asap.Registration(handle=b"web", element=element)))
    answer = asap.decode(peer.receive()[0]).message
    print(address, "rejected" if answer.rejected else "granted", flush=True)
"""


class Taken(SynchronousTestCase):
    """An address that is taken down."""

    def test_goes_on(self):
        """The service goes on by the other one; when it is back both are used again."""
        lan = Lan(2, legs=2).up()
        self.addCleanup(lan.down)
        registrar, element = lan.hosts
        both = f"{registrar.address},{registrar.other_address}"
        run = Processes(self)
        run.registrar("registrar", *INSECURE, "--asap", f"sctp:3863:interface={both}{QUICK}",
                      host=registrar)  # fmt: skip
        called = f"sctp:{both}:3863{QUICK}"
        run.element("pe", [called], f"tcp:{element.address}:80", *INSECURE, "--lifetime", "6",
                    host=element)  # fmt: skip
        element.cut()
        run.says("registrar", f"isn't reached at {element.address} any more")
        here = f"sctp:{both}:3863"
        # Longer than a registration lasts, and than a keep-alive waits.
        renewed = run.elements(here, *INSECURE, host=registrar)
        until(lambda: run.log("registrar").count("asap.register.renew") >= 1, 20)
        self.assertEqual(run.elements(here, *INSECURE, host=registrar).keys(), renewed.keys())
        # And who calls finds the one that is up.
        self.assertEqual(run.elements(called, *INSECURE, host=element).keys(), renewed.keys())
        element.mend()
        run.says("registrar", f"is reached at {element.address} again")
        for words in ("element.silent", "element.lost", "element.expired"):
            self.assertNotIn(words, run.log("registrar"))
        self.assertNotIn("was lost", run.log("pe"))


class Claimed(SynchronousTestCase):
    """Addresses that a peer names in its INIT."""

    def test_unanswered(self):
        """One at which it doesn't answer isn't its own, whatever it says."""
        lan = Lan(2, legs=2).up()
        self.addCleanup(lan.down)
        registrar, element = lan.hosts
        both = f"{registrar.address},{registrar.other_address}"
        own = f"{element.address},{element.other_address}"
        run = Processes(self)
        run.registrar("registrar", *INSECURE, "--asap", f"sctp:3863:interface={both}{QUICK}",
                      host=registrar)  # fmt: skip
        words = [sys.executable, "-c", _REGISTERS, registrar.address, own, *own.split(",")]
        element.cut(leg=1)
        run.start("cut", *words, host=element).wait(30)
        self.assertEqual(
            run.log("cut").split(),
            [element.address, "granted", element.other_address, "rejected"],
        )
        element.mend(leg=1)

        def granted():
            run.start("whole", *words, host=element).wait(30)
            return run.log("whole").count("granted") == 2

        # It takes a second or two until the cable is noticed.
        until(granted, 20)
