"""`chartwire history PRACTICE CHART`: one patient's timeline from the events: seen, decided, written, refused, and why.

Shown by default: times, records, which fields changed, what was wanted by which rule, what came of it. Not shown unless
asked for: the values of fields (--values) and persons' names (--names); with both also the vendors' own words, which may quote
anything.
"""

from __future__ import annotations

import argparse
import csv
import io
from zoneinfo import ZoneInfo

import msgspec

from daemon.cli.advice import add_config
from daemon.cli.common import EITHER, Asked, add_shown, asked, chart_of, moment_of, run_async
from daemon.cli.ended import Ended
from daemon.cli.history_page import page
from daemon.cli.parsers import Commands
from daemon.cli.printing import cell, say
from daemon.operator.past import Past, past_of
from events.ids import Charts
from events.records import stored_field
from projections.rules.fields import BY_NAME
from projections.terms.names import Names
from projections.words.headings import heading_of
from projections.words.known import Known
from projections.words.lines import Entry, about
from projections.words.moment import AsOf, in_zone
from projections.words.shown import Shown
from projections.words.subject import origin_in_words, quoted, slot_in_words


def register(commands: Commands) -> None:
    parser = commands.add_parser("history", help="a patient's sync history, from the events")
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("chart", help=f"{EITHER}, whichever: linked, merged and deleted charts are followed")
    parser.add_argument(
        "--as-of",
        metavar="T",
        help="what was known then: a sequence number or an ISO time of recording (in the practice's time zone)",
    )
    parser.add_argument("--field", help=f"only what concerns a field: {', '.join(BY_NAME)}, insurance")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line; with --values --names bodies included")
    form.add_argument("--html", action="store_true", help="one self-contained page, to read or print")
    form.add_argument("--csv", action="store_true", help="a line an event, for a spreadsheet")
    add_shown(parser)
    add_config(parser)
    parser.set_defaults(handler=history)


def history(arguments: argparse.Namespace) -> int:
    it = asked(arguments)
    charts, moment = chart_of(arguments.chart, it.names), moment_of(arguments.as_of, it.zone)
    if arguments.field not in (None, "insurance", *BY_NAME):
        raise Ended(f"field: unknown; known are {', '.join(BY_NAME)}, insurance")
    return run_async(_history(it, arguments, charts, moment))


async def _history(it: Asked, arguments: argparse.Namespace, charts: Charts, moment: AsOf | None) -> int:
    async with it.opened() as store:
        with_state = moment is not None or arguments.html
        past = await past_of(store, it.policy, charts, it.shown, moment, with_state=with_state)
    if not past.told:
        then = f" up to {arguments.as_of}" if past.later else ""
        raise Ended(f"nothing is recorded about {arguments.chart} in {it.id}{then}", 1)
    told = about(list(past.told), arguments.field) if arguments.field else list(past.told)
    say(*_text(it, arguments, told, past).rstrip("\n").split("\n"))
    return 0


def _text(it: Asked, arguments: argparse.Namespace, told: list[Entry], past: Past) -> str:
    """The history in the form that was asked for."""
    state = list(past.state)
    if arguments.json:
        return json_lines(told, state, it.shown)
    if arguments.csv:
        return spreadsheet(told, it.zone)
    if arguments.html:
        who = next((one.name for one in past.records.values() if one.name), "")
        title = ", ".join(filter(None, (who, it.practice.name, arguments.chart)))
        as_of, field, providers = arguments.as_of or "", arguments.field or "", past.providers if it.shown.values else {}
        return page(
            title, told, state, it.zone, as_of=as_of, field=field, names=it.names, records=past.records, providers=providers
        )
    return "\n".join([*lines(told, it.zone, it.names), *known_lines(state, it.names)])


def lines(told: list[Entry], zone: ZoneInfo, names: Names) -> list[str]:
    """The timeline as text: local time, sequence, who, what; causes by sequence."""
    text: list[str] = []
    for one in told:
        local = in_zone(one.recorded.recorded, zone)
        because = f"  (because of #{one.cause})" if one.cause else ""
        origin = origin_in_words(one.recorded.event.origin, names)
        text.append(f"{local}  #{one.recorded.sequence:<6} {origin:<9} {one.text}{because}")
    return text


def known_lines(state: list[Known], names: Names) -> list[str]:
    """What was known, as text."""
    text: list[str] = []
    for one in state:
        charts = f"{names.ehr.label} chart {one.ehr or 'none'}, {names.billing.label} patient {one.billing or 'none'}"
        text += ["", f"known then: {charts}, link: {one.link}"]
        for field in one.fields:
            base = "" if field.base is None else f", last agreed {quoted(field.base)}"
            values = f"{names.ehr.label} {quoted(field.ehr)}, {names.billing.label} {quoted(field.billing)}{base}"
            text.append(f"  {field.label + ':':<24} {values} ({field.verdict})")
        text += [f"  open    {slot_in_words(slot, names)}: {words} ({state_})" for slot, state_, words in one.intents]
        text += [
            f"  waits   {slot_in_words(slot, names)} ({heading_of(code, names)}): {words}"
            for slot, code, words in one.waiting
        ]
    return text


def json_lines(told: list[Entry], state: list[Known], shown: Shown) -> str:
    """An object an event, and after them (with --as-of) one object `known` a patient."""
    objects: list[object] = [_as_json(one, shown) for one in told]
    objects += [{"known": one} for one in state]
    return "\n".join(msgspec.json.encode(one).decode() for one in objects)


def _as_json(entry: Entry, shown: Shown) -> dict[str, object]:
    event = entry.recorded.event
    result: dict[str, object] = {
        "sequence": entry.recorded.sequence,
        "recorded": entry.recorded.recorded,
        "id": event.id,
        "type": event.type,
        "origin": event.origin,
        stored_field("ehr"): event.ehr,
        stored_field("billing"): event.billing,
        "cause": event.cause,
        "because_of": entry.cause,
        "intent": entry.intent or None,
        "fields": entry.fields,
        "text": entry.text,
    }
    if shown.all:
        result["body"] = event.body
    return result


def spreadsheet(told: list[Entry], zone: ZoneInfo) -> str:
    """CSV with a header; text that a spreadsheet would take for a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("sequence", "recorded", "origin", "type", "text", "fields", "because_of", "intent", "event_id"))
    for one in told:
        event = one.recorded.event
        local = one.recorded.recorded.astimezone(zone).isoformat(timespec="seconds")
        writer.writerow(
            (
                one.recorded.sequence,
                local,
                event.origin.value,
                cell(event.type),
                cell(one.text),
                cell(" ".join(one.fields)),
                one.cause or "",
                cell(one.intent),
                str(event.id),
            )
        )
    return out.getvalue()
