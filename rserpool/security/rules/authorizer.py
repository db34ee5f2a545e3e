"""The authorizer that a rules file makes (after the Cortex of Synapse)."""

from zope.interface import implementer

from rserpool.security.decisions import Decision, Proof, Request, Subject
from rserpool.security.interfaces import IAuthorizer
from rserpool.security.rules.file import load
from rserpool.security.rules.policy import Policy

#: Answers remembered: a client may ask for as many handles as it can think of.
REMEMBERED = 20_000


@implementer(IAuthorizer)
class Rules:
    """
    Decides by a rules file; `reload` reads it again, or keeps the last good one.

    The same question always has the same answer until then, so answers are remembered.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._policy: Policy = load(path)
        self._answers: dict[tuple[str, Proof, str, bytes | None, str | None], Decision] = {}

    @property
    def policy(self) -> Policy:
        """What the file says."""
        return self._policy

    def decide(self, subject: Subject, request: Request) -> Decision:
        """May `subject`, by its name and proof?"""
        question = (
            subject.name,
            subject.proof,
            request.permission,
            request.pool,
            request.peer,
        )
        answer = self._answers.get(question)
        if answer is None:
            if len(self._answers) >= REMEMBERED:
                self._answers.clear()
            answer = self._policy.decide(subject.name, subject.proof, request)
            self._answers[question] = answer
        return answer

    def reload(self) -> None:
        """
        Read the file again.

        :raise ValueError: (or OSError) it can't be used; the last good one stays.
        """
        self._policy = load(self._path)
        self._answers.clear()
