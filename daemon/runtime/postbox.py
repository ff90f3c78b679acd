"""How a letter leaves: by mail (SMTP) and by a signed webhook. Both carry the letter's id, so that what comes twice is known again."""

from __future__ import annotations

import hashlib
import hmac
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import structlog

from daemon.notify import NotifyConfig
from daemon.runtime.letters import Letter
from daemon.sections import secret
from daemon.servers import host_and_port

SECONDS = 30.0
SIGNATURE, ID = "Chartwire-Signature", "Chartwire-Notification"


MAIL, WEBHOOK = "mail", "webhook"

log = structlog.get_logger()


class NotSent(Exception):
    """A letter did not leave by every way; its text names the kind of failure only, `taken` are the ways that it left by."""

    def __init__(self, failure: str, taken: Sequence[str] = ()) -> None:
        super().__init__(failure)
        self.taken = tuple(taken)


class Postbox:
    """Where letters go. `beside` is the configuration's folder, which the secrets lie beside."""

    def __init__(
        self, config: NotifyConfig, beside: Path, session: aiohttp.ClientSession, now: Callable[[], datetime]
    ) -> None:
        self._config = config
        self._beside = beside
        self._session = session
        self._now = now

    async def send(self, letter: Letter, addresses: Sequence[str], taken: Sequence[str] = ()) -> None:
        """By every way that is configured and has not `taken` it before. Raises NotSent when one did not: only that is tried again,
        with the same id. One that is away keeps no other from being tried."""
        done, failures = list(taken), []
        ways: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        if self._config.smtp and addresses:
            ways.append((MAIL, lambda: self._mail(letter, addresses)))
        if self._config.webhook:
            ways.append((WEBHOOK, lambda: self._post(letter)))
        for name, send in ways:
            if name in done:
                continue
            try:
                await send()
                done.append(name)
            except NotSent as failure:
                failures.append(f"{name}: {failure}")
        if failures:
            raise NotSent(", ".join(failures), done)

    async def reach(self) -> None:
        """Greet the mail server as for a letter, and send none. Raises NotSent."""
        import aiosmtplib

        try:
            async with aiosmtplib.SMTP(**self._server()):
                pass
        except (aiosmtplib.SMTPException, OSError, ValueError) as failure:
            raise NotSent(type(failure).__name__) from None

    def _server(self) -> dict[str, Any]:
        """How the mail server is spoken to. Raises OSError and ValueError where the password's file cannot be read."""
        config = self._config
        where = host_and_port(config.smtp)
        assert where is not None, "checked with the configuration"
        return {
            "hostname": where[0],
            "port": where[1],
            "username": config.user or None,
            "password": secret(config.password_file, self._beside) if config.password_file else None,
            "use_tls": config.security == "tls",
            "start_tls": config.security == "starttls",
            "tls_context": None if config.security == "none" else ssl.create_default_context(),
            "timeout": SECONDS,
        }

    def _message(self, letter: Letter, addresses: Sequence[str]) -> EmailMessage:
        """Raises ValueError where a header cannot hold what it is to say."""
        config = self._config
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = config.sender, ", ".join(addresses), letter.subject
        message["Date"] = format_datetime(self._now())
        message["Message-ID"] = f"<{letter.id}@{config.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message[ID] = letter.id
        message.set_content(letter.text)
        return message

    async def _mail(self, letter: Letter, addresses: Sequence[str]) -> None:
        import aiosmtplib

        try:
            refused, _ = await aiosmtplib.send(self._message(letter, addresses), **self._server())
        except (aiosmtplib.SMTPException, OSError, ValueError) as failure:
            raise NotSent(type(failure).__name__) from None
        for address, answer in refused.items():
            log.warning(
                "notice_address_refused", practice=letter.practice, key="notify.to", address=address, status=answer.code
            )

    async def _post(self, letter: Letter) -> None:
        try:
            key = secret(self._config.webhook_secret_file, self._beside).encode()
            body = msgspec.json.encode(letter)
            headers = {
                "Content-Type": "application/json",
                ID: letter.id,
                SIGNATURE: signature(key, body, int(self._now().timestamp())),
            }
            timeout = aiohttp.ClientTimeout(total=SECONDS)
            async with self._session.post(
                self._config.webhook, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                if answer.status >= 300:
                    raise NotSent(f"HTTP {answer.status}")
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as failure:
            raise NotSent(type(failure).__name__) from None


def signature(key: bytes, body: bytes, at: int) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 over `SECONDS.BODY`, so that an old body cannot be sent again as a new one."""
    return f"t={at},v1={hmac.new(key, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"
