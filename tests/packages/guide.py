"""deploy/README.md as a script: the blocks of its part from nothing to a running service, in order, and which are left out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.packages.conftest import ROOT

GUIDE = ROOT / "deploy" / "README.md"
BLOCK = re.compile(
    r"(?:<!-- left out: (?P<why>[^>]+) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
FIRST_PART = re.compile(r"\A# From nothing to a running service\n(?P<text>.*?)^# Operations$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block of code of the guide; `why` it is left out, empty where it is not. `line` is where it begins."""

    step: int
    kind: str
    text: str
    why: str
    line: int


def blocks() -> list[Block]:
    """All blocks of the part."""
    part = FIRST_PART.match(GUIDE.read_text())
    assert part is not None
    found = []
    for one in BLOCK.finditer(part["text"]):
        before = part["text"][: one.start("text")]
        (*_, step) = [0, *map(int, re.findall(r"^## (\d+)\. ", before, re.MULTILINE))]
        found.append(Block(step, one["kind"], one["text"], one["why"] or "", before.count("\n") + 2))
    return found


def heredoc(ending: str) -> str:
    """What the guide writes into the file whose path ends so."""
    (found,) = re.findall(rf"cat > \S*{re.escape(ending)} <<'END'\n(.*?)^END$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)
