"""What a person has said about a practice's first day, as the body of an event."""

from __future__ import annotations

from events.records import Value


class LiveChosen(Value, frozen=True, kw_only=True):
    """`who` has said that the observed practice goes live, whatever its configuration says; not `live`: that was taken back."""

    who: str
    reason: str = ""
    live: bool = True
