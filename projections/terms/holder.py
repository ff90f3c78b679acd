"""The name of a policy's holder, taken apart: the billing side gives it as one text, "prefix first middle last suffix"."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING
from unicodedata import combining, normalize

from projections.terms.codecs import squeeze
from projections.terms.first_names import is_given

if TYPE_CHECKING:
    from nameparser.config import Constants

CREDENTIALS = frozenset(str.split("md rn np phd dds dmd esq cpa jd dvm lpn rph psyd od pharmd crna lcsw"))
TITLES = frozenset(
    str.split("mr mrs ms miss mx dr rev reverend prof professor fr father sister pastor rabbi sgt capt lt col")
)
"""The titles that no patient is called by; the parser's own list takes the first name of Earl Jones away."""
HONORABLE = "hon. "
"""A title with its full stop only: Hon Wai is a first name."""
ALSO_NAMES = frozenset(("do", "pa", "ma"))
"""Credentials that are family names, too: they count only in capitals behind a name that is not."""


@lru_cache(maxsize=4096)
def holder_name(text: str, family: str) -> tuple[str, str]:
    """First and last name. `family` is the patient's last name: a spouse or a child often shares it, however many words it has.

    A single word is a last name.
    """
    from nameparser import HumanName

    text = squeeze(text)
    if text.casefold().startswith(HONORABLE):
        text = text[len(HONORABLE) :].lstrip()
    parsed = HumanName(_without_credentials(text), constants=_constants())
    given = " ".join(part for part in (parsed.first, parsed.middle, parsed.last) if part).split()
    if len(given) < 2:
        return "", " ".join(given)
    found = None if "," in text else _with_family(given, _folded([family]))
    if found is not None:
        return found
    return (parsed.first, parsed.last) if parsed.first and parsed.last else (given[0], given[-1])


def _with_family(given: list[str], family: str) -> tuple[str, str] | None:
    """First and last name by the patient's own last name: the last words, else the first of two surnames, else all that is before.

    Nothing where the patient's name is not among the words.
    """
    ends = range(1, len(given))
    for at in ends:
        if _folded(given[at:]) == family:
            return given[0], " ".join(given[at:])
    for at in ends:
        if not is_given(family) and any(_folded(given[at:end]) == family for end in range(at + 1, len(given))):
            return given[0], " ".join(given[at:])
    for at in ends:
        if _folded(given[:at]) == family and not is_given(family):
            return given[at], " ".join(given[:at])
    return None


@cache
def _constants() -> Constants:
    """What the parser goes by, with our titles."""
    from nameparser.config import Constants

    return Constants(titles=TITLES, first_name_titles=())


def _without_credentials(text: str) -> str:
    """The name without the letters of a profession behind it."""
    words = text.split(" ")
    while len(words) > 2:
        last = words[-1].strip(",").replace(".", "")
        named = " ".join(words[:-1])
        in_capitals = last.isupper() and not named.isupper()
        if last.casefold() not in CREDENTIALS and not (last.casefold() in ALSO_NAMES and in_capitals):
            break
        words.pop()
    return " ".join(words).rstrip(",") if len(words) < len(text.split(" ")) else text


def _folded(words: list[str]) -> str:
    text = normalize("NFKD", "".join(words)).casefold()
    return "".join(char for char in text if char.isalnum() and not combining(char))
