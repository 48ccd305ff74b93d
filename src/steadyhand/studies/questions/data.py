"""How many demonstrations? The score against their number, with a power law of the failures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from steadyhand.data import open_episodes
from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.metrics import Interval
from steadyhand.evaluation.scaling import PowerLaw, power_law
from steadyhand.reports.series import Series, series
from steadyhand.reports.study import Figure
from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import Cell
from steadyhand.studies.question import HARD, Findings, cheapest, enough, words
from steadyhand.studies.results import Ranking, Result, is_share, main_score, ranked

COUNTS = (3, 5, 10, 20, 50, 100, 200)
QUICK = (3, 10, 50)


@dataclass(frozen=True)
class Demonstrations:
    """Compares numbers of demonstrations; each training seed has others of them."""

    title: str = "How many demonstrations?"
    timed: bool = False
    harder: str = f"--task {HARD}"

    def asked(self, asked: Asked) -> Asked:
        return replace(asked, task=asked.task or HARD)

    def cells(self, asked: Asked) -> list[Cell]:
        config = asked.config(asked.task or "")
        counts = QUICK if asked.quick else COUNTS
        most = config.demonstrations if asked.data is None else _episodes(asked.data, asked.select)
        found = [count for count in counts if count <= most]
        found += [] if most in found or (asked.quick and len(found) > 1) else [most]
        if len(found) < 2:
            raise ConfigurationError(
                f"{most} demonstrations are too few to leave some out: this takes at least "
                f"{counts[0] + 1}."
            )
        return [
            Cell(
                factors={"demonstrations": count},
                config=config,
                trial=asked.trial(asked.task or ""),
                subset=count,
            )
            for count in found
        ]

    def findings(self, asked: Asked, results: Sequence[Result]) -> Findings:
        score = main_score(results, asked.score)
        ranking = ranked(results, score)
        counts = [int(result.cell.factors["demonstrations"]) for result in results]
        found = cheapest(ranking, counts)
        law = power_law(counts, [r.scores(score) for r in results]) if is_share(score) else None
        said = enough(ranking, found, lambda row: f"{counts[row]} demonstrations", words(score))
        return Findings(
            answer=said,
            notes=[_law(law)] if law else [],
            figures=_figures(counts, ranking, law),
            more={"enough": counts[found.sure], "power_law": _as_json(law)},
            reading=(
                "Every policy was trained for as many steps; each training seed had other "
                "demonstrations of the same pool, and fewer are a part of more."
            ),
            shown=[0, found.sure],
        )


def _law(law: PowerLaw) -> str:
    """The power law, in words."""
    if law.doubt is not None:
        return f"No power law can be told. {law.doubt}"
    b, times = law.exponent, law.halving
    return (
        f"Failures fall as n^-b, where b is {b.mean:.2f} [{b.low:.2f}, {b.high:.2f}]: half of "
        f"them are left after {times.mean:.1f} [{times.low:.1f}, {times.high:.1f}] times as many "
        "demonstrations, as far as that goes on."
    )


def _as_json(law: PowerLaw | None) -> dict[str, Any] | None:
    if law is None:
        return None
    return {"exponent": law.exponent.as_json(), "halving": law.halving.as_json()}


def _figures(counts: Sequence[int], ranking: Ranking, law: PowerLaw | None) -> dict[str, Figure]:
    score = words(ranking.score)
    figures = {
        "score": Figure(
            picture=series(
                [Series(name=score, x=counts, y=list(ranking.scores), look=0)],
                f"{score} against demonstrations",
                x_label="demonstrations",
                y_label=score,
                x_log=True,
                y_range=(0, 1) if is_share(ranking.score) else None,
            ),
            caption=f"{score.capitalize()} by the number of demonstrations.",
        )
    }
    if law is not None and law.doubt is None:
        failed = [
            Interval(1 - found.mean, 1 - found.high, 1 - found.low, found.n)
            for found in ranking.scores
        ]
        figures["failures"] = Figure(
            picture=series(
                [
                    Series(name="measured", x=counts, y=failed, look=0),
                    Series(name="power law", x=counts, y=[law.predict(n) for n in counts], look=1),
                ],
                "failures against demonstrations",
                x_label="demonstrations",
                y_label=f"what is missing of {score}",
                x_log=True,
                y_log=True,
            ),
            caption="What is missing, and the power law that was fitted to it.",
        )
    return figures


def _episodes(path: Path, select: str) -> int:
    return len(open_episodes(path, select=select))
