"""Between what a robot is told and what a network sees, part by part of an action, both ways.

Forms are undone along the chunk: what is relative leaves its reference once, a delta adds up. What
comes back is in robot units, a rotation always one, a gripper always at one of its two values.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import add

from steadyhand.actions import gripper, rotations
from steadyhand.actions.arrays import Numbers, joined, running
from steadyhand.actions.parts import ROTATIONS, ActionPart
from steadyhand.errors import ConfigurationError


@dataclass(frozen=True)
class ActionTransform:
    """The meaning of all columns of an action; `parts` are settled, so that they leave none out.

    References (…, 1, A) have the columns of the action, zeros where a part has none.
    """

    parts: tuple[ActionPart, ...]

    @cached_property
    def network_size(self) -> int:
        """How many numbers the network has for an action."""
        return sum(part.network_width for part in self.parts)

    @cached_property
    def identity(self) -> bool:
        """Whether the network sees what the robot is told."""
        return all((part.kind, part.form) == ("numbers", "absolute") for part in self.parts)

    @cached_property
    def referring(self) -> tuple[ActionPart, ...]:
        """The parts that have a reference."""
        return tuple(part for part in self.parts if part.reference is not None)

    @cached_property
    def described(self) -> tuple[str, ...]:
        """Each part in words, as `0:3 numbers, relative to state[0:3]`."""
        said: list[str] = []
        for part in self.parts:
            words = f"{part.columns} {part.kind}"
            if part.levels is not None:
                words += f", {part.levels[0]:g} and {part.levels[1]:g}"
            elif part.form == "absolute":
                words += ", absolute"
            else:
                words += f", {part.form} {'to' if part.form == 'relative' else 'from'} "
                words += str(part.reference)
            said.append(words)
        return tuple(said)

    def to_network(self, actions: Numbers, reference: Numbers | None = None) -> Numbers:
        """Rows (…, H, A) in robot units → (…, H, network_size)."""
        if self.identity:
            return actions
        return joined(
            [
                part_to_network(part, told, first)
                for part, told, first in self._divided(actions, reference)
            ],
            -1,
        )

    def to_robot(self, answers: Numbers, reference: Numbers | None = None) -> Numbers:
        """The inverse: what the network answers, any numbers (…, H, network_size) → (…, H, A)."""
        if self.identity:
            return answers
        return joined(
            [
                part_to_robot(part, seen, first)
                for part, seen, first in self._divided(answers, reference, network=True)
            ],
            -1,
        )

    def aligned(self, actions: Numbers, like: Numbers) -> Numbers:
        """The same actions (…, A), quaternions with the sign that is nearer to `like`."""
        if not any(part.kind.startswith("quaternion") for part in self.parts):
            return actions
        pairs = [(actions[..., p.start : p.stop], like[..., p.start : p.stop]) for p in self.parts]
        found = [
            rotations.nearer_sign(*pair) if part.kind.startswith("quaternion") else pair[0]
            for part, pair in zip(self.parts, pairs, strict=True)
        ]
        return joined(found, -1)

    def _divided(
        self, rows: Numbers, reference: Numbers | None, *, network: bool = False
    ) -> Iterator[tuple[ActionPart, Numbers, Numbers | None]]:
        """Each part, its numbers, and what it refers to."""
        if self.referring and reference is None:
            raise ConfigurationError(
                "These actions refer to what was observed: give the reference, as "
                "policy.reference(observation)."
            )
        at = 0
        for part in self.parts:
            width = part.network_width if network else part.width
            alone = len(self.parts) == 1
            here = rows if alone else rows[..., at : at + width]
            first = None if part.reference is None else reference
            yield (
                part,
                here,
                first if alone or first is None else first[..., part.start : part.stop],
            )
            at += width


def part_to_network(part: ActionPart, rows: Numbers, first: Numbers | None) -> Numbers:
    """Rows (…, H, width) of one part as the network sees them, (…, H, network_width).

    `first` (…, 1, width) is its reference. A delta is what is relative to the row before.
    """
    if part.kind == "gripper":
        assert part.levels is not None, "a settled part"
        return gripper.to_signs(rows, part.levels)
    before = first
    if part.form == "delta":
        before = joined([first, rows[..., :-1, :]], -2)
    if part.kind not in ROTATIONS:
        return rows if part.form == "absolute" else rows - before
    turned = rotations.to_matrix(part.kind, rows)
    if part.form != "absolute":
        turned = rotations.seen_from(rotations.to_matrix(part.kind, before), turned)
    return rotations.to_6d(turned)


def part_to_robot(part: ActionPart, answers: Numbers, first: Numbers | None) -> Numbers:
    """The inverse of `part_to_network`, for any numbers."""
    if part.kind == "gripper":
        assert part.levels is not None, "a settled part"
        return gripper.from_signs(answers, part.levels, part.hysteresis, first)
    if part.kind not in ROTATIONS:
        if part.form == "absolute":
            return answers
        return (running(answers, add, -2) if part.form == "delta" else answers) + first
    turned = rotations.from_6d(answers)
    if part.form == "delta":
        turned = running(turned, rotations.after, -3)
    if part.form != "absolute":
        turned = rotations.after(rotations.to_matrix(part.kind, first), turned)
    return rotations.from_matrix(part.kind, turned, first)
