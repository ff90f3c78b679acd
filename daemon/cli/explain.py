"""`chartwire explain PRACTICE INTENT` and `chartwire explain PRACTICE CHART FIELD`: why a write was made, or a field is as it is."""

from __future__ import annotations

import argparse

import msgspec

from daemon.cli.advice import add_config
from daemon.cli.common import EITHER, Asked, add_shown, asked, chart_of, moment_of, run_async
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import say
from daemon.history.events_of import event_at
from daemon.history.explain import FieldWhy, Step, Why, events_about, explain_intent, find_request
from daemon.operator.past import why_field
from events.ids import Charts, PracticeId, charts_of
from events.schema import IntentRequested, Recorded
from events.store import Store
from projections.rules.fields import BY_NAME
from projections.terms.names import LARGEST_ID, Names
from projections.words.headings import heading_of
from projections.words.known import FieldKnown
from projections.words.moment import AsOf
from projections.words.subject import chart_in_words, quoted, rule_in_words, slot_in_words


def register(commands: Commands) -> None:
    parser = commands.add_parser(
        "explain", help="why a write was made, or why a field is as it is: cause, values, rule, attempts, answer"
    )
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("what", help=f"an intent's id, the #sequence of any of its events, or {EITHER}")
    parser.add_argument("field", nargs="?", help=f"with a chart, the field: {', '.join(BY_NAME)}")
    parser.add_argument("--as-of", metavar="T", help="with a field: as it was known at a sequence number or an ISO time")
    parser.add_argument("--json", action="store_true")
    add_shown(parser)
    add_config(parser)
    parser.set_defaults(handler=explain)


def explain(arguments: argparse.Namespace) -> int:
    it = asked(arguments)
    charts = chart_of(arguments.what, it.names) if ":" in arguments.what else None
    moment = moment_of(arguments.as_of, it.zone)
    if (charts is None) != (arguments.field is None) or (charts is None and moment is not None):
        raise Ended("give an intent, or a chart and a field (--as-of goes with a field)")
    if arguments.field is not None and arguments.field not in BY_NAME:
        raise Ended(f"field: unknown; known are {', '.join(BY_NAME)}")
    return run_async(_intent(it, arguments) if charts is None else _field(it, arguments, charts, moment))


async def _field(it: Asked, arguments: argparse.Namespace, charts: Charts, moment: AsOf | None) -> int:
    async with it.opened() as store:
        told = await why_field(store, it.policy, charts, arguments.field, it.shown, moment)
        if not told:
            raise Ended(f"nothing is recorded about {arguments.what} in {it.id}", 1)
    if arguments.json:
        say(*(msgspec.json.encode(one).decode() for one in told))
    else:
        say(*(line for number, one in enumerate(told) for line in [*[""][: number > 0], *field_lines(one, it.names)]))
    return 0


async def _intent(it: Asked, arguments: argparse.Namespace) -> int:
    async with it.opened() as store:
        request = await _request(store, it.id, arguments.what)
        if request is None:
            raise Ended(f"{arguments.what} is no intent and no event of one in {it.id}", 1)
        told = await explain_intent(store, it.policy, request, it.shown)
    say(*([msgspec.json.encode(told).decode()] if arguments.json else intent_lines(told, it.names)))
    return 0


async def _request(store: Store, practice: PracticeId, what: str) -> Recorded | None:
    """The request that `what` names: by sequence of any event of the intent, or by the intent's id."""
    number = what.removeprefix("#")
    if not (number.isascii() and number.isdigit() and len(number) < 20 and int(number) <= LARGEST_ID):
        return await find_request(store, practice, what)
    one = await event_at(store, practice, int(number))
    if one is None or isinstance(one.event.body, IntentRequested):
        return one
    intent = getattr(one.event.body, "intent", None)
    for other in await events_about(store, practice, one.event):
        if isinstance(other.event.body, IntentRequested) and other.event.body.intent == intent:
            return other
    return None


def intent_lines(why: Why, names: Names) -> list[str]:
    text = [f"intent {why.intent}, {slot_in_words(why.slot, names)}: {why.outcome}", f"  wants  {why.write}"]
    text.append(f"  rule   {rule_in_words(why.rule, names)}")
    text += [f"  note   {note}" for note in why.notes]
    text += [f"  cause  {_event(step)}" for step in why.causes]
    text.append(f"  asked  {_event(why.request)}")
    text += [f"  before {_values(one, names)}" for one in why.fields]
    for step in why.steps:
        text.append(f"  then   {_event(step)}")
        if step.answer:
            text.append(f"  answer {step.answer}")
    return text


def field_lines(why: FieldWhy, names: Names) -> list[str]:
    text = [
        f"{why.known.label} of {chart_in_words(charts_of(why.patient), names)} (link: {why.link})",
        f"  now    {_values(why.known, names)}",
    ]
    if why.conflict:
        text.append("  conflict: both sides changed it; nobody has marked it seen yet")
    text += [
        f"  waits  {slot_in_words(slot, names)} ({heading_of(code, names)}): {words}" for slot, code, words in why.waiting
    ]
    text += [f"  event  {_event(step)}" for step in why.events]
    if why.write is not None:
        text += ["  last write:", *(f"    {line}" for line in intent_lines(why.write, names))]
    return text


def _event(step: Step) -> str:
    return f"#{step.sequence} {step.text}  [{step.id}]"


def _values(one: FieldKnown, names: Names) -> str:
    base = "none yet" if one.base is None else quoted(one.base)
    sides = f"{names.ehr.label} {quoted(one.ehr)}, {names.billing.label} {quoted(one.billing)}"
    return f"{one.label}: {sides}, last agreed {base} ({one.verdict})"
