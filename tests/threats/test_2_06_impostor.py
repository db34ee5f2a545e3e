"""RFC 5355 section 2.6: an element registers with, or leaves, somebody who is no registrar."""

import itertools

from rserpool.security.certificate import make
from rserpool.security.psk.tls import ServerCreator
from rserpool.wire import asap
from tests.site import free_port, until
from tests.threats.impostor import Impostor
from tests.threats.scene import Attacked
from tests.threats.wrong import HERE, certificates, server

GUESS = b"k" * 32
#: What the element says of a certificate, by what is wrong with it.
WORDS = {
    "of another authority": "issued by an authority that isn't in",
    "signed by itself": "issued by an authority that isn't in",
    "for another name": "not 127.0.0.1",
    "over": "expired",
    "of a client": "is for another purpose",
    "revoked": "has been revoked",
    "by who may not issue": "by one who is no authority",
}


class Turns:
    """Shows something else in each call."""

    def __init__(self, *creators):
        self._turns = itertools.cycle(creators)

    def serverConnectionForTLS(self, protocol):
        """Make the server's side of the next one."""
        return next(self._turns).serverConnectionForTLS(protocol)


def grants(caller, message):
    """Say without TLS that all is well, whatever was said."""
    caller.say(asap.RegistrationResponse(handle=b"web", identifier=1))


class Element(Attacked):
    """A pool element's process, and those who would be its registrar."""

    def wrapper(self, name, impostors, *words):
        """Start it with these as its registrars."""
        places = [one.endpoint for one in impostors.values()]
        return self.site.twistd(
            name, "rserpool-pe", "--pool", "web", "--service", f"tcp:127.0.0.1:{self.port}",
            "--check", "none", "--pe-id", "1", *self.proof(),
            *(word for place in places for word in ("--registrar", place)), *words,
        )  # fmt: skip

    def proof(self):
        """How it proves itself, and what it believes."""
        return ("--psk", str(self.site.files / "web-1.psk"))

    def prepare(self):
        """The service, which nobody asks."""
        self.port = free_port()

    def unheard(self, impostors, *, plain=()):
        """Nobody has told them anything, or finished a handshake with them."""
        for kind, one in impostors.items():
            self.assertEqual(one.heard, [], kind)
            self.assertEqual(0 if kind in plain else one.entered, 0, kind)

    def told(self, name, endpoint):
        """What the element's log says of a registrar that it has called."""
        return "\n".join(
            line for line in self.site.log(name).splitlines() if f"{endpoint}: " in line
        )

    def meets(self, impostors, words, plain=()):
        """
        Alone with them the element stays outside; beside the real one it goes there.

        Nothing is said to them when it leaves, either.
        """
        with self.unchanged():
            alone = self.wrapper("alone", impostors)
            for kind, one in impostors.items():
                until(lambda one=one: self.told("alone", one.endpoint), 40)
                self.assertIn(words[kind], self.told("alone", one.endpoint), kind)
            alone.terminate()
            alone.wait(20)
        self.unheard(impostors, plain=plain)
        element = self.wrapper("element", impostors, "--registrar", self.site.endpoint)
        until(lambda: self.digest()["elements"] == 1)
        [told] = self.audited(what="element.new", pe_id="0x00000001")
        element.terminate()
        element.wait(20)
        [left] = self.audited(what="element.deregistered", pe_id="0x00000001")
        self.assertEqual(left["principal"], told["principal"])
        self.assertEqual(self.digest()["elements"], 0)
        self.unheard(impostors, plain=plain)
        for name in ("alone", "element"):
            self.assertNotIn("Traceback", self.site.log(name))
        self.no_errors()
        return told


class ByKey(Element):
    """The element has a pre-shared key, which proves the registrar as well."""

    def test_impostors(self):
        """Who doesn't have the element's own key isn't told that there is an element."""
        insider = self.secret("web-2")
        own = make.load(*(str(self.site.files / f"registrar.{end}") for end in ("pem", "key")))
        impostors = {
            "another key": Impostor(self, ServerCreator(lambda identity: GUESS)),
            "another element's key": Impostor(self, ServerCreator(lambda identity: insider)),
            "no key, but the registrar's certificate": Impostor(self, server(own)),
            "a key that isn't this one, and a certificate": Impostor(self, ServerCreator(
                {"web-2": insider}.get, certificate=own.certificate,
                private_key=own.private_key, hide_unknown=False)),
            "no TLS": Impostor(self, answer=grants),
        }  # fmt: skip
        words = dict(zip(impostors, (
            "another key", "another key", "shows a certificate", "shows a certificate",
            "speaks no TLS",
        ), strict=True))  # fmt: skip
        told = self.meets(impostors, words, plain=("no TLS",))
        self.assertEqual((told["principal"], told["proof"]), ("web-1", "psk"))

    def in_its_place(self):
        """An element's registrar dies, and somebody else listens there; he is called twice."""
        element = self.wrapper("element", {}, "--registrar", self.site.endpoint)
        until(lambda: self.digest()["elements"] == 1)
        self.registrar.kill()
        self.registrar.wait()
        own = make.load(*(str(self.site.files / f"registrar.{end}") for end in ("pem", "key")))
        turns = Turns(ServerCreator(lambda identity: GUESS), server(own))
        impostor = Impostor(self, turns, port=self.site.port)
        until(lambda: "shows a certificate" in self.told("element", self.site.endpoint))
        self.assertIn("another key", self.told("element", self.site.endpoint))
        return element, impostor

    def test_place(self):
        """Who takes the place of a registrar that has died isn't taken for it."""
        _, impostor = self.in_its_place()
        impostor.stop()
        self.unheard({"in its place": impostor})
        self.registrar = self.site.registrar("--set", f"audit.file={self.audit_file}")
        until(lambda: self.digest()["elements"] == 1)
        self.no_errors()

    def test_leaving(self):
        """Nor is he told that the element leaves."""
        element, impostor = self.in_its_place()
        element.terminate()
        element.wait(20)
        self.unheard({"in its place": impostor})
        self.assertNotIn("Traceback", self.site.log("element"))

    def test_registrar(self):
        """A registrar of somebody else's gets no elements but his own."""
        theirs, port, status = self.site.scratch / "theirs", free_port(), free_port()
        made = self.site.command("init", str(theirs), "--port", str(port),
                                 "--interface", HERE)  # fmt: skip
        self.assertEqual(made.returncode, 0, made.stderr)
        audit = theirs / "audit.log"
        self.site.twistd(
            "rogue", "rserpool-enrp", "--config", str(theirs / "registrar.toml"),
            "--status", f"tcp:{status}", "--set", f"audit.file={audit}",
        )  # fmt: skip
        until(lambda: "serving" in self.site.log("rogue"))
        place = f"tcp:{HERE}:{port}"
        self.wrapper("element", {}, "--registrar", place)
        until(lambda: self.told("element", place))
        self.assertIn("another key", self.told("element", place))
        ours, self.audit_file = self.audit_file, audit
        [refused, *_] = self.audited(what="handshake.refused", principal="web-1")
        self.assertEqual(refused["outcome"], "wrong key")
        self.assertEqual(self.site.status()["elements"], 0)
        # An element of his own: so he is a registrar.
        key = str(theirs / "web-1.psk")
        self.site.twistd("his", "rserpool-pe", "--pool", "web", "--registrar", place,
                         "--service", f"tcp:{HERE}:{self.port}", "--check", "none",
                         "--psk", key)  # fmt: skip
        self.audited(what="element.new", principal="web-1")
        self.audit_file = ours
        self.wrapper("ours", {}, "--registrar", self.site.endpoint)
        self.audited(what="element.new", principal="web-1")
        self.assertEqual(self.digest()["elements"], 1)


class ByCertificate(Element):
    """The element believes certificates of one authority that aren't on its list."""

    def prepare(self):
        """It has one itself."""
        super().prepare()
        files = self.site.files
        authority = make.load(str(files / "ca.pem"), str(files / "ca.key"))
        self.wrong = certificates(HERE, authority)
        (files / "revoked.pem").write_bytes(self.wrong.crl)
        element = make.issue(authority, ["pe.example"], client=True)
        make.write(element, str(files / "pe.pem"), str(files / "pe.key"))
        self.settings = ("--auth", f"certificate:{files}/ca.pem")
        with open(files / "rules.toml", "a") as rules:
            rules.write('[roles.certificate]\nrules = ["asap.register", "asap.deregister"]\n')

    def proof(self):
        """How it proves itself, and what it believes."""
        files = self.site.files
        return ("--certificate", f"{files}/pe.pem", "--private-key", f"{files}/pe.key",
                "--ca", f"{files}/ca.pem", "--crl", f"{files}/revoked.pem")  # fmt: skip

    def test_impostors(self):
        """A certificate with anything wrong makes nobody a registrar; nor does a key."""
        shown = {fault: Impostor(self, server(one)) for fault, one in self.wrong.shown.items()}
        others = {
            "a key": Impostor(self, ServerCreator(lambda identity: GUESS)),
            "no TLS": Impostor(self, answer=grants),
        }
        words = {**WORDS, "a key": "", "no TLS": "speaks no TLS"}
        told = self.meets({**shown, **others}, words, plain=("no TLS",))
        self.assertEqual((told["principal"], told["proof"]), ("dns:pe.example", "certificate"))
