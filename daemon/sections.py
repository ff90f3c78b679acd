"""A section of the configuration file: the base of all, what a vendor's folder declares with its own, and checks they share.

A vendor's section lies beside its code (`daemon/vendors/*/section.py`); `daemon/config.py` reads whichever section a practice has.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from events.writes import System
from projections.terms.names import SystemName

ConfigProblem = tuple[str, str]
"""A key of the configuration (`practice[2].name`), and what is wrong with it."""

Seconds = Annotated[float, msgspec.Meta(gt=0, le=2_678_400)]
"""A pause or an interval: more than none, and at most a month."""

SecondsOrNone = Annotated[float, msgspec.Meta(ge=0, le=2_678_400)]
"""As `Seconds`; 0 says that it is not done."""

FilledText = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
PositiveId = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]

LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1"})
"""Hosts that what is sent to does not leave the machine."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; a key that no field has is a problem, and so is a value outside its field's range."""

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        """What no type can say; `key` is the section's own, `beside` the folder of the file."""
        return []


class VendorSection(Section, frozen=True, kw_only=True):
    """What a practice configures of the system that plays a role for it, and what that system's folder declares with it.

    `role` is the side it plays. `system` is its name; the prefix is also the name of its table in the file. `first_reads` are the
    passes (as sources of checkpoints) that have to be recorded before a practice goes live. `secrets` are the fields that name
    secret files. `restart` are fields that a reload leaves for a restart. `account_name` says what practices may share. `passes` and
    `operations` say in words what is read by a pass, and what a call is for whose share of the limits is told.
    """

    role: ClassVar[System]
    system: ClassVar[SystemName]
    first_reads: ClassVar[tuple[str, ...]] = ()
    secrets: ClassVar[tuple[str, ...]] = ()
    restart: ClassVar[tuple[str, ...]] = ()
    account_name: ClassVar[str] = ""
    passes: ClassVar[Mapping[str, str]] = {}
    operations: ClassVar[Mapping[str, str]] = {}

    insecure: bool = False
    """Secret files that anybody on the machine can read are taken as they are."""

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        """What no type can say; `key` is the section's own, `beside` the folder of the file."""
        return self.secret_problems(key, beside)

    def account(self, beside: Path) -> str | None:
        """What the vendor's limits hold for, where practices can share it. Raises OSError when a secret cannot be read."""
        return None

    def practice_there(self, beside: Path) -> tuple[str, ...] | None:
        """What names the practice at the vendor, whichever way it is spelt; None where that is not known.

        Two practices of the file cannot be the same one there.
        """
        return None

    def secret_problems(self, key: str, beside: Path) -> list[ConfigProblem]:
        """The secret files that are empty, cannot be read, or can be read by anybody."""
        problems: list[ConfigProblem] = []
        for name in self.secrets:
            check_secret(getattr(self, name), f"{key}.{name}", beside, problems, insecure=self.insecure)
        return problems


def resolve(name: str, beside: Path) -> Path:
    """The file a configuration value names; `credential:NAME` lies in systemd's credentials directory."""
    if name.startswith(CREDENTIAL):
        return Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent")) / name.removeprefix(CREDENTIAL)
    return beside / name


def secret(name: str, beside: Path) -> str:
    """The content of a secret's file, outer white space off. Raises OSError when it cannot be read."""
    return resolve(name, beside).read_text().strip()


def host_of(url: str) -> str:
    """Where an address leads, however it is spelt; raises ValueError where it is none."""
    parts = urlsplit(url)
    return f"{parts.netloc.casefold()}{parts.path.rstrip('/')}"


def check_url(url: str, key: str, problems: list[ConfigProblem]) -> None:
    """An address that patients' data may travel to."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # brackets without an IPv6 address, a port that is none
        problems.append((key, "is not an address: bad host or port (an IPv6 address stands in brackets)"))
        return
    if parts.scheme not in ("http", "https") or not host:
        problems.append((key, "must be an http or https address"))
    elif parts.scheme == "http" and host not in LOCAL:
        problems.append((key, "must be https: patients' data would travel in the clear"))


def check_secret(name: str, key: str, beside: Path, problems: list[ConfigProblem], *, insecure: bool = False) -> None:
    """A file that holds one line of text and can be read, though not by anybody (unless `insecure`)."""
    value = check_readable(name, key, beside, problems)
    if value is None:
        return
    if value.startswith(BYTE_ORDER_MARK):
        problems.append((key, with_mark(resolve(name, beside))))
    elif not value.isprintable():
        text = "holds a line break or a control character; one line of text is expected"
        problems.append((key, f"{resolve(name, beside)} {text}"))
    if not insecure:
        check_private(resolve(name, beside), key, problems)


def check_readable(name: str, key: str, beside: Path, problems: list[ConfigProblem]) -> str | None:
    """The text of a file that can be read and is not empty; None where it is a problem."""
    try:
        value = secret(name, beside)
    except UnicodeDecodeError:
        problems.append((key, f"{resolve(name, beside)} is not text"))
    except (OSError, ValueError) as error:  # a name with U+0000 is a ValueError
        problems.append((key, _unread(name, beside, error)))
    else:
        if value:
            return value
        problems.append((key, f"{resolve(name, beside)} is empty"))
    return None


def _unread(name: str, beside: Path, error: Exception) -> str:
    """A file that cannot be read: which, why, and how it gets there."""
    why = f"cannot be read ({type(error).__name__})"
    if name.startswith(CREDENTIAL) and "CREDENTIALS_DIRECTORY" not in os.environ:
        what = f"LoadCredential={name.removeprefix(CREDENTIAL)}:FILE"
        return f"{name} {why}: systemd gives it to its unit alone; systemd-run --pipe --wait -p {what} chartwire ... reads it here, too"
    if "\0" in name:
        return why
    file = resolve(name, beside)
    repair: dict[type[Exception], str] = {
        FileNotFoundError: f": install -m 0640 -g chartwire /dev/null {file}, then write it in",
        PermissionError: f" as this user: chown root:chartwire {file} && chmod 0640 {file}, or run this as the service's user",
    }
    return f"{file} {why}{repair.get(type(error), '')}"


CREDENTIAL = "credential:"
BYTE_ORDER_MARK = "\ufeff"


class ByteOrderMark(ValueError):
    """A file that an editor of Windows has written; the text says so, and what repairs it."""


def unmarked(file: Path) -> str:
    """The text of a file. Raises OSError and ValueError (ByteOrderMark is one)."""
    text = file.read_text()
    if text.startswith(BYTE_ORDER_MARK):
        raise ByteOrderMark(with_mark(file))
    return text


def with_mark(file: Path) -> str:
    """What is wrong with a file that begins with one."""
    return f"{file} begins with a byte order mark: sed -i '1s/^\\xEF\\xBB\\xBF//' {file}"


def check_private(file: Path, key: str, problems: list[ConfigProblem]) -> None:
    """A file that not everybody on the machine may read or change."""
    if mode := stat.S_IMODE(file.stat().st_mode) & 0o007:
        done = "changed" if mode & 0o002 else "read"
        problems.append((key, f"{file} can be {done} by anybody on this machine: chmod o= {file}, {or_insecure(key)}"))


def or_insecure(key: str) -> str:
    """How a section says that it is meant so."""
    section = re.sub(r"\[\d+\]", "", key.rpartition(".")[0])
    return f"or say insecure = true in [{section}]"


def check_zone(zone: str, key: str, problems: list[ConfigProblem]) -> None:
    """The name of a time zone."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):  # also a folder of the zones, and names with U+0000
        problems.append((key, "is not a time zone name such as America/Denver"))
