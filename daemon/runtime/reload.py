"""What a new configuration changes for a worker that runs; the worker carries it out (DESIGN 6: reload on SIGHUP)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from daemon.config import Config, PracticeConfig, accounts, secret
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
    files = (practice.ehr.client_secret_file, practice.billing.customer_key_file, practice.billing.password_file)
    return blake2b("\0".join(secret(one, beside) for one in files).encode()).digest()


def compared(before: InForce, after: InForce) -> Reload:
    """What going from one to the other takes. Who shares a vendor account decides about partitions: that has to stay the same."""
    old = {PracticeId(one.id): one for one in before.config.practice}
    new = {PracticeId(one.id): one for one in after.config.practice}
    stay = old.keys() & new.keys()
    if moved := sorted(one for one in stay if before.together.get(one) != after.together.get(one)):
        names = ", ".join(moved)
        return Reload(refused=f"{names} would share a Kareo customer key with other practices than now: restart all workers")
    sections = (name for name in Config.__struct_fields__ if name != "practice")
    restart = [name for name in sections if getattr(before.config, name) != getattr(after.config, name)]
    restart += [f"practice.{one}.kareo.limits" for one in sorted(stay) if old[one].billing.limits != new[one].billing.limits]
    return Reload(
        added=frozenset(new.keys() - old.keys()),
        changed=frozenset(one for one in stay if old[one] != new[one] or before.secrets[one] != after.secrets[one]),
        removed=frozenset(old.keys() - new.keys()),
        restart=tuple(restart),
    )
