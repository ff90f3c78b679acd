"""What a practice's configuration may hold for its systems: a row a vendor, known without loading how it is spoken to."""

from __future__ import annotations

from daemon.sections import VendorSection
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.kareo.section import KareoConfig

SECTIONS: tuple[type[VendorSection], ...] = (ElationConfig, KareoConfig)
"""For `daemon.config.load`; a test holds them equal to the vendors' of `daemon.vendors.registry`."""
