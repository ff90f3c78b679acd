"""Everything that waited at the end of the clinic day is told, and no letter names anybody (I9)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from daemon.config import load
from daemon.notify import NotifyConfig, NotifyTo
from daemon.runtime.notices import PASSES
from daemon.runtime.notifier import Notifier
from daemon.runtime.surroundings import surroundings
from daemon.sandbox.clinic import write_private
from daemon.vendors.sections import SECTIONS
from events.ids import PracticeId
from tests.acceptance.test_metrics import identifying
from tests.acceptance.test_telemetry import leaks
from tests.post import PostOffice, post_office

if TYPE_CHECKING:
    from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)


@dataclass
class Owner:
    """Of both practices, in the epochs that the day's worker left."""

    configs: dict[PracticeId, Any]
    epochs: dict[PracticeId, int]

    @property
    def owned(self) -> list[PracticeId]:
        return list(self.epochs)


async def told(day: PlayedDay) -> PostOffice:
    folder = day.config.parent
    write_private(folder / "notify-secret", "s3cret")
    async with post_office() as office:
        to = tuple(NotifyTo(audience=one, email=("a@b.example",)) for one in ("front desk", "biller", "operator"))  # type: ignore[arg-type]
        notify = NotifyConfig(
            smtp=office.smtp, security="none", sender="c@d.example", webhook=office.webhook,
            webhook_secret_file="notify-secret", to=to, gather_seconds=0.001,
        )  # fmt: skip
        config = msgspec.structs.replace(load(day.config, SECTIONS), notify=notify)
        async with surroundings(config, folder) as around:
            heads = await around.store.pool.fetch("SELECT practice, epoch FROM chartwire.practice_head")
            owner = Owner(
                {PracticeId(one.id): one for one in config.practice}, {row["practice"]: row["epoch"] for row in heads}
            )
            notifier = Notifier(owner, around)
            for _ in range(3):
                await notifier.look()
        return office


def test_what_waits_after_the_day_is_told_and_names_nobody(played_day: PlayedDay) -> None:
    office = asyncio.run(told(played_day))
    waited = {(one["practice"], one["code"]) for one in played_day.report["waiting"] if one["code"] not in PASSES}
    posts = [json.loads(body) for _, body in office.posts]
    assert {(one["practice"], code) for one in posts for code in one["counts"]} == waited
    assert len(office.mails) == len(posts) == len({(one["practice"], one["audience"]) for one in posts})
    sent = "\n".join([*(str(mail) for mail in office.mails), *(body.decode() for _, body in office.posts)])
    assert leaks(sent, played_day.day.seeded) == []
    assert [one for one in identifying(played_day) if one.casefold() in sent.casefold()] == []
