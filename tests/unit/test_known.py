"""Browsers that somebody has signed in with before: whose a token is, and until when."""

from __future__ import annotations

from msgspec.structs import replace

from daemon.console.known import BETWEEN, MOST, token_of, with_token
from daemon.tables.accounts import Account

ANN, BEN = Account(name="ann", password="hash of ann's"), Account(name="ben", password="hash of ben's")


def test_a_token_is_one_users_and_ends_with_the_password() -> None:
    tokens = with_token("", ANN)
    assert token_of(tokens, ANN) == tokens
    assert token_of(tokens, BEN) == token_of(tokens, replace(ANN, password="another")) == ""
    assert token_of(tokens, replace(ANN, name="ben")) == ""
    assert with_token("", ANN) != tokens


def test_people_share_a_browser() -> None:
    both = with_token(with_token("", ANN), BEN)
    assert len(both.split(BETWEEN)) == 2
    assert token_of(both, ANN) in both
    assert token_of(both, BEN) in both
    assert with_token(both, ANN) == both
    for number in range(20):
        both = with_token(both, Account(name=f"user{number}", password="x"))
    assert len(both.split(BETWEEN)) == MOST
    assert token_of(both, ANN) == ""


def test_what_is_no_token_is_nobodys() -> None:
    for text in ("", ".", "x", "~~", "x.y", "\u00e9.\u00e9", "." + "0" * 64):
        assert token_of(text, ANN) == ""
    assert with_token("", Account(name="ann")) == ""
    assert token_of(with_token("", ANN), Account(name="ann")) == ""
