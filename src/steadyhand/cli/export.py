"""`steadyhand export RUN`: a policy as a folder that runs without torch, held against the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import tyro

from steadyhand.cli.options import Printed, Sampled, flags, parse
from steadyhand.cli.screen import console, notes, results, show, stage, waiting
from steadyhand.disk import inside
from steadyhand.errors import CheckpointError, SteadyhandError, UsageError
from steadyhand.runtime.exported import (
    EngineName,
    Export,
    ExportPrecision,
    PairedSuccess,
    Verification,
    write_export_card,
)
from steadyhand.runtime.folders import find_policy, run_of
from steadyhand.runtime.own_file import own_name
from steadyhand.values import whole

if TYPE_CHECKING:
    from steadyhand.policy.policy import Policy
    from steadyhand.runtime.card import Provenance
    from steadyhand.runtime.predictor import ChunkRequest

    Known = tuple[list[ChunkRequest], str] | None

Way = Literal["guided", "inpainted", "prefixed", "warm_start", "none"]
ENGINES = get_args(EngineName)


@flags
class Options(Sampled, Printed):
    """Write a policy as a folder that an inference engine runs, without torch: from pictures and
    numbers of the robot to its actions. It is compared with the run before it is kept."""

    run: tyro.conf.Positional[Path]
    """A run (its last averaged weights) or one of its checkpoints."""
    to: EngineName
    """What will run it: onnx (ONNX Runtime), openvino, or aoti (torch's own compiler)."""
    out: Path | None = None
    """The folder; RUN/exports/ENGINE-PRECISION by default."""
    precision: ExportPrecision = "float32"
    """How finely it computes or keeps its weights; coarser is faster or smaller."""
    continuation: tuple[Way, ...] = ()
    """How chunks can go on from the last one, for real_time: as the policy was trained, or else
    guided, by default; none leaves it out."""
    bound: float | None = None
    """The largest difference from the run that is let pass, as a share of how far actions go."""
    episodes: int = 0
    """Compare success in the task, too, over so many episodes."""
    seed_start: int | None = None
    """First seed of those; the task's own by default."""
    data: Path | None = None
    """Demonstrations to compare on, if those of the run were moved."""
    select: str = ""
    """Which of them, as 0:50 or mask=valid; those chosen for training by default."""
    task: str | None = None
    """The task once more where it is your own: FILE.py:function, which is run only where named."""
    overwrite: bool = False
    """Replace an export that is there."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    # The engine is not a thing to guess, and no flag should be needed to read what there is.
    if not any(word.partition("=")[0] in ("--to", "--help", "-h") for word in arguments):
        raise UsageError(f"Say what will run it: --to {', --to '.join(ENGINES)}.")
    options = parse(Options, "export", arguments)
    whole("--episodes", options.episodes, 0, 1_000_000)
    if options.bound is not None and not options.bound > 0:
        raise UsageError(f"--bound is {options.bound:g}; it is a share above 0, as 0.01.")
    if options.episodes == 1:
        raise UsageError("One episode says nothing of success: --episodes 100")
    folder = find_policy(options.run)
    out = options.out or _place(options)
    with waiting("loading torch"):
        from steadyhand.export.folder import write_export
        from steadyhand.policy.card import sampler_of
        from steadyhand.policy.storage import load_policy
        from steadyhand.runtime.card import read_provenance

    sampler = sampler_of(folder, options.solver, options.steps, options.temperature)
    policy, origin = load_policy(folder, sampler=sampler), read_provenance(folder)
    if options.episodes and (options.task or origin.task) is None:
        raise UsageError(
            f"{options.run} was trained for no task that could be simulated: leave --episodes out."
        )
    with notes():
        known = _demonstrations(policy, origin, options)
        made = write_export(
            policy,
            out,
            engine=options.to,
            precision=options.precision,
            continuations=_ways(options.continuation),
            provenance=origin,
            overwrite=options.overwrite,
            check=lambda place, export: _verified(place, export, policy, known, options),
            stage=stage,
        )
    if options.episodes:
        made = _with_success(made, out, policy, origin, options)
    return told(made, out, as_json=options.json)


def _place(options: Options) -> Path:
    """Where an export goes unless it is said: into the run, never out of it by a link."""
    name = f"{options.to}-{options.precision}"
    try:
        return inside(run_of(options.run), "exports") / name
    except ValueError as error:
        raise CheckpointError(f"{error}. Choose another place with --out.") from error


def _ways(named: tuple[Way, ...]) -> list[Any] | None:
    """What those words mean; None where nothing is said."""
    from steadyhand.export.folder import NAMES

    if "none" in named and len(set(named)) > 1:
        raise UsageError("--continuation is none, or the ways that the export is to have.")
    kinds = {name: kind for kind, name in NAMES.items()}
    return [kinds[name]() for name in named if name != "none"] if named else None


def _verified(
    place: Path, export: Export, policy: Policy, known: Known, options: Options
) -> Export:
    """The export with the record of how it compares with the run."""
    from steadyhand.export.observed import made_up_moments
    from steadyhand.export.verify import BOUNDS, MOMENTS, verify
    from steadyhand.runtime.engines import load_exported

    with stage("comparing it with the run", 0):
        predictor = load_exported(place, trust_code=True)  # made here, just now
        requests, words = known or (made_up_moments(policy, MOMENTS), "random observations")
        bound = options.bound or BOUNDS[export.precision]
        ways = [graph.how for graph in export.graphs if graph.how is not None]
        found = verify(policy, predictor, requests, words, bound, ways)
        return replace(export, verification=found)


def _demonstrations(policy: Policy, origin: Provenance, options: Options) -> Known:
    """Moments of episodes that the run was not trained on, or else of its own; and in words.

    None where there are none that can be read, unless they were named.
    """
    from steadyhand.data import open_episodes
    from steadyhand.data.hub import located
    from steadyhand.evaluation.held_out import divide, own_data
    from steadyhand.export.observed import recorded_moments
    from steadyhand.export.verify import MOMENTS

    beside = run_of(options.run) / "demonstrations.npz"
    known = [located(options.data)] if options.data else [own_data(origin) or Path(), beside]
    path = next((path for path in known if path.exists() and path != Path()), None)
    if path is None and options.data is None:
        return None
    try:
        select = options.select or ("" if options.data else origin.select)
        episodes = open_episodes(path or options.data, select=select)  # type: ignore[arg-type]
        fresh, trained_on = divide(episodes, origin, policy.spec)
        chosen = fresh or trained_on
        moments = recorded_moments(policy.spec, episodes.subset(chosen), MOMENTS)
    except SteadyhandError as error:
        if options.data is not None or options.select:
            raise
        show(console(), f"Note: {error} It is compared on random observations.")
        return None
    was, many = "was not" if fresh else "was", "demonstration" + "s" * (len(chosen) != 1)
    return moments, f"{len(chosen)} {many} that it {was} trained on"


def _with_success(
    export: Export, out: Path, policy: Policy, origin: Provenance, options: Options
) -> Export:
    """The export with success in the task, paired with that of the run."""
    from steadyhand.evaluation.compare import compare
    from steadyhand.evaluation.evaluate import evaluate
    from steadyhand.runtime.engines import load_exported
    from steadyhand.tasks import register_task

    name = register_task(options.task) if options.task else origin.task
    assert name is not None
    tried = {"original": policy, "exported": load_exported(out, trust_code=True)}
    found = {}
    for label, each in tried.items():
        with stage(f"evaluating the {label}", options.episodes) as advance:
            found[label] = evaluate(
                each,
                name,
                episodes=options.episodes,
                seed_start=options.seed_start,
                watch=lambda episode, advance=advance: advance(1),
            )
    difference = compare(found)["original", "exported", "success"]
    success = PairedSuccess(
        episodes=difference.n,
        original=found["original"].success.mean,
        exported=found["exported"].success.mean,
        difference=0.0 - difference.mean,
        low=-difference.high,
        high=-difference.low,
    )
    assert export.verification is not None
    export = replace(export, verification=replace(export.verification, success=success))
    write_export_card(out, export)
    return export


def told(export: Export, out: Path, *, as_json: bool) -> dict[str, Any]:
    """What was made, on the screen and as JSON."""
    found, size = export.verification, sum(file.bytes for file in export.files)
    assert found is not None
    ways = [graph.file.partition(".")[0] for graph in export.graphs[1:]]
    flags = " --trust-code" if export.engine == "aoti" else ""
    task = export.provenance.task
    flags += " --robot FILE.py:function" if task is None or own_name(task) else ""
    show(
        results(as_json=as_json),
        f"{out}: {export.engine}, {export.precision}, {size / 1e6:.1f} MB"
        + (f"; chunks go on {', '.join(ways)}" if ways else ""),
        f"Differs from the run by {found.largest:.1e} of how far actions go at most, "
        f"{found.typical:.1e} typically (at most {found.bound:g} is let pass), over "
        f"{found.chunks} chunks: {found.observations}.",
        f"One chunk takes {found.exported_ms:.1f} ms, {found.original_ms:.1f} ms by torch, both "
        "alone on one thread.",
        *_success_line(found),
        f"Run it: steadyhand run {out}{flags}",
    )
    success = found.success
    return {
        "path": str(out),
        "format": export.engine,
        "precision": export.precision,
        "bytes": size,
        "difference": {"largest": found.largest, "typical": found.typical},
        "chunk_ms": {"original": found.original_ms, "exported": found.exported_ms},
        "bound": found.bound,
        "observations": found.observations,
        "continuations": ways,
        "success": None if success is None else vars(success),
    }


def _success_line(found: Verification) -> list[str]:
    one = found.success
    if one is None:
        return []
    return [
        f"Success over {one.episodes} episodes: {one.exported:.3f}, of the run "
        f"{one.original:.3f}; difference {one.difference:+.3f} [{one.low:.3f}, {one.high:.3f}]."
    ]
