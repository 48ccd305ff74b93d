"""What a policy was built from, as its card says: read as a stranger's, and nothing is built."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from steadyhand.diffusion.sampling import SamplerConfig, SolverName
from steadyhand.errors import CheckpointError
from steadyhand.policy.config import PolicyConfig, pretrained_part
from steadyhand.runtime.card import read_card
from steadyhand.runtime.codec import decode
from steadyhand.runtime.folders import CARD


def read_config(folder: Path, card: Mapping[str, Any] | None = None) -> PolicyConfig:
    """What the policy in `folder` was built from."""
    card = read_card(folder) if card is None else card
    if card["config"] is None:
        raise CheckpointError(
            f"{folder} holds a policy made of its author's own parts. Pass them: "
            "load_policy(folder, parts=lambda spec: (encoder, sampler)), or go on training it: "
            "train(policy, episodes, config, out=run, resume=True)"
        )
    found: PolicyConfig = decode(PolicyConfig, card["config"], f"{folder}/{CARD}: config")
    pretrained = pretrained_part(found)
    if pretrained is not None and not pretrained.architecture:
        raise CheckpointError(
            f"{folder}/{CARD}: its {pretrained.called} has no architecture, and a policy's "
            "file never fetches one. Use another checkpoint."
        )
    return found


def sampler_of(
    folder: Path,
    solver: SolverName | None = None,
    steps: int | None = None,
    temperature: float | None = None,
) -> SamplerConfig:
    """The sampler that the policy in `folder` was trained with, changed where a change is given."""
    changes: dict[str, Any] = {"solver": solver, "steps": steps, "temperature": temperature}
    given = {key: value for key, value in changes.items() if value is not None}
    return replace(read_config(folder).sampler, **given)
