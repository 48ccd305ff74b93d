"""What a sweep varies: fields of a recipe, a sampler or an evaluation, named as their flags are."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import product
from typing import Any

from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import CheckpointError, ConfigurationError, UsageError, unknown
from steadyhand.runtime.codec import decode, encode
from steadyhand.studies.asked import Asked
from steadyhand.studies.plan import Trial
from steadyhand.tasks import register_task
from steadyhand.training.config import TrainConfig

TRIED = ("execute", "solver", "temperature", "eta", "repeats", "perturb_history", "controller")
"""Fields of the evaluation, and of how it is sampled: no training differs by them."""
NAMED = ("task", "recipe", "method", "network")
"""Fields of what is asked, which choose the recipe."""
TAKEN = ("data", "teacher", "seed", "device", "threads", "minutes")
"""Fields of a recipe that a study itself has an option for."""


@dataclass(frozen=True)
class Varied:
    """One thing that is varied, and its values."""

    field: str
    values: tuple[Any, ...]

    @classmethod
    def parse(cls, text: str) -> "Varied":
        """FIELD=A,B,C; a value with a comma in it stands in brackets. Raises `UsageError`."""
        name, equals, said = text.partition("=")
        values = tuple(_value(word) for word in _words(said))
        name = name.strip().removeprefix("--").replace("-", "_")
        if not equals or not values or not name:
            raise UsageError(
                f"--vary {text} names nothing to vary. Write a field and its values: "
                "--vary chunking.horizon=8,16,32"
            )
        if len(set(map(str, values))) < len(values):
            raise UsageError(f"--vary {text} names a value twice.")
        return cls(name, values)


def _words(text: str) -> list[str]:
    """Parts between commas that stand in no bracket."""
    words, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            words.append("")
        else:
            words[-1] += letter
    return [word.strip() for word in words if word.strip()]


def _value(word: str) -> Any:
    """A number, true, false, none, a list in brackets, or else the word."""
    try:
        return json.loads({"none": "null", "None": "null", "True": "true"}.get(word, word))
    except ValueError:
        return (word.lower() == "false" and False) or word


def combinations(varied: Sequence[Varied]) -> Iterable[dict[str, Any]]:
    """Every value of each with every value of the others, as factors."""
    for values in product(*(one.values for one in varied)):
        yield dict(zip((one.field for one in varied), values, strict=True))


def configured(asked: Asked, factors: Mapping[str, Any]) -> tuple[TrainConfig, Trial]:
    """(how it is trained, how it is tried) with those values. Raises `ConfigurationError` for a
    field that there is not, or a value that it cannot have."""
    asked = replace(asked, **{k: _text(k, v) for k, v in factors.items() if k in NAMED})
    if "task" in factors:  # named by whoever asks, and so is its file where it is in one
        asked = replace(asked, task=register_task(asked.task or ""))
    task = asked.task or ""
    config, trial = asked.config(task), asked.trial(task)
    trained = {k: v for k, v in factors.items() if k not in (*NAMED, *TRIED)}
    sampled = {k: v for k, v in trained.items() if k.startswith("sampler.")}
    trained = {k: v for k, v in trained.items() if k not in sampled}
    names = {_path(name): value for name, value in trained.items()}
    config = _replaced(config, names)
    if "policy.process.type" in names:
        config = replace(config, policy=config.policy.settled())
    usual = config.policy.sampler
    for name, value in factors.items():
        if name in ("solver", "temperature", "eta"):
            sampled[f"sampler.{name}"] = value
        elif name in TRIED:
            trial = _set(Trial, trial, {name: value})
    if sampled:
        inner = {name.removeprefix("sampler."): value for name, value in sampled.items()}
        sampler = _set(SamplerConfig, usual, inner).settled(config.policy.process)
        trial = replace(trial, sampler=sampler)
    return config, trial


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} is a name, and {value} is none.")
    return value


def _path(name: str) -> str:
    """Where a field is, as it is named on the command line: those of the policy have no prefix."""
    known = [path for path in paths(TrainConfig()) if path.split(".")[0] not in TAKEN]
    short = {path.removeprefix("policy."): path for path in known}
    if name not in short and name not in known:
        others = [*NAMED, *TRIED, "sampler.steps"]
        raise ConfigurationError(unknown("field to vary:", name, [*short, *others]))
    return short.get(name, name)


def paths(config: Any, prefix: str = "") -> list[str]:
    """Every field of a configuration, dotted; those of a part that can be another are its own."""
    found: list[str] = []
    for field in fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name}"
        found += paths(value, f"{name}.") if is_dataclass(value) else [name]
    return found


def _replaced(config: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    content = encode(config)
    for path, value in values.items():
        *parts, last = path.split(".")
        inner = content
        for part in parts:
            inner = inner[part]
        if last not in inner:
            raise ConfigurationError(unknown(f"field of {'.'.join(parts)}:", last, inner))
        inner[last] = value
    chunking = content["chunking"]
    if "chunking.horizon" in values and "chunking.execute" not in values:
        ahead = chunking["horizon"] - chunking["past_rows"]
        chunking["execute"] = min(
            chunking["execute"], ahead
        )  # a shorter chunk is driven to its end
    return _decoded(TrainConfig, content)


def _set(kind: type[Any], value: Any, changes: Mapping[str, Any]) -> Any:
    known = {field.name for field in fields(kind)}
    for name in changes:
        if name not in known:
            raise ConfigurationError(unknown(f"field of {kind.__name__}:", name, known))
    return _decoded(kind, {**encode(value), **changes})


def _decoded(kind: type[Any], content: Any) -> Any:
    try:
        return decode(kind, content, "--vary")
    except CheckpointError as error:
        raise ConfigurationError(str(error)) from error
