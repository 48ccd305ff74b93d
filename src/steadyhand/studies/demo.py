"""What `steadyhand demo` does: which policies, for how long, in which folder, and what it keeps.

Started again with the same folder, it goes on from where it was. The verb runs and shows it.
"""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from steadyhand.disk import read_object, write_json
from steadyhand.errors import UsageError
from steadyhand.policy.device import choose_device
from steadyhand.recipes import recipe
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig

METHODS = {"regression": "regression", "diffusion": "ddpm"}
KEPT = ("recording", "training")
"""What is done once; the rest is done, and timed, each time."""
FREE = ("device", "precision", "threads", "data")
"""What may differ between two sittings of one demo."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is trained and tried, in the folder `out`."""

    out: Path
    configs: dict[str, TrainConfig]
    episodes: int

    @property
    def data(self) -> Path:
        return self.out / "demonstrations.npz"

    @property
    def page(self) -> Path:
        return self.out / "report.html"


def plan(out: Path, *, quick: bool, seed: int, device: str) -> Plan:
    """Two policies that differ in their method alone; `quick` has two fifths of the steps.

    Raises `UsageError` where the folder holds something else, or a demo with other settings.
    """
    choose_device(device)  # refused now, and not after the recording
    configs = {}
    for name, method in METHODS.items():
        config = recipe("fork", method=method)
        steps = config.steps * 2 // 5 if quick else config.steps
        data = (out / "demonstrations.npz").resolve()
        configs[name] = replace(config, steps=steps, seed=seed, device=device, data=data)
    found = Plan(out=out, configs=configs, episodes=50 if quick else 100)
    _require_free(found)
    for name, config in configs.items():
        same = {field: getattr(config, field) for field in FREE}
        run = Run(out / name)
        if run.exists and replace(run.read_config(), **same) != config:
            raise UsageError(
                f"{out} holds a demo with other settings (another --seed or --quick, or another "
                "version of steadyhand). Choose another --out."
            )
    return found


def _require_free(plan: Plan) -> None:
    """Raise `UsageError` where the folder holds anything that is not a demo's."""
    out, known = plan.out, {plan.data.name, plan.page.name, "times.json", *METHODS}
    held = [p.name for p in out.iterdir()] if out.is_dir() else [out.name] if out.exists() else []
    foreign = [name for name in held if name not in known and not name.startswith(".")]
    if foreign:
        raise UsageError(
            f"{out} holds something else already ({', '.join(sorted(foreign)[:3])}), and is left "
            "as it is. Choose another --out."
        )


def left_to_train(run: Run, config: TrainConfig) -> TrainConfig | None:
    """How a run goes on, on as many threads as it began with; None where it is trained."""
    if not run.exists:
        return config
    if run.resume_step() == config.steps:
        return None
    return replace(config, threads=run.read_config().threads)


class Times:
    """How long each part took, in seconds; that of several sittings adds up."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seconds: dict[str, float] = {}
        with suppress(OSError, ValueError, TypeError):
            kept = {k: float(v) for k, v in read_object(path).items() if k.startswith(KEPT)}
            self.seconds.update(kept)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count the time that passes inside, and remember it in the folder where there is one."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - begun

    def save(self) -> None:
        write_json(self._path, self.seconds)


def machine(device: str) -> str:
    """What the times were measured on, in words."""
    return (
        f"On {choose_device(device)}; {os.cpu_count()} CPU cores, {platform.machine()}, "
        f"{platform.system()}; Python {platform.python_version()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads"
    )
