"""The records, their ids and owners, and the one way in which they change: `save` and `delete`, which announce themselves."""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from daemon.sandbox.elation.fields import Record, as_text, detail, no_such, refused
from daemon.sandbox.elation.switches import ElationSwitches

TABLES: Final = (
    "practices",
    "physicians",
    "service_locations",
    "appointment_types",
    "billing_codes",
    "patients",
    "appointments",
    "bills",
    "visit_notes",
    "insurance_companies",
    "insurance_plans",
    "policies",
    "subscriptions",
    "published_events",
)

_PRACTICE_FIELD: Final = {"patients": "caregiver_practice", "practices": "id", "policies": "practice_id"}
_MODIFIED_FIELD: Final = {
    "patients": "last_modified",
    "visit_notes": "last_modified",
    "appointments": "last_modified_date",
    "bills": "last_modified_date",
}


@dataclass
class Credential:
    """An OAuth client: the practices it may see, and whether a practice administrator has withdrawn it."""

    client_id: str
    client_secret: str
    application_id: str
    practices: set[int]
    revoked: bool = False


@dataclass(frozen=True)
class Token:
    """A bearer token; `scopes` is what may be done with it."""

    client_id: str
    expires: datetime
    scopes: frozenset[str]


class Listener(Protocol):
    """Whoever wants to know of changes: the webhooks."""

    def changed(self, resource: str, key: int, action: str, by: str | None) -> None:
        """`by` is the application that made the change, None if a person did."""


@dataclass
class State:
    """Everything the sandbox holds. `now` is its clock; ids come from one counter, so that they ascend with time."""

    now: Callable[[], datetime]
    switches: ElationSwitches
    last_id: int
    tables: dict[str, dict[int, Record]] = field(default_factory=lambda: {name: {} for name in TABLES})
    credentials: dict[str, Credential] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    metadata: dict[tuple[str, int, str], Record] = field(default_factory=dict)
    rooms: dict[int, list[str]] = field(default_factory=dict)
    policy_history: dict[int, list[tuple[datetime, Record | None]]] = field(default_factory=dict)
    policies_by_chart: dict[int, set[int]] = field(default_factory=dict)
    subscribers: dict[int, str] = field(default_factory=dict)
    listener: Listener | None = None

    def new_id(self) -> int:
        """The next id."""
        self.last_id += 1
        return self.last_id

    def stamp(self) -> str:
        """Now, in whole seconds: two changes can share it."""
        return as_text(self.now())

    def visible(self, application: str) -> frozenset[int]:
        """The practices that an application may see."""
        return frozenset(
            practice
            for credential in self.credentials.values()
            if credential.application_id == application and not credential.revoked
            for practice in credential.practices
        )

    def seen_by(self, practice: int) -> set[str]:
        """The applications that may see a practice."""
        return {
            credential.application_id
            for credential in self.credentials.values()
            if practice in credential.practices and not credential.revoked
        }

    def find(self, resource: str, key: int, practices: frozenset[int] | None = None) -> Record:
        """A record; `practices` limits it to what a credential sees. Raises Refusal 404: absent and invisible look alike."""
        record = self.tables[resource].get(key)
        if record is None or (practices is not None and practice_of(resource, record) not in practices):
            raise detail(404, "Not found.")
        return record

    def refer(self, name: str, resource: str, key: int, practice: int) -> Record:
        """The record that field `name` refers to, which must be a live one of `practice`. Raises Refusal 400."""
        record = self.tables[resource].get(key)
        if record is None or practice_of(resource, record) != practice or record.get("deleted_date") is not None:
            raise no_such(name, key)
        return record

    def insert(self, resource: str, record: Record, by: str | None) -> Record:
        """Keep a new record under its `id`, and announce it."""
        self.tables[resource][record["id"]] = record
        return self.save(resource, record, by)

    def save(self, resource: str, record: Record, by: str | None, action: str = "saved") -> Record:
        """Move the record's modified time, and announce it. `by` None is a person, whose saves may come in several."""
        if resource in _MODIFIED_FIELD:
            record[_MODIFIED_FIELD[resource]] = self.stamp()
        repeats = self.switches.saved_per_action if by is None and action == "saved" else 1
        for _ in range(repeats):
            self.announce(resource, record["id"], action, by)
        return record

    def delete(self, resource: str, record: Record, by: str | None) -> None:
        """Soft, as nearly everywhere."""
        record["deleted_date"] = self.stamp()
        self.save(resource, record, by, "deleted")

    def announce(self, resource: str, key: int, action: str, by: str | None) -> None:
        """Tell the listener, without touching the record."""
        if self.listener is not None:
            self.listener.changed(resource, key, action, by)

    def write_metadata(self, resource: str, key: int, application: str, sent: Record | None) -> None:
        """Keep what one application notes at a record; nobody else sees it. Raises Refusal 400."""
        slot = (resource, key, application)
        if sent is None:
            self.metadata.pop(slot, None)
            return
        if sent.get("data") is not None and len(_compact(sent["data"])) > 1000:
            raise refused(metadata="Ensure that data has no more than 1000 characters.")
        held = self.metadata.get(slot, {}) if self.switches.metadata_merges else {}
        self.metadata[slot] = {"object_id": None, "object_web_link": None, "data": None} | held | sent

    def policies_of(self, patient: int) -> list[Record]:
        """What the policy service shows of a chart now: writes come into sight late."""
        shown = []
        now = self.now()
        for key in sorted(self.policies_by_chart.get(patient, ())):
            seen = [snapshot for since, snapshot in self.policy_history[key] if since <= now]
            if seen and seen[-1] is not None and seen[-1]["patient_id"] == patient:
                shown.append(seen[-1])
        return shown

    def remember_policy(self, key: int, policy: Record | None) -> None:
        """Note a policy's new state, None if it is gone, to be shown when its time has come."""
        since = self.now() + timedelta(seconds=self.switches.policy_visible_seconds)
        if policy is not None:
            self.policies_by_chart.setdefault(policy["patient_id"], set()).add(key)
        self.policy_history.setdefault(key, []).append((since, dict(policy) if policy is not None else None))

    def issue_token(self, credential: Credential, scopes: frozenset[str]) -> str:
        """A new bearer token, good for `token_seconds` of the sandbox's clock."""
        token = secrets.token_urlsafe(32)
        expires = self.now() + timedelta(seconds=self.switches.token_seconds)
        self.tokens[token] = Token(credential.client_id, expires, scopes)
        return token


def practice_of(resource: str, record: Record) -> int:
    """The practice a record belongs to."""
    return int(record[_PRACTICE_FIELD.get(resource, "practice")])


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def snapshot(tables: Mapping[str, Mapping[int, object]]) -> dict[str, dict[str, object]]:
    """A copy of the tables as JSON can carry it: ids become text."""
    return {name: {str(key): copy.deepcopy(row) for key, row in table.items()} for name, table in tables.items()}
