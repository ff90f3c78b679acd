"""A patient's history as one self-contained HTML page: nothing is loaded from elsewhere, no script; it reads and prints well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape as escape_html
from zoneinfo import ZoneInfo

from daemon.cli.printing import visible
from daemon.operator.records import Records
from events.schema import Origin
from projections.terms.names import Names
from projections.words.headings import heading_of
from projections.words.known import Known
from projections.words.lines import Entry
from projections.words.moment import in_zone
from projections.words.subject import field_in_words, fields_in_words, origin_in_words, slot_in_words

ROLES = {Origin.EHR: "ehr", Origin.BILLING: "billing", Origin.OPERATOR: "operator"}
NO_RECORDS: Mapping[str, Records] = {}
NO_PROVIDERS: Mapping[str, str] = {}
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --line: #d8dde3; --soft: #5b6570; --hit: #fff3c4; --back: #fff; --text: #1c2126; }
@media (prefers-color-scheme: dark) {
  :root { --line: #39424c; --soft: #9aa5b1; --hit: #4a4016; --back: #14181c; --text: #e4e8ec; }
}
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 74rem; padding: 0 1rem;
  background: var(--back); color: var(--text); }
h1 { font-size: 1.4rem; margin: 0 0 .2rem; } h2 { font-size: 1.05rem; margin: 1.8rem 0 .5rem; }
p.about { color: var(--soft); margin: 0 0 1rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; }
th { font-size: .8rem; color: var(--soft); border-bottom: 2px solid var(--line); font-weight: 600; }
td { border-bottom: 1px solid var(--line); } td.when, td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
td.what { overflow-wrap: anywhere; } td small { color: var(--soft); } a { color: inherit; }
tr:target { background: var(--hit); }
.origin { font-size: .8rem; border: 1px solid var(--line); border-radius: .6rem; padding: 0 .5rem; white-space: nowrap; }
.ehr { border-color: #2f7ed8; } .billing { border-color: #3a9d5d; } .operator { border-color: #b5651d; }
tr.differ td { font-weight: 600; }
@media (max-width: 40rem) {
  body { margin: 1rem auto; } table, tbody, tr, td { display: block; } thead { display: none; } td { border: 0; padding: .1rem 0; overflow-wrap: anywhere; }
  td.when, td.number { white-space: normal; } td:empty { display: none; }
  tr { border-bottom: 1px solid var(--line); padding: .4rem 0; } td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
}
@media print { body { margin: 0; max-width: none; font-size: 10pt; } tr { break-inside: avoid; } thead { display: table-header-group; } }
"""


def escape(text: str) -> str:
    """`text` in a page: markup and whatever a browser obeys are shown, not followed."""
    return escape_html(visible(text))


def page(
    title: str,
    told: list[Entry],
    state: list[Known],
    zone: ZoneInfo,
    *,
    as_of: str = "",
    field: str = "",
    names: Names,
    records: Mapping[str, Records] = NO_RECORDS,
    providers: Mapping[str, str] = NO_PROVIDERS,
) -> str:
    """The whole document; every text in it is escaped. `records` are those of each patient, `providers` the names of that field's values."""
    effects: dict[int, list[int]] = defaultdict(list)
    for one in told:
        if one.cause is not None:
            effects[one.cause].append(one.recorded.sequence)
    there = {one.recorded.sequence for one in told}
    about = (
        f"{len(told)} events" + (f" about {field_in_words(field)}" if field else "") + (f", as of {as_of}" if as_of else "")
    )
    rows = "\n".join(_row(one, effects[one.recorded.sequence], there, zone, names) for one in told)
    known = "\n".join(_known(one, names, providers) + _records(records.get(one.patient), zone, names) for one in state)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="referrer" content="no-referrer">
<title>{escape(title)}: history</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p class="about">{escape(about)}; times in {escape(zone.key)}</p>
{known}
<h2>What happened</h2>
<table>
<thead><tr><th>Event</th><th>Recorded</th><th>By</th><th>What</th><th>Because of</th><th>Led to</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _row(entry: Entry, effects: list[int], there: set[int], zone: ZoneInfo, names: Names) -> str:
    one = entry.recorded
    role = ROLES.get(one.event.origin, "")
    origin = escape(origin_in_words(one.event.origin, names))
    because = _link(entry.cause, there) if entry.cause is not None else ""
    led = " ".join(_link(effect, there) for effect in effects)
    fields = f"<br><small>{escape(fields_in_words(entry.fields))}</small>" if entry.fields and not entry.changes else ""
    return (
        f'<tr id="e{one.sequence}"><td class="number">#{one.sequence}</td>'
        f'<td class="when">{escape(in_zone(one.recorded, zone))}</td>'
        f'<td><span class="origin {role}">{origin}</span></td>'
        f'<td class="what">{escape(entry.text)}{fields}</td>'
        f'<td class="number" data-label="Because of">{because}</td><td data-label="Led to">{led}</td></tr>'
    )


def _link(sequence: int, there: set[int]) -> str:
    return f'<a href="#e{sequence}">#{sequence}</a>' if sequence in there else f"#{sequence}"


def _known(one: Known, names: Names, providers: Mapping[str, str]) -> str:
    here, there = names.ehr.label, names.billing.label
    charts = f"{here} chart {one.ehr or 'none'}, {there} patient {one.billing or 'none'}, link: {one.link}"
    rows = "\n".join(
        f"<tr{' class=differ' if field.verdict.startswith('differ') else ''}><td><b>{escape(field.label)}</b></td>"
        + _cells((here, _named(field.field, field.ehr, providers)), (there, _named(field.field, field.billing, providers)))
        + _cells(("Last agreed", _named(field.field, field.base or "", providers)), ("", field.verdict))
        + "</tr>"
        for field in one.fields
    )
    items = [f"open, {slot_in_words(slot, names)}: {words} ({state})" for slot, state, words in one.intents]
    items += [
        f"waits, {slot_in_words(slot, names)} ({heading_of(code, names)}): {words}" for slot, code, words in one.waiting
    ]
    items = [f"<li>{escape(item)}</li>" for item in items]
    under = f"<ul>{''.join(items)}</ul>" if items else ""
    return f"""<h2>What was known</h2>
<p class="about">{escape(charts)}</p>
<table>
<thead><tr><th>Field</th><th>{escape(here)}</th><th>{escape(there)}</th><th>Last agreed</th><th></th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
{under}"""


def _named(field: str, value: str, providers: Mapping[str, str]) -> str:
    return providers.get(value, value) if field == "provider" else value


def _cells(*cells: tuple[str, str]) -> str:
    """Cells of a row, each with the head of its column for where there is no room for columns."""
    return "".join(
        f'<td data-label="{escape(head)}">{escape(text)}</td>' if head else f"<td>{escape(text)}</td>"
        for head, text in cells
    )


def _records(one: Records | None, zone: ZoneInfo, names: Names) -> str:
    """Insurance, appointments and bills; nothing of what there is none of."""
    if one is None:
        return ""
    policies = [
        (
            names.label(each.system),
            each.place,
            f"{each.company} {each.plan}",
            each.number,
            each.group,
            each.copay,
            each.insured,
        )
        for each in one.policies
    ]
    visits = [
        (in_zone(each.start, zone), f"{each.minutes} min", each.provider_name, each.reason, each.state, each.beside)
        for each in one.appointments
    ]
    bills = [
        (
            str(each.bill.bill.id),
            str(each.bill.bill.service_day or ""),
            each.lines,
            each.state,
            str(each.bill.encounter or ""),
        )
        for each in one.bills
    ]
    return (
        _table("Insurance", ("In", "Rank or case", "Company and plan", "Number", "Group", "Copay", "Held by"), policies)
        + _table("Appointments", ("When", "Length", "Provider", "Reason", "State", "Beside"), visits)
        + _table("Bills", ("Bill", "Day of service", "Lines", "State", "Encounter"), bills)
    )


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "\n".join(f"<tr>{_cells(*zip(heads, row, strict=True))}</tr>" for row in rows)
    return f"<h2>{escape(title)}</h2>\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"
