"""What the doctor says of mail servers and webhooks that people are told by, against real ones."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from daemon.findings import Severity
from daemon.notify import NotifyTo
from daemon.operator.doctor_notify import look_at_notify
from events.store import Store
from tests.integration.test_notifier import Desk, open_desk
from tests.post import post_office


async def codes(desk: Desk) -> list[str]:
    return [one.code for one in await look_at_notify(desk.config, desk.beside, desk.session, desk.now)]


async def test_ways_that_can_be_gone_are_no_finding_and_nothing_is_sent(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        assert await codes(desk) == []
        assert (office.seen, office.posts) == ([], [])
        silent = replace(desk.config, notify=type(desk.config.notify)())
        assert await look_at_notify(silent, desk.beside, desk.session, desk.now) == []


async def test_a_mail_server_and_a_webhook_that_are_away(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        office.close()
        (found,) = await look_at_notify(desk.config, desk.beside, desk.session, desk.now)
        assert (found.code, found.severity, found.key) == ("notify-mail", Severity.ERROR, "notify.smtp")
        host, _, port = office.smtp.rpartition(":")
        assert f"nc -vz {host} {port}" in found.repair
        await office.open()
        assert await codes(desk) == []
    async with open_desk(store, tmp_path, office) as desk:
        assert await codes(desk) == ["notify-mail", "notify-webhook"]


async def test_a_mail_server_that_knows_no_such_user_is_told_by_the_password(store: Store, tmp_path: Path) -> None:
    """This one offers no way to sign in at all."""
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        desk.config = replace(
            desk.config, notify=replace(desk.config.notify, user="chartwire", password_file="notify-secret")
        )
        (found,) = await look_at_notify(desk.config, desk.beside, desk.session, desk.now)
        assert found.code == "notify-mail"
        assert "s3cret" not in found.text + found.repair


async def test_an_audience_that_nobody_is_named_for(store: Store, tmp_path: Path) -> None:
    async with post_office() as office, open_desk(store, tmp_path, office) as desk:
        to = (
            NotifyTo(audience="biller", email=("a@b.example",)),
            NotifyTo(audience="operator", email=("a@b.example",), practices=("oak",)),
        )
        desk.config = replace(desk.config, notify=replace(desk.config.notify, to=to, webhook=""))
        found = await look_at_notify(desk.config, desk.beside, desk.session, desk.now)
        assert [one.code for one in found] == ["notify-nobody"] * 2
        assert {one.text for one in found} == {
            "nobody is told what waits for the front desk of elm",
            "nobody is told what waits for the operator of elm",
        }
        added = tuple(NotifyTo(audience=one, email=("a@b.example",)) for one in ("front desk", "operator"))  # type: ignore[arg-type]
        desk.config = replace(desk.config, notify=replace(desk.config.notify, to=(*to, *added)))
        assert await codes(desk) == []
