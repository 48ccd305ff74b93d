"""A policy on disk: a folder with `policy.safetensors` and `policy.json`. No pickle, ever.

A folder is written beside its final place, synced and renamed, so that a killed process leaves
the whole of it or nothing, or what was there before.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from steadyhand.diffusion.sampler import Sampler
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.policy.card import read_config
from steadyhand.policy.config import build_sampler
from steadyhand.policy.device import choose_device
from steadyhand.policy.normaliser import Normaliser
from steadyhand.policy.policy import Policy, require_policy
from steadyhand.policy.weights import (
    built_for,
    check_fits,
    load_weights,
    read_header,
    read_tensors,
)
from steadyhand.runtime.card import (
    FORMAT,
    VERSION,
    Provenance,
    library_version,
    read_card,
    read_spec,
    read_statistics,
)
from steadyhand.runtime.codec import encode
from steadyhand.runtime.folders import CARD, aside, policy_folder, whole
from steadyhand.spec import PolicySpec
from steadyhand.values import checked, shown, taken

KNOWN_FILES = {"policy.json", "policy.safetensors", "train_state.safetensors"}


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
    provenance = taken("provenance", provenance, Provenance | None)
    if not overwrite and (whole(Path(folder)) / CARD).exists():
        raise CheckpointError(
            f"{folder} holds a policy already, and is left as it is. Name a new folder, or pass "
            "overwrite=True."
        )
    card = {
        "format": FORMAT,
        "version": VERSION,
        "library": library_version(),
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
            copies = {key: value.detach().cpu().clone() for key, value in tensors.items()}
            save_file(copies, target / f"{name}.safetensors")
        (target / "policy.json").write_text(json.dumps(card, indent=1) + "\n")

    write_folder(Path(folder), write)


def write_folder(
    folder: Path,
    write: Callable[[Path], None],
    *,
    card: str = CARD,
    known: Callable[[str], object] = KNOWN_FILES.__contains__,
    what: str = "a policy",
) -> None:
    """Let `write` fill a new folder, sync it and rename it into place.

    One that was there is replaced where it has a `card` and besides only files that are `known`,
    anything else refused. Whenever it is killed, `whole` finds the old one or the new one. Raises
    `CheckpointError` where the disk is full or may not be written; nothing is left behind.
    """
    place, old = Path(os.path.realpath(folder)), aside(folder)
    partial = place.with_name(f".{place.name}.partial")
    if place.exists() and not _replaceable(place, card, known):
        raise CheckpointError(_kept(folder, card, known, what))
    try:
        put_back(place, card)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write(partial)
        for path in (*partial.iterdir(), partial):
            _sync(path)
        if place.exists():
            shutil.rmtree(old, ignore_errors=True)
            place.rename(old)  # from here to the next line, readers find it there
        partial.rename(place)
        shutil.rmtree(old, ignore_errors=True)
        _sync(place.parent)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        put_back(place, card)
        if not isinstance(error, OSError | SafetensorError):
            raise
        raise CheckpointError(
            f"{folder} could not be written ({error}). Free some space or choose another --out; "
            "what was written before is whole."
        ) from error


def put_back(folder: Path, card: str = CARD) -> None:
    """Where a writer was killed between taking the old policy away and putting the new one there,
    the old one comes back."""
    if (found := whole(folder, card)) != folder:
        found.rename(folder)


def _replaceable(folder: Path, card: str, known: Callable[[str], object]) -> bool:
    """Whether a folder is empty or holds what a card describes and nothing else."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.glob("[!.]*")}
    return not names or (card in names and all(known(name) for name in names))


def _kept(folder: Path, card: str, known: Callable[[str], object], what: str) -> str:
    """Why a folder is not replaced: what else is in it, where there is what would be."""
    if not (folder / card).exists():
        return (
            f"{folder} holds something that is not {what}, and is left as it is. Name a new folder."
        )
    others = sorted(path.name for path in folder.glob("[!.]*") if not known(path.name))
    return (
        f"{folder} holds more than {what}, and is left as it is: {', '.join(others[:4])}. "
        "Move that away, or name a new folder."
    )


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
    made of a user's own. A stranger's is safe to load: it runs no code, fetches nothing, and its
    description is held against its weights before it is built. Raises `CheckpointError` for a
    folder that holds no policy, or one that is damaged or of another version, and `DeviceError` for
    a device that is not there.
    """
    device = choose_device(str(device))
    folder = policy_folder(Path(folder)) or Path(folder)
    card = read_card(folder)
    spec, statistics = read_spec(folder, card), read_statistics(folder, card)
    file = folder / "policy.safetensors"
    header = read_header(file)
    if parts is not None:
        with built_for(header, folder):
            normaliser = Normaliser(spec.normalised, statistics, card["normalisation"])
        made: Any = parts(spec)
        two = isinstance(made, tuple | list) and len(made) == 2
        if not two or not all(isinstance(part, nn.Module) for part in made):
            raise ConfigurationError(
                f"`parts` gave {shown(made)}; it returns two modules: (encoder, sampler)."
            )
        encoder, module = made
        if sampler is not None:
            if not isinstance(module, Sampler):
                raise ConfigurationError(
                    f"A {type(module).__name__} takes no SamplerConfig: make `parts` return it as "
                    "you want it, and leave sampler= out."
                )
            reach = normaliser.reach(spec.network_action.name)
            process, denoiser, prefix = module.process, module.denoiser, module.prefix
            module = build_sampler(
                sampler, process, denoiser, spec.noise_shape, reach=reach, prefix=prefix
            )
        policy = Policy(spec, encoder, module, normaliser)
    else:
        config = read_config(folder, card)
        with built_for(header, folder):
            check_fits(config.build(spec, statistics), header, folder)
        if sampler is not None:
            config = replace(config, sampler=sampler)
        policy = config.build(spec, statistics)
    load_weights(policy, read_tensors(file), folder)
    for name, values in policy.named_parameters():
        if not bool(torch.isfinite(values).all()):
            raise CheckpointError(
                f"The weights in {folder} are not finite, '{name}' among them: its training has "
                "diverged. Use an earlier checkpoint."
            )
    return policy.to(device).eval()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
