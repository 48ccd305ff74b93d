"""What `convert --map guess` shows: what there is in a file or folder, and the command for it."""

import re
import shlex
from pathlib import Path
from typing import Any

from steadyhand.cli.screen import console, results, show, table
from steadyhand.data.mapping import RATE, command, guess, listed
from steadyhand.errors import DataError

SHOWN = 60


def guessed(source: Path, target: Path | None, *, as_json: bool) -> dict[str, Any]:
    """Raises `DataError` where no map fits, or none is needed; nothing is written."""
    if (source / "meta" / "info.json").exists():
        raise DataError(
            f"{source} is a LeRobot set: it is opened without a map, as its index says. "
            f"Look at it: steadyhand inspect {shlex.quote(str(source))}."
        )
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
    if not re.search(r"(^|,)rate=", text):
        show(
            console(),
            f"Nothing says the rate, and {RATE:g} Hz would be taken: put ',rate=30' into the map, "
            "or as many steps a second as there were.",
        )
    return {"map": text, "command": typed, "places": places}
