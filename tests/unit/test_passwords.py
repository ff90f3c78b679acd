"""Passwords of the console: argon2id, and no password that is guessed at once."""

from __future__ import annotations

import pytest

from daemon.console.passwords import NOBODYS, Passwords, too_weak


async def test_a_password_fits_what_is_kept_of_it_and_nothing_else_does() -> None:
    passwords = Passwords()
    kept = await passwords.hashed("four words nobody says")
    assert kept.startswith("$argon2id$")
    assert "words" not in kept
    assert await passwords.fits(kept, "four words nobody says")
    assert not await passwords.fits(kept, "four words nobody said")
    assert kept != await passwords.hashed("four words nobody says")


@pytest.mark.parametrize("kept", ["", "garbage", NOBODYS[:-4]], ids=["nothing", "garbage", "cut off"])
async def test_what_holds_no_password_fits_none(kept: str) -> None:
    said = "nobody's: what is checked where there is no such user, so that the answer takes as long"
    assert not await Passwords().fits(kept, said)


@pytest.mark.parametrize("password", ["short words", "aaaaaaaaaaaaaaaa", "x" * 201, "my name is Dana.R really"])
def test_a_weak_password_is_refused(password: str) -> None:
    assert too_weak("dana.r", password)


def test_a_good_one_is_taken() -> None:
    assert too_weak("dana.r", "four words nobody says") == ""
