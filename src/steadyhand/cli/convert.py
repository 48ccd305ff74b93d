"""`steadyhand convert A B`: demonstrations from one format to another, lossless for numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import tyro

from steadyhand.cli.mapped import guessed
from steadyhand.cli.options import Printed, flags, parse
from steadyhand.cli.screen import console, progress, rate_of, show
from steadyhand.data import open_episodes, write_episodes
from steadyhand.data.formats import require_free
from steadyhand.data.mapping import open_mapped


@flags
class Options(Printed):
    """Write demonstrations in another format, lossless for numbers."""

    source: tyro.conf.Positional[Path]
    """Demonstrations in any format that is read here."""
    target: tyro.conf.Positional[Path]
    """Where they go; it must be new."""
    format: Literal["lerobot", "npz", "zarr"] | None = None
    """What is written; by the ending of the target unless named. lerobot is v3.0."""
    map: str | None = None
    """How to read what is of no known format, as 'state=obs/q,action=act,episodes=lengths';
    guess says what there is and prints the command for it, and writes nothing."""
    skip_broken_episodes: bool = False
    """Leave out episodes that cannot be read, instead of stopping."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    options = parse(Options, "convert", arguments)
    if options.map == "guess":
        return guessed(options.source, options.target, as_json=options.json)
    require_free(options.target, options.format)
    skip = options.skip_broken_episodes
    if options.map is None:
        episodes = open_episodes(options.source, skip_broken_episodes=skip)
    else:
        episodes = open_mapped(options.source, options.map)
    for name, why in episodes.left_out.items():
        show(console(), f"Left out: {name}: {why}")
    with progress(f"writing {options.target.name}", episodes.steps * len(episodes.arrays)) as bar:
        write_episodes(options.target, episodes, options.format, watch=bar)
    written = open_episodes(options.target)
    show(
        console(),
        f"{len(written)} episodes, {written.steps} steps, {rate_of(written)}: {options.target} "
        f"({written.format} {written.version})",
    )
    return {"episodes": len(written), "steps": written.steps, "path": str(options.target)}
