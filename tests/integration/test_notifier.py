"""Letters leave by a real mail server and a real webhook: once, signed, and again for a day where they are not taken."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from daemon.config import Config, PracticeConfig, load
from daemon.runtime.notifier import Notifier
from daemon.runtime.postbox import signature
from daemon.sandbox.clinic import Clinic, write_private
from daemon.tables.notices import read_told
from daemon.telemetry import Meter
from daemon.vendors.sections import SECTIONS
from events.ids import PracticeId
from events.store import Store
from tests.conftest import PRACTICE
from tests.post import PostOffice, notify_section, post_office

START = datetime(2026, 3, 2, 18, tzinfo=UTC)


@dataclass
class Desk:
    """A worker as far as it tells people, with a clock of the test's own; and what else its notifier is given."""

    store: Store
    config: Config
    beside: Path
    session: aiohttp.ClientSession
    epochs: dict[PracticeId, int]
    meter: Meter = field(default_factory=Meter)
    time: datetime = START

    def now(self) -> datetime:
        return self.time

    @property
    def configs(self) -> dict[PracticeId, PracticeConfig]:
        return {PracticeId(one.id): one for one in self.config.practice}

    @property
    def owned(self) -> list[PracticeId]:
        return list(self.epochs)

    async def look(self, seconds: float = 60.0) -> None:
        """Time goes by, and the notifier looks."""
        self.time += timedelta(seconds=seconds)
        around: Any = self
        await Notifier(self, around).look()

    async def wait_for(self, code: str, count: int = 1) -> None:
        await self.store.pool.execute(
            "INSERT INTO chartwire.waiting SELECT $1, 'K:' || n, $2, $2, $4 FROM generate_series(1, $3) AS n ON CONFLICT DO NOTHING",
            PRACTICE, code, count, self.time,
        )  # fmt: skip

    async def done(self, code: str) -> None:
        await self.store.pool.execute("DELETE FROM chartwire.waiting WHERE code = $1", code)


@asynccontextmanager
async def open_desk(store: Store, folder: Path, office: PostOffice, **more: object) -> AsyncIterator[Desk]:
    clinic = Clinic(offices=1)
    await clinic.start()
    await clinic.stop()
    write_private(folder / "notify-secret", "s3cret")
    file = clinic.write_config(folder, dsn="postgresql://localhost/x", bootstrap_servers="127.0.0.1:1", listen="127.0.0.1:1")
    file.write_text(notify_section(office, **more) + file.read_text())
    async with aiohttp.ClientSession() as session:
        yield Desk(store, load(file, SECTIONS), folder, session, {PRACTICE: await store.take_over(PRACTICE, "one:1")})


async def test_a_letter_names_counts_a_command_and_a_link_and_is_sent_once(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        await desk.wait_for("conflict", 12)
        for _ in range(5):
            await desk.look()
        (mail,) = office.mails
        assert (mail["Subject"].strip(), office.to) == (
            "[chartwire] Elm Street Family Medicine: 12 things wait for the front desk",
            [["desk@clinic.example"]],
        )
        text = mail.get_content()
        assert "12  conflict" in text
        assert "chartwire waiting elm" in text
        assert "http://127.0.0.1:9000/practices/elm/waiting" in text
        assert mail["Auto-Submitted"] == "auto-generated"
        assert desk.meter.counts["notices.waiting.sent"] == 1


async def test_a_webhook_is_signed_over_its_time_and_body(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        await desk.wait_for("bill-error")
        await desk.look()
        await desk.look()
        ((headers, body),) = office.posts
        told = json.loads(body)
        assert (told["kind"], told["audience"], told["counts"]) == ("waiting", "biller", {"bill-error": 1})
        assert told["id"] == headers["Chartwire-Notification"]
        at, mac = (part.partition("=")[2] for part in headers["Chartwire-Signature"].split(","))
        assert mac == hmac.new(b"s3cret", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        assert signature(b"other", body, int(at)) != headers["Chartwire-Signature"]


async def test_a_letter_that_is_not_taken_is_tried_again_with_the_same_id_and_given_up_after_a_day(
    store: Store, tmp_path: Path
) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office, escalate_seconds=2_000_000.0) as desk:
        office.refusing = True
        await desk.wait_for("conflict")
        for _ in range(40):
            await desk.look(3601)
        assert (len(set(office.seen)), office.mails) == (1, [])
        assert 20 < len(office.seen) < 40
        assert desk.meter.counts["notices.waiting.given_up"] == 1
        office.refusing = False
        await desk.wait_for("refused")
        await desk.look(3601)
        await desk.look(3601)
        (mail,) = office.mails
        assert "2 things wait" in mail["Subject"], "what was given up is told with what comes next"


async def test_it_is_over_when_it_is_over(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        await desk.wait_for("conflict", 3)
        await desk.look()
        await desk.look()
        await desk.done("conflict")
        for _ in range(4):
            await desk.look()
        assert [one["Subject"].partition(": ")[2] for one in office.mails] == [
            "3 things wait for the front desk",
            "nothing waits for the front desk any more",
        ]


async def test_what_nobody_sees_to_goes_to_those_named_for_it(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office, escalate_seconds=600.0) as desk:
        await desk.wait_for("conflict")
        for _ in range(20):
            await desk.look()
        assert office.to == [["desk@clinic.example"], ["manager@clinic.example"]]
        assert "still wait" in office.mails[1]["Subject"]


async def test_a_worker_that_was_overtaken_tells_nobody(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        await desk.wait_for("conflict")
        await desk.look()
        await store.take_over(PRACTICE, "two:2")
        for _ in range(3):
            await desk.look()
        assert (office.mails, office.posts) == ([], [])


async def test_the_next_owner_goes_on_where_the_last_one_was(store: Store, tmp_path: Path) -> None:
    """Nothing is told twice, and a letter that was under way is tried after its pause, as the same letter."""
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        office.refusing = True
        await desk.wait_for("conflict")
        await desk.look()
        await desk.look()
        desk.epochs[PRACTICE] = await store.take_over(PRACTICE, "two:2")
        office.refusing = False
        await desk.look(1)
        assert office.mails == [], "the pause is kept"
        for _ in range(5):
            await desk.look()
        desk.epochs[PRACTICE] = await store.take_over(PRACTICE, "three:3")
        for _ in range(5):
            await desk.look()
        assert len(office.mails) == 1
        assert len(set(office.seen)) == 1
        told = await read_told(store.pool, [PRACTICE])
        assert told[PRACTICE, "front desk"].counts == {"conflict": 1}


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"quiet": "8-9"}, "notify.quiet"),
        ({"smtp": "nowhere"}, "notify.smtp"),
        ({"smtp": "mail.example:25"}, "notify.security"),
        ({"sender": "me"}, "notify.sender"),
        ({"webhook": "http://other.example/"}, "notify.webhook"),
        ({"webhook_secret_file": ""}, "notify.webhook_secret_file"),
        ({"to": ()}, "notify.to"),
    ],
)
async def test_what_cannot_work_is_refused_with_its_key(
    store: Store, tmp_path: Path, values: dict[str, Any], key: str
) -> None:
    import msgspec

    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        section = desk.config.notify
        assert section.check("notify", tmp_path) == []
        assert key in {one for one, _ in msgspec.structs.replace(section, **values).check("notify", tmp_path)}
