"""`steadyhand inspect PATH`: what a data set, a policy or an export holds, and what is wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from numpy.typing import NDArray

from steadyhand.cli.exported import described_export
from steadyhand.cli.options import Printed, flags, parse
from steadyhand.cli.screen import progress, rate_of, results, show, table, waiting
from steadyhand.cli.served import described_server
from steadyhand.data import Episodes, inspect_episodes, open_episodes
from steadyhand.data.hub import is_on_hub
from steadyhand.data.kinds.depth import Measured, measured
from steadyhand.data.problem import Problem, is_note
from steadyhand.data.problems.sample import share
from steadyhand.disk import write_text
from steadyhand.feature import told_apart
from steadyhand.policy.named import is_address
from steadyhand.runtime.exported import is_export
from steadyhand.runtime.folders import find_policy, refuse_file_of_export
from steadyhand.values import whole


@flags
class Options(Printed):
    """Say what a data set, a policy or an export holds, and what is wrong with it."""

    path: tyro.conf.Positional[str]
    """Demonstrations, a run, a policy, an export, or the address of a server."""
    report: Path | None = None
    """Write a page about the data: problems, trajectories, frames."""
    select: str = ""
    """Which episodes, as 0:50, 1,4,7, success, mask=train, task="TEXT" or length>=20; several are
    joined with +, and each narrows."""
    horizon: int = 16
    """Actions in a chunk: episodes that are shorter are reported."""
    skip_broken_episodes: bool = False
    """Look at the rest where episodes cannot be read."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    options = parse(Options, "inspect", arguments)
    whole("--horizon", options.horizon, 1, 10_000)
    if is_on_hub(options.path):
        return _data(options)
    if is_address(options.path):
        return described_server(options.path, as_json=options.json)
    path = Path(options.path)
    if is_export(path):
        return described_export(path, as_json=options.json)
    policy = any((path / name).exists() for name in ("policy.json", "config.json"))
    refuse_file_of_export(path)
    return _policy(options) if policy else _data(options)


def _data(options: Options) -> dict[str, Any]:
    path = Path(options.path)
    skip = options.skip_broken_episodes
    episodes = open_episodes(path, select=options.select, skip_broken_episodes=skip)
    ranges, metres = dict[str, str](), dict[str, Measured]()
    with progress(f"reading {path.name}", len(episodes.arrays)) as advance:

        def watch(key: str, values: Any) -> None:
            if values is not None and values.size and values.dtype.kind in "iuf":
                ranges[key] = f"{values.min():.4g} … {values.max():.4g}"
                if episodes.kind(key) == "depth":
                    metres[key] = measured(values)
                    ranges[key] = _metres(metres[key])
            advance(1, key)

        problems = inspect_episodes(episodes, watch=watch, horizon=options.horizon)
    features, looked = _features(episodes, metres), share(episodes)
    written = None if options.report is None else _written(options.report, episodes, problems)
    header = ("feature", "shape", "dtype", "kind", "range")
    rows = (
        (key, str(tuple(one["shape"])), one["dtype"], one["kind"], ranges.get(key, ""))
        for key, one in features.items()
    )
    kind = f"{episodes.format} {episodes.version}".strip()
    lengths, remarks = episodes.lengths, episodes.remarks
    where = " in what is read" if episodes.left_out else ""
    show(
        results(as_json=options.json),
        table(f"{options.path} ({kind})", header, rows, longest=30),
        f"{len(episodes)} episodes of {_from_to(lengths)} steps, {episodes.steps} in "
        f"all, {rate_of(episodes)}",
        *([f"{episodes.chosen}."] if episodes.chosen else []),
        *(f"Task: {task}" for task in episodes.tasks[:10] if task),
        *_choices(episodes),
        *([_sampled(looked, len(episodes))] if looked else []),
        *(f"{'Note' if is_note(p, remarks) else 'Problem'}: {p.message}" for p in problems),
        *([f"No problem found{where}."] if all(is_note(p, remarks) for p in problems) else []),
        *([] if written is None else [f"Report: {written}"]),
    )
    return {
        "format": episodes.format,
        "version": episodes.version,
        "episodes": len(episodes),
        "steps": episodes.steps,
        "rate_hz": episodes.rate_hz,
        "features": features,
        "tasks": list(episodes.tasks),
        "masks": {name: len(places) for name, places in episodes.masks.items()},
        "success": _marks(episodes) or None,
        "sampled": {"episodes": min(looked.values()), "of": len(episodes), "features": looked}
        if looked
        else None,
        "problems": [vars(problem) for problem in problems],
        "report": written,
    }


def _written(report: Path, episodes: Episodes, problems: list[Problem]) -> str:
    """Where the page about the data is, once it is written."""
    from steadyhand.reports.data import data_page

    with waiting("drawing"):
        page = data_page(episodes, problems)
    report.parent.mkdir(parents=True, exist_ok=True)
    write_text(report, page)
    return str(report)


def _marks(episodes: Episodes) -> dict[str, int]:
    """How many episodes are marked as a success, as failed, and not at all; empty where none is."""
    if not any(mark is not None for mark in episodes.success):
        return {}
    marks = {"success": True, "failed": False, "unmarked": None}
    return {name: episodes.success.count(mark) for name, mark in marks.items()}


def _choices(episodes: Episodes) -> list[str]:
    """What of the episodes can be chosen by name, if any."""
    masks = [f"mask={name} ({len(places)})" for name, places in episodes.masks.items()]
    marks = _marks(episodes)
    marked = [f"{name} ({marks[name]})" for name in ("success", "failed") if marks.get(name)]
    found = [*marked, *masks]
    more = f" and {len(found) - 10} more" if len(found) > 10 else ""
    return [f"Can be chosen with --select: {', '.join(found[:10])}{more}"] if found else []


def _sampled(looked: dict[str, int], of: int) -> str:
    """What was not looked at as a whole."""
    alike: dict[int, list[str]] = {}
    for key, count in looked.items():
        alike.setdefault(count, []).append(key)
    told = (f"{', '.join(keys)} in {count} of {of} episodes" for count, keys in alike.items())
    return f"Sampled, a few pictures or some episodes: {'; '.join(told)}."


def _from_to(lengths: NDArray[np.int64]) -> str:
    least, most = int(lengths.min()), int(lengths.max())
    return f"{least}…{most}" if least < most else f"{least}"


def _metres(found: Measured) -> str:
    """The range of depth, and how much of it there is none of."""
    if found.range is None:
        return "nothing measured"
    near, far = found.range
    missing = f", {found.unmeasured:.0%} not measured" if found.unmeasured else ""
    return f"{near:.4g} … {far:.4g} m{missing}"


def _features(episodes: Episodes, metres: dict[str, Measured]) -> dict[str, dict[str, Any]]:
    """What `--json` says of each feature; `metres` what was seen of depth."""
    return {
        key: {
            "shape": list(array.shape[1:]),
            "dtype": str(np.dtype(array.dtype)),
            "kind": episodes.kind(key),
            **({"names": list(episodes.names[key])} if key in episodes.names else {}),
            **({"metres": vars(metres[key])} if key in metres else {}),
        }
        for key, array in episodes.arrays.items()
    }


def _policy(options: Options) -> dict[str, Any]:
    from steadyhand.policy.card import read_config
    from steadyhand.policy.storage import load_policy
    from steadyhand.runtime.card import FORMAT, read_card, read_provenance, read_spec
    from steadyhand.runtime.codec import encode

    folder = find_policy(options.path)
    card, origin = read_card(folder), read_provenance(folder)
    parameters, config = None, {}
    if card["config"] is not None:
        parameters = sum(p.numel() for p in load_policy(folder).parameters())
        config = encode(read_config(folder, card))
    described = read_spec(folder, card)
    spec = encode(described)
    parts = {key: value["type"] for key, value in config.items() if isinstance(value, dict)}
    count = "" if parameters is None else f", {parameters / 1e6:.1f} M parameters"
    show(
        results(as_json=options.json),
        f"{folder}: a policy of {', '.join(parts.values()) or 'its author'}{count}",
        f"sees {', '.join(f['name'] for f in spec['observations'])}; "
        f"predicts {spec['action']['name']} {tuple(spec['action']['shape'])}",
        *(f"  {feature.name}: {told_apart(feature)}" for feature in described.depths),
        *(f"  {said}" for said in described.transform.described if described.action_parts),
        f"chunking { ({k: v for k, v in spec['chunking'].items() if k != 'type'}) }",
        f"trained for {origin.task or 'no task'} on {origin.data or 'data in memory'}, "
        f"step {origin.step}, seed {origin.seed}, by steadyhand {card['library']}",
    )
    return {
        "format": FORMAT,
        "version": str(card["version"]),
        "rate_hz": spec["rate_hz"],
        "features": {
            **{f["name"]: {"shape": f["shape"], "kind": f["kind"]} for f in spec["observations"]},
            spec["action"]["name"]: {"shape": spec["action"]["shape"], "kind": "action"},
        },
        "spec": spec,
        "config": config or None,
        "parameters": parameters,
        "provenance": encode(origin),
        "problems": [],
    }
