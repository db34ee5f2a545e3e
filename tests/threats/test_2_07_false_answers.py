"""RFC 5355 section 2.7: a malicious registrar answers a user with whatever it likes."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rserpool.security.certificate import make
from rserpool.security.psk.tls import ServerCreator
from rserpool.wire import asap
from rserpool.wire.causes import UnknownPoolHandle
from rserpool.wire.parameters import OperationError
from rserpool.wire.policies import RoundRobin
from tests.registrar.scene import registration
from tests.site import ROOT, until
from tests.threats.impostor import Impostor
from tests.threats.scene import Attacked
from tests.threats.scope import described

HOST = "127.0.0.1"
#: Where the attacker wants users to go.
ROGUE = described(0xBAD, 1, 6666)


def lies(caller, message):
    """Say that the attacker's server is the pool web, and that there is no other pool."""
    # To a hello, which he doesn't understand, as well.
    handle = getattr(message, "handle", b"web")
    if handle == b"web":
        answer = asap.HandleResolutionResponse(
            accepted_updates=getattr(message, "subscribe", False),
            handle=handle, policy=RoundRobin(), elements=(ROGUE,),
        )  # fmt: skip
    else:
        error = OperationError(causes=(UnknownPoolHandle(),))
        answer = asap.HandleResolutionResponse(handle=handle, error=error)
    caller.say(answer)


def forged(insider):
    """A registrar's certificate, signed by an element's own, as if that were an authority."""
    parent, parent_key = make.signer(insider)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.SubjectAlternativeName([make.alternative(HOST)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(parent.subject)
        .issuer_name(parent.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(name, critical=False)
        .sign(parent_key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return make.Issued(pem + insider.certificate, private)


class FalseAnswers(Attacked):
    """Registrars that are none lie to users, who ask by the command and by the library."""

    settings = ("--set", "timers.keep-alive-interval=3600")

    def prepare(self):
        """Make what each of them shows, and revoke one certificate of ours."""
        files = self.site.files
        ours = make.load(str(files / "ca.pem"), str(files / "ca.key"))
        self.foreign = make.authority("somebody")
        insider = make.issue(ours, ["pe.example"], client=True)
        revoked = make.issue(ours, [HOST])
        make.write(revoked, str(files / "lost.pem"), str(files / "lost.key"))
        self.site.command("certificate", "revoke", str(files), str(files / "lost.pem"))
        # What is shown, what the user says of it, and the alert of TLS.
        self.shown = {
            "of another authority": (
                make.issue(self.foreign, [HOST]), "an authority that isn't in", "unknown ca"),
            "an authority of its own": (
                self.foreign, "an authority that isn't in", "unknown ca"),
            "ours, for another host": (
                make.issue(ours, ["other.example"]), "is for other.example", "internal error"),
            "ours, but an element's": (
                make.issue(ours, [HOST], client=True), "another purpose",
                "unsupported certificate"),
            "ours, but over": (
                make.issue(ours, [HOST], days=-1), "expired", "certificate expired"),
            "ours, but revoked": (revoked, "revoked", "certificate revoked"),
            "signed by an element": (forged(insider), "authority", "unknown ca"),
        }  # fmt: skip

    def impostors(self):
        """One of each kind; what users say of it, and the alert."""
        for name, (issued, words, alert) in self.shown.items():
            creator = ServerCreator(
                certificate=issued.certificate, private_key=issued.private_key
            )
            yield name, Impostor(self, creator, lies), words, alert
        key = ServerCreator({"web-1": self.secret()}.get)
        yield "with an element's key", Impostor(self, key, lies), "handshake failure", ""
        yield "without TLS", Impostor(self, None, lies), "speaks no TLS", ""

    def user(self, *registrars, pool="web", **proof):
        """A user, who believes our authority if it isn't said otherwise."""
        files = self.site.files
        proof = proof or {"ca": str(files / "ca.pem"), "crl": str(files / "crl.pem")}
        return {"registrars": registrars, "pool": pool, **proof}

    def told(self, *users):
        """What each of them is told."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.threats.asking"], input=json.dumps(users),
            capture_output=True, text=True, timeout=60, cwd=ROOT, check=False,
        )  # fmt: skip
        self.assertEqual(done.stderr, "")
        return json.loads(done.stdout)

    def test_resolve(self):
        """Nobody believes one of them: neither that somebody is there, nor that nobody is."""
        self.line(self.key()).tell(registration(1), registration(1, b"there"), want=2)
        kinds = list(self.impostors())
        everybody = [one.endpoint for _, one, _, _ in kinds]
        with self.unchanged():
            *each, there, real, nobody = self.told(
                *(self.user(place) for place in everybody),
                self.user(everybody[0], pool="there"),
                self.user(*everybody, self.site.endpoint),
                # Who names no authority believes the machine's, and not everybody.
                self.user(everybody[0], ca=None),
            )
        for (name, one, words, alert), found in zip(kinds, each, strict=True):
            self.assertEqual(list(found), ["nobody"], name)
            self.assertIn(one.endpoint, found["nobody"], name)
            self.assertIn(words, found["nobody"], name)
            self.assertGreater(one.calls, 0, name)
            self.assertEqual(one.heard, [], f"{name}: asked")
            if alert:
                self.assertTrue(any(alert in said for said in one.refusals), one.refusals)
        self.assertEqual((list(there), list(nobody)), (["nobody"], ["nobody"]))
        self.assertEqual(real, {"elements": [1]})
        self.audited(what="decision.allowed", action="asap.resolve", principal="anonymous")
        # So says the command: it isn't 0, "found", nor 1, "there is no such pool".
        for pool in ("web", "there"):
            done = self.site.command(
                "resolve", pool, "--registrar", everybody[0], "--timeout", "1",
                "--ca", str(self.site.files / "ca.pem"),
            )  # fmt: skip
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("an authority that isn't in", done.stderr)
        self.no_errors()

    def test_believed(self):
        """Where a user believes anybody, or the wrong authority, the lies are heard."""
        kinds = {name: one for name, one, _, _ in self.impostors()}
        file = self.site.scratch / "foreign.pem"
        file.write_bytes(self.foreign.certificate)
        plain, other = kinds["without TLS"].endpoint, kinds["of another authority"].endpoint
        found = self.told(
            self.user(plain, plain=True),
            self.user(other, ca=str(file)),
            self.user(other, ca=str(file), pool="there"),
        )
        rogue = {"elements": [ROGUE.identifier]}
        self.assertEqual(found, [rogue, rogue, {"refusal": "UnknownPoolHandle"}])

    def test_in_its_place(self):
        """One that takes the place of the registrar that a user has asked is told nothing."""
        element = self.line(self.key())
        element.tell(registration(1))
        seen = self.site.scratch / "seen"
        with seen.open("wb") as output:
            watching = subprocess.Popen(
                [sys.executable, "-m", "rserpool.cli.main", "watch", "web", "--json",
                 "--registrar", self.site.endpoint, "--ca", str(self.site.files / "ca.pem")],
                stdout=output, stderr=subprocess.STDOUT,
                cwd=self.site.scratch, env=self.site.environment,
            )  # fmt: skip
        self.site.processes["watch"] = watching
        until(lambda: "0x00000001" in seen.read_text())
        self.registrar.kill()
        self.registrar.wait()
        issued = make.issue(self.foreign, [HOST])
        creator = ServerCreator(certificate=issued.certificate, private_key=issued.private_key)
        impostor = Impostor(self, creator, lies, port=self.site.port)
        until(lambda: impostor.calls > 1)
        self.assertEqual((impostor.heard, impostor.entered), ([], 0))
        impostor.stop()
        self.registrar = self.site.registrar(*self.settings)
        self.line(self.key()).tell(registration(2))
        until(lambda: "0x00000002" in seen.read_text())
        self.assertNotIn("0x00000bad", seen.read_text())
        self.assertIsNone(watching.poll())
        self.no_errors()
