"""The words of a message to people: codes, numbers, commands and links. Nothing of a patient is known here."""

from __future__ import annotations

import msgspec

from daemon.config import PracticeConfig
from daemon.runtime.notices import ESCALATION, OVER
from daemon.tables.notices import Notice
from projections.words.remedy import Audience


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is sent: by mail `subject` and `text`, by webhook the rest as JSON."""

    id: str
    kind: str
    practice: str
    name: str
    audience: str
    counts: dict[str, int]
    subject: str
    text: str
    link: str = ""


def letter(message: Notice, practice: PracticeConfig, audience: Audience, console_url: str) -> Letter:
    number = sum(message.counts.values())
    things = "1 thing" if number == 1 else f"{number} things"
    wait, still_wait = ("waits", "still waits") if number == 1 else ("wait", "still wait")
    link = f"{console_url.rstrip('/')}/practices/{practice.id}/waiting" if console_url else ""
    if message.kind == OVER:
        subject = f"[chartwire] {practice.name}: nothing waits for the {audience} any more"
        lines = ["What was told is seen to:", ""]
    elif message.kind == ESCALATION:
        subject = f"[chartwire] {practice.name}: {things} {still_wait} for the {audience}"
        lines = ["This was told before, and nobody has seen to it:", ""]
    else:
        subject = f"[chartwire] {practice.name}: {things} {wait} for the {audience}"
        lines = ["This needs a person:", ""]
    lines += [f"  {count:>5}  {code}" for code, count in sorted(message.counts.items())]
    if message.kind != OVER:
        lines += ["", f"chartwire waiting {practice.id}", *([link] if link else [])]
    text = "\n".join([*lines, "", "No patient is named here on purpose.", ""])
    return Letter(
        id=message.id, kind=message.kind, practice=practice.id, name=practice.name, audience=audience.value,
        counts=dict(message.counts), subject=subject, text=text, link=link,
    )  # fmt: skip
