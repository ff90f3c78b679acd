"""Who is who: how probable it is that two charts are of one person, and when that is certain (Fellegi and Sunter).

`normalize` a person once, look for others by `keys_of`, compare with `pair_of`, and let `decide` judge all pairs together;
`match` does this for two whole lists, `duplicates` for one, `decisions_about` for a chart that just came.
"""

from projections.matching.compare import names_level
from projections.matching.deciding import (
    Decision,
    Matched,
    MatchVerdict,
    Pair,
    are_two_people,
    decide,
    decisions_about,
    duplicates,
    is_again,
    looked_at,
    match,
    may_be_again,
    pair_of,
    twice,
)
from projections.matching.frequencies import Frequencies
from projections.matching.keys import keys_of, pairs
from projections.matching.levels import Compared, Level
from projections.matching.normal import Normal, normalize, outline
from projections.matching.person import Person
from projections.matching.scoring import Score, score
from projections.matching.vetoes import Veto

__all__ = [
    "Compared",
    "Decision",
    "Frequencies",
    "Level",
    "MatchVerdict",
    "Matched",
    "Normal",
    "Pair",
    "Person",
    "Score",
    "Veto",
    "are_two_people",
    "decide",
    "decisions_about",
    "duplicates",
    "is_again",
    "keys_of",
    "looked_at",
    "match",
    "may_be_again",
    "names_level",
    "normalize",
    "outline",
    "pair_of",
    "pairs",
    "score",
    "twice",
]  # fmt: skip
