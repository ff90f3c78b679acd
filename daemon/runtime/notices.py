"""What people are to be told, and when. Pure: what waits, what was told, the rules and the time give what is told next.

What has grown is gathered for a while, then told in one message, at most every so often; in quiet hours only what stops a practice.
What fell is not told, but for the last: then it is over. What nobody sees to is told to others, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from daemon.notify import NotifyConfig
from daemon.tables.notices import Counts, Notice, Told
from events.backoff import Backoff
from events.codes import WaitCode
from projections.words.remedy import Audience, meaning_of

PASSES = frozenset(
    {
        WaitCode.DIRECTORY_PENDING, WaitCode.THROTTLED, WaitCode.CARRIER_PENDING, WaitCode.PLAN_PENDING, WaitCode.CASE_PENDING,
        WaitCode.CASES_PENDING, WaitCode.CHART_PENDING, WaitCode.DEFERRED, WaitCode.UNSIGNED, WaitCode.CHART_NOT_READ,
        WaitCode.SURVIVOR_NOT_SEEN, WaitCode.TROUBLED, WaitCode.CANDIDATES_ELSEWHERE,
        WaitCode.ON_HOLD,
    }
)  # fmt: skip
"""What goes on by itself, or is told with the other chart that it is about: nobody is told."""

URGENT = frozenset({WaitCode.CREDENTIALS, WaitCode.UNREACHABLE, WaitCode.UNUSABLE, WaitCode.STANDS_STILL})
"""What stops a practice: told in quiet hours, too."""

GIVEN_UP = timedelta(days=1)
BACKOFF = Backoff(first=30.0, longest=3600.0)

WAITING, ESCALATION, OVER = "waiting", "escalation", "over"


def needing(waiting: Mapping[str, tuple[int, datetime]]) -> dict[Audience, dict[str, tuple[int, datetime]]]:
    """What of it needs a person, by audience."""
    found: dict[Audience, dict[str, tuple[int, datetime]]] = {audience: {} for audience in Audience}
    for code, one in waiting.items():
        if code not in PASSES:
            found[meaning_of(code).audience][code] = one
    return found


def is_quiet(config: NotifyConfig, zone: ZoneInfo, now: datetime) -> bool:
    hours = config.quiet_hours
    if hours is None:
        return False
    here, (begin, end) = now.astimezone(zone).time(), hours
    return begin <= here < end if begin <= end else here >= begin or here < end


def decide(
    told: Told, waiting: Mapping[str, tuple[int, datetime]], config: NotifyConfig, zone: ZoneInfo, now: datetime, id_: str
) -> Told:
    """What is known after now; with `sending` when a message is due. `id_` is the next message's."""
    if told.sending is not None:
        return told
    counts = {code: count for code, (count, _) in sorted(waiting.items())}
    grown = {code for code, count in counts.items() if count > told.counts.get(code, 0)}
    if not grown:
        return _fallen(told, counts, config, zone, now, id_)
    told = replace(told, changed=told.changed or now)
    assert told.changed is not None
    urgent = bool(grown & URGENT)
    due = now - told.changed >= timedelta(seconds=config.gather_seconds)
    often = told.at is not None and now - told.at < timedelta(seconds=config.every_seconds)
    fresh = urgent and not told.counts.keys() & URGENT
    if not due or (often and not fresh) or (is_quiet(config, zone, now) and not urgent):
        return told
    return replace(told, sending=_message(id_, WAITING, counts, now))


def _fallen(told: Told, counts: Counts, config: NotifyConfig, zone: ZoneInfo, now: datetime, id_: str) -> Told:
    """Nothing new. Is it over, or has nobody seen to it?"""
    if not counts and told.counts:
        told = replace(told, changed=told.changed or now)
        assert told.changed is not None
        due = now - told.changed >= timedelta(seconds=config.gather_seconds)
        quiet = is_quiet(config, zone, now) and not told.counts.keys() & URGENT
        return replace(told, sending=_message(id_, OVER, told.counts, now)) if due and not quiet else told
    if counts != told.counts:
        told = replace(told, counts=counts)
    told = replace(told, changed=None)
    unseen = told.at is not None and now - told.at >= timedelta(seconds=config.escalate_seconds)
    if counts and unseen and not told.escalated and not is_quiet(config, zone, now):
        return replace(told, sending=_message(id_, ESCALATION, counts, now))
    return told


def _message(id_: str, kind: str, counts: Counts, now: datetime) -> Notice:
    return Notice(id=id_, kind=kind, counts=counts, since=now, next_try=now)


def trying(told: Told, now: datetime) -> Told:
    """The message is tried now; what is to be known before, so that the next owner does not try it at once again."""
    assert told.sending is not None
    tries = told.sending.tries
    pause = timedelta(seconds=BACKOFF.pause(tries + 1))
    return replace(told, sending=replace(told.sending, tries=tries + 1, next_try=now + pause))


def left_by(told: Told, taken: tuple[str, ...]) -> Told:
    """The message has left by these ways, and is tried again by the others."""
    assert told.sending is not None
    return replace(told, sending=replace(told.sending, taken=taken))


def is_given_up_by(message: Notice, now: datetime) -> bool:
    """Tried for a day."""
    return now - message.since > GIVEN_UP


def sent(told: Told, now: datetime) -> Told:
    """The message is out, or given up."""
    message = told.sending
    assert message is not None
    if message.kind == OVER:
        return Told()
    if message.kind == ESCALATION:
        return replace(told, sending=None, escalated=True)
    return replace(told, sending=None, counts=message.counts, at=now, changed=None, escalated=False)
