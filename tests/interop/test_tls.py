"""TLS over SCTP (RFC 3436): registrars, elements and users prove themselves."""

import subprocess
from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import asap, causes
from rserpool.wire.parameters import PoolElement, SCTPTransport
from rserpool.wire.policies import RoundRobin
from tests.interop import only_in_the_lab
from tests.interop.peers import Peer
from tests.interop.processes import Processes
from tests.site import until

test_suite = only_in_the_lab(__name__)

REGISTRARS = {"r1": "10.1.1.1", "r2": "10.1.1.2"}


def registration(address):
    """Of an element that proves nothing."""
    element = PoolElement(
        identifier=1, home=0, life=300, policy=RoundRobin(),
        user_transport=SCTPTransport(port=7, addresses=(ip_address(address),)),
    )  # fmt: skip
    return asap.encode(asap.Registration(handle=b"web", element=element))


class Scope(SynchronousTestCase):
    """Two registrars, an element and users, by pre-shared keys and a certificate."""

    def setUp(self):
        """Start them."""
        self.run_ = run = Processes(self)
        made = run.command("init", "scope", "--registrars", "2", "--name", "10.1.1.1",
                           "--port", "3864", "--interface", "10.1.1.1")  # fmt: skip
        assert made.returncode == 0, made.stderr
        self.wire = run.start("tcpdump", "tcpdump", "-Z", "root", "-U", "-i", "lo", "-w",
                              "wire.pcap", "sctp")  # fmt: skip
        run.says("tcpdump", "listening on")
        for name, address in REGISTRARS.items():
            others = [word for other, there in REGISTRARS.items() if other != name
                      for word in ("--peer", f"{other}=sctp:{there}:9902")]  # fmt: skip
            run.registrar(
                name, "--config", f"scope/{name}/registrar.toml",
                "--asap-tls", f"sctp:3864:interface={address}",
                "--asap", f"sctp:3863:interface={address}",
                "--enrp-tls", f"sctp:9902:interface={address}", *others,
            )  # fmt: skip

    def test_scope(self):
        """What is registered with one is known to the other, and to users of both."""
        run = self.run_
        run.element("pe", ["sctp:10.1.1.1:3864"], "tcp:10.1.1.3:80",
                    "--psk", "scope/web-1.psk")  # fmt: skip
        users = {
            "10.1.1.1": ("--ca", "scope/ca.pem"),
            "10.1.1.2": ("--psk", "scope/web-2.psk"),
        }
        for address, proof in users.items():
            where = f"sctp:{address}:3864"
            until(lambda where=where, proof=proof: len(run.elements(where, *proof)) == 1)
        dumped = run.command("dump", "--registrar", "sctp:10.1.1.2:9902", "--psk",
                             "scope/admin.psk", "--identity", "admin@r2")  # fmt: skip
        self.assertEqual(dumped.returncode, 0, dumped.stderr)
        self.assertIn("web", dumped.stdout)
        self._plain()
        self._records()

    def _plain(self):
        """Who proves nothing is refused with cause 0x0a, and is told nothing."""
        peer = Peer(["10.1.1.1"], 3863)
        peer.send(registration("10.1.1.3"))
        answer = asap.decode(peer.receive()[0]).message
        self.assertTrue(answer.rejected)
        self.assertEqual(answer.error.causes, (causes.RejectedForSecurity(),))
        peer.send(asap.encode(asap.HandleResolution(handle=b"web")))
        answer = asap.decode(peer.receive()[0]).message
        self.assertEqual(answer.error.causes, (causes.RejectedForSecurity(),))
        peer.close()
        # And at a port for TLS it doesn't even come so far.
        peer = Peer(["10.1.1.1"], 3864)
        peer.send(registration("10.1.1.3"))
        self.assertEqual(peer.ending(), "aborted")
        peer.close()

    def _records(self):
        """On the wire each user message is a record of TLS, ordered, on stream 0."""
        self.run_.kill("tcpdump")
        shown = self._shark(
            "sctp.chunk_type == 0 && (sctp.srcport in {3864,9902})",
            "sctp.data_payload_proto_id", "sctp.data_sid", "sctp.data_u_bit",
        )  # fmt: skip
        self.assertGreater(len(shown), 10)
        self.assertEqual(self._shark("_ws.malformed", "frame.number"), [])
        for line in shown:
            identifiers, streams, unordered = line.split("\t")
            for values, wanted in ((identifiers, "0"), (streams, "0x0000"), (unordered, "0")):
                self.assertEqual({*values.split(",")} - {wanted, "False"}, set(), line)

    def _shark(self, which, *fields):
        """These fields of the frames that tshark finds so."""
        shown = [word for field in fields for word in ("-e", field)]
        found = subprocess.run(
            ["tshark", "-r", str(self.run_.scratch / "wire.pcap"), "-T", "fields",
             "-o", "sctp.reassembly:TRUE", "-Y", which, *shown],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return found.stdout.splitlines()
