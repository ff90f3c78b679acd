"""Quiet hours, floods and mail servers that are away, all against a real mail server (aiosmtpd): once, grouped, and naming nobody."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import structlog
from msgspec.structs import replace
from structlog.testing import LogCapture

from daemon.notify import NotifyTo
from daemon.runtime import postbox
from daemon.runtime.postbox import NotSent, Postbox
from events.store import Store
from tests.conftest import PRACTICE, until
from tests.integration.test_notifier import Desk, open_desk
from tests.post import PostOffice, post_office

EVENING = datetime(2026, 3, 3, 4, tzinfo=UTC)
"""Nine o'clock in Denver, where the practice is."""

MORNING = datetime(2026, 3, 3, 14, tzinfo=UTC)
"""Seven o'clock there: the quiet hours end."""


def told(office: PostOffice) -> list[tuple[str, str]]:
    """Whom each mail went to, and what it says in its subject."""
    return [
        (to[0].partition("@")[0], mail["Subject"].strip().partition(": ")[2])
        for to, mail in zip(office.to, office.mails, strict=True)
    ]


async def look_until(desk: Desk, end: datetime, minutes: float = 10) -> None:
    while desk.time < end:
        await desk.look(minutes * 60)


# -- quiet hours ----------------------------------------------------------------------------------------------------------


async def test_quiet_hours_hold_everything_back_and_end_with_one_message_for_each_audience(
    store: Store, tmp_path: Path
) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office, quiet="20:00-07:00") as desk:
        desk.time = EVENING
        for hour in range(9):
            await desk.wait_for("conflict", 2 * (hour + 1))
            await desk.wait_for("bill-error", hour + 1)
            await look_until(desk, EVENING + timedelta(hours=hour + 1))
            assert (office.seen, office.posts) == ([], []), f"told at {desk.time}"
        await look_until(desk, MORNING + timedelta(hours=2))
        assert sorted(told(office)) == [
            ("biller", "9 things wait for the biller"),
            ("desk", "18 things wait for the front desk"),
        ]
        assert len(office.posts) == 2


async def test_what_stops_a_practice_is_told_in_the_night_and_the_rest_is_not_with_it(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office, quiet="20:00-07:00") as desk:
        desk.time = EVENING
        await desk.wait_for("conflict", 3)
        await desk.look()
        await desk.wait_for("credentials")
        await look_until(desk, EVENING + timedelta(hours=1))
        assert told(office) == [("operator", "1 thing waits for the operator")]
        await desk.done("credentials")
        await look_until(desk, EVENING + timedelta(hours=2))
        assert told(office)[1:] == [("operator", "nothing waits for the operator any more")]
        await look_until(desk, MORNING + timedelta(hours=1))
        assert told(office)[2:] == [("desk", "3 things wait for the front desk")]


async def test_what_was_seen_to_in_the_night_is_not_told_in_the_morning(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office, quiet="20:00-07:00") as desk:
        desk.time = EVENING
        await desk.wait_for("conflict", 5)
        await look_until(desk, EVENING + timedelta(hours=3))
        await desk.done("conflict")
        await look_until(desk, MORNING + timedelta(hours=2))
        assert (office.seen, office.posts) == ([], [])


async def test_what_is_over_in_the_night_is_told_as_over_in_the_morning(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office, quiet="20:00-07:00") as desk:
        desk.time = EVENING - timedelta(hours=2)
        await desk.wait_for("conflict", 5)
        await look_until(desk, EVENING)
        await desk.done("conflict")
        await look_until(desk, MORNING - timedelta(minutes=10))
        assert len(office.mails) == 1
        await look_until(desk, MORNING + timedelta(hours=1))
        assert told(office) == [
            ("desk", "5 things wait for the front desk"),
            ("desk", "nothing waits for the front desk any more"),
        ]


# -- floods ---------------------------------------------------------------------------------------------------------------


async def test_a_flood_that_grows_while_its_message_is_on_the_way_stays_one_and_the_rest_is_one_more(
    store: Store, tmp_path: Path
) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office, every_seconds=3600.0) as desk:
        await desk.wait_for("conflict", 40)
        await desk.look()
        office.held = asyncio.Event()
        looking = asyncio.ensure_future(desk.look())
        await until(lambda: len(office.seen) == 1)
        await desk.wait_for("conflict", 400)
        office.held.set()
        await looking
        office.held = None
        for _ in range(30):
            await desk.look()
        assert told(office) == [("desk", "40 things wait for the front desk")], "the others within the hour are gathered"
        await look_until(desk, desk.time + timedelta(hours=2))
        assert told(office)[1:] == [("desk", "400 things wait for the front desk")]
        assert len(set(office.seen)) == 2


async def test_a_flood_that_grows_while_its_message_is_tried_again_stays_one_and_the_rest_is_one_more(
    store: Store, tmp_path: Path
) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office, every_seconds=3600.0) as desk:
        office.refusing = True
        for count in range(1, 60):
            await desk.wait_for("conflict", count)
            await desk.look(30)
        assert len(set(office.seen)) == 1
        assert len(office.seen) > 3
        office.refusing = False
        await look_until(desk, desk.time + timedelta(hours=4))
        (first, _), (second, _) = (one[1].split(" ", 1) for one in told(office))
        assert (int(first) < 10, second) == (True, "59")


# -- a mail server that is away -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "away", ["451 come again", "421 closing", "554 no", "552 too much", "nobody listens", "never answers"]
)
async def test_a_mail_server_that_is_away_for_a_while_gets_the_message_once_and_then_that_it_is_over(
    store: Store, tmp_path: Path, away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        if away == "nobody listens":
            office.close()
        elif away == "never answers":
            monkeypatch.setattr(postbox, "SECONDS", 0.2)
            office.held = asyncio.Event()
        else:
            office.refusing, office.refusal = True, away
        await desk.wait_for("conflict", 7)
        await look_until(desk, desk.time + timedelta(hours=2))
        assert office.mails == []
        assert desk.meter.counts["notices.waiting.delayed"] > 4
        monkeypatch.undo()
        office.refusing, office.held = False, None
        if away == "nobody listens":
            await office.open()
        await look_until(desk, desk.time + timedelta(hours=3))
        await desk.done("conflict")
        await look_until(desk, desk.time + timedelta(hours=3))
        assert told(office) == [
            ("desk", "7 things wait for the front desk"),
            ("desk", "nothing waits for the front desk any more"),
        ]
        assert len(set(office.seen)) == 2, "each message keeps its id"
        assert desk.meter.counts["notices.waiting.sent"] == 1


async def test_a_webhook_that_is_away_sends_nobody_the_same_mail_again_whoever_owns_the_practice(
    store: Store, tmp_path: Path
) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        office.posts_away = True
        await desk.wait_for("conflict")
        await look_until(desk, desk.time + timedelta(hours=4))
        desk.epochs[PRACTICE] = await store.take_over(PRACTICE, "two:2")
        await look_until(desk, desk.time + timedelta(hours=4))
        assert len(office.seen) == 1
        office.posts_away = False
        await look_until(desk, desk.time + timedelta(hours=2))
        assert (len(office.seen), len(office.posts)) == (1, 1)
        assert json.loads(office.posts[0][1])["id"] in office.seen[0]


async def test_a_mail_server_that_is_away_keeps_the_webhook_from_nothing(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        office.close()
        await desk.wait_for("conflict")
        await look_until(desk, desk.time + timedelta(hours=4))
        assert len(office.posts) == 1
        await office.open()
        await look_until(desk, desk.time + timedelta(hours=2))
        assert (len(office.mails), len(office.posts)) == (1, 1)


async def test_an_address_that_the_mail_server_does_not_know_is_said_and_the_others_are_told_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = LogCapture()  # whatever a command has configured before
    monkeypatch.setattr(postbox, "log", structlog.wrap_logger(None, processors=[said], wrapper_class=structlog.BoundLogger))
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        office.strangers.add("typo@clinic.example")
        to = NotifyTo(audience="front desk", email=("typo@clinic.example", "desk@clinic.example"))
        desk.config = replace(desk.config, notify=replace(desk.config.notify, to=(to,)))
        await desk.wait_for("conflict")
        await look_until(desk, desk.time + timedelta(hours=2))
        assert office.to == [["desk@clinic.example"]]
    (refused,) = [one for one in said.entries if one["event"] == "notice_address_refused"]
    assert refused["address"] == "typo@clinic.example"


async def test_a_mail_server_can_be_greeted_without_a_letter(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        post = Postbox(desk.config.notify, desk.beside, desk.session, desk.now)
        await post.reach()
        assert office.seen == []
        office.close()
        with pytest.raises(NotSent, match="SMTPConnectError"):
            await post.reach()


# -- nobody is named ------------------------------------------------------------------------------------------------------


def everything(mail: EmailMessage) -> str:
    """Every header, and every part as it is read."""
    parts = [str(part.get_content()) for part in mail.walk() if not part.is_multipart()]
    return "\n".join([*(f"{name}: {value}" for name, value in mail.items()), mail.as_string(), *parts])


async def test_no_part_of_a_message_names_a_patient_or_a_record(store: Store, tmp_path: Path) -> None:
    """What waits is stored with the records' numbers: none leaves, in whatever kind of message or part of it."""
    record = "7183940265"
    async with post_office() as office, open_desk(store, tmp_path, office, escalate_seconds=1200.0) as desk:
        for code in ("conflict", "bill-error", "credentials"):
            await store.pool.execute(
                "INSERT INTO chartwire.waiting VALUES ($1, $2, $3, $4, $5)",
                PRACTICE, f"K:{record}", f"bill:{record}:{code}", code, desk.time,
            )  # fmt: skip
        await look_until(desk, desk.time + timedelta(hours=2))
        for code in ("conflict", "bill-error", "credentials"):
            await desk.done(code)
        await look_until(desk, desk.time + timedelta(hours=2))
    kinds = {json.loads(body)["kind"] for _, body in office.posts}
    assert kinds == {"waiting", "escalation", "over"}
    sent = "\n".join([*map(everything, office.mails), *(f"{headers}{body.decode()}" for headers, body in office.posts)])
    assert "conflict" in sent
    assert record not in sent
    assert {part.get_content_type() for mail in office.mails for part in mail.walk()} == {"text/plain"}
