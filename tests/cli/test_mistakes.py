"""Every mistake of the table: what is said, that the page says so, and that nothing is lost."""

import hashlib
import json
from pathlib import Path

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
    """Everything in the current folder: what a file holds, where a link leads, that a folder is."""
    found = {}
    for path in Path().rglob("*"):
        if path.is_symlink():
            found[str(path)] = f"to {path.readlink()}"
        else:
            found[str(path)] = hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else ""
    return found


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


def test_the_page_is_found_from_the_documentation() -> None:
    assert "mistakes.md" in (PAGE.parent / "README.md").read_text()
