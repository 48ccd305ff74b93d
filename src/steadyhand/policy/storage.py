"""A policy on disk: a folder with `policy.safetensors` and `policy.json`. No pickle, ever.

A folder is written beside its final place, synced and renamed, so that a killed process leaves
either the whole of it or nothing.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from steadyhand.data.statistics import Statistics
from steadyhand.diffusion.sampler import Sampler
from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.policy.codec import decode, encode
from steadyhand.policy.config import PolicyConfig, SamplerConfig
from steadyhand.policy.policy import Policy, require_policy
from steadyhand.spec import PolicySpec
from steadyhand.values import checked

FORMAT = "steadyhand-policy"
VERSION = 1
KNOWN_FILES = {"policy.json", "policy.safetensors", "train_state.safetensors"}


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a policy comes from: what an evaluation needs to know about its training."""

    task: str | None = None
    data: str | None = None
    validation_episodes: tuple[int, ...] = ()
    seed: int = 0
    step: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


@checked
def save_policy(
    folder: str | Path,
    policy: Policy,
    provenance: Provenance | None = None,
    *,
    overwrite: bool = False,
    extra: Mapping[str, Mapping[str, Tensor]] | None = None,
) -> None:
    """Write a policy to a new folder, whole or not at all.

    The parts of a policy made of a user's own are not stored, only their weights: `load_policy` is
    then given them again. With `overwrite` a policy that was there is replaced. `extra` names more
    files of tensors to write beside it. Raises `CheckpointError` where the folder is in use or
    cannot be written.
    """
    require_policy("A policy's folder", policy)
    if not overwrite and (Path(folder) / "policy.json").exists():
        raise CheckpointError(
            f"{folder} holds a policy already, and is left as it is. Name a new folder, or pass "
            "overwrite=True."
        )
    card = {
        "format": FORMAT,
        "version": VERSION,
        "library": _library_version(),
        "spec": encode(policy.spec),
        "config": None if policy.config is None else encode(policy.config),
        "normalisation": policy.normaliser.normalisation,
        "statistics": {
            name: {key: value.tolist() for key, value in vars(found).items() if value is not None}
            for name, found in policy.normaliser.statistics.items()
        },
        "provenance": {k: v for k, v in encode(provenance or Provenance()).items() if k != "type"},
    }

    def write(target: Path) -> None:
        for name, tensors in {"policy": policy.state_dict(), **(extra or {})}.items():
            # Cloned, because weights that are tied share memory, which the format does not know.
            whole = {key: value.detach().cpu().clone() for key, value in tensors.items()}
            save_file(whole, target / f"{name}.safetensors")
        (target / "policy.json").write_text(json.dumps(card, indent=1) + "\n")

    write_folder(Path(folder), write)


def write_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder, sync it and rename it into place.

    A policy that was there is replaced, anything else refused. Raises `CheckpointError` where the
    disk is full or may not be written; nothing is left behind.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    old = folder.with_name(f".{folder.name}.old.partial")
    if folder.exists() and not _replaceable(folder):
        raise CheckpointError(
            f"{folder} holds something that is not a policy, and is left as it is. "
            "Name a new folder."
        )
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write(partial)
        for path in (*partial.iterdir(), partial):
            _sync(path)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
        _sync(folder.parent)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if old.exists() and not folder.exists():
            old.rename(folder)
        if not isinstance(error, OSError | SafetensorError):
            raise
        raise CheckpointError(
            f"{folder} could not be written ({error}). Free some space or choose another --out; "
            "the checkpoints before it are whole."
        ) from error


def _replaceable(folder: Path) -> bool:
    """Whether a folder is empty or a policy and nothing else."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.glob("[!.]*")}
    return not names or ("policy.json" in names and names <= KNOWN_FILES)


@checked
def load_policy(
    folder: str | Path,
    *,
    sampler: SamplerConfig | None = None,
    parts: Callable[[PolicySpec], tuple[nn.Module, nn.Module]] | None = None,
    device: str | torch.device = "cpu",
) -> Policy:
    """Read a policy, ready to act: a checkpoint, or the last one of a run.

    `sampler` replaces the one it was trained with; `parts` gives (encoder, sampler) for a policy
    made of a user's own. Raises `CheckpointError` for a folder that holds no policy, or one that
    is damaged or of another version.
    """
    folder = Path(folder)
    if not (folder / "policy.json").exists() and (folder / "last" / "policy.json").exists():
        folder = folder / "last"
    card = read_card(folder)
    spec: PolicySpec = decode(PolicySpec, card["spec"], f"{folder}/policy.json: spec")
    statistics = read_statistics(folder, card)
    if parts is not None:
        from steadyhand.policy.normaliser import Normaliser

        encoder, module = parts(spec)
        normaliser = Normaliser(spec.features, statistics, card["normalisation"])
        if sampler is not None:
            module = _resampled(module, sampler, normaliser.reach(spec.action.name))
        policy = Policy(spec, encoder, module, normaliser)
    else:
        config = read_config(folder, card)
        if sampler is not None:
            config = replace(config, sampler=sampler)
        policy = config.build(spec, statistics)
    load_weights(policy, read_tensors(folder / "policy.safetensors"), folder)
    return policy.to(device).eval()


def _resampled(module: nn.Module, sampler: SamplerConfig, reach: float) -> nn.Module:
    """A user's own sampler, driven as `sampler` says."""
    if not isinstance(module, Sampler):
        raise ConfigurationError(
            f"A {type(module).__name__} takes no SamplerConfig: make `parts` return it as you want "
            "it, and leave sampler= out."
        )
    return sampler.build(module.denoiser, module.process, reach=reach)  # type: ignore[arg-type]


def read_statistics(folder: Path, card: Mapping[str, Any]) -> dict[str, Statistics]:
    """The statistics that the policy's normaliser was made of."""
    try:
        return {
            name: Statistics(
                **{key: np.asarray(value, dtype=np.float64) for key, value in found.items()}
            )
            for name, found in card["statistics"].items()
        }
    except (TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{folder}/policy.json: its statistics are damaged ({error}). Use another checkpoint."
        ) from error


def read_config(folder: Path, card: Mapping[str, Any] | None = None) -> PolicyConfig:
    """What the policy in `folder` was built from."""
    card = read_card(folder) if card is None else card
    if card["config"] is None:
        raise CheckpointError(
            f"{folder} holds a policy made of its author's own parts. Pass them: "
            "load_policy(folder, parts=lambda spec: (encoder, sampler)), or go on training it: "
            "train(policy, episodes, config, out=run, resume=True)"
        )
    return decode(PolicyConfig, card["config"], f"{folder}/policy.json: config")


def read_provenance(folder: str | Path) -> Provenance:
    """Where the policy in `folder` comes from."""
    content = read_card(Path(folder))["provenance"]
    if not isinstance(content, dict):
        raise CheckpointError(f"{folder}/policy.json: its provenance is damaged.")
    details = content.pop("details", {})
    return replace(decode(Provenance, content, f"{folder}/policy.json"), details=details)


def read_card(folder: Path) -> dict[str, Any]:
    """`policy.json`, checked for format and version."""
    path = folder / "policy.json"
    try:
        card = json.loads(path.read_text())
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} holds no policy: there is no policy.json. Name a run (the folder that "
            "`steadyhand train` made) or one of its checkpoints."
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}). Use another checkpoint."
        ) from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is not the card of a steadyhand policy. Name a run (the folder that "
            "`steadyhand train` made) or one of its checkpoints."
        )
    if card.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has format version {card.get('version')}; this steadyhand "
            f"({_library_version()}) reads version {VERSION}. Install the version that wrote it: "
            f"pip install steadyhand=={card.get('library')}"
        )
    missing = {"spec", "config", "statistics", "normalisation", "provenance"} - card.keys()
    if missing:
        raise CheckpointError(f"{path} lacks {', '.join(sorted(missing))}. Use another checkpoint.")
    return card


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing. Use another checkpoint of the run.") from None
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Use another checkpoint.") from error


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Load a state dict strictly: other names or shapes are an error, never ignored."""
    try:
        module.load_state_dict(dict(tensors), strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        raise CheckpointError(
            f"The weights in {where} do not fit the policy described beside them: "
            f"{first[0].strip()} Use another checkpoint."
        ) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _library_version() -> str:
    try:
        return version("steadyhand")
    except PackageNotFoundError:
        return "unknown"
