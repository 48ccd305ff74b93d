"""What the columns of an action mean, as it is declared: in Python, in a file, in words.

Only the declaration: what is done with it is in `transform.py`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.sizes import Natural, Share
from steadyhand.values import Bound, checked

Form = Literal["absolute", "relative", "delta"]
RotationKind = Literal["quaternion_xyzw", "quaternion_wxyz", "rotation_vector", "rotation_6d"]
PartKind = Literal[
    "numbers", "quaternion_xyzw", "quaternion_wxyz", "rotation_vector", "rotation_6d", "gripper"
]
ROTATIONS: dict[str, int] = {
    "quaternion_xyzw": 4,
    "quaternion_wxyz": 4,
    "rotation_vector": 3,
    "rotation_6d": 6,
}
"""The ways in which rotations are recorded: the numbers of each."""
LEVEL = Bound("at most 1e30 in size", lambda level: abs(level) <= 1e30)
"""What float32 holds with room to spare."""
WORDS = (*get_args(Form), *get_args(PartKind), "hysteresis")
EXAMPLE = "0:3=relative 3:7=quaternion_xyzw,relative 7=gripper"
_COLUMNS = re.compile(r"(?P<start>[0-9]{1,6})(:(?P<stop>[0-9]{1,6}))?")


@checked
@dataclass(frozen=True, kw_only=True)
class ActionPart:
    """Some columns of an action that mean one thing together."""

    start: Natural
    """The first column."""
    stop: Natural
    """The column after the last one."""
    kind: PartKind = "numbers"
    """Rotations become 6-D for the network, a gripper's two values -1 and 1."""
    form: Form | None = None
    """Of every row of a chunk: absolute; relative, less the reference; delta, less the row before,
    the first less the reference. None is relative where the whole action is, and else absolute."""
    reference: str | None = None
    """The observation, or columns of one, whose latest value the chunk begins from. Where it is as
    wide as the action, it is read at the part's own columns."""
    levels: Annotated[tuple[float, float], LEVEL] | None = None
    """A gripper's two recorded values, the lower first."""
    hysteresis: Share = 0.25
    """How far from the middle, of -1 … 1, an answer has to be for a gripper to change."""

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ConfigurationError(f"Columns {self.columns} of an action are none.")
        wanted = 1 if self.kind == "gripper" else ROTATIONS.get(self.kind, self.width)
        if self.width != wanted:
            raise ConfigurationError(
                f"{self.kind} has {wanted} column{'s' * (wanted > 1)}, and {self.columns} has "
                f"{self.width}."
            )
        if self.kind == "gripper" and self.form not in (None, "absolute"):
            raise ConfigurationError(
                f"A gripper has two values, and no {self.form} ones: give {self.columns}=gripper."
            )
        if self.levels is not None and self.levels[0] >= self.levels[1]:
            raise ConfigurationError(
                f"levels of {self.columns} are {self.levels}; they are the two values of a "
                "gripper, the lower first."
            )
        for name in ("levels", "hysteresis"):
            if self.kind != "gripper" and getattr(self, name) != getattr(ActionPart, name):
                raise ConfigurationError(f"{self.columns} is no gripper, and so has no {name}.")
        if (self.kind, self.form) == ("numbers", "absolute") and self.reference:
            raise ConfigurationError(
                f"{self.columns} is absolute, and so does not refer to '{self.reference}'."
            )

    @property
    def width(self) -> int:
        """How many numbers of the action it has."""
        return self.stop - self.start

    @property
    def network_width(self) -> int:
        """How many numbers the network has for it."""
        return 6 if self.kind in ROTATIONS else self.width

    @property
    def columns(self) -> str:
        """Its columns, as they are written: 0:3, or 7 for a single one."""
        return f"{self.start}:{self.stop}" if self.width != 1 else f"{self.start}"


def parse_parts(words: Iterable[str]) -> tuple[ActionPart, ...]:
    """Parts of an action from words COLUMNS=WORD[:ARGUMENT],…, as `3:7=quaternion_xyzw,relative`.

    Arguments are the reference of a form (`relative:state[0:3]`), the values of a gripper
    (`gripper:0..0.08`) and how far it has to be from the middle (`hysteresis:0.5`).
    """
    return tuple(map(_parsed, words))


def _parsed(text: str) -> ActionPart:
    columns, _, rest = text.partition("=")
    place = _COLUMNS.fullmatch(columns.strip())
    if place is None or not rest:
        raise ConfigurationError(
            f"'{text}' does not say which columns of the action mean what. Write the columns, "
            f"then the meaning, as {EXAMPLE}. The words are: {', '.join(WORDS)}."
        )
    start = int(place["start"])
    said: dict[str, object] = {"start": start, "stop": int(place["stop"] or start + 1)}
    for word in rest.split(","):
        name, _, argument = word.strip().partition(":")
        for key, value in _meant(name, argument, text).items():
            if key in said:
                raise ConfigurationError(f"'{text}' says twice what its {key} is.")
            said[key] = value
    return ActionPart(**said)  # type: ignore[arg-type]


def _meant(name: str, argument: str, text: str) -> dict[str, object]:
    """What one word says, field by field."""
    if name not in WORDS:
        raise ConfigurationError(f"'{text}': {unknown('word', name, WORDS)} As: {EXAMPLE}.")
    if name in get_args(Form):
        return {"form": name, **({"reference": argument} if argument else {})}
    if name == "hysteresis":
        return {"hysteresis": _numbers(argument, 1, text)[0]}
    if name == "gripper" and argument:
        return {"kind": name, "levels": _numbers(argument, 2, text)}
    if argument:
        raise ConfigurationError(f"'{text}': {name} stands alone, without '{argument}'.")
    return {"kind": name}


def _numbers(argument: str, count: int, text: str) -> tuple[float, ...]:
    parts = argument.split("..")
    try:
        numbers = tuple(map(float, parts))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        way_on = "gripper:0..0.08" if count == 2 else "hysteresis:0.5"
        raise ConfigurationError(f"'{text}': '{argument}' is no such number. Write it as {way_on}.")
    return numbers


def settled(
    parts: Sequence[ActionPart], size: int, whole: str | None, *, told: bool
) -> tuple[ActionPart, ...]:
    """Parts for every column, in order, each with its form and with its reference, if it has one.

    `whole` is what the whole action refers to; what is not said of a column is as it would be
    without parts. `told` says that `whole` is what the robot was told, in the units of the action:
    only then can a gripper be known from it. Raises `ConfigurationError` for columns that are named
    twice or are not there, and for what cannot be inverted.
    """
    found: list[ActionPart] = []
    at = 0
    for part in sorted(parts, key=lambda part: part.start):
        if part.start < at:
            raise ConfigurationError(f"Column {part.start} of the action is in two of its parts.")
        if part.stop > size:
            raise ConfigurationError(
                f"The action has {size} numbers, columns 0:{size}; there is no {part.columns}."
            )
        if part.start > at:
            found.append(_settled(ActionPart(start=at, stop=part.start), whole, told=told))
        found.append(_settled(part, whole, told=told))
        at = part.stop
    if at < size:
        found.append(_settled(ActionPart(start=at, stop=size), whole, told=told))
    return tuple(found)


def _settled(part: ActionPart, whole: str | None, *, told: bool) -> ActionPart:
    gripper = part.kind == "gripper"
    reference = part.reference or (whole if told or not gripper else None)
    form = part.form or ("absolute" if reference is None or gripper else "relative")
    if (part.kind, form) == ("numbers", "absolute"):
        reference = None
    if form != "absolute" and reference is None:
        raise ConfigurationError(
            f"Columns {part.columns} are {form}, and nothing says to what: without it they could "
            f"not be turned back. Name an observation, as {part.columns}={form}:last_action or "
            "--action-relative-to last_action, and let the policy see it (--observations)."
        )
    if gripper and part.levels is None:
        raise ConfigurationError(
            f"The two values of the gripper in column {part.columns} are not said: give its "
            f"levels, as {part.columns}=gripper:0..1."
        )
    return replace(part, form=form, reference=reference)
