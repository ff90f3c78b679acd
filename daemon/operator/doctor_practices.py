"""What the doctor looks at in each practice, as the store knows it: keys, the chain, its owner, passes, maps, what waits too long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from daemon.config import Config, PracticeConfig, policy_of
from daemon.findings import Finding, error, note, warning
from daemon.runtime.reporter import FEED, HEAD, RECORDING
from daemon.sections import resolve
from daemon.tables import documents as tables
from daemon.tables.status import PracticeStatus, link_of, practice_status, waiting_longest, watched
from events.codec import KeyMissing, Keyring, UnreadableEvent
from events.data_keys import is_switched, read_keys
from events.ids import PracticeId
from events.store import Store
from projections.state.directory import Directory
from projections.state.maps import location_for, provider_for
from projections.terms.policy import Policy
from projections.words.remedy import Audience, meaning_of

UNHEARD = 120.0
"""Seconds without a word of the practice's owner, who says something every 15."""

SILENT = 1800.0
"""Seconds without a complete pass of a system."""

LONG = {Audience.OPERATOR: timedelta(days=1), Audience.FRONT_DESK: timedelta(days=7), Audience.BILLER: timedelta(days=7)}
"""How long something may wait for somebody."""

START = "systemctl start chartwire"
OF_KAFKA = "what the finding about Kafka says; it is tried again by itself (journalctl -u chartwire: {})"
OWN_WORK = {
    RECORDING: "what the finding about PostgreSQL says; it is tried again by itself (journalctl -u chartwire: recording_failed)",
    FEED: OF_KAFKA.format("feed_delayed"),
    HEAD: OF_KAFKA.format("head_not_told"),
}
"""What repairs work of the practice's own that fails, and is no vendor's."""


async def look_at_practices(config: Config, beside: Path, keyring: Keyring, now: datetime) -> list[Finding]:
    """Everything that the store says of the practices; its database has been looked at before."""
    folder = resolve(config.keys.directory, beside)
    store = await Store.open(config.postgres.dsn, keyring, min_size=1, max_size=2)
    try:
        shredded = {one.practice for one in await read_keys(store.pool) if one.shredded_at is not None}
        found = _keyless(config, keyring, folder, shredded, await store.heads())
        if not await is_switched(store.pool):
            text = "practices' data keys are not in use yet: key files cannot be rotated, and no practice can be shredded"
            found.append(
                note(
                    "not-finished",
                    "keys.directory",
                    text,
                    "`chartwire migrate --finish`, once every worker is of this version",
                )
            )
        asked = [one for one in config.practice if keyring.has(one.id) and one.id not in shredded]
        seen = await watched(store.pool, [PracticeId(one.id) for one in asked])
        for one in asked:
            silent = seen.silent.get(PracticeId(one.id), {})
            found += await _look_at(one, store, folder, silent, now)
        return found
    finally:
        await store.close()


def _keyless(
    config: Config, keyring: Keyring, folder: Path, shredded: Iterable[str], recorded: Mapping[PracticeId, int]
) -> list[Finding]:
    """Practices without a key. A new one is right where nothing was recorded yet: it opens nothing that is."""
    found = []
    for one in [each.id for each in config.practice if not keyring.has(each.id) and each.id not in set(shredded)]:
        if keyring.in_force(one) is not None or keyring.keys_of(one):
            text, repair = (
                f"no key file in {folder} opens its data keys",
                f"put the key files of {one} back into {folder}, from their backup",
            )
            found.append(error("key-wrong", "keys.directory", text, repair, one))
        elif number := recorded.get(PracticeId(one)):
            text = f"{folder} has no key file of it, and {number} events are recorded: its key file was lost"
            repair = (
                f"put the key files of {one} back into {folder}, from their backup; a new key opens nothing that is recorded"
            )
            found.append(error("key-lost", "keys.directory", text, repair, one))
        else:
            text = f"{folder} has no key file of it"
            found.append(
                error("key-missing", "keys.directory", text, f"`chartwire new-key {one} --directory {folder}`", one)
            )
    return found


async def _look_at(
    practice: PracticeConfig, store: Store, folder: Path, silent: Mapping[str, float], now: datetime
) -> list[Finding]:
    id_ = PracticeId(practice.id)
    status = await practice_status(store.pool, id_)
    found = _owner(id_, status, silent)
    head = await store.head_row(id_)
    if head is not None and head.sequence and await link_of(store.pool, id_, head.sequence) != head.chain:
        text = f"the last event (#{status.events}) is not the one that the practice's head names"
        found.append(
            error(
                "chain-head",
                "chartwire.practice_head",
                text,
                f"`chartwire audit verify {id_}` says where; then the backup",
                id_,
            )
        )
    try:
        await store.load_keys(id_)
        directory = await tables.directory(store.pool, id_, store.keyring)
    except (KeyMissing, UnreadableEvent) as failure:
        text = f"what is stored cannot be opened with the keys there ({type(failure).__name__})"
        return [
            *found,
            error(
                "key-wrong", "keys.directory", text, f"put the key files of {id_} back into {folder}, from their backup", id_
            ),
        ]
    found += [*_restarted(id_, directory), *maps(directory, policy_of(practice))]
    for one in await waiting_longest(store.pool, id_):
        audience = meaning_of(one.code).audience
        if now - one.since > LONG[audience]:
            text = f"{one.count} items wait for the {audience} ({one.code}), the first for {(now - one.since).days} days"
            make = warning if audience is Audience.OPERATOR else note
            found.append(make("waits-long", one.code, text, f"`chartwire waiting {id_} --code {one.code}`", id_))
    return found


def _owner(practice: PracticeId, status: PracticeStatus, silent: Mapping[str, float]) -> list[Finding]:
    if status.report_age is None or status.report_age > UNHEARD:
        heard = (
            "was never heard of" if status.report_age is None else f"was not heard of for {status.report_age / 60:.0f} min"
        )
        return [error("no-owner", "practice.id", f"its owner {heard}: no worker has it", START, practice)]
    report, found = status.report, []
    assert report is not None
    if report.standing:
        text = f"it stands still: {report.standing}"
        found.append(
            error(
                "stands-still",
                "practice.id",
                text,
                f"`chartwire status {practice}` and the other findings here; it is begun again by itself",
                practice,
            )
        )
    for name, why in sorted(report.failing.items()):
        found.append(
            warning(
                "pass-failing",
                name,
                f"{name} fails ({why})",
                OWN_WORK.get(name, f"`chartwire retry {practice}`, once what the vendor's finding says is done"),
                practice,
            )
        )
    for system, age in sorted(silent.items()):
        if age > SILENT:
            text = f"{system} was not read to the end of a pass for {age / 60:.0f} min"
            found.append(error("silent", system, text, f"`chartwire retry {practice}`", practice))
    return found


def _restarted(practice: PracticeId, directory: Directory) -> list[Finding]:
    known = directory.restarted
    if known is None or known.over is not None:
        return []
    text = f"its database was restored, history restarts after #{known.kept}: each creation is looked for before it is made"
    repair = (
        f"nothing: it ends by itself once both systems were read; then look through `chartwire waiting {practice}` for what was "
        f"called off meanwhile. `chartwire audit verify {practice}` says where"
    )
    return [warning("history-restarted", "postgres.dsn", text, repair, practice)]


def maps(directory: Directory, policy: Policy) -> list[Finding]:
    """People and places of the EHR that have no counterpart, where both directories are known."""
    if not (directory.ehr_seen and directory.billing_seen):
        return []
    people = [one.id for one in directory.physicians if one.active and provider_for(one.id, directory, policy) is None]
    places = [one.id for one in directory.ehr_locations if location_for(one.id, directory, policy) is None]
    taken = {provider_for(one.id, directory, policy) for one in directory.physicians}
    free = [one.id for one in directory.providers if one.active and one.id not in taken]
    taken = {location_for(one.id, directory, policy) for one in directory.ehr_locations}
    rooms = [one.id for one in directory.billing_locations if one.id not in taken]
    found = [_unmapped("providers", one, free, policy) for one in people]
    return found + [_unmapped("locations", one, rooms, policy) for one in places]


def _unmapped(table: str, id_: int, free: list[int], policy: Policy) -> Finding:
    names, kind = policy.names, table.removesuffix("s")
    text = f"{names.ehr.label}'s {kind} {id_} has no counterpart in {names.billing.label}, neither by NPI nor by exact name"
    repair = (
        f"{table} = {{ {id_} = {free[0] if len(free) == 1 else 'ID'} }} in [practice.maps], then systemctl reload chartwire"
    )
    if len(free) != 1:
        chosen = (
            f"one of {', '.join(map(str, free))}" if free else f"none is free: add the {kind} in {names.billing.label} first"
        )
        repair += f"; ID: {chosen}"
    return warning("unmapped", f"practice.maps.{table}.{id_}", text, repair, policy.practice)
