"""Whether a text that somebody may read quotes a patient: names, numbers and days in any of their usual forms.

Words are folded as matching folds them, so that neither accents nor case nor punctuation hide a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import permutations

from events.records import BillingChart
from projections.matching.names import APOSTROPHES, words
from projections.matching.places import SHORT

MONTHS = str.split("jan feb mar apr may jun jul aug sep oct nov dec")
BETWEEN = frozenset(str.split("st nd rd th of the"))
"""What people write between the parts of a day."""

JOINED = 4
"""Words of a text that one name of several words may be written in."""

_PART = re.compile(r"[^\W\d_]+|\d+")
_RUN = re.compile(r"\d+")


def tells_nothing_of(patient: BillingChart, said: str) -> bool:
    """Whether a text repeats nothing of the chart; an echo of the record may hold anything."""
    if "<" in said:
        return False
    return not (_quotes_words(patient, said) or _quotes_numbers(patient, said) or _quotes_day(patient.birth_date, said))


def _quotes_words(patient: BillingChart, said: str) -> bool:
    """Each part of a name by itself, and all words of an address or e-mail together."""
    apart = words("".join(" " if char in APOSTROPHES else char for char in said))
    text = {*_run_together(words(said)), *_run_together(apart), *(SHORT.get(word, word) for word in words(said))}
    names = [words(name) for name in (patient.first_name, patient.middle_name, patient.last_name)]
    wanted = [{part} for name in names for part in {*name, "".join(name)} if len(part) > 1 or not part.isascii()]
    wanted += [_letters(one) for one in (patient.email, patient.address1)]
    return any(one and one <= text for one in wanted)


def _run_together(parts: tuple[str, ...]) -> set[str]:
    """The words, and neighbours as one word: `O Brien`, `De La Cruz`."""
    return {"".join(parts[at : at + many]) for many in range(1, JOINED + 1) for at in range(len(parts))}


def _letters(text: str) -> set[str]:
    """The words of a text that are no numbers, abbreviated."""
    return {SHORT.get(word, word) for word in words(text) if not word.isdigit()}


def _quotes_numbers(patient: BillingChart, said: str) -> bool:
    """Id, SSN and phones as digits; the last four of an SSN by themselves, a phone without its area."""
    digits, runs = re.sub(r"\D", "", said), set(_RUN.findall(said))
    ssn = re.sub(r"\D", "", patient.ssn)
    phones = [re.sub(r"\D", "", one) for one in (patient.home_phone, patient.mobile_phone, patient.work_phone)]
    numbers = [str(patient.id), ssn, *phones, *(phone[-7:] for phone in phones), *_only_digits(patient)]
    return any(len(one) > 2 and one in digits for one in numbers) or (len(ssn) > 3 and ssn[-4:] in runs)


def _only_digits(patient: BillingChart) -> Iterator[str]:
    """An address or e-mail without a word counts by its digits."""
    yield from (re.sub(r"\D", "", one) for one in (patient.email, patient.address1) if not _letters(one))


def _quotes_day(day: date | None, said: str) -> bool:
    """Year, month and day beside each other in any order, with the month as a word and the year in two digits, too."""
    if day is None:
        return False
    parts = [_part(part) for part in _PART.findall(said.casefold()) if part not in BETWEEN]
    forms = {form for year in (day.year, day.year % 100) for form in permutations((year, day.month, day.day))}
    if forms & set(zip(parts, parts[1:], parts[2:], strict=False)):
        return True
    digits, runs = re.sub(r"\D", "", said), _RUN.findall(said)
    whole = {"".join(form) for form in permutations((f"{day.year:04}", f"{day.month:02}", f"{day.day:02}"))}
    short = {"".join(form) for form in permutations((f"{day.year % 100:02}", f"{day.month:02}", f"{day.day:02}"))}
    return any(form in digits for form in (*whole, f"{day.month}{day.day}{day.year}")) or any(run in short for run in runs)


def _part(text: str) -> int:
    """A number, or the month that a word begins with; -1 for any other word."""
    if text.isdecimal():
        return int(text[:9])
    return MONTHS.index(text[:3]) + 1 if text[:3] in MONTHS else -1
