"""What a vendor call can come to, other than its answer.

    VendorError                 `operation` names the call
    ├── Throttled               nothing was done; again after `retry_after` seconds
    ├── Unauthorized            credentials or rights are missing
    │   ├── CredentialsRefused  the account itself: tried again seldom (gate.py), or it gets locked
    │   └── PracticeHidden      the account does not show the practice; nothing of it can be written before it does
    ├── Troubled                the vendor had trouble of its own: tried again for hours, after a look
    ├── Unreachable             nothing was done, or it was a read: safe to repeat
    ├── OutcomeUnknown          a write may or may not have been done: look before repeating
    ├── Malformed               the answer does not fit at `path`
    └── Refused                 the same request would be refused again; `vendor_text`, `problems`, `status`
        ├── NotForAccount       none like it can be made with this account as it is set up: nobody tries another
        ├── Defect              the vendor could not read what was sent: the fault is ours
        ├── NotFound            unknown, or not visible
        ├── Gone                deleted
        ├── Moved               lives on as `survivor`
        └── Duplicate           exists as `existing`
    NotAsWritten                success was answered, other values are read back in `fields`
    ChangedMeanwhile            somebody was faster: `seen` has to be decided about

Every vendor client raises these and nothing else, so that the sinks and connectors decide by type, never by text.
Messages name the operation and the place; they never quote what the vendor said (that may hold a patient's data):
vendor text travels in `vendor_text`, which goes into encrypted events only. The last two are what a writer finds out about
a write that the client took for done.
"""

from __future__ import annotations

from datetime import datetime

from events.insurance import EhrPoliciesObserved
from events.schema import BillingChartObserved, BillObserved, EhrChartObserved


class VendorError(Exception):
    """Base of all. `operation` names the call, for example `billing.GetPatient` or `ehr.PATCH /patients/{id}/`."""

    def __init__(self, operation: str, detail: str = "") -> None:
        super().__init__(f"{operation}: {detail}" if detail else operation)
        self.operation = operation


class Throttled(VendorError):
    """The vendor asked for patience; nothing was done. Try again after `retry_after` seconds."""

    def __init__(self, operation: str, retry_after: float) -> None:
        super().__init__(operation, f"throttled, retry after {retry_after:.2f} s")
        self.retry_after = retry_after


class Unauthorized(VendorError):
    """Credentials or rights are missing: stop this practice's calls and alert."""


class CredentialsRefused(Unauthorized):
    """The account was not accepted, or it was not tried because it was refused a while ago."""


class PracticeHidden(Unauthorized):
    """The account was accepted and does not show the practice of the configured name: another name, a missing right, or a bad answer."""


class Troubled(VendorError):
    """The vendor says that something went wrong in it: not with what was sent, and perhaps not for long.

    A write is most likely not done; look before it is repeated. `vendor_text` as in Refused.
    """

    def __init__(self, operation: str, *, vendor_text: str = "") -> None:
        super().__init__(operation, "the vendor had trouble of its own")
        self.vendor_text = vendor_text


class Refused(VendorError):
    """The vendor understood and said no; the same request would be refused again.

    `vendor_text` are the vendor's words (may hold PHI: never log), `problems` what could be extracted from them as
    (element, value, text), `status` the HTTP status where there is one.
    """

    def __init__(
        self,
        operation: str,
        *,
        vendor_text: str = "",
        problems: tuple[tuple[str, str, str], ...] = (),
        status: int | None = None,
    ) -> None:
        super().__init__(operation, f"refused (HTTP {status})" if status else "refused")
        self.vendor_text = vendor_text
        self.problems = problems
        self.status = status


class Defect(Refused):
    """The vendor could not read what was sent: nothing was done, and the fault is ours. A person is told, nothing is repeated."""


class NotForAccount(Refused):
    """The account is not set up for it, so every other record would be refused, too. Nobody tries another before a person says so.

    `vendor_text` are words of the vendor's that hold no patient's data.
    """


class NotFound(Refused):
    """Unknown here, or not visible to this credential (Elation cannot tell the two apart)."""


class Gone(Refused):
    """The record was deleted (Elation 410)."""


class Moved(Refused):
    """The chart lives on under another id (Elation 303): `survivor` holds it, None when the answer names none."""

    def __init__(self, operation: str, survivor: int | None) -> None:
        super().__init__(operation, status=303)
        self.survivor = survivor


class Duplicate(Refused):
    """Elation 409: a record like this exists; `existing` is its id, None when the answer names none."""

    def __init__(self, operation: str, existing: int | None, *, vendor_text: str = "") -> None:
        super().__init__(operation, vendor_text=vendor_text, status=409)
        self.existing = existing


class OutcomeUnknown(VendorError):
    """A write was sent and no usable answer came back: it may or may not have been done. Look before repeating."""


class Unreachable(VendorError):
    """A read failed in transport, or a write that certainly never left (connection refused). Safe to repeat."""


class Malformed(VendorError):
    """The answer does not fit the schema; `path` names the field (`$.results[3].dob`), never its value."""

    def __init__(self, operation: str, path: str) -> None:
        super().__init__(operation, f"answer does not fit the schema at {path}")
        self.path = path


class NotAsWritten(Exception):
    """The system answered success, but reading back shows other values in `fields` (names only)."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields


class ChangedMeanwhile(Exception):
    """The record does not show what the write was to replace: somebody was faster, so it has to be decided again.

    `seen` is the record as it is now, read at `read_at`.
    """

    def __init__(
        self,
        seen: BillObserved | EhrChartObserved | EhrPoliciesObserved | BillingChartObserved,
        modified: datetime | None,
        read_at: datetime,
    ) -> None:
        super().__init__(type(seen).__name__)
        self.seen = seen
        self.modified = modified
        self.read_at = read_at
