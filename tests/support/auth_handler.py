"""An authentication handler with a script."""

from __future__ import annotations

from blocking_request.models.auth import AuthAnswer


class ScriptedAuthHandler:
    """Returns its credentials one after the other, and records its arguments."""

    def __init__(self, *answers: AuthAnswer) -> None:
        self._answers = list(answers)
        self.questions: list[tuple[str, str, int]] = []

    def __call__(self, realm: str, host: str, attempt: int) -> AuthAnswer:
        self.questions.append((realm, host, attempt))
        return self._answers.pop(0)
