"""What is stored as advice for the command line is said on pages by the button that does it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.console.advice import ADVICE, said
from projections.terms.names import Names

NAMES = Names()
DECIDING = Path(__file__).parents[2] / "projections" / "deciding"
DAEMON = Path(__file__).parents[2] / "daemon" / "runtime"


def _sentences(folder: Path) -> Iterator[str]:
    """The texts in the code of a folder, with `conflict:city` where a value is filled in; no documentation."""
    for file in sorted(folder.glob("*.py")):
        tree = ast.parse(file.read_text())
        told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "conflict:city" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (told | inside):
                yield node.value


SENTENCES = [*_sentences(DECIDING), *_sentences(DAEMON)]


def test_no_page_advises_an_option_of_the_command_line() -> None:
    """Whatever is decided or refused: a new sentence with an option needs its words for the pages."""
    advising = [one for one in SENTENCES if " --" in one or "(keep-out" in one]
    assert len(advising) >= 4
    assert [one for one in advising if "--" in said(one, NAMES) or "keep-out" in said(one, NAMES)] == []


@pytest.mark.parametrize("number", range(len(ADVICE)))
def test_each_advice_is_one_that_is_still_given(number: int) -> None:
    looks, _ = ADVICE[number]
    assert any(looks.search(one) for one in SENTENCES)


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (
            "they differ in sex: look at both, then repeat with --force if they are one",
            "they differ in sex: look at both, then say that they are one person though they differ",
        ),
        ("elation:12 is kept out; take it in again first (keep-out --undo)", "Elation chart 12 is kept out; take it in again first"),
        ("nothing waits in bill:7", "bill 7 does not wait any more"),
        ("no refused write in bill:7, conflict:city; a bill is sent again with resend",
         "no refused write of bill 7, City; a bill is sent again by its own button"),
        ("there is no conflict in city, last_name that nobody has seen", "there is no conflict in City, Last name that nobody has seen"),
        ("there is no conflict in any field that nobody has seen", "there is no conflict in any field that nobody has seen"),
    ],
)  # fmt: skip
def test_a_page_says_it_in_its_own_words(stored: str, told: str) -> None:
    assert said(stored, NAMES) == told
