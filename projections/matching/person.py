"""A person as one system shows them, in that system's own spelling."""

from __future__ import annotations

from datetime import date

import msgspec


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """What a chart says about who somebody is; what it does not say is empty or None.

    `id` is the chart's own in its system, as text.
    """

    id: str
    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""
    suffix: str = ""
    birth_date: date | None = None
    sex: str = ""
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    phones: tuple[str, ...] = ()
    email: str = ""
    ssn: str = ""
