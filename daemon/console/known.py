"""Browsers in which somebody has signed in before: whoever types wrong passwords elsewhere does not keep them out.

A browser keeps a token for each of the last who signed in there. A token holds for one user and one password, and tries by it are counted
by themselves: whoever steals one may try as often as anybody else.
"""

from __future__ import annotations

import hmac
import secrets

from daemon.tables.accounts import Account

BETWEEN = "~"
MOST = 8
"""People who share a browser."""

DAYS = 180


def token_of(tokens: str, account: Account) -> str:
    """The user's own of a browser's tokens, "" where there is none."""
    own = (one for one in tokens.split(BETWEEN)[:MOST] if account.password and one.isascii() and _holds(one, account))
    return next(own, "")


def with_token(tokens: str, account: Account) -> str:
    """A browser's tokens once the user has signed in: as they are, or with one more."""
    if not account.password or token_of(tokens, account):
        return tokens
    nonce = secrets.token_urlsafe(16)
    kept = [one for one in tokens.split(BETWEEN) if one and one.isascii()][: MOST - 1]
    return BETWEEN.join((f"{nonce}.{_proof(nonce, account)}", *kept))


def _holds(token: str, account: Account) -> bool:
    nonce, _, proof = token.partition(".")
    return hmac.compare_digest(proof, _proof(nonce, account))


def _proof(nonce: str, account: Account) -> str:
    """By what is kept of the password, which nobody else has: another password makes all tokens worthless."""
    return hmac.digest(account.password.encode(), f"chartwire known browser {account.name} {nonce}".encode(), "sha256").hex()
