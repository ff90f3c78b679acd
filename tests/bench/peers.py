"""The PyPI library `eventsourcing` with its PostgreSQL persistence, on the same events: what a good general library does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from eventsourcing.application import Repository
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import DatetimeAsISO, EventStore, JSONTranscoder, Mapper, UUIDAsHex
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from tests.bench.material import chart

NAMESPACE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


class Patient(Aggregate):
    """One patient's record."""

    @staticmethod
    def create_id(key: str) -> UUID:
        return uuid5(NAMESPACE, key)

    @event("Registered")
    def __init__(self, key: str, record: str) -> None:
        self.key = key
        self.record = record

    @event("Seen")
    def see(self, record: str) -> None:
        self.record = record


class Peer:
    """An application of the library: one aggregate a patient, each event a new address. No encryption, its own JSON."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        self._datastore = PostgresDatastore(
            dbname=parts.path.strip("/"),
            host=str(parts.hostname),
            port=str(parts.port),
            user=str(parts.username),
            password="",
            pool_size=2,
        )
        self.recorder = PostgresApplicationRecorder(self._datastore, events_table_name="stored_events")
        self.recorder.create_table()
        transcoder = JSONTranscoder()
        for kind in (UUIDAsHex, DatetimeAsISO):
            transcoder.register(kind())
        self.mapper = Mapper(transcoder=transcoder)
        self.store = EventStore(mapper=self.mapper, recorder=self.recorder)

    def close(self) -> None:
        self._datastore.close()

    def events(self, patients: int, each: int, encode: Callable[[Any], str]) -> Iterator[Any]:
        """The same records as `material.events`, as this library's events of its aggregates."""
        known = {}
        for version in range(each):
            for number in range(1, patients + 1):
                record = encode(chart(number, version))
                if version == 0:
                    known[number] = Patient(key=str(number), record=record)
                else:
                    known[number].see(record)
                yield from known[number].collect_events()

    def save(self, events: Sequence[Any]) -> None:
        """Its batched save."""
        self.store.put(events)

    def get(self, number: int) -> Any:
        """An aggregate from its events, as `repository.get` does."""
        return Repository(self.store).get(uuid5(NAMESPACE, str(number)))

    def replay(self, page: int = 1000) -> int:
        """Every notification in order, each as its event; how many there were."""
        start, count = 1, 0
        while notifications := self.recorder.select_notifications(start, page):
            for one in notifications:
                self.mapper.to_domain_event(one)
            count += len(notifications)
            start = notifications[-1].id + 1
        return count
