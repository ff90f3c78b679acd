"""Tokens: client credentials only, with the scopes of the vendor's pages."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

from daemon.sandbox.elation.fields import Record, Refusal, detail
from daemon.sandbox.elation.state import Credential, State, Token

EVERYTHING: Final = "apiv2"
_READS: Final = frozenset({"GET", "HEAD"})


def grant(state: State, form: Mapping[str, str]) -> Record:
    """The answer to a token request. Raises Refusal 400 or 401."""
    if form.get("grant_type") != "client_credentials":
        raise Refusal(400, {"error": "unsupported_grant_type"})
    credential = state.credentials.get(form.get("client_id", ""))
    secret = form.get("client_secret", "")
    if credential is None or credential.revoked or not hmac.compare_digest(credential.client_secret, secret):
        raise Refusal(401, {"error": "invalid_client"})
    scopes = frozenset(form.get("scope", "").split()) or frozenset({EVERYTHING})
    granular = {scope for scope in scopes if scope.startswith("system/")}
    if scopes - granular - {EVERYTHING} or (granular and EVERYTHING in scopes):
        raise Refusal(400, {"error": "invalid_scope"})
    return {
        "access_token": state.issue_token(credential, scopes),
        "token_type": "Bearer",
        "expires_in": int(state.switches.token_seconds),
        "refresh_token": "",
        "scope": " ".join(sorted(scopes)),
    }


def authenticate(state: State, header: str | None) -> tuple[Credential, Token]:
    """Who asks. Raises Refusal 401: missing, unknown or expired token, or a credential that was withdrawn."""
    scheme, _, key = (header or "").partition(" ")
    token = state.tokens.get(key) if scheme.casefold() == "bearer" else None
    if token is None or token.expires <= state.now():
        raise detail(401, "Authentication credentials were not provided or have expired.")
    credential = state.credentials[token.client_id]
    if credential.revoked:
        raise detail(401, "Authentication credentials were not provided or have expired.")
    return credential, token


def permit(token: Token, method: str, scope: str) -> None:
    """Whether the token's scopes reach the resource. Raises Refusal 403. `scope` "" has none: everything or nothing."""
    if EVERYTHING in token.scopes:
        return
    right = "read" if method in _READS else "write"
    if not scope or f"system/{scope}.{right}" not in token.scopes:
        raise detail(403, "You do not have permission to perform this action.")
