"""RFC 5355 section 2.11: somebody on the way reads what pools, servers and users there are."""

from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from rserpool.client.security import Certified
from rserpool.security.certificate.make import load
from rserpool.wire import asap
from rserpool.wire.parameters import TCPTransport
from tests.registrar.scene import registration
from tests.site import Site, until
from tests.threats.middle import DOWN, UP, Middle
from tests.threats.scene import Attacked, Line
from tests.threats.scope import Scoped

HERE = ip_address("127.0.0.1")
POOL = b"launch-control"
ADDRESS = "203.0.113.77"
IDENTIFIER = 0x5EC2E7A1
#: What nobody on the way is to learn of an element, as it would stand in a message or in text.
ELEMENT = {
    "pool handle": POOL,
    "address": ip_address(ADDRESS).packed,
    "address as text": ADDRESS.encode(),
    "identifier": IDENTIFIER.to_bytes(4, "big"),
    "identifier as text": f"{IDENTIFIER:x}".encode(),
}


def der(path):
    """A certificate, as it stands on the wire."""
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


def found(secrets, octets):
    """Which of these can be read."""
    return {name for name, secret in secrets.items() if secret in octets}


class Scope(Scoped):
    """Everything that is ever said in a scope is recorded."""

    running = ("r1",)

    def prepare(self):
        """Sit between all of them; let web-1 stand for another address."""
        self.ways = [self.between("r1", "r2"), self.between("r2", "r1")]
        keys = self.site.scope / "r1" / "elements.psk"
        text = keys.read_text()
        keys.write_text(text.replace("\n", f";addr={ADDRESS}/32\n", 1))

    def test_session(self):
        """An element registers, users resolve, registrars synchronize: nothing can be read."""
        users = Middle(self, self.site.port)
        admins = Middle(self, self.site.enrp_port_of("r1"))
        registrar = f"tcp:127.0.0.1:{users.port}"
        self.site.twistd(
            "web-1", "rserpool-pe", "--pool", POOL.decode(), "--check", "none",
            "--service", f"tcp:{ADDRESS}:4242", "--registrar", registrar,
            "--psk", str(self.site.scope / "web-1.psk"), "--pe-id", str(IDENTIFIER),
        )  # fmt: skip
        until(lambda: self.digest()["elements"] == 1)
        self.site.start("r2")
        self.running = ("r1", "r2")
        until(lambda: self.agrees("r2", 1) and self.digest_of("r2") == self.digest())
        resolved = self.site.command("resolve", POOL.decode(), "--registrar", registrar,
                                     "--ca", str(self.site.scope / "ca.pem"))  # fmt: skip
        self.assertIn(ADDRESS, resolved.stdout, resolved.stderr)
        dumped = self.site.command(
            "dump", "--registrar", f"tcp:127.0.0.1:{admins.port}",
            "--psk", str(self.site.scope / "admin.psk"), "--identity", "admin@r1",
        )  # fmt: skip
        self.assertIn(POOL.decode(), dumped.stdout, dumped.stderr)

        read = b"".join(m.seen(way) for m in (users, admins, *self.ways) for way in (UP, DOWN))
        for middle in (users, admins):
            self.assertGreater(len(middle.seen(UP)), 500)
        self.assertGreater(sum(len(m.seen(DOWN)) for m in self.ways), 500)
        keys = {
            f"{name}, {form}": octets
            for name, secret in self.keys().items()
            for form, octets in (("raw", secret), ("hex", secret.hex().encode()))
        }
        self.assertGreater(len(keys), 10)
        certificates = {name: der(self.site.scope / name / "registrar.pem") for name in
                        ("r1", "r2")}  # fmt: skip
        servers = {name: self.server_id(name).to_bytes(4, "big") for name in self.running}
        self.assertEqual(found({**ELEMENT, **keys, **certificates, **servers}, read), set())
        # What TLS doesn't hide: under which name somebody with a pre-shared key comes.
        self.assertIn(b"web-1", users.seen(UP))
        self.assertIn(b"admin@r1", admins.seen(UP))
        between = b"".join(m.seen(UP) for m in self.ways)
        self.assertTrue(b"r1@r2" in between or b"r2@r1" in between)
        self.no_errors()

    def keys(self):
        """Every key of the scope."""
        return {
            f"{path.parent.name}/{path.name} {line.partition(':')[0]}": bytes.fromhex(
                line.partition(":")[2].partition(";")[0]
            )
            for path in self.site.scope.glob("**/*.psk")
            for line in path.read_text().splitlines()
            if line and not line.startswith("#")
        }


class Visible(Attacked):
    """What is readable all the same, in which version of TLS."""

    settings = ("--tls-minimum", "1.2")

    def prepare(self):
        """The registrar has a name, and an element a certificate."""
        files = self.site.files
        for name, *more in (("registrar.example",), ("pe.example", "--client")):
            self.site.command("certificate", "issue", str(files), "--name", name, *more,
                              "--out", str(files / name))  # fmt: skip
        self.settings = (
            *self.settings, "--auth", f"psk:{files}/elements.psk",
            "--auth", f"certificate:{files}/ca.pem",
            "--certificate", f"{files}/registrar.example.pem",
            "--private-key", f"{files}/registrar.example.key",
        )  # fmt: skip
        rules = files / "rules.toml"
        rules.write_text(rules.read_text().replace("[roles.psk]", "[roles.certificate]"))

    def test_certificates(self):
        """TLS 1.3 hides who shows a certificate, 1.2 doesn't; both show the name called."""
        files = self.site.files
        own = load(str(files / "pe.example.pem"), str(files / "pe.example.key"))
        shown = {
            "the registrar's certificate": der(files / "registrar.example.pem"),
            "the element's certificate": der(files / "pe.example.pem"),
            "the element's name": b"pe.example",
        }
        message = registration(
            IDENTIFIER, handle=POOL, transport=TCPTransport(port=4242, addresses=(HERE,))
        )
        for version, visible in (("1.3", set()), ("1.2", set(shown))):
            middle = Middle(self, self.site.port)
            creator = Certified(
                str(files / "ca.pem"), "registrar.example", own, version
            ).creator("registrar.example")
            if version == "1.2":
                creator._context.set_max_proto_version(SSL.TLS1_2_VERSION)
            with Line(middle.port, creator) as line:
                answers = line.tell(message, asap.HandleResolution(handle=POOL), want=2)
                self.assertEqual(len(answers[1].elements), 1, answers)
                line.tell(asap.Deregistration(handle=POOL, identifier=IDENTIFIER))
            read = middle.seen(UP) + middle.seen(DOWN)
            self.assertEqual(found(shown, read), visible, version)
            self.assertEqual(found(ELEMENT, read), set(), version)
            self.assertIn(b"registrar.example", middle.seen(UP))

    def test_identity(self):
        """The identity of a pre-shared key is seen in both."""
        for version in ("1.3", "1.2"):
            middle = Middle(self, self.site.port)
            creator = self.key("web-2", minimum=version, maximum=version)
            with Line(middle.port, creator) as line:
                [answer] = line.tell(asap.HandleResolution(handle=POOL))
            self.assertEqual(answer.handle, POOL)
            self.assertIn(b"web-2", middle.seen(UP), version)
            self.assertNotIn(POOL, middle.seen(UP) + middle.seen(DOWN), version)


class Insecure(Attacked):
    """Where security is none, everything can be read: so the search above would find it."""

    def setUp(self):
        self.site = Site(self, secure=False)
        self.registrar = self.site.registrar()

    def test_all_is_read(self):
        """The same session without TLS."""
        middle = Middle(self, self.site.port, tls=False)
        message = registration(
            IDENTIFIER, handle=POOL, transport=TCPTransport(port=4242, addresses=(HERE,))
        )
        with Line(middle.port) as line:
            answers = line.tell(message, asap.HandleResolution(handle=POOL), want=2)
        self.assertFalse(answers[0].rejected, answers)
        expected = {"pool handle", "address", "identifier"}
        for way in (UP, DOWN):
            here = {**ELEMENT, "address": HERE.packed}
            self.assertEqual(found(here, middle.seen(way)), expected)
