"""What the access log has recorded, in words. The records themselves are chained and stay as they were written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID

from events.slots import parse_slot
from projections.terms.names import Names
from projections.words.headings import HEADINGS, heading_of
from projections.words.remedy import Remedy
from projections.words.subject import FIELDS, field_in_words, slot_in_words, spelled_out, system_in_words

DEED = "deed: "
"""How the record of a deed begins; its name follows."""

LOOKED_AFTER = "looked after"

DEED_WORDS: Mapping[str, str] = {
    "resync": "read both charts again",
    "create": "create in the other system",
    "retry": "try again",
    "retry-shared": "try again for the practice",
    "try-systems": "try the systems again",
    "resend": "check the bill and send it again",
    "release-bill": "release the bill",
    "dismiss": "accept as it is",
    "remove-policy": "remove a policy",
    "seen": "mark as seen",
    "redrive": "try again what was set aside",
    "link": "one person: link",
    "move-link": "move a link",
    "not-the-same": "two persons: do not link",
    "unlink": "undo a link",
    "apart": "two persons: not entered twice",
    "hold": "hold writes",
    "release": "release what is held",
    "keep-out": "keep a patient out",
    "take-in": "take a patient in again",
    "go-live": "go live",
    "observe": "let the configuration say whether the practice is live",
    "map": "map a row",
    "give-back": "give a row back to the configuration",
}
"""What a deed of the pages is called."""

REMEDY_WORDS: Mapping[Remedy, str] = {
    **{one: DEED_WORDS[one.value] for one in Remedy if one.value in DEED_WORDS},
    Remedy.RETRY_SHARED: DEED_WORDS["retry-shared"],
    Remedy.LINK_CANDIDATE: DEED_WORDS["link"],
    Remedy.CHECK_CONFIG: DEED_WORDS["try-systems"],
    Remedy.AUDIT: "check the history",
    Remedy.MAPS: "see the maps",
}
"""The same for a deed done to many at once, which is recorded by what it is a remedy of."""

_ROUTE = re.compile(r"([A-Za-z]+) (/\S*): \d{3}")
"""How the record of a refusal names the page."""

_CODES = frozenset(one.value for one in HEADINGS)
_REMEDIES = {one.value: words for one, words in REMEDY_WORDS.items()}


def recorded_in_words(what: str) -> str:
    """What somebody did, or looked at."""
    if not what.startswith(DEED):
        return what
    name, comma, more = what.removeprefix(DEED).partition(",")
    if name == LOOKED_AFTER:
        return "looked what came of a deed"
    return f"{DEED}{DEED_WORDS.get(name) or _REMEDIES.get(name, name)}{comma}{more}"


def detail_in_words(detail: str, names: Names) -> str:
    """What a record was about: fields, slots and kinds of items by their words; the number of an event says nothing to anybody."""
    if found := _ROUTE.fullmatch(detail):
        pages = [one for one in found[2].split("/") if one and one != "p" and "{" not in one]
        return f"{'sent to' if found[1] == 'POST' else 'asked for'} {', '.join(pages) or 'overview'}"
    return spelled_out(" ".join(filter(None, (_part(one, names) for one in detail.split(" ")))), names)


def _part(text: str, names: Names) -> str:
    if text in _CODES:
        return heading_of(text, names)
    if text in FIELDS:
        return field_in_words(text)
    if ":" in text and parse_slot(text).kind is not None:
        return slot_in_words(text, names)
    try:
        UUID(text)
    except ValueError:
        return system_in_words(text, names)
    return ""
