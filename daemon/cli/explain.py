"""`chartwire explain PRACTICE INTENT` and `chartwire explain PRACTICE CHART FIELD`: why a write was made, or a field is as it is."""

from __future__ import annotations

import argparse
import sys
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from daemon.cli.common import add_config, configured, opened, practice_of, run_async
from daemon.cli.history import add_shown, chart_of
from daemon.config import policy_of
from daemon.history.events_of import event_at, events_of_chart
from daemon.history.explain import FieldWhy, Step, Why, explain_field, explain_intent, find_request, story_of
from events.ids import PracticeId
from events.schema import IntentRequested, Recorded
from events.store import Store
from events.writes import System
from projections.rules.fields import BY_NAME
from projections.terms.policy import Policy
from projections.words.known import FieldKnown
from projections.words.lines import Shown
from projections.words.moment import AsOf, is_past, parse_moment


def register(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain", help="why a write was made, or why a field is as it is: cause, values, rule, attempts, answer"
    )
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("what", help="an intent's id, the #sequence of any of its events, or elation:ID or kareo:ID")
    parser.add_argument("field", nargs="?", help=f"with a chart, the field: {', '.join(BY_NAME)}")
    parser.add_argument("--as-of", metavar="T", help="with a field: as it was known at a sequence number or an ISO time")
    parser.add_argument("--json", action="store_true")
    add_shown(parser)
    add_config(parser)
    parser.set_defaults(handler=explain)


def explain(arguments: argparse.Namespace) -> int:
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    practice = practice_of(config, arguments.practice)
    if practice is None:
        return 1
    policy, shown = policy_of(practice), Shown(values=arguments.values, names=arguments.names)
    try:
        chart = chart_of(arguments.what) if ":" in arguments.what else None
        moment = parse_moment(arguments.as_of, ZoneInfo(practice.time_zone)) if arguments.as_of else None
        if (chart is None) != (arguments.field is None) or (chart is None and moment is not None):
            raise ValueError("give an intent, or a chart and a field (--as-of goes with a field)")
        if arguments.field is not None and arguments.field not in BY_NAME:
            raise ValueError(f"field: unknown; known are {', '.join(BY_NAME)}")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2

    async def work() -> int:
        async with opened(config, beside) as store:
            if chart is not None:
                return await _field(store, policy, chart, arguments, moment, shown)
            return await _intent(store, policy, arguments.what, arguments.json, shown)

    return run_async(work())


async def _field(
    store: Store, policy: Policy, chart: tuple[str, int], arguments: argparse.Namespace, moment: AsOf | None, shown: Shown
) -> int:
    story = await events_of_chart(store, policy.practice, System(chart[0]), chart[1])
    past = [one for one in story if is_past(one, moment)]
    if not past:
        print(f"nothing is recorded about {arguments.what} in {policy.practice}", file=sys.stderr)
        return 1
    told = await explain_field(store, policy, past, arguments.field, shown)
    if arguments.json:
        print("\n".join(msgspec.json.encode(one).decode() for one in told))
    else:
        print("\n\n".join("\n".join(field_lines(one)) for one in told))
    return 0


async def _intent(store: Store, policy: Policy, what: str, as_json: bool, shown: Shown) -> int:
    request = await _request(store, policy.practice, what)
    if request is None:
        print(f"{what} is no intent and no event of one in {policy.practice}", file=sys.stderr)
        return 1
    told = await explain_intent(store, policy, request, shown)
    print(msgspec.json.encode(told).decode() if as_json else "\n".join(intent_lines(told)))
    return 0


async def _request(store: Store, practice: PracticeId, what: str) -> Recorded | None:
    """The request that `what` names: by sequence of any event of the intent, or by the intent's id."""
    number = what.removeprefix("#")
    if not (number.isascii() and number.isdigit() and len(number) < 20):
        return await find_request(store, practice, what)
    one = await event_at(store, practice, int(number))
    if one is None or isinstance(one.event.body, IntentRequested):
        return one
    intent = getattr(one.event.body, "intent", None)
    for other in await story_of(store, practice, one.event):
        if isinstance(other.event.body, IntentRequested) and other.event.body.intent == intent:
            return other
    return None


def intent_lines(why: Why) -> list[str]:
    text = [f"intent {why.intent} at {why.slot}, {why.system} {why.resource}: {why.outcome}", f"  wants  {why.write}"]
    text.append(f"  rule   {why.rule}")
    text += [f"  note   {note}" for note in why.notes]
    text += [f"  cause  {_event(step)}" for step in why.causes]
    text.append(f"  asked  {_event(why.request)}")
    text += [f"  before {_values(one)}" for one in why.fields]
    for step in why.steps:
        text.append(f"  then   {_event(step)}")
        if step.answer:
            text.append(f"  answer {step.answer}")
    return text


def field_lines(why: FieldWhy) -> list[str]:
    text = [f"{why.known.label} of {why.patient} (link: {why.link})", f"  now    {_values(why.known)}"]
    if why.conflict:
        text.append("  conflict: both sides changed it; nobody has marked it seen yet")
    text += [f"  waits  {slot} ({code}): {words}" for slot, code, words in why.waiting]
    text += [f"  event  {_event(step)}" for step in why.events]
    if why.write is not None:
        text += ["  last write:", *(f"    {line}" for line in intent_lines(why.write))]
    return text


def _event(step: Step) -> str:
    return f"#{step.sequence} {step.text}  [{step.id}]"


def _values(one: FieldKnown) -> str:
    base = "none yet" if one.base is None else repr(one.base)
    return f"{one.field}: Elation {one.ehr!r}, Kareo {one.billing!r}, base {base} ({one.verdict})"
