"""Frame stores, built with a progress bar before anything that needs them begins."""

from collections.abc import Sequence

from steadyhand.cli.screen import console, progress, show
from steadyhand.data import Episodes
from steadyhand.data.frames import broken_episodes, stores_of
from steadyhand.errors import DataError
from steadyhand.spec import Feature


def ready_frames(episodes: Episodes, images: Sequence[Feature], *, skip_broken: bool) -> Episodes:
    """Build what is missing; the episodes whose pictures are there.

    Raises `DataError` for pictures that cannot be decoded, unless they are to be skipped.
    """
    for store in stores_of(episodes, images):
        if store.ready:
            continue
        count, height, width, _ = store.shape
        show(
            console(),
            f"Decoding '{store.key}' once: {count} frames of {height}×{width}, "
            f"{store.bytes / 1e9:.2f} GB in {store.folder}",
        )
        with progress("decoding frames", count) as advance:
            store.build(advance, tolerant=skip_broken)
    broken = broken_episodes(episodes, images) if skip_broken else {}
    if not broken:
        return episodes
    for number, why in broken.items():
        show(console(), f"Left out: episode {episodes.number(number)}: {why}")
    if len(broken) == len(episodes):
        raise DataError(f"{episodes.path} has no episode whose pictures can be decoded.")
    return episodes.subset([i for i in range(len(episodes)) if i not in broken])
