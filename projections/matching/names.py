"""PersonNames without case, accents, punctuation and Unicode form; titles, generations and placeholders told apart from names."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from unicodedata import combining
from unicodedata import normalize as unicode_form

import msgspec
from nameparser import HumanName
from nicknames import NickNamer

from projections.matching.distance import MEMORY, is_near
from projections.matching.nicknames import FORMAL, ONLY_SHORT, SHORT, is_written_otherwise
from projections.terms.first_names import is_given

PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
"""Letters that Unicode does not take apart."""

APOSTROPHES = frozenset("'’`´ʻʼ‘")
ASCII = {code: char.lower() if (char := chr(code)).isalnum() else "" if char in APOSTROPHES else " " for code in range(128)}
"""What a plain letter becomes: the same that Unicode's forms come to, a tenth of the time."""

PARTICLES = frozenset(
    str.split(
        "de la las los del da das do dos di du le van von der den ter ten zu y e el al bin ibn abu st san santa mac mc"
    )
)
TITLES = frozenset(str.split("mr mrs ms miss mx dr prof rev sister brother father sr. fr sgt capt"))
CREDENTIALS = frozenset(str.split("md do rn np pa phd dds dmd esq cpa jd dvm rph lpn"))
ALSO_NAMES = frozenset(("do", "pa"))
"""Credentials that are family names, too: see `_ends_in_capitals`."""
SUFFIXES = {
    **dict.fromkeys(("jr", "junior"), "jr"),
    **dict.fromkeys(("sr", "senior"), "sr"),
    **dict.fromkeys(("i", "1st", "1"), "sr"),
    **dict.fromkeys(("ii", "2nd", "2"), "ii"),
    **dict.fromkeys(("iii", "3rd", "3"), "iii"),
    **dict.fromkeys(("iv", "4th", "4"), "iv"),
    **dict.fromkeys(("v", "5th", "5"), "v"),
}
WRITTEN_SUFFIXES = frozenset(SUFFIXES) - {"i", "v", "1", "2", "3", "4", "5"}
"""What is a generation even at the end of a name; the others are only where a suffix is asked for."""

PLACEHOLDER = re.compile(
    r"((baby(boy|girl|male|female|twin)?|bb|bg|nb|twin|triplet)[a-f]?"
    r"|(newborn|infant|neonate|unborn|fetus|nb)(boy|girl|male|female|twin)?|boy|girl|male|female)\d*"
)
"""A word that a newborn without a name is called by."""
BESIDE = frozenset(str.split("new born one two three first second third unknown unk"))
"""Words that only stand beside such a word; what follows `of` is the mother's name."""
# Words that stand for no name: as a last name only beside a first name that is none, for people are called Null and Test.
NO_NAME = frozenset(str.split("unknown none na nfn nln nmn nmi fnu lnu null test patient unk"))
OF_MANY = frozenset(str.split("thi van singh kaur kumar kumari devi bai begum bibi khatun bano"))
"""Middle names that whole families have: they stand for a sex or a faith, and tell no sisters apart."""


class PersonNames(msgspec.Struct, frozen=True, kw_only=True):
    """A person's names for comparing: words in order, and each name as one word."""

    first: str = ""
    firsts: tuple[str, ...] = ()
    middle: str = ""
    middles: tuple[str, ...] = ()
    last: str = ""
    lasts: tuple[str, ...] = ()
    suffix: str = ""
    placeholder: bool = False


@lru_cache(MEMORY)
def words(text: str) -> tuple[str, ...]:
    """The words of a name: lower case letters without accents; apostrophes join, all else parts."""
    if text.isascii():
        return tuple(text.translate(ASCII).split())
    folded = unicode_form("NFKD", unicode_form("NFKD", text).casefold()).translate(PLAIN)
    kept = (char if char.isalnum() else " " for char in folded if not combining(char) and char not in APOSTROPHES)
    return tuple("".join(kept).split())


@lru_cache(8_192)
def names_of(first: str, middle: str, last: str, suffix: str) -> PersonNames:
    """The names of a person; a name in one string ("DOE, JANE") is taken apart."""
    if bool(first.strip()) != bool(last.strip()) and (
        "," in last or "," in first or (not last.strip() and " " in first.strip())
    ):
        first, middle, last, suffix = _in_one_string(first or last, middle, suffix)
    firsts, lasts = list(words(first)), list(words(last))
    middles = [word for word in words(middle) if word not in NO_NAME]
    generation = SUFFIXES.get("".join(words(suffix)), "")
    for part, text in ((lasts, last), (firsts, first), (middles, middle)):
        while len(part) > 1 and (part[-1] in WRITTEN_SUFFIXES or _is_credential(part[-1], text)):
            generation = generation or SUFFIXES.get(part[-1], "")
            part.pop()
    while len(firsts) > 1 and firsts[0] in TITLES:
        firsts.pop(0)
    while len(firsts) > 1 and len(firsts[-1]) == 1:
        initial = firsts.pop()
        middles = middles or [initial]
    placeholder = _is_placeholder(firsts)
    if placeholder or all(word in NO_NAME for word in firsts):
        lasts = [word for word in lasts if word not in NO_NAME]
    lasts = [word for word in lasts if word != "lnu"]
    firsts = [word for word in firsts if word not in NO_NAME or (word == "na" and "Na" in first)]
    lasts = _joined(lasts)
    return PersonNames(
        first="".join(firsts),
        firsts=tuple(firsts),
        middle="".join(middles),
        middles=tuple(middles),
        last="".join(lasts),
        lasts=tuple(word for word in lasts[:-1] if word not in PARTICLES) + tuple(lasts[-1:]),  # a particle is never last
        suffix=generation,
        placeholder=placeholder,
    )


def _is_credential(word: str, text: str) -> bool:
    """Whether the last word of a name is a credential; one that is a family name, too, only where it is written like one."""
    return word in CREDENTIALS and (word not in ALSO_NAMES or _ends_in_capitals(text))


def _ends_in_capitals(text: str) -> bool:
    """Whether the last word is in capitals behind a name that is not: Nguyen DO is a doctor, Nguyen Do has two surnames."""
    *named, last = text.replace(".", "").split() or [""]
    return last.isupper() and not " ".join(named).isupper()


def _is_placeholder(firsts: list[str]) -> bool:
    """Whether a first name only says that it is a newborn's: `Baby Boy A`, `BB1`, `Girl of Maria`."""
    said = firsts[: firsts.index("of")] if "of" in firsts else firsts
    kinds = [PLACEHOLDER.fullmatch(word) is not None for word in said]
    return any(kinds) and (
        kinds[:2] == [True, True]
        or all(kind or len(word) == 1 or word in BESIDE or word.isdigit() for kind, word in zip(kinds, said, strict=True))
    )


def _in_one_string(text: str, middle: str, suffix: str) -> tuple[str, str, str, str]:
    parsed = HumanName(text)
    return parsed.first, middle or parsed.middle, parsed.last, suffix or parsed.suffix


def _joined(parts: list[str]) -> list[str]:
    """`O Brien` is one word, and so is `Mc Donald`."""
    done: list[str] = []
    before = ""
    for part in parts:
        if len(part) == 1 or part in ("mc", "mac"):
            before += part
        else:
            done.append(before + part)
            before = ""
    return [*done, before] if before else done


@cache
def _nicknames() -> NickNamer:
    return NickNamer()


@lru_cache(MEMORY)
def nicknames_of(name: str) -> frozenset[str]:
    """Short forms of a formal name."""
    known = frozenset(_nicknames().nicknames_of(name)) if re.fullmatch("[a-z]+", name) else frozenset()
    return known | SHORT.get(name, frozenset())


@lru_cache(MEMORY)
def formal_of(name: str) -> frozenset[str]:
    """Formal names that a short form stands for."""
    known = frozenset(_nicknames().canonicals_of(name)) if re.fullmatch("[a-z]+", name) else frozenset()
    return known | FORMAL.get(name, frozenset())


@lru_cache(MEMORY)
def is_nickname(one: str, other: str) -> bool:
    """One is a short form of the other or is written otherwise, or both are short forms of one name (Bill, Will)."""
    if is_written_otherwise(one, other):
        return True
    if other in nicknames_of(one) or one in nicknames_of(other):
        return True
    both = formal_of(one) & formal_of(other)
    return bool(both) and not (nicknames_of(one) or nicknames_of(other))


@lru_cache(MEMORY)
def are_given_to_two(one: str, other: str) -> bool:
    """Whether of two forms of a name each is given by itself, as to twins: Harry and Henry, not Bob and Robert, Dan and Daniel."""
    if one in ONLY_SHORT or other in ONLY_SHORT or one.startswith(other) or other.startswith(one):
        return False
    cut_short = one[:3] == other[:3] and min(len(one), len(other)) < 6 and not is_near(one, other)
    return is_listed(one) and is_listed(other) and not cut_short


@lru_cache(MEMORY)
def is_listed(name: str) -> bool:
    """Whether a name is known to everybody: formal or short."""
    return is_given(name) or bool(nicknames_of(name) or formal_of(name))


def is_initial(one: str, other: str) -> bool:
    """One is only the first letter of the other."""
    return min(len(one), len(other)) == 1 and one[:1] == other[:1] and one != other
