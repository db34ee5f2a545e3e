"""The whole command, at files and at real registrars."""

import json
import os
import signal
import socket
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.doctor.place import called
from tests.cli.command import run, values
from tests.site import Site, free_port, until


class AtFiles(SynchronousTestCase):
    """``--offline``: nobody is called."""

    def setUp(self):
        """What ``rserpool init`` makes."""
        self.dir = Path(self.mktemp()).absolute()
        values("init", self.dir, "--name", socket.gethostname())
        self.config = self.dir / "registrar.toml"

    def doctor(self, *words):
        """Look; exit status, and findings by their check."""
        done = run("doctor", "--config", self.config, "--offline", "--json", *words)
        self.assertEqual(done.err, "")
        self.value = json.loads(done.out)
        return done.status, {one["check"]: one for one in self.value["findings"]}

    def setting(self, line):
        """Add a line to [registrar]."""
        text = self.config.read_text()
        self.config.write_text(text.replace("[registrar]\n", f"[registrar]\n{line}\n"))

    def test_well(self):
        """Of what init makes nothing is wrong, but that the authority's key is there."""
        status, found = self.doctor()
        wrong = [one for one in found.values() if one["severity"] != "note"
                 and one["check"] != "directory-writable"]  # fmt: skip
        self.assertEqual(wrong, [])
        self.assertIn("ca-key", found)
        self.assertEqual(status == 0, self.value["well"])

    def test_for_people(self):
        """People are told the same in lines: how bad, where, what, and what to do."""
        os.chmod(self.dir / "elements.psk", 0o644)
        done = run("doctor", "--config", self.config, "--offline")
        self.assertEqual(done.status, 1)
        self.assertIn(f"error    {self.dir}/elements.psk: mode 0644 lets group or", done.out)
        self.assertIn(f"-> chmod 600 {self.dir}/elements.psk", done.out)
        self.assertIn("something is wrong: 1 error", done.out)
        self.assertEqual(done.out.count("0644"), 1, "said once")

    def test_settings(self):
        """What makes it less secure is told with its line."""
        self.setting('tls-minimum = "1.2"\nlegacy-suites = true\nplain-resolution = true')
        status, found = self.doctor()
        self.assertEqual(status, 1)
        begin = self.config.read_text().splitlines().index('tls-minimum = "1.2"') + 1
        for offset, check in enumerate(("tls-1.2", "legacy-suites", "plain-resolution")):
            self.assertEqual(found[check]["where"], f"{self.config}:{begin + offset}")
            self.assertEqual(found[check]["severity"], "warning")

    def test_faults(self):
        """What keeps a registrar from starting is told; the rest is looked at all the same."""
        self.setting("pear = 1")
        (self.dir / "elements.psk").chmod(0o640)
        status, found = self.doctor()
        self.assertEqual(status, 1)
        self.assertIn("registrar.pear", found["configuration"]["what"])
        self.assertIn("file-open", found)
        (self.dir / "rules.toml").unlink()
        self.doctor()
        told = [
            one["what"] for one in self.value["findings"] if one["check"] == "configuration"
        ]
        for words in ("registrar.pear", "rules.toml can't be read"):
            self.assertEqual(len([one for one in told if words in one]), 1, "all at once")
        self.config.write_text(self.config.read_text().replace("pear = 1", ""))
        _, found = self.doctor()
        self.assertIn("rules.toml can't be read", found["configuration"]["what"])

    def test_use(self):
        """That nobody can tell which keys are used is told, unless somebody can."""
        _, found = self.doctor()
        self.assertEqual(found["key-use"]["severity"], "note")
        self.setting('status = "tcp:8080"')
        self.assertNotIn("key-use", self.doctor()[1])

    def test_none(self):
        """Security none is warned of."""
        self.config.write_text('[registrar]\nsecurity = "none"\nasap = ["tcp:3863"]\n')
        status, found = self.doctor()
        self.assertEqual((status, found["security-none"]["where"]), (1, f"{self.config}:2"))

    def test_rules_and_audit(self):
        """Rules that others can change, and an audit log that others can read, are found."""
        (self.dir / "rules.toml").chmod(0o646)
        audit = self.dir / "audit.jsonl"
        audit.touch()
        audit.chmod(0o644)
        text, _, _ = self.config.read_text().partition("[audit]")
        self.config.write_text(f'{text}[audit]\nfile = "{audit}"\n')
        _, found = self.doctor()
        self.assertEqual(found["file-writable"]["where"], f"{self.dir}/rules.toml")
        self.assertEqual(found["file-readable"]["where"], str(audit))

    def test_lists(self):
        """Authorities and lists of auth are looked at, with the line that names them."""
        values("certificate", "revoke", self.dir, "--days", "0.5")
        text = self.config.read_text().replace(
            '.psk"]', f'.psk", "certificate:{self.dir}/ca.pem;crl={self.dir}/crl.pem"]'
        )
        self.config.write_text(text)
        _, found = self.doctor()
        line = next(n for n, row in enumerate(text.splitlines(), 1) if row.startswith("auth"))
        self.assertEqual(found["crl-ends"]["where"], f"{self.config}:{line}")

    def test_wrong_use(self):
        """What can't be looked at at all is exit status 2."""
        for words, expected in (
            ((), "--config"),
            (("--config", "/nonexistent"), "can't be read"),
            (("--registrar", "sctp:x:1"), "looks at TCP alone"),
            (("--registrar", f"tcp:127.0.0.1:{free_port()}"), "nobody listens there"),
            (("--registrar", "tcp:h:1", "--psk", "/nonexistent"), "/nonexistent"),
            (("--registrar", "tcp:h:1", "--crl", "x"), "--crl needs --ca"),
        ):
            done = run("doctor", *words)
            self.assertEqual((done.status, done.out), (2, ""), words)
            self.assertIn(expected, done.err)
        self.assertRaises(ValueError, called, "tcp:host", True)


class AtRegistrars(SynchronousTestCase):
    """Real ones."""

    def doctor(self, site, *words):
        """Look; exit status, and findings by their check."""
        done = site.command("doctor", "--json", *words)
        self.assertEqual(done.stderr, "")
        self.value = json.loads(done.stdout)
        return done.returncode, {one["check"]: one for one in self.value["findings"]}

    def test_well(self):
        """Of a good one: what it takes, that it has its keys, and that nobody came in by it."""
        site = Site(self)
        site.registrar()
        config = ["--config", str(site.files / "registrar.toml"),
                  "--status", f"tcp:{site.status_port}"]  # fmt: skip
        _, found = self.doctor(site, *config)
        [listener] = self.value["listeners"]
        self.assertEqual((listener["state"], listener["keys"]), ("open", True))
        self.assertEqual(list(listener["versions"]), ["TLSv1.3"])
        self.assertEqual(
            set(listener["versions"]["TLSv1.3"]),
            {"TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"},
        )
        self.assertIn("localhost", listener["certificate"]["names"])
        self.assertIn("key-proven", found)
        self.assertIn("key-unused", found)
        self.assertEqual(
            [one["severity"] for check, one in found.items() if check != "directory-writable"
             and one["severity"] != "note"], [],
        )  # fmt: skip
        self.assertEqual(site.status()["credentials"], [], "looking is no use of a key")

        ca = ["--ca", str(site.files / "ca.pem")]
        status, found = self.doctor(site, "--registrar", site.endpoint, *ca)
        self.assertEqual((status, found), (0, {}))
        status, found = self.doctor(
            site, "--registrar", site.endpoint, *ca, "--name", "x.example"
        )
        self.assertEqual(status, 1)
        self.assertIn("not x.example", found["certificate-refused"]["what"])
        key = ["--psk", str(site.files / "web-1.psk")]
        status, found = self.doctor(site, "--registrar", site.endpoint, *key)
        self.assertEqual((status, list(found)), (0, ["key-proven"]))
        wrong = site.scratch / "wrong.psk"
        wrong.write_text(f"web-1:{'ab' * 32}\n")
        wrong.chmod(0o600)
        status, found = self.doctor(site, "--registrar", site.endpoint, "--psk", str(wrong))
        self.assertEqual((status, list(found)), (1, ["key-refused"]))

    test_well.timeout = 60

    def test_old_and_plain(self):
        """TLS 1.2 with its suites, plain listeners, other registrars' listeners, each told."""
        site = Site(self)
        plain, enrp = free_port(), free_port()
        config = site.files / "registrar.toml"
        peers = site.files / "peers.psk"
        added = site.command("psk", "add", str(peers), "r2@r1")
        self.assertEqual(added.returncode, 0)
        head, table, rest = config.read_text().partition("[registrar]\n")
        enrp_tls = free_port()
        config.write_text(
            f'{head}{table}status = "tcp:{site.status_port}:interface=127.0.0.1"\n'
            f'asap = ["tcp:{plain}:interface=127.0.0.1"]\nenrp = ["tcp:{enrp}"]\n'
            f'enrp-tls = ["tcp:{enrp_tls}"]\nenrp-auth = ["psk:{peers}"]\nidentity = "r1"\n'
            f'tls-minimum = "1.2"\nlegacy-suites = true\n{rest}'
        )
        registrar = site.registrar()
        status, found = self.doctor(site, "--config", str(config))
        self.assertEqual(status, 1)
        by_kind = {(one["protocol"], one["tls"]): one for one in self.value["listeners"]}
        self.assertEqual(len(by_kind), 4)
        for protocol in ("asap", "enrp"):
            self.assertIn("0x0a", by_kind[protocol, False]["plain"])
        old = by_kind["asap", True]["versions"]["TLSv1.2"]
        for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-PSK-CHACHA20-POLY1305",
                      "PSK-AES128-CBC-SHA"):  # fmt: skip
            self.assertIn(suite, old)
        self.assertIn("PSK-AES128-CBC-SHA", found["weak-suites"]["what"])
        peers_only = by_kind["enrp", True]
        self.assertEqual((peers_only["keys"], peers_only["certificate"]), (True, None))
        for check in ("plain-refused", "tls-1.2", "weak-suites", "key-proven"):
            self.assertIn(check, found)
        self.assertNotIn("key-refused", found)
        self.assertIn("key-unused", found, "the status of the configuration was asked")

        # its certificate is replaced, and nobody sends SIGHUP
        base = str(site.files / "registrar")
        for end in (".pem", ".key"):
            os.unlink(base + end)
        site.command("certificate", "issue", str(site.files), "--name", "127.0.0.1",
                     "--out", base)  # fmt: skip
        _, found = self.doctor(site, "--config", str(config))
        self.assertIn("certificate-other", found)
        registrar.send_signal(signal.SIGHUP)
        until(lambda: "reloaded" in site.log("registrar"))
        _, found = self.doctor(site, "--config", str(config))
        self.assertNotIn("certificate-other", found)

        # it is gone
        registrar.kill()
        registrar.wait()
        status, found = self.doctor(site, "--config", str(config))
        self.assertEqual((status, found["not-listening"]["severity"]), (1, "error"))
        self.assertEqual({one["state"] for one in self.value["listeners"]}, {"closed"})
        self.assertNotIn("Traceback", site.log("registrar"))

    test_old_and_plain.timeout = 90

    def test_insecure(self):
        """One without security answers whoever asks, and that isn't hidden."""
        site = Site(self, secure=False)
        site.registrar()
        config = site.scratch / "none.toml"
        config.write_text(
            f'[registrar]\nsecurity = "none"\nasap = ["tcp:{site.port}:interface=127.0.0.1"]\n'
        )
        status, found = self.doctor(site, "--config", str(config))
        self.assertEqual((status, "security-none" in found), (1, True))
        self.assertEqual(self.value["listeners"][0]["plain"], "answers without TLS")
        # and the same is an error where security is required
        config.write_text(
            f'[registrar]\nasap-tls = ["tcp:1"]\nauth = ["psk:{site.files}/elements.psk"]\n'
            f'asap = ["tcp:{site.port}:interface=127.0.0.1"]\n'
        )
        _, found = self.doctor(site, "--config", str(config))
        self.assertEqual(found["plain-served"]["severity"], "error")

    test_insecure.timeout = 60


class AtStrangers(SynchronousTestCase):
    """What isn't a registrar."""

    def serve(self, answer):
        """Answer whatever comes with this, and hang up."""
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(20)

        def loop():
            while True:
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                with line:
                    line.settimeout(5)
                    try:
                        line.recv(65536)
                        line.sendall(answer)
                    except OSError:
                        pass

        thread = threading.Thread(target=loop)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.close)
        self.addCleanup(server.shutdown, socket.SHUT_RDWR)
        return f"tcp:127.0.0.1:{server.getsockname()[1]}"

    def test_no_tls(self):
        """What speaks no TLS is told so, with what to look at."""
        where = self.serve(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        done = run("doctor", "--registrar", where)
        self.assertEqual(done.status, 1)
        self.assertIn("speaks no TLS", done.out)
        done = run("doctor", "--registrar", self.serve(b""))
        self.assertEqual(done.status, 2)
        self.assertIn("hung up on TLS", done.err)

    def test_no_asap(self):
        """What speaks no ASAP, or says nothing, is told so."""
        for answer, expected in ((b"\1\0\0\1", "none of this protocol"), (b"", "hangs up")):
            done = run("doctor", "--registrar", self.serve(answer), "--security", "none")
            self.assertEqual(done.status, 1)
            self.assertIn(expected, done.out)
