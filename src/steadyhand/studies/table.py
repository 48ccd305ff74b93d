"""The rows of a benchmark as people read them: on the screen, in a document, as a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from steadyhand.disk import write_json, write_text
from steadyhand.evaluation.metrics import Interval
from steadyhand.evaluation.smoothness import SEAMS
from steadyhand.reports.page import page as whole_page
from steadyhand.reports.page import picture_style
from steadyhand.reports.scatter import Point, scatter
from steadyhand.studies.benchmark import SCORES, Row


def cells(row: Row, *, digits: int = 3) -> dict[str, str]:
    """One row as text, by column; scores that the task does not have are left out."""
    scores = {score: row.scores[score] for score in SCORES if score in row.scores}
    return {
        "method": row.method,
        "network": row.denoiser,
        "calls": str(row.calls),
        **{name.replace("_", " "): _interval(score, digits) for name, score in scores.items()},
        "jump at seams": row.smoothness.shortly(),
        "parameters": f"{row.parameters / 1e6:.1f} M",
        "chunk": f"{row.chunk_ms:.1f} ms",
        "training": f"{row.train_minutes:.1f} min",
        "seeds": str(row.seeds),
    }


def _interval(found: Interval, digits: int = 3) -> str:
    form = f".{digits}f"
    return f"{found.mean:{form}} {found.bounds(form)}"


def as_json(task: str, rows: Sequence[Row]) -> dict[str, Any]:
    """What `steadyhand benchmark --json` prints."""
    found = []
    for row in rows:
        plain = {name: v for name, v in vars(row).items() if name not in ("scores", "smoothness")}
        scores = {name: score.as_json() for name, score in row.scores.items()}
        found.append(plain | scores | {"smoothness": row.smoothness.as_json()})
    return {"task": task, "rows": found}


def as_markdown(rows: Sequence[Row]) -> str:
    """Rows for a document."""
    found = [cells(row) for row in rows]
    lines = [[*found[0]], ["---"] * len(found[0]), *(line.values() for line in found)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def screen_table(task: str, rows: Sequence[Row]) -> Table:
    """Rows for a terminal of 80 columns: what is the same in all is not said in each."""
    title = f"{task}: means over {_counted(rows)}, 95 % intervals"
    alike = {"seeds"} | ({"network"} if len({row.denoiser for row in rows}) == 1 else set())
    found = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    lines = [cells(row, digits=2) for row in rows]
    shown = [name for name in lines[0] if name not in alike]
    for name in shown:
        word = {"parameters": "size", "training": "train", "jump at seams": "seams"}.get(name, name)
        found.add_column(word, no_wrap=name in ("method", "network"), overflow="fold")
    for line in lines:
        found.add_row(*(line[name] for name in shown))
    return found


def _counted(rows: Sequence[Row]) -> str:
    row = rows[0]
    episodes = row.scores[next(iter(row.scores))].n // row.seeds
    seeds = "one seed" if row.seeds == 1 else f"{row.seeds} seeds"
    return f"{episodes} episodes and {seeds}"


def picture(task: str, rows: Sequence[Row], *, alone: bool = False) -> str:
    """The score against the time a chunk takes."""
    score = _score(rows)
    several = len({row.denoiser for row in rows}) > 1
    points = [
        Point(
            row.chunk_ms,
            row.scores[score],
            f"{row.method}, {row.denoiser}" if several else row.method,
            "left" if row.calls == 1 else "right",
        )
        for row in rows
    ]
    said = score.replace("_", " ")
    return scatter(
        points,
        f"{task}: {said} against the time of a chunk",
        x_label="milliseconds a chunk, one thread",
        y_label=f"{task}: {said}" if alone else said,
        style=picture_style() if alone else "",
    )


def page(task: str, rows: Sequence[Row], options: Mapping[str, Any]) -> str:
    """The table and the picture as one page that needs nothing but itself."""
    return whole_page(
        "benchmark",
        title=f"Methods on {task}",
        summary=_summary(rows),
        picture=picture(task, rows),
        header=[*cells(rows[0])],
        rows=[cells(row).values() for row in rows],
        counted=_counted(rows),
        seeds=rows[0].seeds,
        seams=SEAMS,
        asked=", ".join(f"{k} {v}" for k, v in options.items() if v not in (None, "", False)),
    )


def _score(rows: Sequence[Row]) -> str:
    return "max_coverage" if "max_coverage" in rows[0].scores else "success"


def _summary(rows: Sequence[Row]) -> str:
    score = _score(rows)
    best = max(rows, key=lambda row: row.scores[score].mean)
    fastest = min(rows, key=lambda row: row.chunk_ms)
    return (
        f"The highest {score.replace('_', ' ')} is that of {best.method} with {best.denoiser}: "
        f"{_interval(best.scores[score])}, at {best.chunk_ms:.1f} ms a chunk. The fastest is "
        f"{fastest.method} with {fastest.denoiser}: {_interval(fastest.scores[score])} at "
        f"{fastest.chunk_ms:.1f} ms."
    )


def write(task: str, rows: Sequence[Row], out: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that says what was found, as files in `out`; what `--json` prints."""
    answer = as_json(task, rows)
    write_json(out / "rows.json", answer)
    write_text(out / "table.md", as_markdown(rows))
    write_text(out / "score.svg", picture(task, rows, alone=True))
    write_text(out / "report.html", page(task, rows, options))
    return {**answer, "report": str(out / "report.html"), "picture": str(out / "score.svg")}
