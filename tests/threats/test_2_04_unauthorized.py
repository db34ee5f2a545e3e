"""RFC 5355 section 2.4: a pool element that isn't authorized to join a pool tries to."""

from rserpool.wire import asap
from tests.registrar.scene import registration
from tests.threats.scene import Attacked

RULES = """
[roles.all]
rules = ["asap.resolve"]
[roles.web]
rules = ["asap.register", "asap.deregister"]
[users.web-1]
roles = ["web"]
[users.web-2]
roles = ["web"]
[gates."pool:web".users.web-2]
rules = ["!asap.register", "!asap.deregister"]
"""


class Unauthorized(Attacked):
    """web-2 has a key, and may register anywhere but in this pool."""

    def prepare(self):
        """Write the rules."""
        (self.site.files / "rules.toml").write_text(RULES)

    def test_join(self):
        """Its registration is refused and leaves nothing; that of web-1 is taken."""
        insider = self.line(self.key("web-2"))
        with self.unchanged():
            [answer] = insider.tell(registration(2, handle=b"web"))
            self.assertTrue(answer.rejected)
            self.refused(answer)
        [line] = self.audited(what="registration.refused", principal="web-2")
        self.assertEqual(
            (line["proof"], line["pool"], line["action"], line["rule"]),
            ("psk", "web", "asap.register.new", "rules: gates.'pool:web'.users.web-2"),
        )
        [answer] = self.line(self.key("web-1")).tell(registration(1, handle=b"web"))
        self.assertFalse(answer.rejected)
        self.assertEqual(self.digest()["elements"], 1)

    def test_leave(self):
        """It can't take the element of another out, either."""
        [answer] = self.line(self.key("web-1")).tell(registration(1, handle=b"web"))
        insider = self.line(self.key("web-2"))
        with self.unchanged():
            [answer] = insider.tell(asap.Deregistration(handle=b"web", identifier=1))
            self.refused(answer)
        self.audited(what="deregistration.refused", principal="web-2", pe_id="0x00000001")
        self.no_errors()

    def test_elsewhere(self):
        """What it may, it may: another pool."""
        [answer] = self.line(self.key("web-2")).tell(registration(2, handle=b"other"))
        self.assertFalse(answer.rejected)
