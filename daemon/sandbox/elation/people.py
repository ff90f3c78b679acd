"""What the front desk, the providers and the administrators of a practice do in Elation's own screens.

Nothing of it goes through the API, so every subscribed application hears of it. Each method answers with a copy of the record
it changed, in the read form, and is a verb of `POST /admin/{verb}`. All raise Refusal when the screen would not allow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from daemon.sandbox.elation import billing, charts, insurance, schedule
from daemon.sandbox.elation.fields import Record, as_text, detail
from daemon.sandbox.elation.state import State, practice_of
from daemon.sandbox.elation.views import read_form
from daemon.sandbox.elation.webhooks import Courier


class People:
    """The users of the product, acting on one sandbox."""

    def __init__(self, state: State, courier: Courier) -> None:
        self._state = state
        self._courier = courier

    # Charts

    def create_patient(
        self,
        practice: int,
        first_name: str,
        last_name: str,
        sex: str = "Unknown",
        dob: str = "1970-01-01",
        primary_physician: int | None = None,
        force: bool = True,
        **fields: object,
    ) -> Record:
        """Register a patient. The screen only warns of duplicates, so `force` makes one; without, it is a Refusal 409.

        `primary_physician` None is the practice's first.
        """
        if primary_physician is None:
            mine = [key for key, one in self._state.tables["physicians"].items() if one["practice"] == practice]
            primary_physician = mine[0] if mine else 0
        body: Record = {
            "first_name": first_name,
            "last_name": last_name,
            "sex": sex,
            "dob": dob,
            "caregiver_practice": practice,
            "primary_physician": primary_physician,
            **fields,
        }
        chart = charts.create(self._state, body, by=None, practices=frozenset({practice}), force=force)
        return self._copy("patients", chart)

    def edit_patient(self, patient: int, **fields: object) -> Record:
        """Change any field of a chart; arrays are given whole."""
        chart = self._state.find("patients", patient)
        practices = frozenset({int(chart["caregiver_practice"])})
        return self._copy("patients", charts.update(self._state, chart, fields, by=None, practices=practices))

    def set_phones(self, patient: int, phones: Sequence[Record]) -> Record:
        """Give a chart these phones: `[{"phone": ..., "phone_type": ...}]`."""
        return self.edit_patient(patient, phones=list(phones))

    def merge_patients(self, absorbed: int, survivor: int) -> Record:
        """Merge two charts; answers with the survivor."""
        kept = self._state.find("patients", survivor)
        charts.merge(self._state, self._state.find("patients", absorbed), kept)
        return self._copy("patients", kept)

    def delete_patient(self, patient: int) -> Record:
        """Delete a chart, softly."""
        chart = self._state.find("patients", patient)
        self._state.delete("patients", chart, None)
        return self._copy("patients", chart)

    def restore_patient(self, patient: int) -> Record:
        """Elation's support brings a deleted chart back."""
        chart = self._state.find("patients", patient)
        chart["deleted_date"] = None
        return self._copy("patients", self._state.save("patients", chart, None))

    # Calendar

    def create_appointment(
        self, patient: int | None, physician: int, scheduled_date: str | datetime, duration: int = 15, **fields: object
    ) -> Record:
        """Book an appointment, or an event or open slot if `time_slot_type` says so and there is no patient."""
        practice = practice_of("physicians", self._state.find("physicians", physician))
        body: Record = {
            "patient": patient,
            "physician": physician,
            "practice": practice,
            "scheduled_date": _text(scheduled_date),
            "duration": duration,
            **fields,
        }
        slot = schedule.create(self._state, body, by=None, practices=frozenset({practice}))
        return self._copy("appointments", slot)

    def create_series(
        self, patient: int, physician: int, scheduled_date: str, times: int, duration: int = 15, **fields: object
    ) -> list[Record]:
        """Book an appointment for each of so many weeks, all in one save, as one series."""
        first = datetime.fromisoformat(scheduled_date)
        listed = times if self._state.switches.recurring_occurrences == "own_ids" else 1
        series = self._state.new_id()
        booked = [
            self.create_appointment(patient, physician, first + timedelta(weeks=week), duration, **fields)
            for week in range(listed)
        ]
        return [self._in_series(one["id"], series) for one in booked]

    def edit_following(self, appointment: int, **fields: object) -> list[Record]:
        """Change an occurrence of a series and all that follow: these are another series then."""
        first = self._state.find("appointments", appointment)
        series, begin = first["recurring_event_schedule"], first["scheduled_date"]
        rows = self._state.tables["appointments"].values()
        mine = [one for one in rows if one["recurring_event_schedule"] == series and one["scheduled_date"] >= begin]
        if self._state.switches.split_series_changes_schedule_id:
            series = self._state.new_id()
        edited = [self.edit_appointment(one["id"], **fields) for one in mine if one["deleted_date"] is None]
        return [self._in_series(one["id"], series) for one in edited]

    def _in_series(self, appointment: int, series: int) -> Record:
        found = self._state.find("appointments", appointment)
        found["recurring_event_schedule"] = series
        return self._copy("appointments", found)

    def take_slot(self, slot: int, patient: int, **fields: object) -> Record:
        """A patient takes an open slot of the calendar."""
        if self._state.switches.slot_becomes_appointment == "same_id":
            return self.edit_appointment(slot, patient=patient, time_slot_type="appointment", status="Scheduled", **fields)
        found = self._copy("appointments", self._state.find("appointments", slot))
        self.delete_appointment(slot)
        return self.create_appointment(
            patient, found["physician"], found["scheduled_date"], duration=found["duration"], **fields
        )

    def edit_appointment(self, appointment: int, **fields: object) -> Record:
        """Change any field of an appointment; `status` may be just its name."""
        slot = self._state.find("appointments", appointment)
        if isinstance(fields.get("status"), str):
            fields["status"] = {"status": fields["status"]}
        if isinstance(fields.get("scheduled_date"), datetime):
            fields["scheduled_date"] = _text(fields["scheduled_date"])
        practices = frozenset({int(slot["practice"])})
        return self._copy(
            "appointments", schedule.update(self._state, slot, fields, by=None, practices=practices, whole=False)
        )

    def cancel_appointment(self, appointment: int) -> Record:
        """Cancel an appointment: it stays in sight."""
        return self.edit_appointment(appointment, status="Cancelled")

    def delete_appointment(self, appointment: int) -> Record:
        """Delete an appointment, softly."""
        slot = self._state.find("appointments", appointment)
        self._state.delete("appointments", slot, None)
        return self._copy("appointments", slot)

    # Notes and bills

    def sign_note(
        self,
        patient: int,
        physician: int,
        service_location: int | None,
        service_date: str | datetime | date,
        cpts: Sequence[Record],
        notes: str | None = None,
        deferred: bool = False,
    ) -> Record:
        """Sign a visit note, which makes its bill; answers `{"visit_note": ..., "bill": ...}`.

        `service_date` is an instant, or a day (then noon at the place); a line is
        `{"cpt", "modifiers", "dxs", "units", "unit_charge"}`, `deferred` is Delayed Billing.
        """
        note, bill = billing.sign_note(
            self._state,
            patient=self._state.find("patients", patient),
            physician=physician,
            service_location=service_location,
            service_date=service_date,
            cpts=list(cpts),
            notes=notes,
            deferred=deferred,
        )
        return {"visit_note": self._copy("visit_notes", note), "bill": self._copy("bills", bill)}

    def release_bill(self, bill: int) -> Record:
        """Send to PMS: ends Delayed Billing for a bill."""
        return self._copy("bills", billing.release(self._state, self._state.find("bills", bill), by=None))

    def resave_bill(self, bill: int, **changes: object) -> Record:
        """Save & Re-send, with or without changes: the error is cleared."""
        return self._copy("bills", billing.edit(self._state, self._state.find("bills", bill), dict(changes), resend=True))

    def edit_bill(self, bill: int, **changes: object) -> Record:
        """Edit a bill without sending it again, also one that is Billed: this does not travel, but it is announced."""
        return self._copy("bills", billing.edit(self._state, self._state.find("bills", bill), dict(changes), resend=False))

    def delete_note(self, visit_note: int) -> Record:
        """Delete a signed note; its bill shows `visit_note_deleted_date`."""
        note = self._state.find("visit_notes", visit_note)
        billing.delete_note(self._state, note)
        return self._copy("visit_notes", note)

    # Insurance

    def create_insurance_company(self, practice: int, carrier: str, **fields: object) -> Record:
        """Add an insurer to the practice's list."""
        body = {"practice": practice, "carrier": carrier, **fields}
        company = insurance.create_company(self._state, body, by=None, practices=frozenset({practice}))
        return self._copy("insurance_companies", company)

    def create_insurance_plan(self, practice: int, insurance_company: int, name: str) -> Record:
        """Add a plan to an insurer."""
        body = {"practice": practice, "insurance_company": insurance_company, "name": name}
        return self._copy(
            "insurance_plans", insurance.create_plan(self._state, body, by=None, practices=frozenset({practice}))
        )

    def add_policy(self, patient: int, rank: int | None = 1, status: str = "active", **fields: object) -> Record:
        """Enter a policy by hand; unknown fields are kept, as the service keeps its own."""
        chart = self._state.find("patients", patient)
        body: Record = {
            "practice_id": chart["caregiver_practice"],
            "patient_id": chart["id"],
            "patient_first_name": chart["first_name"],
            "patient_last_name": chart["last_name"],
            "patient_dob": chart["dob"],
            "status": status,
            "rank": rank,
            **fields,
        }
        return dict(insurance.create_policy(self._state, chart, body, by=None))

    def edit_policy(self, policy: int, **fields: object) -> Record:
        """Change fields of a policy."""
        held = self._state.find("policies", policy)
        chart = self._state.find("patients", held["patient_id"])
        return dict(insurance.replace_policy(self._state, chart, held, {**held, **fields}, by=None))

    def deactivate_policy(self, policy: int) -> Record:
        """Make a policy inactive, which frees its rank."""
        return self.edit_policy(policy, status="inactive", rank=None)

    # Administration

    def rotate_webhook_key(self, subscription: int) -> Record:
        """Give a subscription a new key, as happens when it is made anew."""
        record = self._state.tables["subscriptions"].get(subscription)
        if record is None:
            raise detail(404, "Not found.")
        record["signing_pub_key"] = self._courier.new_key(subscription)
        return dict(record)

    def revoke_credential(self, client_id: str) -> Record:
        """Withdraw an API credential: its tokens stop at once, and no new one is given."""
        return self._set_revoked(client_id, revoked=True)

    def restore_credential(self, client_id: str) -> Record:
        """Give an API credential back; tokens from before work again until they expire."""
        return self._set_revoked(client_id, revoked=False)

    def expire_tokens(self, client_id: str) -> Record:
        """Make the present tokens of a credential worthless; it may ask for new ones."""
        stale = [token for token, held in self._state.tokens.items() if held.client_id == client_id]
        for token in stale:
            del self._state.tokens[token]
        return {"client_id": client_id, "expired": len(stale)}

    def _set_revoked(self, client_id: str, *, revoked: bool) -> Record:
        credential = self._state.credentials.get(client_id)
        if credential is None:
            raise detail(404, "Not found.")
        credential.revoked = revoked
        return {"client_id": client_id, "revoked": revoked}

    def _copy(self, resource: str, record: Record) -> Record:
        return read_form(self._state, resource, record["id"], None)


def _text(moment: object) -> object:
    return as_text(moment) if isinstance(moment, datetime) else moment
