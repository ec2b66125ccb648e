"""Exit codes, and the error that a command ends with: one line what, one why, one what to do."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """The exit codes (``docs/cli.md`` holds the table)."""

    DONE = 0
    FAILURE = 1
    USAGE = 2
    STORE = 3
    NOT_FOUND = 4
    NO_GENOME = 5
    UNREACHABLE = 6
    VERIFICATION = 7
    UNSOUND = 8
    UNFIT = 9
    NOTHING_LEFT = 10
    INTERRUPTED = 130
    TERMINATED = 143


class CliError(Exception):
    """A command cannot go on.

    Args:
        what: what went wrong, in one line.
        why: the rule and the value; may be empty.
        cure: what to do; may be empty.
        code: the exit code.
    """

    def __init__(self, what: str, *, why: str = "", cure: str = "", code: Code) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.cure = cure
        self.code = code

    def lines(self) -> list[str]:
        """Return the text as it is printed."""
        why_and_cure = [f"  {_one_line(text)}" for text in (self.why, self.cure) if text]
        return [f"error: {_one_line(self.what)}", *why_and_cure]


def _one_line(text: str) -> str:
    """Return a text of a library, which may have several lines, as one."""
    return " ".join(text.split())
