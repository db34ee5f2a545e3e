"""What comes of it when a registrar calls an element."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client.element import Element
from rserpool.client.floods import ADOPTIONS_BURST, KEEP_ALIVES_BURST
from rserpool.client.visit import Visit, visit
from rserpool.wire import asap
from tests.client.scene import membership

MEMBER = membership()

ACK = asap.encode(asap.EndpointKeepAliveAck(handle=MEMBER.handle, identifier=MEMBER.identifier))


def keep_alive(server=7, *, new_home=False, handle=MEMBER.handle, identifier=None):
    """As a registrar sends it."""
    return asap.encode(
        asap.EndpointKeepAlive(
            server=server, new_home=new_home, handle=handle, identifier=identifier
        )
    )


class Visits(SynchronousTestCase):
    """RFC 5352 section 3.4."""

    def setUp(self):
        """A member of a pool."""
        self.element = Element(MEMBER)
        self.element.join()

    def test_asked(self):
        """Whoever asks is answered, and isn't home for that (KA2)."""
        self.assertEqual(visit(self.element, keep_alive(), 0), Visit(ACK))
        named = keep_alive(identifier=MEMBER.identifier)
        self.assertEqual(visit(self.element, named, 0), Visit(ACK))

    def test_adopted(self):
        """With H it is home, if it isn't already (KA2.4)."""
        self.assertEqual(visit(self.element, keep_alive(new_home=True), 0), Visit(ACK, 7))
        self.element.linked(0, 7)
        self.assertEqual(visit(self.element, keep_alive(new_home=True), 0), Visit(ACK))

    def test_others(self):
        """What is for another pool or element is discarded in silence (KA1)."""
        for data in (keep_alive(handle=b"other"), keep_alive(identifier=99)):
            self.assertEqual(visit(self.element, data, 0), Visit())

    def test_not_in_the_pool(self):
        """One that has left its pool isn't called back into it."""
        self.element.withdraw()
        self.assertEqual(visit(self.element, keep_alive(new_home=True), 0), Visit())

    def test_objections(self):
        """Whoever sends anything else is cut off."""
        for data, words in (
            (b"\x00\x00", "nonsense"),
            (asap.encode(asap.HandleResolution(handle=b"web")), "no keep-alive"),
        ):
            found = visit(self.element, data, 0)
            self.assertIn(words, found.objection)
            self.assertEqual((found.answer, found.home), (b"", None))

    def test_floods(self):
        """Neither keep-alives nor takeovers without end."""
        found = [visit(self.element, keep_alive(), 0) for _ in range(KEEP_ALIVES_BURST + 1)]
        self.assertIn("floods us with keep-alives", found[-1].objection)
        self.assertFalse(any(each.objection for each in found[:-1]))
        found = [
            visit(self.element, keep_alive(server, new_home=True), 100)
            for server in range(1, ADOPTIONS_BURST + 2)
        ]
        self.assertIn("floods us with takeovers", found[-1].objection)
        self.assertEqual([each.home for each in found[:-1]], [*range(1, ADOPTIONS_BURST + 1)])
