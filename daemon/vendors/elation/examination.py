"""What `chartwire doctor` asks Elation about one practice: access, rights, the practice's name, subscriptions and their deliveries."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from daemon.findings import Finding, error, note, warning
from daemon.vendors.elation import wire
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.connector import RESOURCES
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.ports.errors import CredentialsRefused, NotFound, Refused, Throttled, Unauthorized, VendorError
from events.ids import PracticeId

LATELY = timedelta(days=1)
MOST_EVENTS = 500
"""Published events that are looked through; nothing can be asked of them by time."""

MOST_DELIVERIES = 50
FAILING = 0.1
"""Of the deliveries of late."""


class ElationExamination:
    """`base` is the public address that subscriptions lead to; `key` is the section's in the configuration."""

    def __init__(
        self, client: ElationClient, section: ElationConfig, key: str, practice: PracticeId, base: str, now: datetime
    ) -> None:
        self._client = client
        self._section = section
        self._key = key
        self._practice = practice
        self._base = base
        self._now = now

    async def run(self, name: str) -> list[Finding]:
        """Everything; what cannot be had access to ends it."""
        try:
            found = await self._client.get_practice()
        except VendorError as failure:
            return [self._no_access(failure)]
        findings = [] if found.name == name else [self._named(found.name)]
        findings += await self._rights()
        if self._section.webhooks and "throttled" not in {one.code for one in findings}:
            findings += await self._webhooks()
        return findings

    def _no_access(self, failure: VendorError) -> Finding:
        key, practice = self._key, self._practice
        if isinstance(failure, Throttled):
            return self._throttled(failure)
        if isinstance(failure, CredentialsRefused):
            text, repair = (
                "Elation refuses the credentials",
                f"put the secret of {self._section.client_id} into {self._section.client_secret_file}, then systemctl reload chartwire",
            )
            return error("credentials", f"{key}.client_secret_file", text, repair, practice)
        if isinstance(failure, NotFound | Refused | Unauthorized):
            text = f"these credentials see no practice {self._section.practice_id}"
            return error(
                "practice-id",
                f"{key}.practice_id",
                text,
                f"practice_id in [{key}]; Elation shows it to the credential's owner",
                practice,
            )
        text = f"Elation does not answer ({type(failure).__name__} at {failure.operation})"
        return error("vendor-away", f"{key}.base_url", text, "Elation's status page, or correct base_url", practice)

    def _throttled(self, failure: Throttled) -> Finding:
        text = f"Elation asks for patience ({failure.operation}): these credentials are used for too many calls at once"
        repair = (
            f"concurrency = {max(1, self._section.concurrency // 2)} in [{self._key}], then systemctl reload chartwire; whoever else "
            f"uses {self._section.client_id} needs credentials of their own"
        )
        return error("throttled", f"{self._key}.client_id", text, repair, self._practice)

    def _named(self, theirs: str) -> Finding:
        text = "Elation calls this practice otherwise than the configuration: is practice_id another's?"
        return note(
            "practice-name",
            f"{self._key}.practice_id",
            text,
            f'name = "{theirs}" in [[practice]], if it is the same',
            self._practice,
        )

    async def _rights(self) -> list[Finding]:
        """The lists that the daemon reads, one row of each."""
        lists: Mapping[str, Callable[[], AsyncIterator[Any]]] = {
            "physicians": self._client.physicians,
            "service_locations": self._client.service_locations,
            "patients": self._client.patients,
            "bills": self._client.bills,
            "appointments": self._client.appointments,
            "insurance_companies": self._client.insurance_companies,
        }
        found: list[Finding] = []
        for name, read in lists.items():
            rows = read()
            try:
                async for _ in rows:
                    break
            except Throttled as failure:
                return [*found, self._throttled(failure)]
            except VendorError as failure:
                if isinstance(failure, Unauthorized | Refused):
                    text = f"the credentials may not read {name}"
                    repair = f"ask Elation to give {self._section.client_id} the scope for {name}"
                else:
                    text, repair = f"{name} cannot be read ({type(failure).__name__})", "Elation's status page"
                found.append(error("right", self._key, text, repair, self._practice))
            finally:
                await rows.aclose()  # type: ignore[attr-defined]
        return found

    async def _webhooks(self) -> list[Finding]:
        try:
            theirs = [one async for one in self._client.subscriptions() if isinstance(one, wire.Subscription)]
        except Throttled as failure:
            return [self._throttled(failure)]
        except VendorError as failure:
            text = f"webhook subscriptions cannot be read ({type(failure).__name__})"
            repair = f"ask Elation for webhooks for {self._section.client_id}"
            return [error("right", self._key, text, repair, self._practice)]
        active = [one for one in theirs if one.deleted_date is None]
        return [*self._subscriptions(active), *await self._published()]

    async def _published(self) -> list[Finding]:
        """Not every credential may read them, and nothing else depends on it."""
        events: list[wire.PublishedEvent] = []
        try:
            async for one in self._client.published_events():
                if isinstance(one, wire.PublishedEvent):
                    events.append(one)
                if len(events) >= MOST_EVENTS:
                    break
        except Throttled as failure:
            return [self._throttled(failure)]
        except VendorError as failure:
            text = f"what became of deliveries cannot be read ({type(failure).__name__})"
            repair = f"ask Elation for published events for {self._section.client_id}, if it is to be known"
            return [note("deliveries-unknown", self._key, text, repair, self._practice)]
        return self._deliveries(events)

    def _subscriptions(self, active: list[wire.Subscription]) -> list[Finding]:
        found, path = [], f"/webhooks/elation/{self._practice}/"
        there = {(one.resource, one.target) for one in active}
        missing = [one for one in RESOURCES if (one, f"{self._base}{path}{one}") not in there]
        if missing:
            text = f"no webhook subscription leads here for {', '.join(missing)}; changes are seen at the next poll only"
            minutes = self._section.sweep_seconds / 60
            found.append(
                warning(
                    "subscription",
                    self._key,
                    text,
                    f"systemctl restart chartwire (the practice's owner subscribes when it starts, and by itself every {minutes:.0f} min)",
                    self._practice,
                )
            )
        for one in active:
            if path in one.target and not one.target.startswith(self._base + path):
                elsewhere = one.target.partition(path)[0]
                text = f"subscription {one.id} of {one.resource} leads to {elsewhere}"
                repair = f'public_url = "{elsewhere}" in [http], if the workers are there; else delete the subscription: DELETE /api/2.0/app/subscriptions/{one.id}/'
                found.append(warning("subscription-elsewhere", "http.public_url", text, repair, self._practice))
        return found

    def _deliveries(self, events: list[wire.PublishedEvent]) -> list[Finding]:
        """What Elation says of what it delivered here of late; what was not taken may have no time."""
        path, ours = f"/webhooks/elation/{self._practice}/", []
        for one in events:
            when = one.processed_date or one.received_date
            if path in one.target and (when is None or self._now - when < LATELY):
                ours.append(one)
        ours = ours[-MOST_DELIVERIES:]
        failed = Counter(str(one.status_code or "no answer") for one in ours if one.status_code != 200)
        if not ours or sum(failed.values()) < FAILING * len(ours):
            return []
        said, count = failed.most_common(1)[0]
        text = f"{sum(failed.values())} of the last {len(ours)} webhook deliveries were not taken ({said}: {count})"
        repair = f"curl -i {self._base}/health/ready from outside: the proxy, its certificate and its time-outs"
        return [warning("deliveries", "http.public_url", text, repair, self._practice)]
