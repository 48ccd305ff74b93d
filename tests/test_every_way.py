"""Every denoiser, process and solver, whoever adds one: trained, sampled, saved, exported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import every_way


@pytest.mark.parametrize(
    "denoiser", [kind.__name__ for kind in every_way.options("DenoiserConfig")]
)
def test_whatever_can_be_configured_works(denoiser) -> None:
    """Every two parts meet, each at its default; `make bench` does all of their variants."""
    script = Path(every_way.__file__)
    done = subprocess.run([sys.executable, script, denoiser], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = "\n".join(f"{one['way']}: {one['wrong']}" for one in found if one["wrong"])
    assert not wrong, wrong
    ways = [way.name for way in every_way.ways(every=False)]
    mine = [name for name in ways if name.startswith(denoiser.removesuffix("Config") + "(")]
    assert [one["way"] for one in found] == mine
    assert len(mine) >= len(every_way.options("Method"))


def test_no_part_is_left_out() -> None:
    """Each solver drives some process, and each process is driven by some solver."""
    ways = every_way.ways(every=False)
    for name, parts in {
        "SolverName": {way.sampler.solver for way in ways},
        "Method": {type(way.process) for way in ways},
        "DenoiserConfig": {type(way.denoiser) for way in ways},
    }.items():
        assert parts == set(every_way.options(name)), name
    everything = every_way.ways(every=True)
    assert len(everything) > 10 * len(ways)
    assert len({way.name for way in everything}) == len(everything)
