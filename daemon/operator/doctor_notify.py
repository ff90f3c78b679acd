"""What the doctor looks at in `[notify]`: whether letters could leave, and whether anybody would get them. It sends none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import aiohttp

from daemon.config import Config
from daemon.findings import Finding, error, warning
from daemon.notify import AudienceName
from daemon.runtime.postbox import NotSent, Postbox

PATIENCE = 30.0
SHOWN = 3


async def look_at_notify(
    config: Config, beside: Path, session: aiohttp.ClientSession, now: Callable[[], datetime]
) -> list[Finding]:
    """Nothing where nobody is to be told."""
    notify = config.notify
    found = _untold(config)
    if notify.smtp:
        try:
            async with asyncio.timeout(PATIENCE):
                await Postbox(notify, beside, session, now).reach()
        except (NotSent, TimeoutError) as failure:
            found.append(_mail(config, str(failure) or type(failure).__name__))
    if notify.webhook:
        found += await _webhook(notify.webhook)
    return found


def _mail(config: Config, why: str) -> Finding:
    smtp = config.notify.smtp
    if "Authentication" in why:
        text = f"the mail server {smtp} refuses user {config.notify.user} ({why}): nobody is told by mail"
        return error(
            "notify-mail",
            "notify.password_file",
            text,
            f"put the password of {config.notify.user} into {config.notify.password_file}",
        )
    host, _, port = smtp.rpartition(":")
    text = f"the mail server {smtp} takes no mail ({why}): nobody is told by mail"
    repair = (
        f"nc -vz {host} {port} says whether it can be reached; then smtp and security in [notify] (587: starttls, 465: tls)"
    )
    return error("notify-mail", "notify.smtp", text, repair)


async def _webhook(url: str) -> list[Finding]:
    """Whether somebody listens there: a message that is none cannot be sent."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port, ssl=parts.scheme == "https")
            writer.close()
    except (OSError, TimeoutError) as failure:
        text = f"the webhook at {host}:{port} cannot be reached ({type(failure).__name__}): nobody is told by it"
        return [
            error(
                "notify-webhook",
                "notify.webhook",
                text,
                f"nc -vz {host} {port} says whether it can be reached; then webhook in [notify]",
            )
        ]
    return []


def _untold(config: Config) -> list[Finding]:
    """Audiences of practices that no row names, where mail is the only way."""
    notify, found = config.notify, []
    if not notify.smtp or notify.webhook:
        return []
    for audience in get_args(AudienceName):
        rows = [one for one in notify.to if one.audience == audience and one.email]
        untold = [one.id for one in config.practice if not any(one.id in (row.practices or (one.id,)) for row in rows)]
        if untold:
            shown = ", ".join(untold[:SHOWN]) + (f" and {len(untold) - SHOWN} more" if len(untold) > SHOWN else "")
            text = f"nobody is told what waits for the {audience} of {shown}"
            repair = (
                f'[[notify.to]] with audience = "{audience}" and email = ["NAME@HOST"], then systemctl restart chartwire'
            )
            found.append(warning("notify-nobody", "notify.to", text, repair))
    return found
