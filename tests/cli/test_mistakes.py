"""Every mistake of the table: what is said, that the page says so, and that nothing is lost."""

import hashlib
import json
import sys
from pathlib import Path

import mistakes
import pytest
from mistakes import MISTAKES, PAGE, Mistake, make, message, prepare, row, workplace

ALL = [mistake for group in MISTAKES.values() for mistake in group]
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| `steadyhand ")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("mistakes") / "prepared"
    place.mkdir()
    prepare(place)
    return place


def files() -> dict[str, str]:
    """Every file of the current folder, with a fingerprint of what it holds."""
    found = (path for path in Path().rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path): hashlib.md5(path.read_bytes()).hexdigest() for path in found}


@pytest.mark.parametrize(
    ("mistake", "told"), zip(ALL, ROWS, strict=True), ids=[f"{m.typed[:50]}" for m in ALL]
)
def test_it_is_answered_and_nothing_is_lost(mistake: Mistake, told: str, prepared) -> None:
    with workplace(prepared):
        if mistake.spoil:
            mistake.spoil()
        before = files()
        status, out, err = make(mistake)
        assert status == 2, err
        assert not out
        assert "Traceback" not in err
        assert err.count("steadyhand: ") == 1
        after = files()
        assert {path: after.get(path) for path in before} == before
        assert mistake.leaves or after.keys() == before.keys()
        assert row(mistake, message(err)) == told, "run python tests/cli/mistakes.py"
        if mistake.leaves:
            return
        status, out, _ = make(mistake, as_json=True)
        assert status == 2
        answered = json.loads(out)["error"]
        assert answered.keys() == {"kind", "message"}
        assert message(f"steadyhand: {answered['message']}") == message(err)


def test_there_are_at_least_forty() -> None:
    assert len(ALL) >= 40
    assert len({message for line in ROWS for message in [line.split("|")[-2]]}) >= 40


def test_messages_say_what_to_do() -> None:
    """Each names an alternative, a command, or what would be right."""
    ways_on = (
        "Did you mean", "Available", "must be", "must not be", "Choose", "Name ", "See steadyhand",
        "again", "Copy", "holds:", "Repair", "at least 1", "Known:", "Use ", "Install", "auto",
        "Mend", "free", "Free", "as it is", "Write it", "Leave it", "Resume with", "Continue",
        "integers", "one after", "diffusion policies", "Train on",
        "not both", "Start again", "It holds runs", "increasing",
        "Columns are", "start a new run", "recorded as", "it is a number", "seeds are not", "None.",
        "named twice", "not numbers", "was built for", "it holds:", "different runs",
        "takes at least", "Pick columns", "pip install", "Store numbers",
    )  # fmt: skip
    for line in ROWS:
        assert any(way in line for way in ways_on), line


def test_the_page_is_found_from_the_documentation() -> None:
    assert "mistakes.md" in (PAGE.parent / "README.md").read_text()
    assert sys.modules["mistakes"] is mistakes
