"""The paths of the API and what stands behind each (its published openapi.json). Handlers are plain functions over the state."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Final, TypeAlias

from yarl import URL

from daemon.sandbox.elation import billing, charts, insurance, schedule
from daemon.sandbox.elation.fields import Record, Refusal, as_instant, check, detail
from daemon.sandbox.elation.paging import page, select
from daemon.sandbox.elation.shapes import METADATA, PUBLISHED, SUBSCRIPTION
from daemon.sandbox.elation.state import State, practice_of
from daemon.sandbox.elation.views import bill_write_form, read_form
from daemon.sandbox.elation.webhooks import Courier


@dataclass(frozen=True)
class Ask:
    """An authenticated request: `ids` are those of the path, `practices` what its credential sees."""

    method: str
    ids: Mapping[str, int]
    url: URL
    body: object
    application: str
    practices: frozenset[int]


@dataclass(frozen=True)
class Answer:
    """A success: `body` None is sent as nothing at all."""

    status: int = 200
    body: object = None


Handler: TypeAlias = Callable[[Ask], Answer]


@dataclass(frozen=True)
class Route:
    """A path template, without the base; `scope` is the resource its granular OAuth scope names, "" if none does."""

    template: str
    scope: str
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    slash_required: bool = False

    def match(self, path: str) -> Mapping[str, int] | None:
        """The ids in `path`, which comes without a trailing slash; None if this is another path."""
        found = _pattern(self.template).fullmatch(path)
        return {name: int(value) for name, value in found.groupdict().items()} if found else None


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[0-9]+)", template.rstrip("/")))


_CHARTED: Final = ("physicians", "practices", "service_locations", "appointment_types", "billing_codes", "visit_notes")


class Resources:
    """The handlers, bound to a state, and the table of `routes`."""

    def __init__(self, state: State, courier: Courier) -> None:
        self._state = state
        self._courier = courier
        self.routes: tuple[Route, ...] = tuple(self._table())

    def _table(self) -> list[Route]:
        patient: dict[str, Handler] = dict.fromkeys(("GET", "PATCH", "PUT", "DELETE"), self._patient)
        slot: dict[str, Handler] = dict.fromkeys(("GET", "PATCH", "PUT", "DELETE"), self._appointment)
        policy: dict[str, Handler] = dict.fromkeys(("GET", "PUT", "DELETE"), self._policy)
        routes = [
            Route("/patients/", "patients", {"GET": self._lister("patients"), "POST": self._create_patient}),
            Route("/patients/{id}/", "patients", patient),
            Route("/patients/{id}/policies", "patients", {"GET": self._policies, "POST": self._create_policy}),
            Route("/patients/{id}/policies/{policy_id}", "patients", policy),
            Route("/appointments/", "appointments", {"GET": self._lister("appointments"), "POST": self._create_appointment}),
            Route("/appointments/{id}/", "appointments", slot),
            Route("/bills/", "bills", {"GET": self._lister("bills")}),
            Route("/bills/{id}/", "bills", {"GET": self._getter("bills"), "PATCH": self._patch_bill}),
            Route("/bills/{id}/actions/release-to-pms/", "bills", {"PATCH": self._release}),
        ]
        for name in ("insurance_companies", "insurance_plans"):
            one: dict[str, Handler] = {verb: self._insurer(name) for verb in ("GET", "PATCH", "PUT", "DELETE")}
            routes.append(Route(f"/{name}/", name, {"GET": self._lister(name), "POST": self._create_insurer(name)}))
            routes.append(Route(f"/{name}/{{id}}/", name, one))
        for name in _CHARTED:
            single: dict[str, Handler] = {"GET": self._getter(name)}
            if name in ("physicians", "practices"):
                single["PATCH"] = self._note_at(name)
            routes.append(Route(f"/{name}/", name, {"GET": self._lister(name)}))
            routes.append(Route(f"/{name}/{{id}}/", name, single))
        for prefix in ("/app", ""):
            listed: dict[str, Handler] = {"GET": self._subscriptions, "POST": self._subscribe}
            kept: dict[str, Handler] = {"GET": self._subscription, "DELETE": self._unsubscribe}
            event: dict[str, Handler] = dict.fromkeys(("GET", "PATCH", "PUT"), self._published_event)
            # Without its slash this one path is unknown.
            routes.append(Route(f"{prefix}/subscriptions/", "", listed, slash_required=prefix == "/app"))
            routes.append(Route(f"{prefix}/subscriptions/{{id}}/", "", kept))
            routes.append(Route(f"{prefix}/published_events/", "", {"GET": self._published}))
            routes.append(Route(f"{prefix}/published_events/{{event_id}}/", "", event))
        return routes

    # What most resources share

    def _lister(self, resource: str) -> Handler:
        def handle(ask: Ask) -> Answer:
            state, switches = self._state, self._state.switches
            omitted = switches.lists_omit_deleted_charts if resource == "patients" else switches.lists_omit_deleted
            rows = [
                row
                for row in state.tables[resource].values()
                if practice_of(resource, row) in ask.practices and not (omitted and row.get("deleted_date") is not None)
            ]
            rows = select(state, resource, rows, ask.url.query)
            return Answer(
                body=page(
                    switches, rows, ask.url, lambda row: read_form(state, resource, row["id"], ask.application, single=False)
                )
            )

        return handle

    def _getter(self, resource: str) -> Handler:
        def handle(ask: Ask) -> Answer:
            record = self._state.find(resource, ask.ids["id"], ask.practices)
            return self._shown(resource, record, ask)

        return handle

    def _live(self, resource: str, ask: Ask) -> Record:
        record = self._state.find(resource, ask.ids["id"], ask.practices)
        if record.get("deleted_date") is not None:
            raise detail(410, "This resource has been deleted.")
        return record

    def _shown(self, resource: str, record: Record, ask: Ask, status: int = 200) -> Answer:
        return Answer(status, read_form(self._state, resource, record["id"], ask.application))

    def _note_at(self, resource: str) -> Handler:
        """Of a practice or a physician an application writes its metadata, and here nothing else."""

        def handle(ask: Ask) -> Answer:
            record = self._state.find(resource, ask.ids["id"], ask.practices)
            values = check({"metadata": METADATA}, ask.body, partial=True)
            if "metadata" in values:
                self._state.write_metadata(resource, record["id"], ask.application, values["metadata"])
            if resource == "physicians":
                self._state.save(resource, record, ask.application)
            return self._shown(resource, record, ask)

        return handle

    # Charts

    def _create_patient(self, ask: Ask) -> Answer:
        chart = charts.create(self._state, ask.body, by=ask.application, practices=ask.practices)
        return self._shown("patients", chart, ask, 201)

    def _patient(self, ask: Ask) -> Answer:
        chart = self._state.find("patients", ask.ids["id"], ask.practices)
        self._refuse_lost_chart(chart, reading=ask.method == "GET")
        if ask.method == "DELETE":
            self._state.delete("patients", chart, ask.application)
            return Answer(204)
        if ask.method != "GET":
            partial = ask.method == "PATCH"
            charts.update(self._state, chart, ask.body, by=ask.application, practices=ask.practices, partial=partial)
        return self._shown("patients", chart, ask)

    def _refuse_lost_chart(self, chart: Record, *, reading: bool) -> None:
        """Deleted is 410; a merged chart may be shown, gone or moved, which nobody documents."""
        switches = self._state.switches
        gone = detail(410, "This resource has been deleted.")
        survivor = chart["merged_into_chart"]
        if survivor is not None:
            if switches.merged_chart_get == "moved":
                raise Refusal(303, "", {"Location": f"/api/2.0/patients/{survivor}/"})
            if switches.merged_chart_get == "gone" or not reading:
                raise gone
        elif chart["deleted_date"] is not None and (switches.deleted_chart_get == "gone" or not reading):
            raise gone

    # Policies

    def _policies(self, ask: Ask) -> Answer:
        chart = self._live("patients", ask)
        active_only = ask.url.query.get("active_only", "").casefold() in {"true", "1"}
        policies = self._state.policies_of(chart["id"])
        active_only = active_only or not self._state.switches.historical_policy_listed
        return Answer(body={"results": [one for one in policies if not active_only or one["status"] == "active"]})

    def _create_policy(self, ask: Ask) -> Answer:
        policy = insurance.create_policy(self._state, self._live("patients", ask), ask.body, by=ask.application)
        return Answer(201, dict(policy))

    def _policy(self, ask: Ask) -> Answer:
        chart = self._live("patients", ask)
        key = ask.ids["policy_id"]
        if ask.method == "GET":
            return Answer(body=insurance.find_policy(self._state, chart["id"], key))
        policy = self._state.tables["policies"].get(key)
        if policy is None or policy["patient_id"] != chart["id"]:
            raise detail(404, "Not found.")
        if ask.method == "DELETE":
            insurance.delete_policy(self._state, chart, policy, by=ask.application)
            return Answer(204)
        return Answer(body=dict(insurance.replace_policy(self._state, chart, policy, ask.body, by=ask.application)))

    # Insurers and plans

    def _create_insurer(self, resource: str) -> Handler:
        create = insurance.create_company if resource == "insurance_companies" else insurance.create_plan

        def handle(ask: Ask) -> Answer:
            record = create(self._state, ask.body, by=ask.application, practices=ask.practices)
            return self._shown(resource, record, ask, 201)

        return handle

    def _insurer(self, resource: str) -> Handler:
        update = insurance.update_company if resource == "insurance_companies" else insurance.update_plan

        def handle(ask: Ask) -> Answer:
            record = self._live(resource, ask)
            if ask.method == "DELETE":
                self._state.delete(resource, record, ask.application)
                return Answer(204)
            if ask.method != "GET":
                update(self._state, record, ask.body, by=ask.application, partial=ask.method == "PATCH")
            return self._shown(resource, record, ask)

        return handle

    # Appointments

    def _create_appointment(self, ask: Ask) -> Answer:
        slot = schedule.create(self._state, ask.body, by=ask.application, practices=ask.practices)
        return self._shown("appointments", slot, ask, 201)

    def _appointment(self, ask: Ask) -> Answer:
        slot = self._live("appointments", ask)
        if ask.method == "DELETE":
            self._state.delete("appointments", slot, ask.application)
            return Answer(204)
        if ask.method != "GET":
            whole = ask.method == "PUT"
            schedule.update(self._state, slot, ask.body, by=ask.application, practices=ask.practices, whole=whole)
        return self._shown("appointments", slot, ask)

    # Bills

    def _patch_bill(self, ask: Ask) -> Answer:
        bill = self._state.find("bills", ask.ids["id"], ask.practices)
        billing.patch(self._state, bill, ask.body, by=ask.application)
        return Answer(body=bill_write_form(self._state, bill["id"], ask.application))

    def _release(self, ask: Ask) -> Answer:
        bill = self._state.find("bills", ask.ids["id"], ask.practices)
        billing.release(self._state, bill, by=ask.application)
        return Answer(body=bill_write_form(self._state, bill["id"], ask.application))

    # Subscriptions and what was sent

    def _subscriptions(self, ask: Ask) -> Answer:
        state = self._state
        rows = [row for row in state.tables["subscriptions"].values() if self._is_mine(row, ask)]
        return Answer(
            body=page(state.switches, rows, ask.url, lambda row: read_form(state, "subscriptions", row["id"], None))
        )

    def _is_mine(self, subscription: Record, ask: Ask) -> bool:
        owner = self._state.subscribers[subscription["id"]]
        return owner == ask.application and subscription["deleted_date"] is None

    def _subscribe(self, ask: Ask) -> Answer:
        state = self._state
        values = check(SUBSCRIPTION, ask.body, partial=False)
        for row in state.tables["subscriptions"].values():
            if self._is_mine(row, ask) and (row["resource"], row["target"]) == (values["resource"], values["target"]):
                raise Refusal(409, {"detail": "Duplicated object", "redirect": row["id"]})
        key = state.new_id()
        state.subscribers[key] = ask.application
        state.tables["subscriptions"][key] = {
            "id": key,
            "resource": values["resource"],
            "target": values["target"],
            "properties": values.get("properties"),
            "signing_pub_key": self._courier.new_key(key),
            "created_date": state.stamp(),
            "deleted_date": None,
        }
        return Answer(201, read_form(state, "subscriptions", key, None))

    def _owned(self, ask: Ask) -> Record:
        record = self._state.tables["subscriptions"].get(ask.ids["id"])
        if record is None or not self._is_mine(record, ask):
            raise detail(404, "Not found.")
        return record

    def _subscription(self, ask: Ask) -> Answer:
        return Answer(body=read_form(self._state, "subscriptions", self._owned(ask)["id"], None))

    def _unsubscribe(self, ask: Ask) -> Answer:
        self._owned(ask)["deleted_date"] = self._state.stamp()
        return Answer(204)

    def _events(self, ask: Ask) -> list[Record]:
        """Kept for 30 days."""
        since = self._state.now() - timedelta(days=30)
        return [
            row
            for row in self._state.tables["published_events"].values()
            if self._state.subscribers[row["subscription"]] == ask.application and as_instant(row["received_date"]) >= since
        ]

    def _published(self, ask: Ask) -> Answer:
        return Answer(body=page(self._state.switches, self._events(ask), ask.url, _event_form))

    def _published_event(self, ask: Ask) -> Answer:
        """The path names the EVENT's id, not the row's."""
        row = next((row for row in self._events(ask) if row["event_id"] == ask.ids["event_id"]), None)
        if row is None:
            raise detail(404, "Not found.")
        if ask.method != "GET":
            row.update(check(PUBLISHED, ask.body, partial=ask.method == "PATCH"))
        return Answer(body=_event_form(row))


def _event_form(row: Record) -> Record:
    return {name: value for name, value in row.items() if name not in {"subscription", "received_date"}}
