"""The tasks that a policy knows: what each is in words, and the vector that tells it apart.

Kept with the policy, numpy only: on a robot a known text becomes its vector without a text model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.values import checked, shown

MOST_TASKS = 2_000
LONGEST_TEXT = 2_000
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""The vectors (n, K) of texts that are not in a table."""


@checked
@dataclass(frozen=True, kw_only=True)
class TaskTable:
    """Texts and a vector of K numbers for each. Raises `ConfigurationError` where they are no such
    table."""

    texts: tuple[str, ...]
    vectors: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        tasks, sizes = len(self.texts), {len(vector) for vector in self.vectors}
        if not 1 <= tasks <= MOST_TASKS:
            raise ConfigurationError(f"A policy knows 1 to {MOST_TASKS} tasks, not {tasks}.")
        if len(set(self.texts)) < tasks or max(map(len, self.texts)) > LONGEST_TEXT:
            raise ConfigurationError(
                f"Each task is told in words of its own, in at most {LONGEST_TEXT} characters."
            )
        if len(self.vectors) != tasks or len(sizes) != 1 or 0 in sizes:
            raise ConfigurationError(
                f"{tasks} tasks need as many vectors of one length, not {len(self.vectors)}."
            )

    @classmethod
    def of(cls, texts: Sequence[str], vectors: NDArray[Any]) -> "TaskTable":
        """The table of these texts; vectors (n, K), kept in float32."""
        rows = np.asarray(vectors, dtype=np.float32).tolist()
        return cls(texts=tuple(texts), vectors=tuple(map(tuple, rows)))

    @cached_property
    def array(self) -> NDArray[np.float32]:
        """The vectors, (n, K)."""
        return np.array(self.vectors, dtype=np.float32)

    @property
    def numbers(self) -> int:
        """How many numbers tell a task, K."""
        return len(self.vectors[0])

    def place(self, text: str) -> int:
        """Which task that is. Raises `ConfigurationError` for one that it does not know."""
        if text not in self.texts:
            raise ConfigurationError(
                f"{unknown('task', text, self.texts[:20])} A policy is told one of the tasks that "
                "it was trained on, in the same words, unless it knows tasks by what their words "
                "mean: --encoder.tasks.source minilm."
            )
        return self.texts.index(text)

    def told(self, said: NDArray[Any], embed: Embed | None = None) -> NDArray[np.float32]:
        """Texts of any shape (…) as vectors (…, K); what are vectors already stays as it is.

        `embed` makes the vectors of texts that are not in the table. Raises `ConfigurationError`
        where there are such texts and it is not given.
        """
        if said.dtype.kind != "U":
            return said.astype(np.float32)
        found = np.zeros((*said.shape, self.numbers), np.float32)
        for text in np.unique(said):
            found[said == text] = self._vector(str(text), embed)
        return found

    def nearest(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of each vector (n, K), that of the task whose direction is nearest to it."""
        if vectors.shape[1:] != (self.numbers,):
            return vectors  # another model's, which is refused where it is used
        own = self.array / np.linalg.norm(self.array, axis=1, keepdims=True)
        return self.array[np.argmax(vectors @ own.T, axis=1)]

    def text(self, vector: NDArray[np.float32]) -> str:
        """The words of the task that has this vector."""
        return self.texts[int(np.argmin(np.square(self.array - vector).sum(1)))]

    def _vector(self, text: str, embed: Embed | None) -> NDArray[np.float32]:
        if text in self.texts or embed is None:
            return self.array[self.place(text)]
        made = np.asarray(embed([text]), dtype=np.float32)
        if made.shape != (1, self.numbers):
            raise ConfigurationError(
                f"The vector of '{text}' has the shape {made.shape[1:]}, and those of the policy's "
                f"tasks have {self.numbers} numbers: another text model made them."
            )
        return made[0]


def check_told(name: str, said: object, lead: tuple[int, ...], numbers: int) -> None:
    """Raise `ConfigurationError` where `said` is neither a text nor its vector."""
    array = np.asarray(said)
    text = array.dtype.kind == "U" and array.shape == lead
    vector = array.dtype.kind in "biuf" and array.shape == (*lead, numbers)
    if not (text or vector):
        raise ConfigurationError(
            f"observation['{name}'] is {shown(said)}; it says what is to be done, in words: "
            f"np.array('open the door'), or as a vector of {numbers} numbers."
        )
