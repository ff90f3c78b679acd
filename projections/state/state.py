"""A practice's projections as one value to fold into: its patients, its directory, and which patient a chart belongs to.

The recorder holds just the patients a batch touches; a rebuild or a replay holds them all. Either way the same function
applies the same events, so the result is the same, byte for byte (I7).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from events.ids import PRACTICE, BillingPatientId, EhrChartId, PatientKey, billing_key, ehr_key
from events.merges import BillingLinkMoved
from events.schema import ChartLinked, ChartUnlinked, Event, LinkMoved, PairBarred
from projections.matching.frequencies import Frequencies
from projections.state.directory import Directory, fold_directory
from projections.state.folding import fold_patient
from projections.state.linking import linked, moved, moved_to, unlinked
from projections.state.patient import Patient, bar


@dataclass(frozen=True)
class Alike:
    """Charts that share a key with an unlinked chart (`projections.matching.keys_of`): `theirs` of the other system by id, and
    `ours` of its own system that share one with those of `theirs` that look like it.

    `undecided` are charts of its own system that share a key with it, and for which one of the other system may be being created or a
    person asked.
    """

    theirs: tuple[int, ...] = ()
    ours: tuple[int, ...] = ()
    undecided: tuple[int, ...] = ()


OF_TWO = frozenset({ChartLinked, ChartUnlinked, LinkMoved, BillingLinkMoved, PairBarred})
"""Bodies of events that involve two patients."""


@dataclass
class PracticeState:
    """`charts` tells the patient of an Elation chart; `changed` and `gone` collect what a batch has to save.

    `alike` and `frequencies` are what was looked up for deciding about charts without a link. They are no projections: what
    follows from them is recorded.
    """

    directory: Directory = field(default_factory=Directory)
    patients: dict[PatientKey, Patient] = field(default_factory=dict)
    charts: dict[EhrChartId, PatientKey] = field(default_factory=dict)
    changed: set[PatientKey] = field(default_factory=set)
    gone: set[PatientKey] = field(default_factory=set)
    recharted: set[EhrChartId] = field(default_factory=set)
    directory_changed: bool = False
    alike: dict[PatientKey, Alike] = field(default_factory=dict)
    frequencies: Frequencies = field(default_factory=Frequencies)

    def key_of(self, ehr: EhrChartId | None, billing: BillingPatientId | None) -> PatientKey:
        """The patient that an event about these charts belongs to; "" for the practice itself."""
        if billing is not None:
            return billing_key(billing)
        if ehr is not None:
            return self.charts.get(ehr, ehr_key(ehr))
        return PRACTICE

    def key_in(self, id_: int, *, ehr: bool) -> PatientKey:
        """The patient of a chart of one system, by its id there."""
        return self.key_of(EhrChartId(id_), None) if ehr else self.key_of(None, BillingPatientId(id_))

    def apply(self, event: Event, sequence: int) -> None:
        """Fold one event, routed by its `patient`."""
        if not event.patient:
            self.directory = fold_directory(self.directory, event)
            self.directory_changed = True
            return
        patient = self.patients.get(event.patient) or Patient(key=event.patient)
        if type(event.body) not in OF_TWO:
            patient = fold_patient(patient, event)
            if event.ehr is not None and event.ehr not in self.charts:
                self._place(event.ehr, event.patient)
        else:
            patient = self._relate(patient, event)
        self._save(patient)

    def _relate(self, patient: Patient, event: Event) -> Patient:
        """Fold what involves a second patient, who is saved or removed here."""
        match event.body:
            case ChartLinked():
                patient = linked(patient, self._take(event.body.ehr, event.patient), event.body)
                self._place(event.body.ehr, event.patient)
            case ChartUnlinked():
                patient, chart = unlinked(patient, event.body)
                self._save(chart)
                self._place(event.body.ehr, chart.key)
            case PairBarred(ehr=ehr, billing=billing):
                patient = bar(patient, ehr, billing)
                alone = self.charts.get(ehr, ehr_key(ehr))
                if alone in self.patients:
                    self._save(bar(self.patients[alone], ehr, billing))
            case BillingLinkMoved(ehr=ehr, source=source):
                known = self.patients.get(billing_key(source)) or Patient(key=billing_key(source))
                patient, remains = moved_to(known, patient, event.body)
                self._save(remains)
                self._place(ehr, event.patient)
            case LinkMoved():
                patient, remains = moved(patient, self._take(event.body.target, event.patient), event.body)
                self._place(event.body.target, event.patient)
                self._save(remains)
                self._place(event.body.source, remains.key)
        return patient

    def _save(self, patient: Patient) -> None:
        self.patients[patient.key] = patient
        self.changed.add(patient.key)
        self.gone.discard(patient.key)

    def _place(self, chart: EhrChartId, key: PatientKey) -> None:
        if self.charts.get(chart) != key:
            self.charts[chart] = key
            self.recharted.add(chart)

    def _take(self, chart: EhrChartId, into: PatientKey) -> Patient | None:
        """The Elation-only patient of `chart`, removed, to be absorbed `into` another."""
        key = self.charts.get(chart, ehr_key(chart))
        if key == into:
            return None
        patient = self.patients.pop(key, None)
        if patient is not None:
            self.changed.discard(key)
            self.gone.add(key)
        return patient
