"""A policy of which Git LFS left pointers."""

import pytest

from steadyhand.errors import CheckpointError
from steadyhand.policy.storage import load_policy, save_policy

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:f2d2\nsize 1890\n"


@pytest.mark.parametrize("name", ["policy.json", "policy.safetensors"])
def test_a_pointer_is_told(name, policy, tmp_path) -> None:
    save_policy(tmp_path / "policy", policy)
    (tmp_path / "policy" / name).write_text(POINTER)
    with pytest.raises(CheckpointError, match=f"{name} cannot be read: .* `git lfs pull` in the"):
        load_policy(tmp_path / "policy")
