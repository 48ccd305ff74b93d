"""Stretches of a second and more in which nothing moves: a policy learns to wait in them."""

import shlex
from collections.abc import Iterator

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.idle import Stretch, still_steps, stretches
from steadyhand.data.problem import Problem


def inspect(episodes: Episodes) -> Iterator[Problem]:
    """Where nothing moves, and what can be done about it."""
    still = still_steps(episodes)
    found = stretches(episodes, still)
    if not found:
        return
    where = len({one.episode for one in found})
    longest = max(found, key=lambda one: one.steps)
    first, number = found[0], episodes.number(found[0].episode)
    after = " more" if len(found) > 1 else ""
    told = [f"the first for {_lasts(episodes, first)} of episode {number}"]
    if longest.steps > first.steps:
        of = episodes.number(longest.episode)
        told.append(f"the longest for {_lasts(episodes, longest)} of episode {of}")
    message = (
        f"Nothing moves in {where} of {len(episodes)} episodes for a second or{after or ' more'}, "
        f"{_share(float(np.mean(still)))} of all steps, {' and '.join(told)}. A policy waits "
        f"where its demonstrations do, and may never go on. {_advice(episodes, found)}"
    )
    yield Problem("idle", message, number)


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "under 1 %"


def _lasts(episodes: Episodes, stretch: Stretch) -> str:
    """How long, and when: "2.0 s at the start"."""
    rate = episodes.rate_hz
    where = f"from {stretch.start / rate:.1f} s on"
    where = "at the end" if stretch.at_end else "at the start" if stretch.at_start else where
    where = "and so all" if stretch.at_start and stretch.at_end else where
    return f"{stretch.steps / rate:.1f} s {where}"


def _advice(episodes: Episodes, found: list[Stretch]) -> str:
    """What the starts and ends, what waits inside, and what is all waiting are mended by."""
    edges = [one for one in found if one.at_start or one.at_end]
    inside, said = len(found) - len(edges), []
    if edges:
        path = shlex.quote(str(episodes.path)) if episodes.path else "DATA"
        them = "it" if len(found) == 1 else "them" if not inside else f"{len(edges)} of them"
        said.append(
            f"`steadyhand convert {path} OUT --trim-idle` cuts {them} off, at starts and ends."
        )
    if inside:
        what = "It lies" if len(found) == 1 else f"{inside} lie{'s' if inside == 1 else ''}"
        what = "They lie" if not edges and inside > 1 else what
        said.append(
            f"{what} inside of episodes: well if the task is to wait there and the policy can see "
            "for what; else record those again, or leave them out with --select."
        )
    return " ".join(said)
