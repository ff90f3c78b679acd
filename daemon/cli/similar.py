"""What somebody may have meant who typed a word that is none."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or nothing where no known word is like it."""
    from difflib import get_close_matches  # only where something was mistyped

    found = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def not_configured(words: Iterable[str], known: Iterable[str]) -> str:
    """Practices that the configuration does not have."""
    strangers, names = sorted(words), list(known)
    hint = did_you_mean(strangers[0], names) if len(strangers) == 1 else ""
    return f"practice: {', '.join(strangers)} is not in the configuration{hint}"
