"""The hash chain's check, and archives: whatever single thing is changed in rows or in a file is found and located."""

from __future__ import annotations

import io
import resource
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import archive
from events.archive import ArchiveReader, ArchiveWriter, End, Manifest, NoArchive, Recipient
from events.chain import COVERED, link
from events.evidence import ChainCheckpoint, ChainProblem, Inspection, Mark, NoCheckpoint, decode_checkpoint

MADE = datetime(2026, 3, 2, 15, tzinfo=UTC)
KEY = Recipient(key=bytes(range(32)))


def row(sequence: int) -> dict[str, Any]:
    return {
        "practice": "elm",
        "sequence": sequence,
        "event_id": UUID(int=sequence * 7919),
        "type": "KareoChartObserved",
        "version": 1,
        "origin": "kareo",
        "patient_key": "K:901",
        "elation_chart": None if sequence % 2 else 101,
        "kareo_patient": 901,
        "observed_at": MADE + timedelta(minutes=sequence),
        "modified_at": None if sequence % 3 else MADE,
        "recorded_at": MADE + timedelta(minutes=sequence, microseconds=17),
        "cause": None if sequence == 1 else UUID(int=(sequence - 1) * 7919),
        "correlation": None,
        "key_id": "elm.1",
        "body": bytes((sequence * 31 + index) % 256 for index in range(40)),
        "epoch": 3,
    }


def chained(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows linked from the beginning."""
    chain, result = b"", []
    for one in rows:
        chain = link(chain, [one[column] for column in COVERED])
        result.append({**one, "chain": chain})
    return result


LENGTH = 12
ROWS = chained([row(sequence) for sequence in range(1, LENGTH + 1)])


def inspected(rows: list[dict[str, Any]], marks: dict[int, bytes] | None = None, head: int = LENGTH) -> Inspection:
    seen = Inspection("elm", marks or {})
    for one in rows:
        if not seen.take(one):
            break
    seen.end(head, ROWS[-1]["chain"])
    return seen


def test_what_was_not_touched_is_found_whole() -> None:
    seen = inspected(ROWS, {LENGTH: ROWS[-1]["chain"], 3: ROWS[2]["chain"]})
    assert (seen.problem, seen.sequence, seen.chain) == (None, LENGTH, ROWS[-1]["chain"])


def test_it_is_told_where_history_restarts() -> None:
    rows = [*(row(sequence) for sequence in range(1, LENGTH)), row(LENGTH) | {"type": "HistoryRestarted"}]
    seen = Inspection("elm")
    assert all(seen.take(one) for one in chained(rows))
    assert seen.restarts == [(LENGTH, rows[-1]["recorded_at"])]
    assert inspected(ROWS).restarts == []


# -- a single change ----------------------------------------------------------------------------------------------------


def flipped(value: Any, place: int, bit: int) -> Any:
    """The value with one bit of one of its bytes changed, as the database could hold it."""
    match value:
        case bytes():
            place %= len(value)
            return value[:place] + bytes([value[place] ^ 1 << bit]) + value[place + 1 :]
        case str():
            place %= len(value)
            return value[:place] + chr(ord(value[place]) ^ 1 << bit % 5) + value[place + 1 :]
        case UUID():
            return UUID(bytes=flipped(value.bytes, place, bit))
        case datetime():
            return value + timedelta(microseconds=1 << (place % 4 * 8 + bit))
        case int():
            return value ^ 1 << (place % 2 * 8 + bit)
    raise AssertionError(type(value))


@settings(max_examples=600, deadline=None)
@given(
    index=st.integers(0, LENGTH - 1),
    column=st.sampled_from([*COVERED, "chain"]),
    place=st.integers(0, 60),
    bit=st.integers(0, 7),
)
def test_any_byte_of_any_column_of_any_event(index: int, column: str, place: int, bit: int) -> None:
    value = ROWS[index][column]
    changed = _something(column) if value is None else flipped(value, place, bit)
    rows = [{**one, column: changed} if number == index else one for number, one in enumerate(ROWS)]
    if column == "sequence":
        rows.sort(key=lambda one: one["sequence"])
    problem = inspected(rows).problem
    assert problem is not None
    if column != "sequence":
        assert problem.sequence == index + 1
    else:
        assert problem.sequence <= index + 1


def _something(column: str) -> Any:
    return {"elation_chart": 5, "modified_at": MADE, "cause": UUID(int=5), "correlation": UUID(int=5)}[column]


@settings(max_examples=100, deadline=None)
@given(index=st.integers(0, LENGTH - 1))
def test_a_removed_event_is_named(index: int) -> None:
    problem = inspected(ROWS[:index] + ROWS[index + 1 :]).problem
    assert problem is not None
    assert (problem.sequence, "is missing" in problem.what) == (index + 1, True)


@settings(max_examples=100, deadline=None)
@given(index=st.integers(0, LENGTH - 2))
def test_a_removed_event_whose_place_was_closed_up(index: int) -> None:
    rows = [one if number < index else {**one, "sequence": one["sequence"] - 1} for number, one in enumerate(ROWS)]
    del rows[index]
    problem = inspected(rows).problem
    assert problem is not None
    assert problem.sequence == index + 1


@settings(max_examples=100, deadline=None)
@given(one=st.integers(0, LENGTH - 1), other=st.integers(0, LENGTH - 1))
def test_two_events_that_changed_places(one: int, other: int) -> None:
    if one == other:
        return
    rows = list(ROWS)
    rows[one] = {**ROWS[other], "sequence": one + 1}
    rows[other] = {**ROWS[one], "sequence": other + 1}
    problem = inspected(rows).problem
    assert problem is not None
    assert problem.sequence == min(one, other) + 1


@settings(max_examples=100, deadline=None)
@given(index=st.integers(0, LENGTH))
def test_an_inserted_event_is_named(index: int) -> None:
    new = {**row(index + 1), "event_id": UUID(int=1), "chain": b"\x00" * 32}
    moved = [{**one, "sequence": one["sequence"] + 1} for one in ROWS[index:]]
    problem = inspected([*ROWS[:index], new, *moved], head=LENGTH + 1).problem
    assert problem is not None
    assert problem.sequence == index + 1


def test_it_is_told_what_was_done() -> None:
    body = [{**one, "body": b"x"} if one["sequence"] == 4 else one for one in ROWS]
    assert inspected(body).problem == ChainProblem("elm", 4, "was changed")
    chain = [{**one, "chain": b"x"} if one["sequence"] == 4 else one for one in ROWS]
    assert inspected(chain).problem == ChainProblem("elm", 4, "is as it was, but its link was changed")
    none = [{**one, "chain": None} if one["sequence"] == 4 else one for one in ROWS]
    assert inspected(none).problem == ChainProblem("elm", 4, "carries no link of the chain any more")
    assert inspected(ROWS[:-2]).problem == ChainProblem("elm", 11, "is missing (the practice's last event is #12)")
    assert inspected(ROWS, head=10).problem == ChainProblem("elm", 11, "was inserted (the practice's last event is #10)")


# -- a chain that was made anew ---------------------------------------------------------------------------------------------


def test_only_a_checkpoint_finds_a_chain_that_was_linked_anew() -> None:
    forged = chained([{**row(number), "body": b"forged"} if number == 4 else row(number) for number in range(1, LENGTH + 1)])
    seen = Inspection("elm")
    assert all(seen.take(one) for one in forged)
    seen.end(LENGTH, forged[-1]["chain"])
    assert seen.problem is None
    marked = inspected(forged, {3: ROWS[2]["chain"], 8: ROWS[7]["chain"]}).problem
    assert marked is not None
    assert (marked.sequence, "checkpoint" in marked.what) == (8, True)


def test_a_checkpoint_knows_events_that_were_cut_off_with_the_head() -> None:
    seen = Inspection("elm", {LENGTH: ROWS[-1]["chain"]})
    assert all(seen.take(one) for one in ROWS[:9])
    seen.end(9, ROWS[8]["chain"])
    assert seen.problem == ChainProblem("elm", 10, "is missing (a checkpoint knows #12)")


def test_events_of_before_the_chain_are_counted_and_only_at_the_start() -> None:
    old = [{**row(number), "chain": None} for number in (1, 2)]
    later = chained([row(number) for number in range(3, LENGTH + 1)])
    seen = Inspection("elm")
    assert all(seen.take(one) for one in [*old, *later])
    seen.end(LENGTH, later[-1]["chain"])
    assert (seen.problem, seen.unlinked) == (None, 2)
    seen = Inspection("elm")
    for one in [*old, *later[:3], {**later[3], "chain": None}]:
        seen.take(one)
    assert seen.problem == ChainProblem("elm", 6, "carries no link of the chain any more")


def test_what_is_no_checkpoint() -> None:
    mark = Mark(practice="elm", sequence=1, chain="ab")
    made = ChainCheckpoint(made=MADE, marks=(mark,))
    assert decode_checkpoint(msgspec.json.encode(made)) == made
    for text in (b"", b"{}", b"\xff", msgspec.json.encode(made).replace(b"checkpoint-1", b"checkpoint-9")):
        with pytest.raises(NoCheckpoint):
            decode_checkpoint(text)


# -- archives -----------------------------------------------------------------------------------------------------------


def archived(recipient: Recipient = KEY) -> bytes:
    out = io.BytesIO()
    manifest = Manifest(practice="elm", made=MADE, keys={"elm.0": b"k" * 32})
    writer = ArchiveWriter(out, manifest, recipient, lambda row: ("elm.0", b"own" + row["body"]))
    writer.rows(list(ROWS[:7]))
    writer.rows(list(ROWS[7:]))
    writer.end(LENGTH, ROWS[-1]["chain"])
    return out.getvalue()


def opened(encoded: bytes, recipient: Recipient = KEY) -> tuple[Manifest, list[dict[str, Any]], End | None]:
    reader = ArchiveReader(io.BytesIO(encoded), recipient)
    rows = [one for batch in reader.stored() for one in batch]
    return reader.manifest, rows, reader.end


ARCHIVE = archived()


def test_an_archive_holds_the_rows_as_they_are() -> None:
    manifest, rows, end = opened(ARCHIVE)
    assert rows == ROWS
    assert (manifest.practice, manifest.keys) == ("elm", {"elm.0": b"k" * 32})
    assert end == End(sequence=LENGTH, chain=ROWS[-1]["chain"])
    assert inspected(rows).problem is None
    shown = [one for batch in ArchiveReader(io.BytesIO(ARCHIVE), KEY).rows() for one in batch]
    assert shown == [{**one, "key_id": "elm.0", "body": b"own" + one["body"]} for one in ROWS]


def test_an_archive_shows_nothing_without_its_key() -> None:
    for clear in (b"KareoChartObserved", b"K:901", b"elm", b"k" * 32):
        assert clear not in ARCHIVE
    assert archived() != ARCHIVE, "keys and nonces are never the same twice"
    with pytest.raises(NoArchive, match="does not open with this key"):
        opened(ARCHIVE, Recipient(key=bytes(32)))
    with pytest.raises(NoArchive, match="opens with a key file"):
        opened(ARCHIVE, Recipient(passphrase="correct horse"))


def test_b6_an_archive_opens_with_its_passphrase_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SCRYPT_COST", 2**10)
    encoded = archived(Recipient(passphrase="correct horse"))
    assert opened(encoded, Recipient(passphrase="correct horse"))[1] == ROWS
    with pytest.raises(NoArchive, match="does not open with this passphrase"):
        opened(encoded, Recipient(passphrase="correct house"))
    with pytest.raises(NoArchive, match="opens with a passphrase"):
        opened(encoded)
    with pytest.raises(NoArchive, match="damaged header"):
        opened(encoded.replace(b'"cost":1024', b'"cost":9024'), Recipient(passphrase="correct horse"))


@pytest.mark.parametrize(
    "asked",
    [
        {"cost": 2**20, "block": 16},
        {"cost": 2**24},
        {"block": 2**20},
        {"lanes": 5},
        {"cost": 0},
        {"block": -8},
        {"lanes": -1},
    ],
    ids=str,
)
def test_b6_a_header_may_not_ask_for_all_memory(asked: dict[str, int]) -> None:
    """2 GiB was granted. Nothing is derived at all before it is refused."""
    header = {"way": "passphrase", "wrapped": "AAAA", "salt": "AAAA", "cost": 2**10, "block": 8, "lanes": 1, **asked}
    encoded = msgspec.json.encode(header)
    made = archive.MAGIC + len(encoded).to_bytes(4, "big") + encoded
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(NoArchive, match="header"):
        opened(made, Recipient(passphrase="correct horse"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_a_frame_that_only_claims_to_be_large_takes_no_memory() -> None:
    start = len(archive.MAGIC)
    start += 4 + int.from_bytes(ARCHIVE[start : start + 4], "big")
    for size in (archive.LARGEST_FRAME, archive.LARGEST_FRAME + 1, 2**32 - 1):
        tracemalloc.start()
        with pytest.raises(NoArchive, match=r"is cut off|was changed"):
            opened(ARCHIVE[:start] + b"\0" + size.to_bytes(4, "big") + ARCHIVE[start + 5 :])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 * archive.PIECE


def test_many_large_rows_make_frames_of_bounded_size() -> None:
    large = [{**one, "body": bytes(3 * 1024 * 1024)} for one in ROWS]
    out = io.BytesIO()
    writer = ArchiveWriter(out, Manifest(practice="elm", made=MADE, keys={}), KEY, lambda row: ("", b""))
    writer.rows(large)
    writer.end(LENGTH, None)
    assert max(len(batch) for batch in ArchiveReader(io.BytesIO(out.getvalue()), KEY).rows()) == 3
    assert [one["sequence"] for one in opened(out.getvalue())[1]] == [one["sequence"] for one in ROWS]


@settings(max_examples=400, deadline=None)
@given(place=st.integers(0, len(ARCHIVE) - 1), bit=st.integers(0, 7))
def test_any_byte_of_an_archive(place: int, bit: int) -> None:
    changed = ARCHIVE[:place] + bytes([ARCHIVE[place] ^ 1 << bit]) + ARCHIVE[place + 1 :]
    with pytest.raises(NoArchive):
        opened(changed)


@settings(max_examples=100, deadline=None)
@given(size=st.integers(0, len(ARCHIVE) - 1))
def test_an_archive_that_is_cut_off(size: int) -> None:
    with pytest.raises(NoArchive):
        opened(ARCHIVE[:size])


def test_an_archive_whose_frames_were_moved_or_removed() -> None:
    start = len(archive.MAGIC)
    start += 4 + int.from_bytes(ARCHIVE[start : start + 4], "big")
    frames = []
    place = start
    while place < len(ARCHIVE):
        size = 5 + int.from_bytes(ARCHIVE[place + 1 : place + 5], "big")
        frames.append(ARCHIVE[place : place + size])
        place += size
    manifest, one, other, end = frames
    for wrong in (
        (manifest, other, one, end),
        (manifest, other, end),
        (manifest, one, one, other, end),
        (manifest, one, end),
    ):
        with pytest.raises(NoArchive):
            opened(ARCHIVE[:start] + b"".join(wrong))
    with pytest.raises(NoArchive, match="goes on after its end"):
        opened(ARCHIVE + b"x")
