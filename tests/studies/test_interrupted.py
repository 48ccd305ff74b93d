"""A study that is stopped anywhere and asked again: the same report, and nothing done twice."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from in_process import Here

from steadyhand.data import write_episodes
from steadyhand.studies import runs
from steadyhand.studies.asked import Asked
from steadyhand.studies.folder import RunFolder
from steadyhand.studies.plan import PlannedRun
from steadyhand.studies.runs import do_rows, unfinished
from steadyhand.studies.study import Study
from steadyhand.studies.worker import Signs, Stopped, work
from steadyhand.tasks import record_episodes

RECIPE = f"{Path(__file__).with_name('small_recipes.py')}:small"
MADE = {"command": "steadyhand study seeds"}


class Interrupted(Signs):
    """Told of every step and trial: after some of them, somebody asks to stop, or just stops."""

    left = 0
    gently = False

    def tell(self, share: float, doing: str) -> None:
        Interrupted.left -= 1
        if Interrupted.left == 0:
            if not Interrupted.gently:
                raise KeyboardInterrupt
            self.asked = True


class UntilInterrupted(Here):
    def submit(self, run: PlannedRun, folder: RunFolder) -> Here:
        work(folder, Interrupted(folder, None))
        return self


class NothingLeft(Here):
    def submit(self, run: PlannedRun, folder: RunFolder) -> Here:
        raise AssertionError(f"{run.name} was done")


def study(folder: Path, seeds: int = 2) -> Study:
    data = folder.parent / "fork.npz"
    if not data.exists():
        write_episodes(data, record_episodes("fork", 6))
    small = Asked(task="fork", recipe=RECIPE, method="flow", steps=4, episodes=2, data=data)
    return Study.of("seeds", replace(small, seeds=seeds), folder)


def concluded(asked: Study, done: Any) -> tuple[Any, dict[str, bytes]]:
    """(what is printed, the files of the report), but for where they are."""
    answer, _ = asked.conclude(done, MADE)
    report = {path.name: path.read_bytes() for path in asked.folder.iterdir()}
    assert {"report.html", "report.md", "report.json"} < report.keys()
    del report["report.json"], answer["report"], answer["figures"]
    return answer, report


def finished(out: Path) -> dict[Path, int]:
    """What is not to be done again, and when it was."""
    kept = [*out.glob("*/trained.json"), *out.glob("*/[0-9a-f]*.json")]
    return {path: path.stat().st_mtime_ns for path in kept}


@pytest.mark.slow
def test_a_study_that_is_stopped_finds_the_same_and_repeats_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(runs, "POLL_SECONDS", 0.0)
    whole = study(tmp_path / "whole")
    expected = concluded(whole, do_rows(whole.runs(), whole.runs_folder, executor=Here()))

    before: dict[Path, int] = {}
    stops = 0
    # At the first step, on the way, where a training ends, between trials, in the second training.
    for number, after in enumerate((1, 2, 3, 1, 2, 4, 100)):
        asked = study(tmp_path / "stopped")
        Interrupted.left, Interrupted.gently = after, number % 2 == 1
        try:
            done = do_rows(asked.runs(), asked.runs_folder, executor=UntilInterrupted())
        except (KeyboardInterrupt, Stopped):
            stops += 1
            assert unfinished([r for row in asked.runs() for r in row], asked.runs_folder)
        now = finished(asked.runs_folder)
        assert now.items() >= before.items(), "what was finished was left as it is"
        before = now
    assert stops == 6
    assert len(before) == 2 * (1 + 3)
    assert concluded(asked, done) == expected

    # Asked once more, nothing is done at all; with one more seed, what is new.
    assert do_rows(asked.runs(), asked.runs_folder, executor=NothingLeft()) == done
    more = study(tmp_path / "stopped", seeds=3)
    rows = do_rows(more.runs(), more.runs_folder, executor=Here())
    assert [row[:2] for row in rows] == done
    assert finished(more.runs_folder).items() > before.items()
    assert len(finished(more.runs_folder)) == 3 * (1 + 3)
