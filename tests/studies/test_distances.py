"""How far samples are from those of the reference, of chunks that were invented."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from invented import result

from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import Cell
from steadyhand.studies.folder import RunFolder
from steadyhand.studies.questions.steps import REFERENCE, SAMPLES, DenoisingSteps, distances
from steadyhand.studies.results import Result

MOMENTS = 4
CELLS = {
    (cell.factors["solver"], cell.factors["steps"]): cell
    for cell in DenoisingSteps().cells(Asked(task="fork", quick=True))
}


def rows(folder: Path, drawn: Mapping[tuple[str, int], np.ndarray]) -> list[Result]:
    """A row each, whose policies (first axis) drew those chunks."""

    def row(cell: Cell, chunks: np.ndarray) -> Result:
        for seed, each in enumerate(chunks):
            (folder / f"{seed}").mkdir(exist_ok=True)
            RunFolder(folder / f"{seed}").write_array(cell.trial.drawn, each)
        scores = np.ones((len(chunks), 3))
        return result({"success": scores}, cell=cell, policies=folder)

    return [row(CELLS[mark], chunks) for mark, chunks in drawn.items()]


def chunks(samples: int, luck: int) -> np.ndarray:
    """(seeds, moments, samples, rows, action_size): of seed 1 twice as wide, at each moment
    elsewhere."""
    random = np.random.default_rng(luck)
    made = random.normal(size=(2, MOMENTS, samples, 4, 2)) * [[[[1.0, 20.0]]]]
    return made * np.array([1, 2])[:, None, None, None, None]


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_how_far_samples_are_whatever_the_unit(unit, tmp_path) -> None:
    reference, other = unit * chunks(2 * SAMPLES, 1), unit * chunks(SAMPLES, 2)
    shift = unit * np.array([1.0, 20.0])
    found = distances(
        rows(
            tmp_path,
            {
                ("ddim", 5): other,
                REFERENCE: reference,
                ("ddim", 10): other + shift,
                ("ddim", 2): reference[:, :, :SAMPLES],
            },
        )
    )
    fair, floor, shifted, same_noise = (one.mean for one in found)
    assert 0.1 < floor < 0.3, "64 samples of one distribution differ by chance"
    assert fair == pytest.approx(floor, rel=0.15)
    # One deviation of the first seed's samples, half of one of the second's.
    assert shifted == pytest.approx(np.mean([np.hypot(1, floor), np.hypot(0.5, floor)]), rel=0.15)
    # The same noise in another solver brings it no nearer than other noise.
    assert same_noise == floor
    assert all(one.n == 2 * MOMENTS for one in found)


def test_samples_are_compared_at_their_own_moment_and_seed(tmp_path) -> None:
    """Where moments lie far apart, each row is still as near as its own samples are."""
    apart = 100 * np.arange(2 * MOMENTS).reshape(2, MOMENTS, 1, 1, 1)
    found = distances(
        rows(
            tmp_path,
            {REFERENCE: apart + chunks(2 * SAMPLES, 1), ("ddim", 5): apart + chunks(SAMPLES, 2)},
        )
    )
    assert found[1].mean == pytest.approx(found[0].mean, rel=0.15)
