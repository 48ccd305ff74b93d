"""Which folder a user's path stands for: a policy's own, a run's last checkpoint, a run's results.

Links are followed within a run, never out of it.
"""

import os
from pathlib import Path

from steadyhand.disk import inside
from steadyhand.errors import CheckpointError, nothing_at

CARD = "policy.json"
EXPORT = "export.json"
"""The card of an export, which is no run: what a run was made of is not in it."""


def aside(folder: Path) -> Path:
    """Where the policy in `folder` is put while another takes its place."""
    place = Path(os.path.realpath(folder))
    return place.with_name(f".{place.name}.old.partial")


def whole(folder: Path, card: str = CARD) -> Path:
    """Where the policy of `folder` is, if it is anywhere: beside it after a kill amid a change."""
    return aside(folder) if not folder.exists() and (aside(folder) / card).exists() else folder


def policy_folder(path: Path) -> Path | None:
    """The folder of the policy that `path` stands for: its own, or that of a run's last checkpoint.

    Raises `CheckpointError` for a link of a run that leads out of it.
    """
    for place in (path, path / "last"):
        if place.name in ("last", "best") and place.is_symlink():
            try:
                inside(place.parent, place.name)
            except ValueError as error:
                raise CheckpointError(
                    f"{place.parent}: {error}. Name one of its checkpoints instead."
                ) from error
        if (whole(place) / CARD).exists():
            return whole(place)
    return None


def run_of(path: Path) -> Path:
    """The run that a path to it or into it belongs to; the path itself where it is in none."""
    place = path.resolve()
    for folder in (place, place.parent.parent):
        if (folder / "config.json").exists():
            return path if folder == place else folder
    return path


def evaluations(path: Path) -> Path:
    """Where what is found out about the run or policy at `path` goes: into its folder, never out.

    Raises `CheckpointError` for a link that would lead out.
    """
    run = run_of(path)
    try:
        return inside(run, "evaluations")
    except ValueError as error:
        raise CheckpointError(f"{run}: {error}. Choose another place with --out.") from error


def refuse_export(path: Path) -> None:
    """Raise `CheckpointError` where an export is named and a run is needed."""
    if (path / EXPORT).exists():
        raise CheckpointError(
            f"{path} is an export, and this takes the run that it was made of. Exports are taken "
            "by run, evaluate, compare, inspect and serve."
        )


def refuse_address(path: Path) -> None:
    """Raise `CheckpointError` where a server's address is named and a run is needed."""
    scheme, slash, rest = str(path).partition(":/")  # a path has one slash where there were two
    if slash and scheme in ("ws", "wss"):
        raise CheckpointError(
            f"{scheme}://{rest} is a server's address, and this takes the run that is there. "
            "Addresses are taken by run, evaluate, compare and inspect."
        )


def refuse_file_of_export(path: Path) -> None:
    """Raise `CheckpointError` where a file of an export is named instead of its folder."""
    if path.is_file() and (path.parent / EXPORT).exists():
        raise CheckpointError(f"{path} is a file of an export. Name its folder: {path.parent}")


def find_policy(path: str | Path) -> Path:
    """The policy folder that a user's path stands for: a run (its last), a link or a checkpoint.

    Raises `CheckpointError` where there is none.
    """
    path = Path(path)
    if (found := policy_folder(path)) is not None:
        return found
    if not path.exists():
        refuse_address(path)
        raise CheckpointError(nothing_at("run or checkpoint", path))
    refuse_export(path)
    if (path / "config.json").exists():
        raise CheckpointError(
            f"{path} has no checkpoint yet. Continue it: steadyhand train --resume --out {path}"
        )
    refuse_file_of_export(path)
    way_on = "Name the folder that `steadyhand train --out` made, or one of its checkpoints."
    cards = {"runs": "config.json", "exports": EXPORT}
    found = {
        what: sorted(str(at.parent) for at in path.glob(f"[!.]*/{card}"))
        for what, card in cards.items()
    }
    if held := [f"{what}: {', '.join(places)}" for what, places in found.items() if places]:
        way_on = f"It holds {'; '.join(held)}."
    raise CheckpointError(f"{path} is neither a run nor a policy. {way_on}")
