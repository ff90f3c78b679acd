"""Who is who: how probable it is that two charts are of one person, and when that is certain (Fellegi and Sunter).

`normalize` a person once, look for others by `keys_of`, compare with `pair_of`, and let `decide` judge all pairs together;
`match` does this for two whole lists, `duplicates` for one, `decisions_about` for a chart that just came.
"""

from projections.matching_score.deciding import (
    Decision,
    Matched,
    Pair,
    Verdict,
    decide,
    decisions_about,
    duplicates,
    match,
    pair_of,
)
from projections.matching_score.frequencies import Frequencies
from projections.matching_score.keys import keys_of, pairs
from projections.matching_score.levels import Field, Level
from projections.matching_score.normal import Normal, normalize
from projections.matching_score.person import Person
from projections.matching_score.scoring import Score, score
from projections.matching_score.vetoes import Veto

__all__ = [
    "Decision", "Field", "Frequencies", "Level", "Matched", "Normal", "Pair", "Person", "Score", "Verdict", "Veto",
    "decide", "decisions_about", "duplicates", "keys_of", "match", "normalize", "pair_of", "pairs", "score",
]  # fmt: skip
