"""What `chartwire doctor` finds: what is wrong, where, how bad, and the command or line that repairs it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    ERROR = "error"
    """Something does not work."""
    WARNING = "warning"
    """It works, and will not for long, or not when something fails."""
    NOTE = "note"
    """Worth knowing; nothing has to be done."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`code` names the kind of finding, `key` the place in the configuration or the server. `repair` can be pasted: a command, or the
    lines to be set. `practice` is "" for what concerns all. It holds no patient's data."""

    code: str
    severity: Severity
    key: str
    text: str
    repair: str
    practice: str = ""


def error(code: str, key: str, text: str, repair: str, practice: str = "") -> Finding:
    return Finding(code=code, severity=Severity.ERROR, key=key, text=text, repair=repair, practice=practice)


def warning(code: str, key: str, text: str, repair: str, practice: str = "") -> Finding:
    return Finding(code=code, severity=Severity.WARNING, key=key, text=text, repair=repair, practice=practice)


def note(code: str, key: str, text: str, repair: str, practice: str = "") -> Finding:
    return Finding(code=code, severity=Severity.NOTE, key=key, text=text, repair=repair, practice=practice)
