"""The witness outside of the store: what tells a restored store from one that is as it was, and from a topic that was made anew."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.keys import Keyring, UnreadableEvent
from events.store import Head
from events.witnessed import (
    HIGHEST_EPOCH,
    NEVER_OWNED,
    Witnessed,
    decode_witnessed,
    encode_witnessed,
    restart_of,
)
from tests.conftest import OTHER, PRACTICE

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def witnessed(sequence: int = 7, epoch: int = 3, chain: bytes = b"seven") -> Witnessed:
    return Witnessed(practice=PRACTICE, sequence=sequence, epoch=epoch, chain=chain, at=NOON)


def test_a_head_is_read_as_it_was_told(keyring: Keyring) -> None:
    assert decode_witnessed(encode_witnessed(witnessed(), keyring), keyring) == witnessed()


def test_what_the_practice_did_not_sign_is_no_head(keyring: Keyring, tmp_path: Path) -> None:
    forger = tmp_path / "forger"
    forger.mkdir()
    Keyring.create_key(forger, PRACTICE)
    forged = encode_witnessed(witnessed(), Keyring.from_directory(forger))
    with pytest.raises(UnreadableEvent):
        decode_witnessed(forged, keyring)


def test_another_practices_key_signs_nothing(keyring: Keyring) -> None:
    said, signed_by, signature = msgspec.msgpack.decode(encode_witnessed(witnessed(), keyring))
    other = encode_witnessed(Witnessed(practice=OTHER, sequence=1, epoch=1, chain=b"", at=NOON), keyring)
    with pytest.raises(UnreadableEvent, match="not signed by its practice"):
        decode_witnessed(msgspec.msgpack.encode([said, msgspec.msgpack.decode(other)[1], signature]), keyring)
    with pytest.raises(UnreadableEvent):
        decode_witnessed(msgspec.msgpack.encode([said + b"\x00", signed_by, signature]), keyring)


def test_one_signed_with_a_key_file_that_is_gone_says_nothing(keyring: Keyring) -> None:
    with pytest.raises(UnreadableEvent, match="key file"):
        decode_witnessed(encode_witnessed(witnessed(), keyring), Keyring({}))


def test_a_key_file_that_came_later_is_looked_for(keyring: Keyring, tmp_path: Path) -> None:
    """Another worker signs with a new file already; ours was not told to read the folder again."""
    Keyring.create_key(tmp_path / "keys", PRACTICE)
    later = Keyring.from_directory(tmp_path / "keys")
    encoded = encode_witnessed(witnessed(), later)
    assert msgspec.msgpack.decode(encoded)[1] == "elm.2"
    assert decode_witnessed(encoded, keyring) == witnessed()


@pytest.mark.parametrize("value", [None, b"", b"\x90", b"nonsense", b"\x93\xc4\x01a\xa1b\xc4\x01c"])
def test_other_messages_are_told_apart(keyring: Keyring, value: bytes | None) -> None:
    with pytest.raises(UnreadableEvent):
        decode_witnessed(value, keyring)


@pytest.mark.parametrize("one", [witnessed(sequence=-1), witnessed(epoch=-1), witnessed(epoch=HIGHEST_EPOCH + 1)])
def test_numbers_that_nobody_comes_to_are_refused(keyring: Keyring, one: Witnessed) -> None:
    with pytest.raises(UnreadableEvent, match="counts"):
        decode_witnessed(encode_witnessed(one, keyring), keyring)


def link_at(history: list[bytes], sequence: int) -> bytes | None:
    return history[sequence - 1] if 0 < sequence <= len(history) else None


def judged(told: Witnessed | None, epoch: int, history: list[bytes]) -> int | None:
    """The events that remain of a restored store with this history; None for one that is as it was."""
    head = Head(len(history), epoch + 1, link_at(history, len(history))) if history else NEVER_OWNED
    found = restart_of(told, epoch, head, None if told is None else link_at(history, told.sequence))
    return None if found is None else found.kept


histories = st.lists(st.binary(min_size=1, max_size=3), max_size=12)


@given(histories, st.integers(0, 12), st.integers(1, 5), st.integers(0, 5))
def test_a_store_that_went_on_is_never_taken_for_a_restored_one(
    history: list[bytes], at: int, epoch: int, later: int
) -> None:
    """Whatever the witness knew of it, however late it is; and whoever took the practice over since."""
    at = min(at, len(history))
    told = witnessed(at, epoch, link_at(history, at) or b"")
    assert judged(told, epoch + later, history) is None


@given(histories, st.integers(0, 12), st.integers(1, 5))
def test_a_store_that_lacks_what_was_witnessed_is_a_restored_one(history: list[bytes], kept: int, epoch: int) -> None:
    kept = min(kept, len(history))
    told = witnessed(len(history), epoch, link_at(history, len(history)) or b"")
    assert judged(told, epoch, history[:kept]) == (None if kept == len(history) else kept)


@given(histories, st.integers(1, 5), st.binary(min_size=4, max_size=4), histories)
def test_a_store_that_went_on_after_a_restore_holds_another_event_in_its_place(
    history: list[bytes], epoch: int, other: bytes, more: list[bytes]
) -> None:
    """By a worker of a version that publishes no heads."""
    lost = [*history, b"lost"]
    told = witnessed(len(lost), epoch, lost[-1])
    went_on = [*history, other, *more]
    assert (judged(told, epoch + 1, went_on) is None) == (other == b"lost")


def test_a_store_that_knows_of_fewer_take_overs_is_a_restored_one() -> None:
    """Nothing is known to be missing; what was recorded last may be."""
    assert judged(witnessed(2, 3, b"b"), 2, [b"a", b"b"]) == 2


def test_a_topic_that_was_made_anew_says_nothing() -> None:
    assert judged(None, 0, []) is None
    assert judged(None, 9, [b"a"]) is None


def test_what_was_recorded_before_there_was_a_chain_is_not_compared() -> None:
    found = restart_of(witnessed(2, 1, b""), 1, Head(2, 2, None), None)
    assert found is None
