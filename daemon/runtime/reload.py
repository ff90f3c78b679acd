"""What a new configuration changes for a worker that runs; the worker carries it out (reload on SIGHUP)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from daemon.config import Config, PracticeConfig
from daemon.runtime.vendor_accounts import accounts
from daemon.sections import secret
from events.ids import PracticeId


@dataclass(frozen=True)
class Reload:
    """Practices by what happens to them. `restart` names keys that differ and take a restart; `refused` says why nothing of it
    is done now.
    """

    added: frozenset[PracticeId] = frozenset()
    changed: frozenset[PracticeId] = frozenset()
    removed: frozenset[PracticeId] = frozenset()
    restart: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True)
class InForce:
    """A configuration as it was read: with what its secrets' files held (as digests), and who shares a vendor account."""

    config: Config
    secrets: dict[PracticeId, bytes]
    together: dict[PracticeId, str]

    @classmethod
    def read(cls, config: Config, beside: Path) -> InForce:
        """Raises OSError when a secret cannot be read."""
        secrets = {PracticeId(one.id): _secrets(one, beside) for one in config.practice}
        return cls(config, secrets, accounts(config, beside))


def _secrets(practice: PracticeConfig, beside: Path) -> bytes:
    files = [getattr(one, name) for one in (practice.ehr, practice.billing) for name in one.secrets]
    return blake2b("\0".join(secret(one, beside) for one in files).encode()).digest()


def _left_for_restart(old: PracticeConfig, new: PracticeConfig) -> list[str]:
    """The keys of a practice's vendors that differ and that a vendor takes up only when it starts."""
    pairs = ((old.ehr, new.ehr), (old.billing, new.billing))
    return [
        f"practice.{new.id}.{now.system.prefix}.{name}"
        for before, now in pairs
        if type(before) is type(now)
        for name in now.restart
        if getattr(before, name) != getattr(now, name)
    ]


def compared(before: InForce, after: InForce) -> Reload:
    """What going from one to the other takes. Who shares a vendor account decides about partitions: that has to stay the same."""
    old = {PracticeId(one.id): one for one in before.config.practice}
    new = {PracticeId(one.id): one for one in after.config.practice}
    stay = old.keys() & new.keys()
    if moved := sorted(one for one in stay if before.together.get(one) != after.together.get(one)):
        names = ", ".join(moved)
        accounts_of = {one.account_name for name in moved for one in (new[name].ehr, new[name].billing) if one.account_name}
        shared = " or ".join(sorted(accounts_of))
        return Reload(refused=f"{names} would share a {shared} with other practices than now: restart all workers")
    sections = (name for name in Config.__struct_fields__ if name != "practice")
    restart = [name for name in sections if getattr(before.config, name) != getattr(after.config, name)]
    restart += [key for one in sorted(stay) for key in _left_for_restart(old[one], new[one])]
    return Reload(
        added=frozenset(new.keys() - old.keys()),
        changed=frozenset(one for one in stay if old[one] != new[one] or before.secrets[one] != after.secrets[one]),
        removed=frozenset(old.keys() - new.keys()),
        restart=tuple(restart),
    )
