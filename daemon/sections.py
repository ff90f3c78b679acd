"""A section of the configuration file: the base of all, what a vendor's folder declares with its own, and checks they share.

A vendor's section lies beside its code (`daemon/vendors/*/section.py`); `daemon/config.py` reads whichever section a practice has.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from events.writes import System
from projections.terms.names import SystemName

Problem = tuple[str, str]
"""A key of the configuration (`practice[2].name`), and what is wrong with it."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; a key that no field has is a problem."""


class VendorSection(Section, frozen=True, kw_only=True):
    """What a practice configures of the system that plays a role for it, and what that system's folder declares with it.

    `role` is the side it plays. `system` is its name; the prefix is also the name of its table in the file. `first_reads` are the
    passes (as sources of checkpoints) that have to be recorded before a practice goes live. `secrets` are the fields that name
    secret files. `restart` are fields that a reload leaves for a restart. `account_name` says what practices may share.
    """

    role: ClassVar[System]
    system: ClassVar[SystemName]
    first_reads: ClassVar[tuple[str, ...]] = ()
    secrets: ClassVar[tuple[str, ...]] = ()
    restart: ClassVar[tuple[str, ...]] = ()
    account_name: ClassVar[str] = ""

    def check(self, key: str, beside: Path) -> list[Problem]:
        """What no type can say; `key` is the section's own, `beside` the folder of the file."""
        return self.secret_problems(key, beside)

    def account(self, beside: Path) -> str | None:
        """What the vendor's limits hold for, where practices can share it. Raises OSError when a secret cannot be read."""
        return None

    def secret_problems(self, key: str, beside: Path) -> list[Problem]:
        """The secret files that are empty or cannot be read."""
        problems: list[Problem] = []
        for name in self.secrets:
            check_secret(getattr(self, name), f"{key}.{name}", beside, problems)
        return problems


def resolve(name: str, beside: Path) -> Path:
    """The file a configuration value names; `credential:NAME` lies in systemd's credentials directory."""
    if name.startswith("credential:"):
        return Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent")) / name.removeprefix("credential:")
    return beside / name


def secret(name: str, beside: Path) -> str:
    """The content of a secret's file, outer white space off. Raises OSError when it cannot be read."""
    return resolve(name, beside).read_text().strip()


def check_url(url: str, key: str, problems: list[Problem]) -> None:
    """An address that patients' data may travel to."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        problems.append((key, "must be an http or https address"))
    elif parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        problems.append((key, "must be https: patients' data would travel in the clear"))


def check_secret(name: str, key: str, beside: Path, problems: list[Problem]) -> None:
    """A file that holds something and can be read."""
    try:
        if not secret(name, beside):
            problems.append((key, "is empty"))
    except OSError as error:
        problems.append((key, f"cannot be read ({type(error).__name__})"))


def check_zone(zone: str, key: str, problems: list[Problem]) -> None:
    """The name of a time zone."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        problems.append((key, "is not a time zone name such as America/Denver"))
