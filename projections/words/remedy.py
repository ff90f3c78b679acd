"""What resolves a waiting item: the command to type, after what its reason asks for is done in the vendors' own screens."""

from __future__ import annotations

from events.ids import PracticeId
from projections.rules.links import is_barred
from projections.state.patient import Patient

BY_HAND = {
    "differs-after-sent",
    "billed-to-former",
    "no-rank",
    "chart-absorbed",
    "not-created",
    "external-id-too-long",
    "left-behind",
}
"""Put right in the vendors' screens only: then accepted here, as nothing of it comes back to us."""


def remedy(practice: PracticeId, patient: Patient | None, slot: str, code: str) -> str:
    """The command, complete but for what only the person can know (in capitals)."""
    return f"chartwire {_remedy(practice, patient, slot, code)}"


def _remedy(practice: PracticeId, patient: Patient | None, slot: str, code: str) -> str:
    if patient is None:
        if slot.startswith("quarantine:"):
            return f"redrive {practice} {slot}"
        return "check-config" if slot.startswith("system:") else f"dismiss {practice} {slot} --reason TEXT"
    chart = chart_of(patient)
    kind, _, name = slot.partition(":")
    if kind == "bill" and code in ("refused", "bill-error"):
        return f"resend {practice} {name}"
    if code in BY_HAND:
        return f"dismiss {practice} {chart} {slot} --reason TEXT"
    match code:
        case "refused":
            return f"retry {practice} {chart} {slot}"
        case "carrier-refused" | "plan-refused":
            return f"retry {practice} {slot}"
        case "conflict":
            return f"seen {practice} {chart} {name}"
        case "candidates":
            return _candidates(practice, patient, chart)
        case "unlinked":
            other = "elation:ID" if patient.in_billing else "kareo:ID"
            return f"link {practice} {' '.join(sorted((chart, other)))}"
        case "merged-both-linked" | "kareo-chart-gone" | "merge-cycle":
            return f"unlink {practice} {chart}"
    return f"resync {practice} {chart}"


def chart_of(patient: Patient) -> str:
    """A chart by which commands find the patient."""
    return f"{'kareo' if patient.in_billing else 'elation'}:{patient.key[2:]}"


def _candidates(practice: PracticeId, patient: Patient, chart: str) -> str:
    """With one candidate the whole command; `unlink` with the same arguments says that it is somebody else."""
    system = "elation" if patient.in_billing else "kareo"
    found = patient.search.candidates if patient.search else ()
    ids = [one.id for one in found if not is_barred(patient, one.id, patient.in_billing)]
    other = f"{system}:{ids[0]}" if len(ids) == 1 else f"{system}:ID"
    return f"link {practice} {' '.join(sorted((chart, other)))}"
