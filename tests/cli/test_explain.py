"""``rserpool explain``: the registrar's own evaluator, asked by hand."""

import contextlib
import io
import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.main import main

RULES = """
[roles.all]
rules = ["asap.resolve"]
[users.web-1]
rules = ["!asap.register.new", "asap.register"]
[gates."pool:payments".users.web-1]
rules = ["!asap"]
[gates."pool-hex:ff00".users.web-1]
rules = ["asap.register.new"]
[users.r2]
rules = ["enrp"]
[gates."pool:payments".users.r2]
rules = ["!enrp"]
[gates."peer:r2".roles.all]
rules = ["enrp.presence"]
[users.operator]
admin = true
"""


class Explaining(SynchronousTestCase):
    """Which rule decides, and whose."""

    def setUp(self):
        self.rules = self.mktemp()
        Path(self.rules).write_text(RULES)

    def run_it(self, *words):
        """Run the command; its status and what it printed."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["explain", "--rules", self.rules, *words])
        return status, out.getvalue(), err.getvalue()

    def test_answers(self):
        """0 is yes and 1 is no, with rule and owner."""
        for words, status, rule, of in (
            (["web-1", "asap.register.join"], 0, "asap.register", "users.web-1"),
            (["web-1", "asap.register.new"], 1, "!asap.register.new", "users.web-1"),
            (["web-1", "asap.register.new", "pool-hex:ff00"], 0, "asap.register.new",
             "gates.'pool-hex:ff00'.users.web-1"),
            (["web-1", "asap.resolve", "pool:payments"], 1, "!asap",
             "gates.'pool:payments'.users.web-1"),
            (["web-1~3", "asap.register.join"], 0, "asap.register", "users.web-1"),
            (["dns:a.example", "asap.resolve"], 0, "asap.resolve", "roles.all"),
            (["anonymous", "asap.unreachable"], 0, "asap.unreachable", "roles.anonymous"),
            (["anonymous", "asap.register.new"], 1, "", ""),
            (["r2", "enrp.presence", "peer:r2"], 0, "enrp.presence",
             "gates.'peer:r2'.roles.all"),
            (["operator", "admin.anything"], 0, "", "users.operator.admin"),
            (["web-1", "admin.anything"], 1, "", ""),
            (["r2", "enrp.presence"], 0, "enrp.presence", "gates.'peer:r2'.roles.all"),
            (["r2", "enrp.update", "pool:payments"], 1, "!enrp",
             "gates.'pool:payments'.users.r2"),
            (["r2", "enrp.update", "pool:web"], 0, "enrp", "users.r2"),
            (["web-1", "asap.register"], 1, "!asap.register.new", "users.web-1"),
            (["operator", "asap.register"], 0, "", "users.operator.admin"),
        ):  # fmt: skip
            found, out, _ = self.run_it(*words, "--json")
            answer = json.loads(out)
            self.assertEqual((found, answer["rule"]), (status, rule), words)
            self.assertEqual(answer["of"], of, words)
            self.assertEqual(answer["allowed"], status == 0)

    def test_words(self):
        """For people it is one sentence."""
        _, out, _ = self.run_it("web-1", "asap.register.new")
        self.assertEqual(
            out, "no: the rule '!asap.register.new' denies it (rules: users.web-1)\n"
        )

    def test_several(self):
        """Of a beginning, each permission is told; all of them must be allowed for a yes."""
        status, out, _ = self.run_it("web-1", "asap.register")
        self.assertEqual((status, [line.split(":")[:2] for line in out.splitlines()]), (1, [
            ["asap.register.join", " yes"], ["asap.register.new", " no"],
            ["asap.register.renew", " yes"],
        ]))  # fmt: skip
        _, out, _ = self.run_it("web-1", "asap.register", "--json")
        self.assertEqual(len(json.loads(out)["permissions"]), 3)

    def test_plugin(self):
        """Any authorizer is asked, not ours alone."""
        for authorizer, principal, status, words in (
            ("allow-proven:", "web-1", 0, "yes"), ("allow-proven:", "anonymous", 1, "no"),
            ("refuse-all:", "web-1", 1, "refuse-all is configured"),
            ("raise-always:", "web-1", 1, "failed with RuntimeError: raise-always"),
            (f"rules:{self.rules}", "operator", 0, "the user is an admin"),
            ("nowhere:", "web-1", 2, "no security plugin 'nowhere'"),
        ):  # fmt: skip
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                found = main(["explain", "--authorizer", authorizer, principal,
                              "asap.register.new"])  # fmt: skip
            self.assertEqual(found, status, (authorizer, err.getvalue()))
            self.assertIn(words, out.getvalue() + err.getvalue())

    def test_invariant(self):
        """What no rule can lift is no, whatever the rules say."""
        Path(self.rules).write_text("[users.anonymous]\nadmin = true\n")
        self.assertEqual(self.run_it("anonymous", "asap.resolve")[0], 0)
        for permission in ("asap.register.new", "asap.deregister", "enrp.update"):
            status, out, _ = self.run_it("anonymous", permission)
            self.assertEqual(status, 1)
            self.assertIn("only who has proven a name", out)
            self.assertIn("(invariant)", out)

    def test_wrongly(self):
        """2 is: it couldn't be asked; and why."""
        for words, why in (
            (["web-1", "asap.regster"], "isn't a permission"),
            (["web-1", "asap.resolve", "pool-hex:zz"], "hexadecimal"),
            (["web-1", "asap.resolve", "web"], "isn't a gate"),
            (["r2", "enrp.table", "pool:web"], "isn't asked of"),
            (["web-1", "asap.resolve", "peer:r2"], "isn't asked of"),
        ):
            status, out, err = self.run_it(*words)
            self.assertEqual((status, out), (2, ""), words)
            self.assertIn(why, err)
        self.rules = "/nonexistent"
        self.assertEqual(self.run_it("web-1", "asap.resolve")[0], 2)
