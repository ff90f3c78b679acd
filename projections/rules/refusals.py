"""What the billing side says of a bill that it refuses, as a sentence for the provider: the line, the code, what to do.

One table from its texts to sentences (guide: Bills, errors). A Bill Error holds at most 200 characters and nothing of the
patient: of the refusal's own words only codes that the bill has are repeated, or a text without a word of the chart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from events.records import BillingChart
from events.terms import EncounterTerms
from events.writes import CreateEncounter
from projections.rules.quoting import tells_nothing_of
from projections.terms.names import Names

ERROR_MOST = 200

_NOT_KNOWN = re.compile(
    r"not? (been )?(found|exist|find|valid|recogni[sz]ed|known|in (the|its|our|your)|active|set up|defined)|does ?n.t exist"
    r"|invalid|unknown|inactive|no such|unrecogni[sz]ed|unable to (find|locate)|cannot be (found|located)|missing from",
    re.IGNORECASE,
)
_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z.]*")


@dataclass(frozen=True)
class Sentence:
    """A row: texts in which `says` is found are about `what`; the fix is `to_do`.

    `codes` are a line's codes that it may be about; `further` says that codes beside the lines count, too.
    """

    says: re.Pattern[str]
    what: str
    to_do: str
    codes: Callable[[EncounterTerms], tuple[str, ...]] | None = None
    further: bool = False


def _row(
    says: str,
    what: str,
    to_do: str,
    codes: Callable[[EncounterTerms], tuple[str, ...]] | None = None,
    *,
    further: bool = False,
) -> Sentence:
    return Sentence(re.compile(says, re.IGNORECASE), what, to_do, codes, further)


SENTENCES: tuple[Sentence, ...] = (
    _row(r"modifier", "modifier", "Add it: Settings > Codes > Procedure Modifiers", lambda line: line.modifiers),
    _row(
        r"diagnos|\bicd",
        "diagnosis code",
        "Add it: Settings > Codes > Diagnoses",
        lambda line: line.dxs,
        further=True,
    ),
    _row(r"place ?of ?service", "the place of service", "Ask the office to set the location's code"),
    _row(
        r"procedure|\bcpt|hcpcs",
        "procedure code",
        "Add it: Settings > Codes > Procedures",
        lambda line: (line.cpt,),
    ),
    _row(r"location", "the service location", "Ask the office to map it to one of {there}"),
    _row(r"provider|physician", "the provider", "Ask the office to map the provider to one of {there}"),
    _row(r"\bcase", "the patient's case", "Ask the office to check the cases in {there}"),
    _row(r"\bpatient", "the patient of this bill", "Ask the office to check the chart's link"),
)
"""The rows in the order in which they are tried: a procedure's modifier is no procedure."""


def refusal_text(said: str, write: CreateEncounter, patient: BillingChart, names: Names) -> str:
    """The Bill Error for what the billing side `said` of `write`: as many of its sentences as there is room for."""
    there = names.billing.label
    found = list(dict.fromkeys(_sentence(part.strip(), write, patient, there) for part in said.split(";") if part.strip()))
    text = ""
    for one in found:
        longer = f"{text}; {one}" if text else one
        if len(longer) > ERROR_MOST:
            break
        text = longer
    return text or (found[0][:ERROR_MOST] if found else f"{there} refused the bill")


def _sentence(said: str, write: CreateEncounter, patient: BillingChart, there: str) -> str:
    row = next((one for one in SENTENCES if one.says.search(said)), None) if _NOT_KNOWN.search(said) else None
    if row is None:
        return (
            said if tells_nothing_of(patient, said) else f"{there} refused the bill: ask the office, which sees the reason"
        )
    to_do = row.to_do.format(there=there)
    if row.codes is None:
        return f"{there} does not find {row.what}. {to_do}"
    codes = {_bare(one) for one in _CODE.findall(said)}
    for number, line in enumerate(write.lines, start=1):
        for code in row.codes(line):
            if _bare(code) in codes:
                return f"Line {number} ({line.cpt}): {row.what} {code} is not in {there}. {to_do}"
    further = next((code for code in write.further_dxs if row.further and _bare(code) in codes), "")
    return f"A {row.what}{further and f' ({further})'} is not in {there}. {to_do}"


def _bare(code: str) -> str:
    return code.replace(".", "").casefold()
