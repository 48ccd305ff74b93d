"""`steadyhand convert A… OUT`: demonstrations in another format: chosen, joined, mended."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from steadyhand.cli.mapped import guessed
from steadyhand.cli.options import Printed, flags, parse
from steadyhand.cli.screen import console, progress, rate_of, show
from steadyhand.data import Episodes, open_episodes, write_episodes
from steadyhand.data.formats import require_free
from steadyhand.data.hub import located
from steadyhand.data.joined import joined
from steadyhand.data.mapping import open_mapped
from steadyhand.data.mending import Actions, Mending
from steadyhand.data.selection import parse_selection, selected
from steadyhand.errors import UsageError


@flags
class Options(Printed):
    """Write demonstrations in another format, lossless for numbers; several sets as one; some of
    their episodes, at another rate, under other names. What is read stays as it is."""

    paths: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="SET… OUT", help_behavior_hint=""),
    ]
    """Demonstrations in any format that is read here, one set or several, and last of all where
    they go, which must be new."""
    format: Literal["lerobot", "npz", "zarr"] | None = None
    """What is written; by the ending of the target unless named. lerobot is v3.0."""
    map: str | None = None
    """How to read what is of no known format, as 'state=obs/q,action=act,episodes=lengths';
    guess says what there is and prints the command for it, and writes nothing."""
    select: str = ""
    """Which episodes of each set, as 0:50, 1,4,7, success, mask=train, task="TEXT" or length>=20;
    several are joined with +, and each narrows."""
    rename: str = ""
    """Features under other names: OLD=NEW, several with commas or spaces between."""
    drop: str = ""
    """Features that are not written, with commas between; camera.* is all that begin so."""
    trim_idle: bool = False
    """Cut off the time at the start and end of episodes in which nothing moves."""
    rate: float | None = None
    """Steps a second: pictures and whole numbers are of the nearest step, other numbers on the line
    between two, but for what jumps, as a gripper."""
    actions: Actions = "hold"
    """At another rate, actions are held as last told, interpolated, or summed where they are moves
    from one place to the next."""
    recorded_rate: float | None = None
    """Steps a second at which it was recorded, where the data does not say so or is wrong."""
    skip_broken_episodes: bool = False
    """Leave out episodes that cannot be read, instead of stopping."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    options = parse(Options, "convert", _together(arguments))
    if options.map == "guess":
        if len(options.paths) not in (1, 2):
            raise UsageError("--map guess looks at one set. Name it and, after it, where it goes.")
        return guessed(
            located(options.paths[0]), *(options.paths[1:] or [None]), as_json=options.json
        )
    if len(options.paths) < 2:
        raise UsageError(
            "Name a data set and, after it, where it goes: steadyhand convert SET OUT.npz. "
            "Several sets are written as one: steadyhand convert A B OUT.npz."
        )
    if options.map is not None and options.skip_broken_episodes:
        raise UsageError(
            "A map is read whole: leave --skip-broken-episodes out, and name the files that are "
            "sound with episodes=."
        )
    *sources, target = options.paths
    require_free(target, options.format)
    mending = Mending(
        rename=_pairs(options.rename),
        drop=tuple(filter(None, (name.strip() for name in options.drop.split(",")))),
        recorded_rate=options.recorded_rate,
        trim_idle=options.trim_idle,
        rate=options.rate,
        actions=options.actions,
    )
    parse_selection(options.select)
    sets, skip = dict[str, Episodes](), options.skip_broken_episodes
    for name, source in zip(_names(sources), sources, strict=True):
        if options.map is None:
            found = open_episodes(source, skip_broken_episodes=skip)
        else:
            found = open_mapped(located(source), options.map, ticks_hz=options.rate)
        found = selected(found, options.select)
        made_so = options.map is not None and found.rate_hz == options.rate  # the ticks of a bag
        mend = replace(mending, rate=None) if made_so else mending
        sets[name] = mend.of(found, partial(_tell, f"{name}: " if len(sources) > 1 else ""))
    episodes = joined(sets, named=False) if len(sets) > 1 else next(iter(sets.values()))
    show(console(), *episodes.said)
    with progress(f"writing {target.name}", episodes.steps * len(episodes.arrays)) as bar:
        write_episodes(target, episodes, options.format, watch=bar)
    written = open_episodes(target)
    show(
        console(),
        f"{len(written)} episodes, {written.steps} steps, {rate_of(written)}: {target} "
        f"({written.format} {written.version})",
    )
    return {"episodes": len(written), "steps": written.steps, "path": str(target)}


def _tell(beside: str, line: str) -> None:
    show(console(), f"{beside}{line}")


def _names(sources: Sequence[Path]) -> list[str]:
    """What each set is called where there are several: shortly, and no two alike."""
    short = [source.stem for source in sources]
    if len(set(map(str, sources))) < len(sources):
        raise UsageError("One set is named twice. Name each once.")
    return short if len(set(short)) == len(short) else [str(source) for source in sources]


def _together(arguments: Sequence[str]) -> list[str]:
    """The arguments, with all that --rename is given in one word: OLD=NEW,OLD=NEW."""
    words, pairs, left = list[str](), list[str](), list(arguments)
    while left:
        word = left.pop(0)
        if word.startswith("--rename="):
            pairs.append(word.partition("=")[2])
        elif word == "--rename" and left:
            pairs.append(left.pop(0))
            while left and not left[0].startswith("-") and "=" in left[0]:
                pairs.append(left.pop(0))
        else:
            words.append(word)
    return [*words, f"--rename={','.join(pairs)}"] if pairs else words


def _pairs(text: str) -> dict[str, str]:
    """Old names to new ones."""
    found: dict[str, str] = {}
    for pair in filter(None, (word.strip() for word in text.split(","))):
        old, equals, new = (word.strip() for word in pair.partition("="))
        if not (old and equals and new) or old in found:
            raise UsageError(
                f"--rename is given '{pair}'; it takes OLD=NEW, each old name once, several with "
                "commas between: --rename qpos=state,actions=action."
            )
        found[old] = new
    return found
