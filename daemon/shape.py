"""Walking a document beside its sections, so that every wrong key is reported and not just the first."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec

from daemon.sections import ConfigProblem, Section

S = TypeVar("S", bound=Section)

Fields = Callable[[type[Section], Mapping[str, Any]], Mapping[str, tuple[Any, bool]]]
"""The fields of a section in a document: each one's type, and whether it has to be there."""


def own_fields(wanted: type[Section], _document: Mapping[str, Any]) -> dict[str, tuple[Any, bool]]:
    """The fields that the section itself declares."""
    return {field.name: (field.type, field.required) for field in msgspec.structs.fields(wanted)}


def check_shape(value: object, wanted: Any, key: str, problems: list[ConfigProblem], fields: Fields = own_fields) -> None:
    """Add what is wrong with `value`: unknown and missing keys, types, ranges and closed sets, each with its key."""
    wanted = _section_in(wanted) or wanted
    if isinstance(wanted, type) and issubclass(wanted, Section):
        if not isinstance(value, dict):
            problems.append((key or "file", "must be a table"))
            return
        known = fields(wanted, value)
        for name in value:
            if name not in known:
                problems.append(
                    (join(key, name), f"unknown key{_meant(name, known)}; known here: {', '.join(sorted(known))}")
                )
        for name, (kind, required) in known.items():
            if name in value:
                check_shape(value[name], kind, join(key, name), problems, fields)
            elif required:
                problems.append((join(key, name), "is missing"))
    elif get_origin(wanted) is tuple and isinstance(value, list):
        for index, item in enumerate(value, start=1):
            check_shape(item, get_args(wanted)[0], f"{key}[{index}]", problems, fields)
    elif get_origin(wanted) is dict and isinstance(value, dict):
        for name, item in value.items():
            check_shape(item, get_args(wanted)[1], join(key, name), problems, fields)
    else:
        _check_value(value, wanted, key, problems)


def _meant(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # only where something was mistyped

    found = get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def _section_in(wanted: Any) -> type[Section] | None:
    """The section of a table that may be left out."""
    kinds = get_args(wanted) if type(None) in get_args(wanted) else ()
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)


def _check_value(value: object, wanted: Any, key: str, problems: list[ConfigProblem]) -> None:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        known = _closed(wanted)
        quoted = isinstance(value, str) and any(f"`{kind}`" in str(error) for kind in ("int", "float", "bool"))
        text = f"{error}{'; without quotes' if quoted else ''}"
        problems.append((key, f"must be one of {', '.join(known)}" if known else text))
    else:
        text = value if isinstance(value, str) else ""
        if "\0" in text:
            problems.append((key, "holds U+0000"))


def _closed(wanted: Any) -> list[str]:
    """The values of a closed set, () for any other type."""
    if get_origin(wanted) is Literal:
        return [str(one) for one in get_args(wanted)]
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return [str(one.value) for one in wanted]
    return [one for kind in get_args(wanted) for one in _closed(kind)] if type(None) in get_args(wanted) else []


def join(key: str, name: str) -> str:
    """The key of a name in a table."""
    return f"{key}.{name}" if key else name


def mended(value: object, kind: type[S], key: str, wrong: set[str]) -> S:
    """The section with what is wrong in it replaced by its default or by emptiness, so that the rest can still be checked."""
    given: Mapping[str, Any] = value if isinstance(value, dict) else {}
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        name = join(key, field.name)
        bad = any(one == name or one.startswith((f"{name}.", f"{name}[")) for one in wrong)
        if isinstance(field.type, type) and issubclass(field.type, Section):
            found[field.name] = mended(given.get(field.name), field.type, name, wrong)
        elif field.name in given and not bad:
            found[field.name] = msgspec.convert(given[field.name], field.type)
        elif field.required:
            found[field.name] = _EMPTY.get(_bare(field.type), ())
    return kind(**found)


_EMPTY: Mapping[Any, object] = {int: 0, float: 0.0, str: ""}


def _bare(wanted: Any) -> Any:
    return get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted
