"""`chartwire history PRACTICE CHART`: one patient's timeline from the events: seen, decided, written, refused, and why.

Shown by default: times, records, which fields changed, what was wanted by which rule, what came of it. Not shown unless
asked for: the values of fields (--values) and persons' names (--names); with both also the vendors' own words, which may quote
anything.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from daemon.cli.common import add_config, configured, opened, practice_of, run_async
from daemon.cli.history_page import page
from daemon.config import policy_of
from daemon.history.events_of import events_of_chart
from daemon.history.explain import directory_at
from events.ids import PracticeId
from events.writes import System
from projections.rules.fields import BY_NAME
from projections.words.known import Known, folded, known
from projections.words.lines import Entry, Shown, about, entries
from projections.words.moment import is_past, parse_moment

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def register(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("history", help="a patient's sync history, from the events")
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("chart", help="elation:ID or kareo:ID, whichever: linked, merged and deleted charts are followed")
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


def add_shown(parser: argparse.ArgumentParser) -> None:
    """The options that say how much of a person is shown."""
    parser.add_argument("--values", action="store_true", help="show the values of fields")
    parser.add_argument(
        "--names", action="store_true", help="show persons' names; with --values also the vendors' own words"
    )


def chart_of(text: str) -> tuple[str, int]:
    """`ehr:ID` or `billing:ID`. Raises ValueError."""
    system, _, number = text.partition(":")
    if system not in ("elation", "kareo") or not (number.isascii() and number.isdigit()):
        raise ValueError("chart: must be elation:ID or kareo:ID")
    return system, int(number)


def history(arguments: argparse.Namespace) -> int:
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    practice = practice_of(config, arguments.practice)
    if practice is None:
        return 1
    zone, policy = ZoneInfo(practice.time_zone), policy_of(practice)
    shown = Shown(values=arguments.values, names=arguments.names)
    try:
        system, number = chart_of(arguments.chart)
        moment = parse_moment(arguments.as_of, zone) if arguments.as_of else None
        if arguments.field not in (None, "insurance", *BY_NAME):
            raise ValueError(f"field: unknown; known are {', '.join(BY_NAME)}, insurance")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2

    async def work() -> int:
        async with opened(config, beside) as store:
            story = await events_of_chart(store, PracticeId(practice.id), System(system), number)
            past = [one for one in story if is_past(one, moment)]
            state: list[Known] = []
            if past and (moment is not None or arguments.html):
                directory = await directory_at(store, PracticeId(practice.id), past[-1].sequence)
                state = known(folded(past), directory, policy, shown)
        if not past:
            then = f" up to {arguments.as_of}" if story else ""
            print(f"nothing is recorded about {arguments.chart} in {practice.id}{then}", file=sys.stderr)
            return 1
        told = entries(past, policy, shown)
        if arguments.field:
            told = about(told, arguments.field)
        if arguments.json:
            text = json_lines(told, state, shown)
        elif arguments.csv:
            text = spreadsheet(told, zone)
        elif arguments.html:
            title = f"{practice.name}, {arguments.chart}"
            text = page(title, told, state, zone, as_of=arguments.as_of or "", field=arguments.field or "")
        else:
            text = "\n".join([*lines(told, zone), *known_lines(state)])
        print(text.rstrip("\n"))
        return 0

    return run_async(work())


def lines(told: list[Entry], zone: ZoneInfo) -> list[str]:
    """The timeline as text: local time, sequence, who, what; causes by sequence."""
    text: list[str] = []
    for one in told:
        local = one.recorded.recorded.astimezone(zone)
        because = f"  (because of #{one.cause})" if one.cause else ""
        origin = one.recorded.event.origin.value
        text.append(f"{local:%Y-%m-%d %H:%M:%S}  #{one.recorded.sequence:<6} {origin:<9} {one.text}{because}")
    return text


def known_lines(state: list[Known]) -> list[str]:
    """What was known, as text."""
    text: list[str] = []
    for one in state:
        charts = f"Elation chart {one.ehr or 'none'}, Kareo patient {one.billing or 'none'}"
        text += ["", f"known then of {one.patient}: {charts}, link: {one.link}"]
        for field in one.fields:
            base = "" if field.base is None else f", base {field.base!r}"
            values = f"Elation {field.ehr!r}, Kareo {field.billing!r}{base}"
            text.append(f"  {field.label + ':':<24} {values} ({field.verdict})")
        text += [f"  open    {slot}: {words} ({state_})" for slot, state_, words in one.intents]
        text += [f"  waiting {slot} ({code}): {words}" for slot, code, words in one.waiting]
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
        "elation": event.ehr,
        "kareo": event.billing,
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
        text = f"'{one.text}" if one.text.startswith(FORMULA) else one.text
        local = one.recorded.recorded.astimezone(zone).isoformat(timespec="seconds")
        writer.writerow(
            (
                one.recorded.sequence,
                local,
                event.origin.value,
                event.type,
                text,
                " ".join(one.fields),
                one.cause or "",
                one.intent,
                event.id,
            )
        )
    return out.getvalue()
