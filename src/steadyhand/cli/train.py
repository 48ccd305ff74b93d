"""`steadyhand train RECIPE`: a policy from demonstrations."""

import re
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from json import loads
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import tyro

from steadyhand.cli.interrupts import after_this_step
from steadyhand.cli.options import Printed, flags, parse
from steadyhand.cli.screen import console, notes, progress, rate_of, show, stage, waiting
from steadyhand.data.hub import located
from steadyhand.errors import UsageError
from steadyhand.nets.encoder_choices import BackboneConfig, ImageEncoderConfig
from steadyhand.recipes import RECIPES, about, recipe
from steadyhand.recipes.methods import METHODS, NETWORKS
from steadyhand.tasks import register_task
from steadyhand.tasks.own import task_flag
from steadyhand.training.config import TrainConfig

if TYPE_CHECKING:
    from steadyhand.training.session import Event, Session

HELP = """usage: steadyhand train RECIPE [--data PATH] [options]
       steadyhand train --resume --out RUN

Train a policy from demonstrations. Recipes: {recipes}.
`lerobot` is for your own robot and its cameras, `state` for its state alone. A recipe of your
own is FILE.py:function, and so is a task.

  --data PATH       demonstrations: a LeRobot data set, .hdf5, .zarr, .zarr.zip or .npz;
                    recorded first where the recipe's task has an expert (fork) and none
                    are named
  --select WHICH    of the episodes: 0:50, 1,4,7, success, mask=train, task="TEXT", length>=20,
                    joined with + where each is to narrow
  --method NAME     {methods}
  --network NAME    {networks}
  --backbone MODEL  a vision model of transformers instead of the ResNet, by folder or hub name
  --steps N         optimiser steps, or
  --minutes M       about so long: the speed is measured and a number of steps fixed
  --out RUN         the run's folder; it must be new
  --resume          continue the run in --out from its last checkpoint: bit for bit, on the same
                    device and as many threads
  --device NAME     auto, cpu, cuda or mps
  --threads N       of the CPU; measured unless named, and kept: another number gives other
                    last bits
  --json            one JSON object on standard output

  steadyhand train RECIPE --help   every field of the recipe, as a flag
"""


@flags
class Options(Printed):
    config: Annotated[TrainConfig, tyro.conf.arg(name="")]
    method: Literal[tuple(METHODS)] | None = None  # type: ignore[valid-type]
    """How actions are generated; the recipe's own by default."""
    network: Literal[tuple(NETWORKS)] | None = None  # type: ignore[valid-type]
    """The denoiser; the recipe's own by default."""
    backbone: str | None = None
    """What looks at pictures instead of the ResNet: a vision model of transformers, by its folder
    or its name on the hub, as facebook/dinov2-small."""
    out: Path | None = None
    """The run's folder; it must be new. runs/RECIPE-TIME by default."""
    resume: bool = False
    """Continue the run in --out from its last checkpoint; it keeps its configuration."""


def run(arguments: Sequence[str]) -> dict[str, Any] | None:
    named = bool(arguments) and not arguments[0].startswith("-")
    if not named and ("--help" in arguments or "-h" in arguments):
        names = {"recipes": RECIPES, "methods": METHODS, "networks": NETWORKS}
        print(HELP.format(**{key: ", ".join(value) for key, value in names.items()}))
        return None
    if "--resume" in arguments:
        return _resume(arguments)
    if not named:
        raise UsageError(
            "Name a recipe first, as: steadyhand train fork. "
            f"There are: {', '.join(RECIPES)}. See steadyhand train --help."
        )
    if _peek(arguments, "--steps") and _peek(arguments, "--minutes"):
        raise UsageError("Give --steps or --minutes, not both: minutes fix a number of steps.")
    name, looked_for = arguments[0], ("method", "network", "backbone")
    chosen: Any = {flag: _peek(arguments, f"--{flag}") for flag in looked_for}
    method, network, backbone = chosen.values()
    config = recipe(name, method=method, network=network)
    config = config if backbone is None else _with_backbone(config, backbone, name)
    options = parse(
        Options,
        f"train {name}",
        arguments[1:],
        description=f"{about(name)} Every field of the recipe is a flag.",
        default=Options(config=config, **chosen),
    )
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    word = re.sub(r"\.py:|[:=,]", "-", Path(name).name)  # a recipe of one's own is in a file
    out = options.out or Path("runs") / "-".join(filter(None, [word, method, network, stamp]))
    task = options.config.task and register_task(options.config.task)
    config = replace(options.config, task=task)
    return tell(train_run(config, out, resume=False), config)


def _with_backbone(config: TrainConfig, source: str, name: str) -> TrainConfig:
    encoder = config.policy.encoder
    if not isinstance(encoder, ImageEncoderConfig):
        raise UsageError(f"The recipe {name} sees no pictures, so --backbone has nothing to do.")
    encoder = replace(encoder, network=BackboneConfig(source=source))
    return replace(config, policy=replace(config.policy, encoder=encoder))


def _peek(arguments: Sequence[str], flag: str) -> str | None:
    """The value of a flag that decides what the other flags are."""
    for here, after in zip(arguments, [*arguments[1:], ""], strict=True):
        if here == flag:
            return after
        if here.startswith(f"{flag}="):
            return here.partition("=")[2]
    return None


@flags
class ResumeOptions(Printed):
    """Continue a run."""

    out: Path
    """The run to continue."""
    data: Path | None = None
    """Where the demonstrations are now, if they were moved."""
    teacher: Path | None = None
    """Where the teacher is now, if it was moved."""
    task: str | None = None
    """The task once more where it is your own: FILE.py:function, which is run only where named."""
    device: str | None = None
    """Another device; the weights are then no longer the same to the last bit."""
    threads: int | None = None
    """Another number of threads; likewise."""


def _resume(arguments: Sequence[str]) -> dict[str, Any]:
    from steadyhand.training.checkpoint import Run

    words = arguments[1:] if not arguments[0].startswith("-") else arguments
    words = [word for word in words if word != "--resume"]
    try:
        options = parse(ResumeOptions, "train --resume", words)
    except UsageError as error:
        raise UsageError(
            f"A resumed run keeps its own configuration: give --out RUN, and --data or --device "
            f"where those have changed. {error}"
        ) from None
    run = Run(options.out)
    config = run.read_config()
    if options.data is not None:
        located(options.data)  # what the run's own file says is never fetched
    if (step := run.resume_step()) is not None:
        from steadyhand.policy.card import read_config

        read_config(run.folder(step))  # refuses a policy of its author's own parts
    names = ("data", "teacher", "device", "threads")
    given: Any = {name: value for name in names if (value := getattr(options, name)) is not None}
    if options.task is not None:
        given["task"] = register_task(options.task)
    config = replace(config, **given)
    return tell(train_run(config, options.out, resume=True), config)


def train_run(config: TrainConfig, out: Path, *, resume: bool) -> dict[str, Any]:
    """Train in the folder `out` to the end or to a signal; what the verb answers.

    `interrupted` is in the answer where a signal came first.
    """
    with waiting("loading torch"):
        import torch

        from steadyhand.training.begin import begin
        from steadyhand.training.checkpoint import Run
        from steadyhand.training.session import Plan

    screen, run = console(), Run(out)
    with notes():
        session = begin(config, out, resume=resume, stage=stage, tell=partial(show, screen))
    with closing(session):
        plan = cast(Plan, next(session))
        config, episodes = plan.config, plan.material.episodes
        show(
            screen,
            f"{len(episodes)} episodes, {episodes.steps} steps, {rate_of(episodes)}; "
            f"{plan.parameters / 1e6:.1f} M parameters on {config.device} in {config.precision}, "
            f"{_threads(config.threads)}torch {torch.__version__}, {config.steps} steps"
            f"{f' from {plan.start}' if plan.start else ''}; run {out}",
        )
        begun = time.perf_counter()
        done, stopped, losses = _follow(session, config, plan.start)
    minutes = (time.perf_counter() - begun) / 60
    if plan.start == config.steps:
        show(screen, f"{out} is already finished, at step {done}.")
        losses = _last_figures(run)
    elif done < config.steps:
        last = run.resume_step()
        saved = "saved" if last == done else f"the last step saved is {last or 'none'}"
        show(screen, f"Stopped at step {done}, {saved}.")
    else:
        validation = losses["validation_loss"]
        figure = "" if validation is None else f", validation loss {validation:.4f}"
        show(screen, f"Done in {minutes:.1f} min{figure}.")
    summary = {"run": str(out), "steps": done, "minutes": minutes, **losses}
    return {**summary, "parameters": plan.parameters, **({"interrupted": True} if stopped else {})}


def _threads(count: int | None) -> str:
    return "" if count is None else f"{count} thread{'s' * (count > 1)}, "


def tell(summary: dict[str, Any], config: TrainConfig) -> dict[str, Any]:
    """Say what can be done next; the summary as it was."""
    again = task_flag(config.task)
    if summary.get("interrupted"):
        show(console(), f"Continue: steadyhand train --resume --out {quote(summary['run'])}{again}")
    elif config.task:
        run = quote(summary["run"])
        show(console(), f"Next: steadyhand evaluate {run}{again} --episodes 50 --video 3")
    else:
        unseen = " --data DEMONSTRATIONS" if summary["validation_loss"] is None else ""
        show(console(), f"Next: steadyhand evaluate --offline {quote(summary['run'])}{unseen}")
    return summary


def _follow(
    session: "Session[Event]", config: TrainConfig, start: int
) -> tuple[int, bool, dict[str, float | None]]:
    """Train to the end or to a signal: (last step, was it stopped, the last losses)."""
    from steadyhand.training.session import Step, Validation
    from steadyhand.training.trackers import LOG_EVERY

    begun, done = time.perf_counter(), start
    losses: dict[str, float | None] = {"loss": None, "validation_loss": None}
    with progress("training", config.steps, start=start) as advance, after_this_step() as stopped:
        for event in session:
            if isinstance(event, Validation):
                losses["validation_loss"] = event.loss
            if not isinstance(event, Step):
                continue
            done, note = event.step, ""
            if done % LOG_EVERY == 0 or event.checkpoint is not None or done == config.steps:
                losses["loss"] = event.loss
                pace = (done - start) * config.batch_size / (time.perf_counter() - begun)
                note = f"loss {event.loss:.4f}, {pace:.0f} samples/s"
            advance(1, note)
            if stopped():
                break
        session.close()  # and save, before a second Ctrl-C ends it at once
    return done, stopped(), losses


def _last_figures(run: Any) -> dict[str, Any]:
    """The losses of the last line of the log that has them."""
    for line in reversed(run.log.read_text().splitlines()):
        record = loads(line)
        if "validation_loss" in record or "loss" in record:
            return {key: record.get(key) for key in ("loss", "validation_loss")}
    return {}
