"""How many demonstrations? The score against their number, with a power law of the failures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from steadyhand.data import open_episodes
from steadyhand.evaluation.scaling import power_law
from steadyhand.reports.series import Series, series
from steadyhand.reports.study import Figure
from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import Cell
from steadyhand.studies.question import Findings, cheapest, enough, words
from steadyhand.studies.results import Result, is_share, main_score, ranked

COUNTS = (5, 10, 20, 50, 100, 200)
QUICK = (5, 20, 100)


@dataclass(frozen=True)
class Demonstrations:
    """Compares numbers of demonstrations; each training seed has others of them."""

    title: str = "How many demonstrations?"
    timed: bool = False
    harder: str = "--task fork:gap=0.1,commit=0.7"

    def asked(self, asked: Asked) -> Asked:
        return replace(asked, task=asked.task or "fork:gap=0.1,commit=0.5")

    def cells(self, asked: Asked) -> list[Cell]:
        config = asked.config(asked.task or "")
        counts = QUICK if asked.quick else COUNTS
        most = config.demonstrations if asked.data is None else _episodes(asked.data)
        found = [count for count in counts if count < most]
        return [
            Cell(
                factors={"demonstrations": count},
                config=config,
                trial=asked.trial(),
                subset=count,
            )
            for count in (*found, *([most] if not asked.quick or not found else []))
        ]

    def findings(self, asked: Asked, results: Sequence[Result]) -> Findings:
        score = main_score(results)
        ranking = ranked(results, score)
        counts = [int(result.cell.factors["demonstrations"]) for result in results]
        found = cheapest(ranking, counts)
        law = power_law(counts, [r.scores(score) for r in results]) if is_share(score) else None
        said = enough(ranking, found, lambda row: f"{counts[row]} demonstrations", words(score))
        return Findings(
            answer=" ".join(filter(None, [said, law.in_words() if law else ""])),
            figures={
                "score": Figure(
                    picture=series(
                        [Series(name=words(score), x=counts, y=list(ranking.scores), look=0)],
                        f"{words(score)} against demonstrations",
                        x_label="demonstrations",
                        y_label=words(score),
                        x_log=True,
                        y_range=(0, 1),
                    ),
                    caption=f"{words(score).capitalize()} by the number of demonstrations.",
                )
            },
            more={"enough": counts[found.sure], "power_law": law and law.as_json()},
            reading=(
                "Every policy was trained for as many steps; each training seed had other "
                "demonstrations of the same pool, and fewer are a part of more."
            ),
            shown=[0, found.sure],
        )


def _episodes(path: Path) -> int:
    return len(open_episodes(path))
