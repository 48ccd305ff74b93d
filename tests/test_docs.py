"""The code in the documents runs: Python blocks as they stand, commands with shorter training."""

import os
import re
import shlex
from pathlib import Path

import pytest

from steadyhand.cli.main import VERBS, main

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md"]

# What is shortened for the test, and to what. Each has to occur, so that none goes stale.
SHORTER = {
    "steps=16_000": "steps=20",
    "episodes=50": "episodes=2",
    "--minutes 10": "--steps 20 --denoiser.width 16",
    "--episodes 50": "--episodes 2",
}


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def shorten(code: str) -> str:
    for long, short in SHORTER.items():
        code = code.replace(long, short)
    return code


@pytest.fixture
def workplace(tmp_path, pusht_path, monkeypatch) -> Path:
    """A folder in which the data has the name that the documents use."""
    (tmp_path / pusht_path.name).symlink_to(pusht_path.resolve())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("document", DOCUMENTS)
def test_python_runs(document, workplace) -> None:
    names: dict[str, object] = {}
    found = blocks(document, "python")
    assert found
    for code in found:
        exec(compile(shorten(code), document, "exec"), names)


def test_the_first_program_is_short() -> None:
    lines = [line for line in blocks("README.md", "python")[0].splitlines() if line.strip()]
    assert len(lines) <= 15


def test_commands_run(workplace) -> None:
    lines = [line for block in blocks("README.md", "sh") for line in block.splitlines()]
    commands = [line.split("#")[0].strip() for line in lines if line.startswith("steadyhand ")]
    assert {shlex.split(command)[1] for command in commands} == set(VERBS)
    for command in commands:
        assert main(shlex.split(shorten(command))[1:]) == 0, command
    assert list(Path("runs").glob("*/evaluations/*.mp4"))


def test_nothing_is_shortened_in_vain() -> None:
    text = "".join((ROOT / document).read_text() for document in DOCUMENTS)
    assert not [long for long in SHORTER if long not in text]


def test_make_verbs_are_those_that_are_told() -> None:
    command = re.compile(r"(?:`|^    )make ([a-z]+)", re.MULTILINE)
    texts = [(ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md")]
    told = {verb for text in texts for verb in command.findall(text)}
    assert {"demo", "test", "check", "bench"} <= told
    there = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert told <= there
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make test" in (ROOT / ".ci" / "run").read_text()
