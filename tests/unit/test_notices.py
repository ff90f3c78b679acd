"""What people are told and when: from what waits, what was told, the rules and the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from daemon.notify import NotifyConfig
from daemon.runtime.notices import (
    ESCALATION,
    OVER,
    PASSES,
    WAITING,
    decide,
    is_given_up_by,
    is_quiet,
    needing,
    sent,
    trying,
)
from daemon.tables.notices import Told
from events.codes import WaitCode
from projections.words.remedy import Audience

DENVER = ZoneInfo("America/Denver")
NOON = datetime(2026, 3, 2, 12, tzinfo=DENVER)
RULES = NotifyConfig(gather_seconds=300, every_seconds=3600, escalate_seconds=7200, quiet="20:00-07:00")


def waiting(**counts: int) -> dict[str, tuple[int, datetime]]:
    return {code.replace("_", "-"): (count, NOON - timedelta(minutes=5)) for code, count in counts.items()}


class Desk:
    """One audience, minute by minute: what was sent to it, as (minutes after noon, kind, counts)."""

    def __init__(self, start: datetime = NOON, rules: NotifyConfig = RULES) -> None:
        self.told, self.now, self.rules, self.start = Told(), start, rules, start
        self.sent: list[tuple[int, str, dict[str, int]]] = []

    def wait(self, minutes: int, **counts: int) -> None:
        for _ in range(minutes):
            self.told = decide(self.told, waiting(**counts), self.rules, DENVER, self.now, "id")
            if (message := self.told.sending) is not None:
                self.sent.append((round((self.now - self.start).total_seconds() / 60), message.kind, dict(message.counts)))
                self.told = sent(trying(self.told, self.now), self.now)
            self.now += timedelta(minutes=1)


def test_what_begins_to_wait_is_gathered_and_told_once() -> None:
    desk = Desk()
    desk.wait(2, conflict=1)
    desk.wait(100, conflict=2, refused=1)
    assert desk.sent == [(5, WAITING, {"conflict": 2, "refused": 1})]


def test_a_flood_is_one_message_and_what_comes_later_is_told_at_most_once_an_hour() -> None:
    desk = Desk()
    for minute in range(110):
        desk.wait(1, refused=minute + 1)
    assert [(minute, counts["refused"]) for minute, _, counts in desk.sent] == [(5, 6), (65, 66)]


def test_when_the_last_is_gone_it_is_over_and_what_fell_before_is_not_told() -> None:
    desk = Desk()
    desk.wait(10, conflict=3)
    desk.wait(10, conflict=1)
    desk.wait(20)
    assert [kind for _, kind, _ in desk.sent] == [WAITING, OVER]
    assert desk.told == Told()


def test_what_fell_and_grows_again_is_told_again() -> None:
    desk = Desk()
    desk.wait(10, conflict=3)
    desk.wait(60, conflict=1)
    desk.wait(10, conflict=2)
    assert [(kind, counts) for _, kind, counts in desk.sent] == [(WAITING, {"conflict": 3}), (WAITING, {"conflict": 2})]


def test_what_comes_and_goes_within_the_gathering_is_not_told() -> None:
    desk = Desk()
    desk.wait(3, conflict=1)
    desk.wait(30)
    assert desk.sent == []


def test_a_flicker_is_not_over() -> None:
    desk = Desk()
    desk.wait(10, conflict=1)
    desk.wait(2)
    desk.wait(30, conflict=1)
    assert [kind for _, kind, _ in desk.sent] == [WAITING]


def test_in_quiet_hours_only_what_stops_a_practice_is_told() -> None:
    night = NOON.replace(hour=21)
    desk = Desk(night)
    desk.wait(60, bill_error=1)
    assert desk.sent == []
    desk.wait(30, bill_error=1, credentials=1)
    assert [(kind, counts) for _, kind, counts in desk.sent] == [(WAITING, {"bill-error": 1, "credentials": 1})]


def test_what_waited_through_the_night_is_told_in_the_morning() -> None:
    desk = Desk(NOON.replace(hour=21))
    desk.wait(12 * 60, bill_error=1)
    (minute, kind, _), *_ = desk.sent
    assert (minute, kind) == (10 * 60, WAITING), "seven o'clock in Denver"


def test_what_stops_a_practice_is_told_soon_whatever_was_told_before() -> None:
    desk = Desk()
    desk.wait(10, refused=1)
    desk.wait(10, refused=1, stands_still=1)
    assert [minute for minute, _, _ in desk.sent] == [5, 15]


def test_what_nobody_sees_to_is_told_to_others_once() -> None:
    desk = Desk()
    desk.wait(500, conflict=1)
    assert [(minute, kind) for minute, kind, _ in desk.sent] == [(5, WAITING), (125, ESCALATION)]


def test_more_of_it_begins_the_time_to_escalation_anew() -> None:
    desk = Desk()
    desk.wait(100, conflict=1)
    desk.wait(300, conflict=2)
    assert [(minute, kind) for minute, kind, _ in desk.sent] == [(5, WAITING), (105, WAITING), (225, ESCALATION)]


def test_a_message_under_way_is_not_replaced_and_its_id_stays() -> None:
    told = Told(changed=NOON - timedelta(hours=1))
    told = decide(told, waiting(conflict=1), RULES, DENVER, NOON, "first")
    tried = trying(told, NOON)
    again = decide(tried, waiting(conflict=9), RULES, DENVER, NOON + timedelta(hours=1), "second")
    assert again == tried
    assert again.sending is not None
    assert (again.sending.id, again.sending.tries) == ("first", 1)


def test_tries_come_at_growing_pauses_for_a_day() -> None:
    told = decide(Told(changed=NOON - timedelta(hours=1)), waiting(conflict=1), RULES, DENVER, NOON, "id")
    now, tries = NOON, 0
    while told.sending is not None and not is_given_up_by(told.sending, now):
        told, tries = trying(told, now), tries + 1
        assert told.sending is not None
        assert told.sending.next_try - now <= timedelta(hours=1)
        now = told.sending.next_try
    assert now - NOON > timedelta(days=1)
    assert 25 < tries < 50
    assert sent(told, now).sending is None


@pytest.mark.parametrize(("hour", "quiet"), [(6, True), (7, False), (19, False), (20, True), (23, True)])
def test_quiet_hours_are_the_practices(hour: int, quiet: bool) -> None:
    assert is_quiet(RULES, DENVER, NOON.replace(hour=hour).astimezone(UTC)) is quiet
    by_day = NotifyConfig(quiet="12:00-13:00")
    assert is_quiet(by_day, DENVER, NOON) is True
    assert is_quiet(by_day, DENVER, NOON + timedelta(hours=1)) is False


def test_each_code_is_for_one_audience_and_what_passes_is_for_nobody() -> None:
    found = needing({code.value: (1, NOON) for code in WaitCode})
    told = [code for codes in found.values() for code in codes]
    assert sorted(told) == sorted(set(WaitCode) - PASSES)
    assert "bill-error" in found[Audience.BILLER]
    assert "conflict" in found[Audience.FRONT_DESK]
    assert {"credentials", "stands-still"} <= found[Audience.OPERATOR].keys()
