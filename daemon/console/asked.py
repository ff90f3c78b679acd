"""One request: who asks, for which practice, and what may be answered; and everything that a page is made with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp_jinja2
from aiohttp import web

from daemon.config import Config, PracticeConfig, names_of, policy_of
from daemon.console.duplicate_looks import DuplicateLooks
from daemon.console.handles import Handles, PracticeHandles
from daemon.console.news import News
from daemon.console.oidc import IdentityProvider
from daemon.console.publishing import Publishing
from daemon.console.rehearsals import Rehearsals
from daemon.console.roles import FOR, May, Visitor
from daemon.console.sessions import Sessions, form_token
from daemon.operator.find import Looked, find_patient
from daemon.operator.worklist import Doubled
from daemon.tables import access
from events.ids import PRACTICE, PatientKey, PracticeId, charts_of
from events.store import Store
from projections.terms.names import Names
from projections.terms.policy import Policy
from projections.words.remedy import Audience
from projections.words.shown import Shown


@dataclass(frozen=True)
class Console:
    """What all requests of a process share. `given` are the keys that the file of the configuration has, which lies in `beside`."""

    config: Config
    given: frozenset[str]
    beside: Path
    store: Store
    sessions: Sessions
    publishing: Publishing
    handles: Handles
    news: News
    rehearsals: Rehearsals
    duplicate_looks: DuplicateLooks
    provider: IdentityProvider | None = None
    doubled: Doubled = field(default_factory=Doubled)

    def practice(self, id_: str) -> PracticeConfig | None:
        return next((one for one in self.config.practice if one.id == id_), None)


CONSOLE: web.AppKey[Console] = web.AppKey("console", Console)


@dataclass
class Ask:
    """A request that was let in. `form` are the fields of a POST; `recorded` says whether the access log has it."""

    console: Console
    request: web.Request
    address: str
    form_id: str
    visitor: Visitor | None = None
    config: PracticeConfig | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    recorded: bool = False
    providers: Mapping[str, str] = field(default_factory=dict)
    """How the values of a provider are shown on a page that has any (`provider_names`)."""
    shown_form: bool = False
    """Whether a form was shown to somebody who is not signed in: its cookie goes along."""

    @property
    def store(self) -> Store:
        return self.console.store

    @property
    def practice(self) -> PracticeConfig:
        """The practice of the address; a route without one does not ask."""
        assert self.config is not None
        return self.config

    @property
    def id(self) -> PracticeId:
        return PracticeId(self.practice.id)

    @cached_property
    def policy(self) -> Policy:
        """The practice's rules, put together once: a page asks for them in every line."""
        return policy_of(self.practice)

    @property
    def names(self) -> Names:
        return names_of(self.practice)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.practice.time_zone)

    @property
    def who(self) -> str:
        return self.visitor.name if self.visitor is not None else ""

    @property
    def grants(self) -> frozenset[May]:
        """What is granted in the practice of the address, or in none."""
        return self.visitor.may(self.config.id) if self.visitor is not None and self.config is not None else frozenset()

    @property
    def sees(self) -> bool:
        """Whether names and values may be shown."""
        return May.PATIENTS in self.grants

    @property
    def shown(self) -> Shown:
        return Shown(
            values=self.sees, names=self.sees, systems=self.names, zone=self.zone, spoken=True, providers=self.providers
        )

    def resolves(self, audience: Audience) -> bool:
        """Whether items for this audience may be resolved."""
        return FOR[audience] in self.grants

    async def record(self, what: str, patient: PatientKey = PRACTICE, detail: str = "") -> None:
        """Write into the access log, before anything is answered. Raises what PostgreSQL raises: no record, no page."""
        practice = self.config.id if self.config is not None else access.NOWHERE
        await access.record(self.store.pool, practice, self.who, what, address=self.address, patient=patient, detail=detail)
        self.recorded = True

    async def record_each(self, what: str, patients: Iterable[PatientKey], detail: str = "") -> None:
        """As `record`, for every patient that a list shows; for a list of nobody that it was looked at."""
        keys = list(patients)
        if not keys:
            await self.record(what, detail="nobody")
            return
        await access.record_each(self.store.pool, self.id, self.who, what, keys, address=self.address, detail=detail)
        self.recorded = True

    async def record_deed(self, name: str, patients: Collection[PatientKey], about: str = "") -> None:
        """As `record`, for a deed and every patient that it is about; of the practice where there is none."""
        if patients:
            await self.record_each(f"deed: {name}", patients, about)
        else:
            await self.record(f"deed: {name}", detail=about)

    async def looked_at(self, what: str, detail: str = "") -> Looked:
        """The patient of the address, once the access log has it; 404 where nothing is known of such a patient."""
        key = self.key(self.request.match_info["patient"])
        await self.record(what, key, detail)
        found = await find_patient(self.store, self.id, charts_of(key))
        if found is None or not found.patient.key:
            raise web.HTTPNotFound
        return found

    @cached_property
    def _handles(self) -> PracticeHandles:
        return self.console.handles.within(self.id)

    def handle(self, key: PatientKey) -> str:
        """What stands for a patient in an address."""
        return self._handles.of(key)

    def key(self, handle: str) -> PatientKey:
        """The patient of a handle. Raises 404."""
        found = self._handles.key(handle)
        if found is None:
            raise web.HTTPNotFound
        return found

    def page(self, template: str, *, http: int = 200, **values: Any) -> web.Response:
        """A page, with what every page has."""
        known = (one.id for one in self.console.config.practice)
        self.shown_form = self.visitor is None
        common = {
            "ask": self,
            "token": form_token(self.visitor.session if self.visitor is not None else self.form_id),
            "several": self.visitor is not None and len(self.visitor.practices(known)) > 1,
            "may": {one.name for one in self.grants},
        }
        text = aiohttp_jinja2.render_string(template, self.request, common | values)
        return web.Response(text=text, content_type="text/html", status=http)

    def see(self, path: str) -> web.Response:
        """Go and look there, by GET."""
        return web.Response(status=303, headers={"Location": path})
