"""Signing in at an identity provider (OpenID Connect): authorization code with PKCE; what comes back is believed only as far as it is proved.

What is kept of a sign-in that went away lies in the database under a digest of its state, so it may come back to another process. It
belongs to one browser, by a cookie.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from yarl import URL

from daemon.console.sessions import new_id
from daemon.sections import LOCAL
from daemon.servers import OidcConfig

AWAY_SECONDS = 600.0
"""For how long a sign-in may be away."""

LEEWAY_SECONDS = 60
KEPT_SECONDS = 3600.0
"""For how long what the provider says of itself is not asked again."""

ANSWER_BYTES = 256 * 1024
SECONDS = aiohttp.ClientTimeout(total=10)
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key that only the provider has: none by a secret that we share, and not none."""


class NotBelieved(Exception):
    """The sign-in is refused; the text is for the access log and quotes nothing that came in."""


class ProviderAway(Exception):
    """The provider did not answer as one does."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the answer of a sign-in is held against; `browser` is the digest of the cookie of whoever began it."""

    nonce: str
    verifier: str
    browser: str


class ProviderMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider says of itself, as far as it is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of the token endpoint, as far as it is used."""

    id_token: str


@dataclass(frozen=True)
class Claims:
    """Who signed in, as the provider says: `name` is what it calls the subject, "" where it does not say."""

    subject: str
    name: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Departure:
    """Where to send a browser, with the state and the cookie that it has to bring back."""

    address: str
    state: str
    cookie: str
    kept: Kept


@dataclass
class IdentityProvider:
    """The identity provider of `[console.oidc]`. `back` is our own address that it sends browsers to."""

    config: OidcConfig
    secret: str
    back: str
    http: aiohttp.ClientSession
    now: Callable[[], float]
    _metadata: tuple[float, ProviderMetadata] | None = field(default=None, init=False)
    _keys: KeySet | None = field(default=None, init=False)

    async def depart(self) -> Departure:
        """Begin a sign-in. Raises ProviderAway."""
        metadata = await self._told()
        state, cookie = new_id(), new_id()
        kept = Kept(nonce=new_id(), verifier=new_id(), browser=_digest(cookie))
        asked = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": self.back,
            "scope": " ".join(("openid", *self.config.scopes)),
            "state": state,
            "nonce": kept.nonce,
            "code_challenge": _challenge(kept.verifier),
            "code_challenge_method": "S256",
        }
        return Departure(str(URL(metadata.authorization_endpoint).update_query(asked)), state, cookie, kept)

    async def arrive(self, query: Mapping[str, str], cookie: str, kept: Kept) -> Claims:
        """Who came back. Raises NotBelieved and ProviderAway."""
        if not cookie or not hmac.compare_digest(_digest(cookie), kept.browser):
            raise NotBelieved("another browser")
        if query.get("iss", self.config.issuer) != self.config.issuer:
            raise NotBelieved("another issuer answered")
        if "error" in query or not query.get("code"):
            raise NotBelieved("refused there")
        token = await self._redeem(query["code"], kept.verifier)
        return self._proved(await self._verified(token), kept)

    # -- what came back -----------------------------------------------------------------------------------------------

    async def _redeem(self, code: str, verifier: str) -> str:
        """The id token for a code."""
        metadata = await self._told()
        given = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.back, "code_verifier": verifier}
        basic = f"{quote(self.config.client_id, safe='')}:{quote(self.secret, safe='')}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(basic).decode()}", "Accept": "application/json"}
        status, body = await self._asked("POST", metadata.token_endpoint, data=given, headers=headers)
        if 400 <= status < 500:
            raise NotBelieved("code refused")
        try:
            return msgspec.json.decode(body, type=Tokens).id_token
        except msgspec.MsgspecError:
            raise ProviderAway from None

    async def _verified(self, token: str) -> Mapping[str, Any]:
        """The claims of a token that the provider has signed; its keys are asked for once more where none fits."""
        for afresh in (False, True):
            keys = await self._key_set(afresh=afresh)
            try:
                return jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
            except (JoseError, ValueError, TypeError, KeyError) as error:
                if afresh:
                    raise NotBelieved("signature") from error
        raise AssertionError

    def _proved(self, claims: Mapping[str, Any], kept: Kept) -> Claims:
        """Who the claims are about, once each of them is as it has to be. Raises NotBelieved."""
        now, audience = self.now(), claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
        if claims.get("iss") != self.config.issuer:
            raise NotBelieved("issuer")
        if self.config.client_id not in audiences or claims.get("azp", self.config.client_id) != self.config.client_id:
            raise NotBelieved("audience")
        if len(audiences) > 1 and "azp" not in claims:
            raise NotBelieved("audience")
        if not _number(claims.get("exp")) or claims["exp"] + LEEWAY_SECONDS <= now:
            raise NotBelieved("expired")
        if not _number(claims.get("iat")) or claims["iat"] - LEEWAY_SECONDS > now:
            raise NotBelieved("issued later than now")
        if _number(claims.get("nbf")) and claims["nbf"] - LEEWAY_SECONDS > now:
            raise NotBelieved("not yet valid")
        nonce, subject = claims.get("nonce"), claims.get("sub")
        if not isinstance(nonce, str) or not nonce.isascii() or not hmac.compare_digest(nonce.encode(), kept.nonce.encode()):
            raise NotBelieved("nonce")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
            raise NotBelieved("subject")
        name, groups = claims.get(self.config.name_claim), claims.get(self.config.groups_claim)
        return Claims(
            subject=subject,
            name=name if isinstance(name, str) else "",
            groups=tuple(one for one in groups if isinstance(one, str)) if isinstance(groups, list) else (),
        )

    # -- what the provider says of itself -----------------------------------------------------------------------------

    async def _told(self) -> ProviderMetadata:
        if self._metadata is None or self._metadata[0] + KEPT_SECONDS < self.now():
            status, body = await self._asked("GET", f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration")
            try:
                found = msgspec.json.decode(body, type=ProviderMetadata)
            except msgspec.MsgspecError:
                raise ProviderAway from None
            endpoints = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
            if status != 200 or found.issuer != self.config.issuer or not all(map(_is_guarded, endpoints)):
                raise ProviderAway
            self._metadata = self.now(), found
        return self._metadata[1]

    async def _key_set(self, *, afresh: bool) -> KeySet:
        if self._keys is None or afresh:
            _, body = await self._asked("GET", (await self._told()).jwks_uri)
            try:
                self._keys = KeySet.import_key_set(json.loads(body))
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise ProviderAway from error
        return self._keys

    async def _asked(self, method: str, address: str, **given: Any) -> tuple[int, bytes]:
        """The answer, of a bounded size; nobody is followed elsewhere."""
        try:
            async with self.http.request(method, address, allow_redirects=False, timeout=SECONDS, **given) as response:
                body = await response.content.read(ANSWER_BYTES)
                while len(body) < ANSWER_BYTES and (more := await response.content.read(ANSWER_BYTES - len(body))):
                    body += more
                if response.status >= 500 or len(body) >= ANSWER_BYTES:
                    raise ProviderAway
                return response.status, body
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ProviderAway from error


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_guarded(address: str) -> bool:
    url = URL(address)
    return url.scheme == "https" or (url.scheme == "http" and (url.host or "") in LOCAL)


def _digest(cookie: str) -> str:
    return sha256(cookie.encode()).hexdigest()


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
