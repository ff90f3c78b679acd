"""`[notify]`: who is told what needs a person, by mail or webhook, and when not."""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from daemon.sections import LOCAL, ConfigProblem, Seconds, Section, check_secret, check_url, or_insecure
from daemon.servers import host_and_port

MailAddress = Annotated[str, msgspec.Meta(pattern=r"^[^@\s<>\"]+@[^@\s<>\"]+$", max_length=254)]
AudienceName = Literal["front desk", "biller", "operator"]
_QUIET = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$")


class NotifyTo(Section, frozen=True, kw_only=True):
    """Who is told for an audience, and `escalate`: who is told once nobody has seen to it. Without `practices`: of all."""

    audience: AudienceName
    email: tuple[MailAddress, ...]
    escalate: tuple[MailAddress, ...] = ()
    practices: tuple[str, ...] = ()


class NotifyConfig(Section, frozen=True, kw_only=True):
    """Nothing is sent where neither `smtp` nor `webhook` is given.

    What has begun to wait is gathered for `gather_seconds`, and told at most every `every_seconds`: a flood is one message. In `quiet`
    hours (`20:00-07:00`, the practice's time) only what stops a practice is told. What waits for `escalate_seconds` is told to others.
    """

    smtp: str = ""
    sender: str = ""
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password_file: str = ""
    webhook: str = ""
    webhook_secret_file: str = ""
    to: tuple[NotifyTo, ...] = ()
    gather_seconds: Seconds = 300.0
    every_seconds: Seconds = 3600.0
    escalate_seconds: Seconds = 14_400.0
    quiet: str = ""
    console_url: str = ""
    insecure: bool = False

    @property
    def quiet_hours(self) -> tuple[time, time] | None:
        found = _QUIET.match(self.quiet)
        if found is None:
            return None
        one, two, three, four = (int(part) for part in found.groups())
        return time(one, two), time(three, four)

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        if self.quiet and self.quiet_hours is None:
            problems.append((f"{key}.quiet", "must be hours such as 20:00-07:00"))
        if self.smtp:
            self._check_mail(key, beside, problems)
        if self.webhook:
            check_url(self.webhook, f"{key}.webhook", problems)
            name = f"{key}.webhook_secret_file"
            if self.webhook_secret_file:
                check_secret(self.webhook_secret_file, name, beside, problems, insecure=self.insecure)
            else:
                problems.append((name, "is missing: receivers have to know that it was chartwire"))
        if self.console_url:
            check_url(self.console_url, f"{key}.console_url", problems)
        return problems

    def _check_mail(self, key: str, beside: Path, problems: list[ConfigProblem]) -> None:
        where = host_and_port(self.smtp)
        if where is None:
            problems.append((f"{key}.smtp", "must be host:port"))
        elif self.security == "none" and where[0] not in LOCAL and not self.insecure:
            named = f"{key}.security"
            problems.append(
                (named, f"{where[0]} is another host, and without TLS: use starttls or tls, {or_insecure(named)}")
            )
        if not re.match(r"^[^@\s<>\"]+@[^@\s<>\"]+$", self.sender):
            problems.append((f"{key}.sender", "must be an address of mail"))
        if not self.to:
            problems.append((f"{key}.to", "names nobody: at least one [[notify.to]] is needed"))
        if self.password_file:
            check_secret(self.password_file, f"{key}.password_file", beside, problems, insecure=self.insecure)
