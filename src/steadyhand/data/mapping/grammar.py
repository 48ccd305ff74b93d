"""What a map says in one line: FEATURE=PLACE pairs between commas, and where episodes begin.

    state=obs/joint_pos,action=act,front=front_*.mp4,episodes=lengths,rate=30,task="pick it up"

Names in double quotes are taken as they are. What the places hold is not known here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from steadyhand.data.formats.limits import ARRAYS, is_name
from steadyhand.errors import UsageError

RESERVED = ("episodes", "rate", "task", "success", "clock", "by")
"""Left sides that are no features; `clock` and `by` are of bags alone."""
LONGEST = 1 << 16
"""Characters of a map."""
FORM = (
    "A map is FEATURE=PLACE pairs between commas, as 'state=obs/joint_pos,action=act,"
    "episodes=lengths'; several places side by side are joined by |, and --map guess prints one."
)
_NEXT = re.compile(r"next\((.*)\)", re.DOTALL)
_PART = re.compile(r'"([^"]*)"|([^"]+)')


@dataclass(frozen=True)
class Name:
    """A name of a place, as it was typed; `exact` where it stood in quotes: no `*`, no range."""

    text: str
    exact: bool = False


@dataclass(frozen=True)
class Place:
    """Where something is: names side by side, and whether the step after is meant."""

    names: tuple[Name, ...]
    later: bool = False

    @property
    def words(self) -> str:
        """As it was typed."""
        return "|".join(name.text for name in self.names)

    def numbered(self, number: str) -> "Place":
        """With the number of an episode where `#` stands."""
        if not number:
            return self
        names = (replace(name, text=name.text.replace("#", number)) for name in self.names)
        return replace(self, names=tuple(names))


@dataclass(frozen=True, kw_only=True)
class Map:
    """What each feature is made of, and what is said of the whole."""

    features: Mapping[str, Place]
    said: Mapping[str, Place] = field(default_factory=dict)
    """By a name of `RESERVED`."""

    def number(self, key: str) -> float | None:
        """What is said of `key`, where it is a number."""
        try:
            return float(self.said[key].words) if key in self.said else None
        except ValueError:
            return None


def parse_map(text: str) -> Map:
    """The pairs of a map. Raises `UsageError` for what is none."""
    if len(text) > LONGEST:
        raise UsageError(f"The map has {len(text)} characters; {LONGEST} are the most. {FORM}")
    features: dict[str, Place] = {}
    said: dict[str, Place] = {}
    for pair in _split(text, ","):
        left, equals, right = pair.partition("=")
        key = left.strip().strip('"')
        if not equals or not key or not right.strip():
            raise UsageError(f"'{pair.strip()[:60]}' is no pair of a map. {FORM}")
        if key in features or key in said:
            raise UsageError(f"The map says twice what '{key}' is. Join places side by side by |.")
        if not is_name(key):
            raise UsageError(f"A feature cannot be named '{key[:60]}'. Name it otherwise.")
        (said if key in RESERVED else features)[key] = _place(right)
    if not features:
        raise UsageError(f"The map names no feature. {FORM}")
    if len(features) > ARRAYS:
        raise UsageError(f"The map names {len(features)} features; {ARRAYS} are the most.")
    return Map(features=features, said=said)


def quoted(name: str) -> str:
    """A name as it is typed in a map."""
    plain = re.fullmatch(r"""[^\s,=|"():*?#\[\]]+""", name) is not None
    return name if plain else f'"{name}"'


def _place(text: str) -> Place:
    text = text.strip()
    later = _NEXT.fullmatch(text)
    return Place(tuple(map(_name, _split(later[1] if later else text, "|"))), later is not None)


def _name(text: str) -> Name:
    text = text.strip()
    exact = len(text) > 2 and text[0] == text[-1] == '"' and '"' not in text[1:-1]
    text = text[1:-1] if exact else text
    if not text or '"' in text or not text.isprintable():
        raise UsageError(f"'{text[:60]!a}' names no place. {FORM}")
    return Name(text, exact)


def _split(text: str, between: str) -> Iterator[str]:
    """The parts of a text between characters that stand outside of quotes."""
    if text.count('"') % 2:
        raise UsageError(f"The map has a quote that is not closed: {text[:60]}. {FORM}")
    parts = [""]
    for match in _PART.finditer(text):
        if match[1] is not None:
            parts[-1] += match[0]
            continue
        first, *rest = match[2].split(between)
        parts[-1] += first
        parts += rest
    return (part for part in parts if part.strip() or len(parts) == 1)
