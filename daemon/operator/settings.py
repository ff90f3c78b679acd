"""Every setting of a practice and of the daemon, with its value and where it comes from. No secret is ever read or shown for it.

Of a secret's file its name is shown, and whether it is there; of an address that may hold one no more than where it leads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec

from daemon.config import CHOSEN, Config, PracticeConfig, policy_of
from daemon.sections import Section, resolve
from daemon.shape import join
from events.writes import Resource, System
from projections.deciding.holding import what_is_held
from projections.state.directory import Directory
from projections.terms.names import Names
from projections.words.mapped import row_in_words, target_in_words
from projections.words.shown import Shown


class SettingSource(StrEnum):
    """Where a value comes from."""

    FILE = "file"
    DEFAULT = "default"
    PROFILE = "profile"
    PERSON = "person"


@dataclass(frozen=True)
class Setting:
    """`key` is that of the file. `more` is what is to be known of the value; `who` said so `since`, where a person did."""

    key: str
    value: str
    source: SettingSource
    more: str = ""
    who: str = ""
    since: datetime | None = None
    page: str = ""
    """The console's page where it is changed, and undone."""


@dataclass(frozen=True)
class Settings:
    """What a person has set, what the practice's part of the file says, and what the rest of it says."""

    practice: tuple[Setting, ...]
    daemon: tuple[Setting, ...]
    persons: tuple[Setting, ...] = field(default=())


def settings_of(config: Config, practice: PracticeConfig, given: Collection[str], beside: Path) -> Settings:
    """The settings of the file: `given` are the keys that it has (`daemon.config.keys_given`), and `beside` the folder that it lies in."""
    index = 1 + next(number for number, one in enumerate(config.practice) if one.id == practice.id)
    look = _SettingsWalk(given, beside)
    daemon = [one for name in _names(Config) if name != "practice" for one in look.at(getattr(config, name), name)]
    return Settings(tuple(look.practice(practice, f"practice[{index}]")), tuple(daemon))


def _names(kind: type[Section]) -> list[str]:
    return [one.name for one in msgspec.structs.fields(kind)]


@dataclass(frozen=True)
class _SettingsWalk:
    given: Collection[str]
    beside: Path

    def at(self, value: object, key: str) -> Iterator[Setting]:
        """The settings of a value of the configuration, each with its whole key."""
        if isinstance(value, Section):
            for name in _names(type(value)):
                yield from self.at(getattr(value, name), join(key, name))
        elif isinstance(value, tuple) and any(isinstance(one, Section) for one in value):
            for number, one in enumerate(value, start=1):
                yield from self.at(one, f"{key}[{number}]")
        elif isinstance(value, dict) and value:
            for name, one in value.items():
                yield from self.at(one, join(key, str(name)))
        else:
            text, more = self._shown(key.rpartition(".")[2], value)
            yield Setting(key, text, SettingSource.FILE if key in self.given else SettingSource.DEFAULT, more)

    def practice(self, one: PracticeConfig, key: str) -> Iterator[Setting]:
        """What the file says of a practice: where its profile decides, what that comes to."""
        policy = policy_of(one)
        for name in ("id", "name", "time_zone", "profile", "mode"):
            yield from self.at(getattr(one, name), join(key, name))
        for resource in Resource:
            yield self._chosen(join(key, f"overrides.{resource.value}"), policy.table[resource], SettingSource.PROFILE)
        for name in CHOSEN:
            otherwise = SettingSource.PROFILE if name.endswith("preference") else SettingSource.DEFAULT
            yield self._chosen(join(key, f"overrides.{name}"), getattr(policy, name), otherwise)
        yield from self.at(one.maps, join(key, "maps"))
        for system in System:
            section = one.section(system)
            yield from self.at(section, join(key, section.system.prefix))

    def _chosen(self, key: str, value: object, otherwise: SettingSource) -> Setting:
        source = SettingSource.FILE if key in self.given else otherwise
        return Setting(key, self._shown(key.rpartition(".")[2], value)[0], source)

    def _shown(self, name: str, value: object) -> tuple[str, str]:
        """A value as it may be seen, and what is to be known of it."""
        if isinstance(value, str) and value:
            if name.endswith("_file"):
                return value, self._whether_there(value)
            if name in ("dsn", "migrate_dsn"):
                return without_password(value), ""
            if "://" in value:
                return (host_alone if name == "webhook" else address_alone)(value), ""
        return in_words(value), ""

    def _whether_there(self, name: str) -> str:
        try:
            return (
                "the file is there"
                if resolve(name, self.beside).exists()
                else "the file is not there, or not for this process"
            )
        except (OSError, ValueError):
            return "the file cannot be seen from here"


def in_words(value: Any) -> str:
    """A value of the configuration as people read it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case None | "" | () | {}:
            return "none"
        case tuple():
            return ", ".join(map(str, value))
        case float():
            return f"{value:g}"
    return str(value)


_SECRET = re.compile(r"pass|secret|key|token", re.IGNORECASE)


def without_password(dsn: str) -> str:
    """Where a database is and as whom: what is not understood is not shown."""
    try:
        parts = urlsplit(dsn)
        host = parts.netloc.rpartition("@")[2]
        user = parts.username
    except ValueError:
        return "not shown"
    if not parts.scheme.startswith("postgres"):
        return "not shown"
    kept = "&".join(f"{name}={text}" for name, text in parse_qsl(parts.query) if not _SECRET.search(name))
    return f"{parts.scheme}://{f'{user}@' if user else ''}{host}{parts.path}" + (f"?{kept}" if kept else "")


def address_alone(url: str) -> str:
    """An address without the name, password and question that it may hold."""
    return _without_login(url, lambda parts: parts.path)


def host_alone(url: str) -> str:
    """Where an address leads whose path is a secret, as of a chat's webhook."""
    return _without_login(url, lambda _: "/...")


def _without_login(url: str, path: Callable[[SplitResult], str]) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "not shown"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path(parts)}"


# -- what people have set -------------------------------------------------------------------------------------------------


def said_by_persons(directory: Directory, names: Names) -> Iterator[Setting]:
    """Holds, saved rows of the maps, and how many patients are kept out: by whom and since when; each is undone on its page."""
    shown = Shown(systems=names)
    for slot, hold in directory.holds.items():
        since = directory.waiting[slot].since if slot in directory.waiting else None
        yield Setting("hold", what_is_held(hold, names), SettingSource.PERSON, hold.reason, hold.who, since, "holds")
    for saved in directory.mapped.values():
        row = saved.row
        value = f"{row_in_words(row.kind, row.id, shown)}: {target_in_words(row.kind, row.to, shown)}"
        yield Setting("map", value, SettingSource.PERSON, row.reason, row.who, saved.since, "maps")
    kept = {(one.ehr, one.billing): one for one in directory.kept_out.values() if one.out}
    for by in sorted({one.who for one in kept.values()}):
        count = sum(one.who == by for one in kept.values())
        yield Setting(
            "keep out",
            f"{count} {'patient is' if count == 1 else 'patients are'} kept out",
            SettingSource.PERSON if by else SettingSource.FILE,
            "taken in again on the patient's page" if by else "by the rule keep_out of the file",
            by,
            None,
            "find",
        )
