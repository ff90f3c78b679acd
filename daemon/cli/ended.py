"""How a command ends before its work is done."""

from __future__ import annotations


class Ended(Exception):
    """The command ends here: its text goes to stderr, `code` is its exit code (1 found something wrong, 2 used wrongly)."""

    def __init__(self, text: str = "", code: int = 2) -> None:
        super().__init__(text)
        self.code = code
