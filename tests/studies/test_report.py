"""The report of a study, in all its files, and what it says of what it does not know."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from invented import outcomes, result

from steadyhand.studies import study as module
from steadyhand.studies.asked import Asked
from steadyhand.studies.question import NBSP
from steadyhand.studies.study import Study

MADE = {"command": "steadyhand study data"}
ALONE = "Every row is one training"


@pytest.fixture
def concluded(tmp_path, monkeypatch):
    """What comes of shares of successes after 5 and 20 demonstrations; 3 and 10 of a quick one."""
    monkeypatch.setattr(module, "strips", lambda *_: [])

    def conclude(*shares: float, **given: Any) -> tuple[str, list[str], Path]:
        asked = Asked(**{"task": "fork", "seeds": 3, "demonstrations": 20, **given})
        study = Study.of("data", asked, tmp_path)
        counts = (3, 10) if asked.quick else (5, 20)
        cells = [cell for cell in study.cells if cell.factors["demonstrations"] in counts]
        study = replace(study, cells=cells)
        rows = [
            result(
                {"success": outcomes(share, seeds=asked.seeds, luck=i)}, cell=cell, policies=f"{i}"
            )
            for i, (cell, share) in enumerate(zip(cells, shares, strict=True))
        ]
        answer, _ = study.conclude([row.outcomes for row in rows], MADE)
        return answer["answer"], answer["notes"], study.folder

    return conclude


def test_one_training_says_nothing_of_others_and_says_so(concluded) -> None:
    _, quick, _ = concluded(0.3, 0.8, seeds=1, quick=True)
    _, one, folder = concluded(0.3, 0.8, seeds=1)
    assert one[-1].startswith(ALONE)
    assert "give --seeds 3" in one[-1]
    assert "--quick" not in one[-1]
    assert "leave --quick out" in quick[-1]
    assert ALONE in (folder / "report.md").read_text()


def test_the_reports_files_say_the_same(concluded) -> None:
    answer, notes, folder = concluded(0.3, 0.8)
    assert folder.name == "data-fork"
    assert ALONE not in " ".join(notes)
    kept = json.loads((folder / "report.json").read_text())
    assert (kept["answer"], kept["notes"]) == (answer, notes)
    assert kept["made"] == MADE
    assert [row["success"]["mean"] for row in kept["rows"]] == pytest.approx([0.3, 0.8])
    assert [row["demonstrations"] for row in kept["rows"]] == [5, 20]
    assert {row["seeds"] for row in kept["rows"]} == {3}
    assert kept["runs"] == 6
    assert kept["rows"][0]["smoothness"]["seam"]["mean"] == 2.0
    for picture in kept["figures"]:
        assert Path(picture).exists()
    markdown, page = ((folder / f"report.{kind}").read_text() for kind in ("md", "html"))
    assert answer.replace(NBSP, " ")[:40] in markdown.replace(NBSP, " ")
    assert "3 trainings, both they and the episodes are in the intervals" in page
    assert np.isfinite([row["calls_per_second"] for row in kept["rows"]]).all()
