"""A small identity provider on loopback: it signs in whoever it is told to, checks codes as OpenID Connect asks, and can lie in every claim."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from yarl import URL

from daemon.demo.embedded import free_port

CLIENT, SECRET = "chartwire", "s3cret: of %20 the client"
Claims = dict[str, Any]


@dataclass
class TestProvider:
    """`user` are the claims of who sits at the browser; `lie` changes a token's claims, `sign` how it is signed, `answer` the redirect."""

    __test__ = False

    port: int = field(default_factory=free_port)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"}))
    user: Claims = field(default_factory=dict)
    lie: Callable[[Claims], Claims] | None = None
    sign: Callable[[Claims], str] | None = None
    answer: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    away: bool = False
    redeemed: int = 0
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._told)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/keys", self._keys)
        return app

    async def _told(self, _request: web.Request) -> web.Response:
        if self.away:
            return web.Response(status=503)
        own = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
        }
        return web.json_response(own | {"jwks_uri": f"{self.issuer}/keys"} | self.metadata)

    async def _keys(self, _request: web.Request) -> web.Response:
        return web.json_response(KeySet([self.key]).as_dict(private=False))

    async def _authorize(self, request: web.Request) -> web.Response:
        """Whoever `user` is signs in at once."""
        asked = request.query
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        assert len(asked["state"]) >= 22
        assert asked["client_id"] == CLIENT
        code = secrets.token_urlsafe(16)
        self._codes[code] = dict(asked)
        given = {"code": code, "state": asked["state"], "iss": self.issuer} | self.answer
        back = URL(asked["redirect_uri"]).update_query({name: value for name, value in given.items() if value})
        return web.Response(status=302, headers={"Location": str(back)})

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        name, _, secret = base64.b64decode(given).decode().partition(":")
        asked = self._codes.pop(str(form.get("code")), None)
        challenge = base64.urlsafe_b64encode(sha256(str(form.get("code_verifier")).encode()).digest()).decode().rstrip("=")
        if (
            (scheme, unquote(name), unquote(secret)) != ("Basic", CLIENT, SECRET)
            or form.get("grant_type") != "authorization_code"
            or asked is None
            or form.get("redirect_uri") != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.redeemed += 1
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.user}
        claims = self.lie(claims) if self.lie is not None else claims
        token = self.sign(claims) if self.sign is not None else self.signed(claims)
        return web.json_response({"access_token": "a", "token_type": "Bearer", "id_token": token})

    def signed(self, claims: Claims, key: RSAKey | None = None) -> str:
        key = key or self.key
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


def by_our_secret(claims: Claims) -> str:
    """Signed with the secret of the client, as somebody can who has no key of the provider's."""
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(SECRET), algorithms=["HS256"])


def unsigned(claims: Claims) -> str:
    """Not signed at all."""
    parts = ({"alg": "none"}, claims)
    text = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts]
    return f"{text[0]}.{text[1]}."


@asynccontextmanager
async def provided() -> AsyncIterator[TestProvider]:
    provider = TestProvider()
    runner = web.AppRunner(provider.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", provider.port).start()
    try:
        yield provider
    finally:
        await runner.cleanup()
