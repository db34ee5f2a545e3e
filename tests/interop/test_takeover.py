"""A registrar calls elements at their ASAP Transport: takeover and keep-alive by SCTP."""

from twisted.trial.unittest import SynchronousTestCase

from tests.interop import only_in_the_lab
from tests.interop.lan import Lan
from tests.interop.processes import INSECURE, QUICK, Processes
from tests.site import until

test_suite = only_in_the_lab(__name__)


class Takeover(SynchronousTestCase):
    """RFC 5353 section 3.5.2, RFC 5352 section 3.4."""

    def test_adopted(self):
        """An element that knows only a registrar that is dead is called, and is adopted."""
        lan = Lan(3).up()
        self.addCleanup(lan.down)
        first, second, third = lan.hosts
        run = Processes(self)
        for host, other in ((first, second), (second, first)):
            run.registrar(
                host.name, *INSECURE, "--asap", f"sctp:3863:interface={host.address}{QUICK}",
                "--enrp", f"sctp:9901:interface={host.address}{QUICK}",
                "--peer", f"sctp:{other.address}:9901", "--server-id", f"{host.number}",
                host=host,
            )  # fmt: skip
        only = f"sctp:{first.address}:3863{QUICK}"
        run.element("pe", [only], f"tcp:{third.address}:80", *INSECURE, host=third)
        there = f"sctp:{second.address}:3863"

        def homes():
            found = run.elements(there, *INSECURE, host=second)
            return {each["home"] for each in found.values()}

        until(lambda: homes() == {"0x00000001"})
        first.cut()
        run.says("pe", "adopted: ")
        self.assertIn("server ID 0x00000002, is the home registrar now", run.log("pe"))
        run.says("h2", "element.adopted")
        self.assertEqual(homes(), {"0x00000002"})
        # It has registered again by the association that its new home has opened.
        run.says("pe", ", again")
        self.assertNotIn("not reached", run.log("pe").partition("adopted: ")[2])
