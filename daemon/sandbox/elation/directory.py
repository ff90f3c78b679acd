"""Setting up practices: what in Elation is made under Settings, or by its staff."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.sandbox.elation.fields import Record, refused
from daemon.sandbox.elation.schedule import add_type
from daemon.sandbox.elation.shapes import PLACES_OF_SERVICE
from daemon.sandbox.elation.state import Credential, State
from daemon.sandbox.elation.views import read_form


class Directory:
    """Adds practices and what belongs to them. Each method answers with the new record, in the read form.

    New physicians and places are announced to subscribers; practices, appointment types and codes have no event.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def add_practice(
        self,
        name: str = "Rehearsal Family Medicine",
        time_zone: str = "America/Denver",
        *,
        address_line1: str = "100 Main St",
        address_line2: str = "",
        city: str = "Denver",
        state: str = "CO",
        zip: str = "80202",
        rooms: Iterable[str] = (),
    ) -> Record:
        """A new practice; `rooms` are those an appointment's status may name."""
        key = self._state.new_id()
        self._state.rooms[key] = list(rooms)
        self._state.tables["practices"][key] = {
            "id": key,
            "name": name,
            "timezone": time_zone,
            "status": "active",
            "address_line1": address_line1,
            "address_line2": address_line2,
            "city": city,
            "state": state,
            "zip": zip,
            "elation_root_oid": f"2.16.840.1.113883.3.9999.{key}",
            "employers": [],
        }
        return read_form(self._state, "practices", key, None)

    def add_credential(
        self, client_id: str, client_secret: str, application_id: str | None = None, practices: Iterable[int] = ()
    ) -> Record:
        """An API credential for `practices`; the application's id is the client id unless given."""
        application = str(application_id) if application_id is not None else client_id
        known = {int(self._state.find("practices", key)["id"]) for key in practices}
        self._state.credentials[client_id] = Credential(client_id, client_secret, application, known)
        return {"client_id": client_id, "application_id": application, "practices": sorted(known)}

    def add_physician(
        self,
        practice_id: int,
        *,
        first_name: str,
        last_name: str,
        npi: str = "",
        credentials: str = "MD",
        is_active: bool = True,
        email: str | None = None,
        specialty: str = "Family Medicine",
    ) -> Record:
        """A physician; `user_id` is another number than `id`."""
        self._state.find("practices", practice_id)
        key, user = self._state.new_id(), self._state.new_id()
        physician = {
            "id": key,
            "user_id": user,
            "first_name": first_name,
            "last_name": last_name,
            "npi": npi,
            "credentials": credentials,
            "is_active": is_active,
            "practice": practice_id,
            "email": email or f"physician{key}@example.com",
            "fax": "",
            "specialty": specialty,
            "license": "",
            "license_state": "",
        }
        self._state.insert("physicians", physician, None)
        return read_form(self._state, "physicians", key, None)

    def edit_physician(self, physician: int, **fields: object) -> Record:
        """Change a physician, for example make one inactive: such a one stays listed."""
        record = self._state.find("physicians", physician)
        _only_known(record, fields)
        record.update(fields)
        self._state.save("physicians", record, None)
        return read_form(self._state, "physicians", physician, None)

    def add_service_location(
        self,
        practice_id: int,
        *,
        name: str,
        place_of_service_code: int = 11,
        time_zone: str | None = None,
        address_line1: str = "100 Main St",
        address_line2: str = "",
        city: str = "Denver",
        state: str = "CO",
        zip: str = "80202",
        phone: str | None = None,
        is_primary: bool = False,
        status: str = "active",
    ) -> Record:
        """A place; `time_zone` may be "" or None: then the practice's holds."""
        self._state.find("practices", practice_id)
        if place_of_service_code not in PLACES_OF_SERVICE:
            raise refused(place_of_service_code=f'"{place_of_service_code}" is not a valid choice.')
        key = self._state.new_id()
        place = {
            "id": key,
            "name": name,
            "place_of_service_code": place_of_service_code,
            "address_line1": address_line1,
            "address_line2": address_line2,
            "city": city,
            "state": state,
            "zip": zip,
            "phone": phone,
            "fax": None,
            "email": None,
            "timezone": time_zone,
            "is_primary": is_primary,
            "status": status,
            "practice": practice_id,
            "created_date": self._state.stamp(),
            "deleted_date": None,
        }
        self._state.insert("service_locations", place, None)
        return read_form(self._state, "service_locations", key, None)

    def edit_service_location(self, service_location: int, **fields: object) -> Record:
        """Change a place: its name, code, zone, address or status."""
        record = self._state.find("service_locations", service_location)
        _only_known(record, fields)
        record.update(fields)
        self._state.save("service_locations", record, None)
        return read_form(self._state, "service_locations", service_location, None)

    def add_appointment_type(
        self, practice_id: int, *, name: str, default_duration: int = 15, is_telehealth: bool = False
    ) -> Record:
        """An appointment type."""
        self._state.find("practices", practice_id)
        kind = add_type(self._state, practice_id, name=name, default_duration=default_duration, is_telehealth=is_telehealth)
        return read_form(self._state, "appointment_types", kind["id"], None)

    def add_billing_code(self, practice_id: int, *, code: str, description: str, charge: str | None = None) -> Record:
        """A code of the practice's CPT list."""
        self._state.find("practices", practice_id)
        key = self._state.new_id()
        codes = self._state.tables["billing_codes"]
        codes[key] = {
            "id": key,
            "code": code,
            "description": description,
            "charge": charge,
            "sequence": len(codes) + 1,
            "practice": practice_id,
        }
        return read_form(self._state, "billing_codes", key, None)


def _only_known(record: Record, fields: dict[str, object]) -> None:
    unknown = fields.keys() - record.keys() | fields.keys() & {"id", "practice"}
    if unknown:
        raise refused(**dict.fromkeys(unknown, "This field cannot be changed."))
