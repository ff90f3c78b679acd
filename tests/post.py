"""A mail server and a webhook receiver that keep what they get, and refuse or hold it when told to."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from daemon.demo.embedded import free_port


class PostOffice:
    """`mails` were accepted; `seen` are the ids of all that came as far as their text. `held`: it is not answered until then.

    `refusal` is what is said while it is `refusing`; mail for `strangers` is refused, and webhooks while `posts_away`.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.seen: list[str] = []
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.refusing = self.posts_away = False
        self.refusal = "451 come again"
        self.strangers: set[str] = set()
        self.server: asyncio.Server | None = None
        self.held: asyncio.Event | None = None
        self.smtp = f"127.0.0.1:{free_port()}"
        self.webhook = f"http://127.0.0.1:{free_port()}/notices"

    async def open(self) -> None:
        """Take mail, at the same address each time."""
        host, _, port = self.smtp.partition(":")
        self.server = await asyncio.get_running_loop().create_server(
            lambda: SMTP(self, hostname="post.example"), host, int(port)
        )

    def close(self) -> None:
        """Nobody listens any more."""
        if self.server is not None:
            self.server.close()

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.strangers:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.seen.append(str(mail["Message-ID"]))
        if self.held is not None:
            await self.held.wait()
        if self.refusing:
            return self.refusal
        self.mails.append(mail)
        self.to.append(list(envelope.rcpt_tos))
        return "250 taken"

    async def post(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.refusing or self.posts_away:
            return web.Response(status=503)
        self.posts.append((dict(request.headers), body))
        return web.Response()


@asynccontextmanager
async def post_office() -> AsyncIterator[PostOffice]:
    office = PostOffice()
    host = office.smtp.partition(":")[0]
    await office.open()
    app = web.Application()
    app.router.add_post("/notices", office.post)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, host, int(office.webhook.rpartition(":")[2].partition("/")[0])).start()
    try:
        yield office
    finally:
        office.close()
        await runner.cleanup()


def notify_section(office: PostOffice, **more: object) -> str:
    """`[notify]` for this post office; what is gathered is told after half a second."""
    values = {"gather_seconds": 0.5, "every_seconds": 1.0, **more}
    lines = "\n".join(f"{name} = {value!r}".replace("'", '"') for name, value in values.items())
    return f"""
[notify]
smtp = "{office.smtp}"
security = "none"
sender = "chartwire@clinic.example"
webhook = "{office.webhook}"
webhook_secret_file = "notify-secret"
console_url = "http://127.0.0.1:9000"
{lines}

[[notify.to]]
audience = "front desk"
email = ["desk@clinic.example"]
escalate = ["manager@clinic.example"]

[[notify.to]]
audience = "biller"
email = ["biller@clinic.example"]

[[notify.to]]
audience = "operator"
email = ["operator@clinic.example"]
"""
