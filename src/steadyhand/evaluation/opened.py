"""What is tried, opened by its name: a run's policy, or the predictor of an export or a server."""

from dataclasses import replace
from pathlib import Path

from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.policy.card import sampler_of
from steadyhand.policy.device import choose_device
from steadyhand.policy.named import Opening, is_address
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import evaluation_batch
from steadyhand.policy.storage import load_policy
from steadyhand.runtime.exported import Export, check_files, is_export, read_export
from steadyhand.runtime.folders import find_policy
from steadyhand.runtime.predictor import Predictor

EXPORT_BATCH = 16
"""Chunks of an export that are always computed together, at most: of more, none is much faster, and
fewer environments leave more of them empty."""


def opened(name: str | Path, opening: Opening) -> tuple[Policy | Predictor, str]:
    """What answers as `name` does, many environments together, and how, as a file's name says it.

    Raises `CheckpointError` where nothing is there, and `ConfigurationError` for settings that it
    would have to ignore.
    """
    if is_export(name):
        export = read_export(name)
        answers = replace(opening, batch=_batch(export)).predictor(name)
        by = "" if opening.engine in (None, export.engine) else f"-by-{opening.engine}"
        return answers, f"{export.solver or 'calls'}{export.steps}-{Path(name).resolve().name}{by}"
    if is_address(name):
        return opening.predictor(name), "served"
    folder = find_policy(name)
    sampler = sampler_of(folder, opening.solver, opening.steps, opening.temperature)
    return load_policy(folder, sampler=sampler, device=choose_device(opening.device)), _said(
        sampler
    )


def check_opened(name: str | Path, opening: Opening) -> None:
    """Raise what `opened` would, before anything is tried, as far as that takes no time."""
    if is_export(name):
        opening.refuse_for_export(name)
        check_files(Path(name), read_export(name))
    elif not is_address(name):
        opened(name, opening)


def _batch(export: Export) -> int:
    """How many chunks are asked for together: as many as a graph that takes no other number."""
    fixed = export.graphs[0].batch
    return fixed or min(EXPORT_BATCH, evaluation_batch(export.spec))


def _said(sampler: SamplerConfig) -> str:
    heat = "" if sampler.temperature == 1 else f"-temperature{sampler.temperature:g}"
    return f"{sampler.solver or 'calls'}{sampler.steps}{heat}"
