"""What a sweep varies: fields of a recipe, a sampler or an evaluation, named as their flags are."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import product
from typing import Any

from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import CheckpointError, ConfigurationError, UsageError, unknown
from steadyhand.evaluation.acting import Acting, seconds_of
from steadyhand.runtime.codec import decode, encode
from steadyhand.studies.asked import Asked
from steadyhand.studies.plan import Trial
from steadyhand.tasks import register_task
from steadyhand.training.config import TrainConfig
from steadyhand.values import at_least, taken, whole

TRIED = ("execute", "repeats", "perturb_history")
"""Fields of the evaluation: no training differs by them."""
ACTED = ("controller", "delay", "latency", "latency_jitter", "drop")
"""What acts on chunks and how late they are; neither does a training differ by these."""
LATENCY = {"latency": "seconds", "latency_jitter": "jitter"}
SAMPLED = ("solver", "temperature", "eta")
"""Fields of the sampler that need no prefix; neither does a training differ by these."""
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
        name = name.strip().removeprefix("--").replace("-", "_")
        values = tuple(_value(word, name) for word in _words(said))
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


def _value(word: str, name: str) -> Any:
    """A number, true, false, none, a list in brackets, or else the word. In brackets, a name is
    whole."""
    known = {"none": None, "true": True, "false": False}
    if word.lower() in known:
        return known[word.lower()]
    inside = word[1:-1] if word[0] == "[" and word[-1] == "]" else None
    if inside is not None:
        return inside if name in NAMED else [_value(part, name) for part in _words(inside)]
    try:
        return json.loads(word)
    except ValueError:
        return word


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
    sampled, trained, acted = dict[str, Any](), dict[str, Any](), dict[str, Any]()
    for name, value in factors.items():
        short = name.removeprefix("policy.")
        if short in SAMPLED or short.startswith("sampler."):
            sampled[short.removeprefix("sampler.")] = value
        elif name in TRIED:
            trial = _set(Trial, trial, {name: value})
        elif name in ACTED:
            acted[name] = value
        elif name not in NAMED:
            trained[_path(name, config)] = value
    config = _replaced(config, trained)
    trial = replace(trial, acting=_acting(trial.acting, acted))
    if sampled:
        sampler = _set(SamplerConfig, config.policy.sampler, sampled)
        trial = replace(trial, sampler=sampler.settled(config.policy.process))
    _check(config, trial)
    return config, trial


def _acting(acting: Acting, values: Mapping[str, Any]) -> Acting:
    """The same with another controller, delay or latency; times are written as 200ms."""
    latency, own = dict[str, Any](), dict[str, Any]()
    for name, value in values.items():
        if name in ("controller", "delay"):
            own[name] = value
        elif name == "drop":
            latency[name] = value
        else:
            latency[LATENCY[name]] = seconds_of(str(value), name)
    return replace(acting, **own, latency=replace(acting.latency, **latency))


def _check(config: TrainConfig, trial: Trial) -> None:
    """Raise `ConfigurationError` for what a policy of that configuration cannot be tried in."""
    whole("repeats", trial.repeats)
    taken("perturb_history", trial.perturb_history, float, at_least(0))
    if trial.execute is not None:
        replace(config.chunking, execute=trial.execute)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} is a name, and {value} is none.")
    return value


def _path(name: str, config: TrainConfig) -> str:
    """Where a field is, as it is named on the command line: those of the policy have no prefix."""
    found = [path for path in paths(config) if path.split(".")[0] not in (*TAKEN, "task")]
    short = {path.removeprefix("policy."): path for path in found}
    if name not in short and name not in found:
        others = (*NAMED, *TRIED, *ACTED, *SAMPLED)
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
        inner[last] = value
    horizon, chunking = values.get("chunking.horizon"), content["chunking"]
    if isinstance(horizon, int) and "chunking.execute" not in values:
        # A shorter chunk is driven to its end.
        chunking["execute"] = max(1, min(chunking["execute"], horizon - chunking["past_rows"]))
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
