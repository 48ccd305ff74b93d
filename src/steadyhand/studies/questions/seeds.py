"""How much does a score move by luck? Between trainings, between checkpoints of one and between
episodes; and how many of each it takes to claim a difference."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.metrics import mean
from steadyhand.evaluation.power import Components, components, needed
from steadyhand.reports.rows import Dot, dots
from steadyhand.reports.series import Series, series
from steadyhand.reports.study import Figure
from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import Cell
from steadyhand.studies.question import HARD, NBSP, Findings, amount, words
from steadyhand.studies.results import Result, is_share, main_score
from steadyhand.training.config import TrainConfig

SEEDS, QUICK_SEEDS = 8, 4
CHECKPOINTS = 3
"""The last of each training."""
EVERY = 10
"""Checkpoints of a training: the last ones are a tenth of it apart."""
CLAIMS = (0.02, 0.05, 0.1, 0.2)
"""Differences in a share that somebody may want to claim."""
POWER = 0.8


@dataclass(frozen=True)
class Seeds:
    """Trains the same thing several times."""

    title: str = "How much of a score is luck?"
    timed: bool = False
    harder: str = f"--task {HARD}"

    def asked(self, asked: Asked) -> Asked:
        return replace(asked, task=asked.task or HARD)

    def cells(self, asked: Asked) -> list[Cell]:
        config = asked.config(asked.task or "")
        _check(asked, config)
        config = replace(config, minutes=None, checkpoint_every=max(1, config.steps // EVERY))
        return [
            Cell(
                factors={"checkpoint": "the last" if back == 0 else f"{back} before"},
                config=config,
                trial=asked.trial(asked.task or "", before_last=back),
            )
            for back in range(CHECKPOINTS)
        ]

    def findings(self, asked: Asked, results: Sequence[Result]) -> Findings:
        score = main_score(results, asked.score)
        values = np.stack([result.scores(score) for result in results], axis=1)
        parts = components(values)  # (seeds, checkpoints, episodes)
        claims = CLAIMS if is_share(score) else _claims(values)
        of_seeds = [mean(each.tolist(), share=is_share(score) or None) for each in values[:, 0]]
        low, high = min(f.mean for f in of_seeds), max(f.mean for f in of_seeds)
        same = bool((values == values[:1, :1]).all())
        sizes = {claim: dict(needed(parts, claim, power=POWER)) for claim in claims}
        sizes = {} if same else sizes  # where nothing varies, nobody knows what it takes
        return Findings(
            answer=_answer(asked, score, (low, high), parts, sizes),
            figures={
                "trainings": Figure(
                    picture=dots(
                        [Dot(f"seed {seed}", found) for seed, found in enumerate(of_seeds)],
                        f"{words(score)} of each training",
                        x_label=words(score),
                        reference=float(values[:, 0].mean()),
                    ),
                    caption="The same training with other seeds, on the same initial states. Each "
                    "interval is over episodes alone: where they do not meet, it is the training.",
                ),
                "checkpoints": _checkpoints(values, score),
            },
            notes=_sizes(sizes, score),
            more={
                "components": vars(parts),
                "needed": [
                    {"claim": claim, "power": POWER, "seeds": seeds, "episodes": episodes}
                    for claim, found in sizes.items()
                    for seeds, episodes in found.items()
                ],
            },
            compared="All were tried from the same initial states.",
            reading=(
                "Deviations are of the score of one training, one checkpoint or one episode about "
                "what it is on average, by the method of moments. Sizes are of a comparison of two "
                "methods that vary as this one does, on the same initial states, and find a true "
                f"difference of that size in {100 * POWER:.0f} % of studies."
            ),
        )


def _checkpoints(values: np.ndarray, score: str) -> Figure:
    """A line a training; `values` are (seeds, checkpoints, episodes), the last first."""
    back, share = range(CHECKPOINTS)[::-1], is_share(score) or None
    lines = [
        Series(
            name=f"seed {seed}",
            x=[-each for each in back],
            y=[mean(values[seed, each].tolist(), share=share) for each in back],
            look=seed,
        )
        for seed in range(min(7, len(values)))
    ]
    return Figure(
        picture=series(
            lines,
            f"{words(score)} of the last checkpoints",
            x_label="checkpoint; 0 is the last",
            y_label=words(score),
        ),
        caption="The last checkpoints of each training, a tenth of it apart.",
    )


def _check(asked: Asked, config: TrainConfig) -> None:
    """Raise `ConfigurationError` for what does not vary, or is not known before it is trained."""
    if asked.seeds < 2 or asked.episodes < 2:
        raise ConfigurationError(
            "How much of a score is luck is told by several trainings in several episodes: give "
            "--seeds 2 or more, and --episodes 2 or more."
        )
    if config.minutes is not None and asked.steps is None:
        raise ConfigurationError(
            "Checkpoints are compared at parts of a training whose length is known: give --steps "
            "instead of --minutes."
        )
    if config.steps < CHECKPOINTS:
        raise ConfigurationError(
            f"The last {CHECKPOINTS} checkpoints of each training are compared: give --steps "
            f"{CHECKPOINTS} or more."
        )


def _claims(values: np.ndarray) -> tuple[float, ...]:
    """Of a score without bounds: parts of its mean."""
    return tuple(float(f"{part * abs(values.mean()):.2g}") for part in CLAIMS)


def _answer(
    asked: Asked,
    score: str,
    span: tuple[float, float],
    parts: Components,
    sizes: dict[float, dict[int, int | None]],
) -> str:
    low, high = (f"{100 * v:.0f}{NBSP}%" if is_share(score) else f"{v:.3g}" for v in span)
    episode = np.sqrt(parts.episodes + parts.rest)
    if not sizes:
        return (
            f"All {asked.seeds} trainings did the same in every episode ({words(score)} {low}): "
            "nothing is left to their luck here, and how much a harder task would leave is not "
            "told by this."
        )
    said = (
        f"The same training with {asked.seeds} seeds reaches {low} to {high} in {words(score)}: "
        f"trainings deviate by {_deviation(parts.seeds, score)}, checkpoints of one by "
        f"{_deviation(parts.checkpoints, score)}, and {asked.episodes} episodes by "
        f"{_deviation(float(episode**2) / asked.episodes, score)} by chance."
    )
    middle = list(sizes)[1]
    able = [(seeds, episodes) for seeds, episodes in sizes[middle].items() if episodes]
    claim = f"{said} A difference of {amount(middle, score)} between two methods takes"
    if not able:
        return f"{claim} more trainings of each than {max(sizes[middle])}."
    seeds, episodes = next((pair for pair in able if pair[0] > 1), able[0])
    return f"{claim} {_size(seeds, episodes)} of each."


def _fewest(found: Mapping[int, int | None]) -> list[tuple[int, int]]:
    """(seeds, episodes) of which more seeds save episodes."""
    sizes, least = list[tuple[int, int]](), math.inf
    for seeds, episodes in found.items():
        if episodes and episodes < least:
            sizes.append((seeds, episodes))
            least = episodes
    return sizes


def _size(seeds: int, episodes: int) -> str:
    trainings = "1 training" if seeds == 1 else f"{seeds} trainings"
    return f"{trainings} on {episodes:,} episodes"


def _deviation(variance: float, score: str) -> str:
    value = float(np.sqrt(max(variance, 0.0)))
    return f"{100 * value:.1f} points" if is_share(score) else f"{value:.3g}"


def _sizes(sizes: dict[float, dict[int, int | None]], score: str) -> list[str]:
    notes = []
    for claim, found in sizes.items():
        able = [_size(*size) for size in _fewest(found)]
        said = ", or ".join(able[:4]) if able else "more trainings than were considered"
        notes.append(f"To claim {amount(claim, score)}: {said}.")
    return notes
