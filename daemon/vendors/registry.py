"""The vendors there are: a row each. Whoever needs one asks by the section that a practice has for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daemon.sections import VendorSection
from daemon.vendors.elation.opening import Elation
from daemon.vendors.kareo.opening import Kareo
from daemon.vendors.ports.vendor import Vendor
from daemon.vendors.sections import SECTIONS
from events.writes import System

__all__ = ["SECTIONS", "VENDORS", "Registry", "role_of"]

VENDORS: tuple[type[Vendor[Any]], ...] = (Elation, Kareo)


def role_of(prefix: str, sections: Sequence[type[VendorSection]] = SECTIONS) -> System | None:
    """The role of the system whose ids people write with this prefix (`elation:12`); None where nobody's are."""
    return next((one.role for one in sections if one.system.prefix == prefix), None)


class Registry:
    """The vendors of one process; each keeps what its practices share, such as limits."""

    def __init__(self, vendors: Sequence[type[Vendor[Any]]] = VENDORS) -> None:
        self._vendors = {one.section: one for one in (make() for make in vendors)}

    @property
    def sections(self) -> tuple[type[VendorSection], ...]:
        return tuple(self._vendors)

    @property
    def delivered(self) -> frozenset[str]:
        """The resources that any vendor delivers to the webhook endpoint."""
        return frozenset().union(*(one.delivered for one in self._vendors.values()))

    def of(self, section: VendorSection) -> Vendor[Any]:
        """The vendor that this is a section of. Raises KeyError."""
        return self._vendors[type(section)]
