"""Running the command inside the test."""

import contextlib
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

from rserpool.cli.main import main


def run(*words):
    """Run it; its status, and what it has printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:
            status = end.code
    return SimpleNamespace(status=status, out=out.getvalue(), err=err.getvalue())


def values(*words):
    """Run it with --json; what it tells."""
    done = run(*words, "--json")
    assert done.status == 0, done.err
    return json.loads(done.out)


class StatusPage:
    """A registrar's /status.json, as a test wants it."""

    def __init__(self, case):
        self.credentials = []
        self.body = None
        page = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                body = page.body
                if body is None:
                    body = json.dumps({"credentials": page.credentials}).encode()
                self.send_response(200 if self.path == "/status.json" else 404)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Answer)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        thread.start()
        case.addCleanup(thread.join)
        case.addCleanup(self._server.server_close)
        case.addCleanup(self._server.shutdown)

    def used(self, identity, count=0, last="2027-01-01T00:00:00+00:00", proof="psk"):
        """Let it tell of a credential."""
        self.credentials.append({
            "identity": identity, "proof": proof, "open": count,
            "last": "now" if count else last, "principal": identity,
        })  # fmt: skip
