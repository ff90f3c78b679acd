"""Who may what: six roles, each held in one practice or in all of them, and what each of them may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from daemon.tables.accounts import EVERYWHERE
from projections.words.remedy import Audience


class Role(StrEnum):
    VIEWER = "viewer"
    FRONT_DESK = "front-desk"
    BILLER = "biller"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMIN = "admin"


class May(StrEnum):
    """What a route asks for. `PATIENTS` opens bodies: names and values are shown."""

    SEE = "see counts and rules"
    PATIENTS = "see patients"
    RESOLVE = "resolve what waits for the front desk"
    BILL = "resolve what waits for the biller"
    OPERATE = "resolve what waits for the operator"
    AUDIT = "see who looked and what was done"


GRANTS: Mapping[Role, frozenset[May]] = {
    Role.VIEWER: frozenset({May.SEE}),
    Role.FRONT_DESK: frozenset({May.SEE, May.PATIENTS, May.RESOLVE}),
    Role.BILLER: frozenset({May.SEE, May.PATIENTS, May.BILL}),
    Role.OPERATOR: frozenset({May.SEE, May.PATIENTS, May.RESOLVE, May.BILL, May.OPERATE}),
    Role.AUDITOR: frozenset({May.SEE, May.PATIENTS, May.AUDIT}),
    Role.ADMIN: frozenset({May.SEE, May.AUDIT}),
}

_GRANTED: Mapping[str, frozenset[May]] = {role.value: granted for role, granted in GRANTS.items()}
"""By the stored name of the role; one of a later version grants nothing."""

FOR: Mapping[Audience, May] = {
    Audience.FRONT_DESK: May.RESOLVE,
    Audience.BILLER: May.BILL,
    Audience.OPERATOR: May.OPERATE,
}
"""What somebody needs to resolve an item that is for this audience."""


@dataclass(frozen=True)
class Visitor:
    """Who is signed in, by which session, and the roles held: (practice, role).

    `local`: by password or link. `unproven`: a role asks for a second factor, and there is none yet.
    """

    name: str
    session: str
    roles: tuple[tuple[str, str], ...]
    local: bool = True
    unproven: bool = False

    def may(self, practice: str) -> frozenset[May]:
        """What is granted in a practice; nothing in one without a role."""
        return frozenset().union(
            *(_GRANTED.get(role, frozenset()) for where, role in self.roles if where in (practice, EVERYWHERE))
        )

    def practices(self, known: Iterable[str]) -> list[str]:
        """The practices of `known` in which anything is granted."""
        granted = {where for where, role in self.roles if _GRANTED.get(role)}
        return [one for one in known if one in granted or EVERYWHERE in granted]
