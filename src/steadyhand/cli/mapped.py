"""What `convert --map guess` shows: what there is in a file or folder, and the command for it."""

from pathlib import Path
from typing import Any

from steadyhand.cli.screen import results, show, table
from steadyhand.data.mapping import command, guess, listed
from steadyhand.errors import DataError

SHOWN = 60


def guessed(source: Path, target: Path | None, *, as_json: bool) -> dict[str, Any]:
    """Raises `DataError` where no map fits; nothing is written."""
    places, text = listed(source), guess(source)
    rows = [(place, what) for place, what in places.items()]
    more = [f"… and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    show(results(as_json=as_json), table(str(source), ("place", "holds"), rows[:SHOWN]), *more)
    if text is None:
        raise DataError(
            f"No map was found that fits {source}. Name its places yourself, as "
            "--map 'state=PLACE,action=PLACE,episodes=PLACE'."
        )
    typed = command(source, text, target)
    show(results(as_json=as_json), typed)
    return {"map": text, "command": typed, "places": places}
