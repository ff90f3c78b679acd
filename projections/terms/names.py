"""How people call the two systems of a practice: the name on a screen, and the prefix of an id on the command line.

A system plays a role (`System`): the EHR is the chart side, the billing system the billing side. Which product plays it is the
practice's configuration; `daemon/vendors/registry.py` knows the products and fills in `Policy.names`.
"""

from __future__ import annotations

from events.ids import BillingPatientId, Charts, EhrChartId
from events.records import Value
from events.writes import System

LARGEST_ID = 2**63 - 1
"""As large as an id, or a sequence number, can be stored."""


class SystemName(Value, frozen=True, kw_only=True):
    """`label` is the product's name in a sentence ("Elation"), `prefix` stands before its ids ("elation:12")."""

    label: str
    prefix: str


class Names(Value, frozen=True, kw_only=True):
    """The two products of a practice; the defaults are the products that the project was made for."""

    ehr: SystemName = SystemName(label="Elation", prefix="elation")
    billing: SystemName = SystemName(label="Kareo", prefix="kareo")

    def of(self, system: System) -> SystemName:
        """The name of the system that plays this role."""
        return self.ehr if system is System.EHR else self.billing

    def label(self, system: System) -> str:
        """The product's name in a sentence."""
        return self.of(system).label

    def chart(self, chart: EhrChartId | int) -> str:
        """A chart of the EHR as the command line takes it: `elation:12`."""
        return f"{self.ehr.prefix}:{chart}"

    def patient(self, patient: BillingPatientId | int) -> str:
        """A patient of the billing system as the command line takes it: `kareo:12`."""
        return f"{self.billing.prefix}:{patient}"

    def one_of(self, charts: Charts) -> str:
        """One of the charts as the command line takes it, the EHR's where there is one; "" for the practice."""
        if charts.ehr is not None:
            return self.chart(charts.ehr)
        return "" if charts.billing is None else self.patient(charts.billing)

    def charts_in(self, text: str) -> Charts | None:
        """The chart that `elation:12` or `kareo:12` names; None for any other text and for what no id can be."""
        prefix, _, number = text.partition(":")
        if not (number.isascii() and number.isdigit() and len(number) < 20 and int(number) <= LARGEST_ID):
            return None
        if prefix == self.ehr.prefix:
            return Charts(ehr=EhrChartId(int(number)))
        return Charts(billing=BillingPatientId(int(number))) if prefix == self.billing.prefix else None

    @property
    def either(self) -> str:
        """How the command line takes a chart of either system."""
        return f"{self.ehr.prefix}:ID or {self.billing.prefix}:ID"

    @property
    def both(self) -> str:
        """How the command line takes one chart of each system."""
        return f"{self.ehr.prefix}:ID {self.billing.prefix}:ID"


NAMES = Names()
