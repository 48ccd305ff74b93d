"""The code in the documents runs: Python blocks as they stand, commands with shorter training."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from steadyhand.cli.main import VERBS, main

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    "README.md",
    "docs/actions.md",
    "docs/data.md",
    "docs/export.md",
    "docs/idea.md",
    "docs/loop.md",
    "docs/methods.md",
    "docs/robot.md",
    "docs/safety.md",
    "docs/serving.md",
    "docs/tasks.md",
    "docs/tensors.md",
]
PAGES = [
    *DOCUMENTS,
    "docs/README.md",
    "docs/mistakes.md",
    "docs/studies.md",
    "CONTRIBUTING.md",
    "BENCHMARKS.md",
]

# What is shortened for the test, and to what. Each has to occur, so that none goes stale.
SHORTER = {
    "steps=2000": "steps=20",
    "learning_rate=3e-3, steps=200": "learning_rate=3e-3, steps=5",
    "steps=1000": "steps=10",
    "--observations joints --steps 2000": "--observations joints --steps 5",
    "--methods regression,ddpm,flow,consistency --minutes 1": "--methods flow:1 --steps 2",
    "study steps --quick": "study sweep --vary sampler.steps=2 --seeds 1 --steps 2 --episodes 1",
    'config = sh.recipe("fork")': 'config = shorter(sh.recipe("fork"))',
    "episodes=100": "episodes=2",
    "--minutes 10": "--steps 20 --denoiser.width 16",
    "--minutes 30": "--steps 2 --batch-size 4 --encoder.network.width 8",
    "--offline runs/image": "--offline runs/image --samples 1 --steps 1",
    "--data fork.npz --out": "--data fork.npz --steps 20 --out",
    "examples/reach.py:reach --out": "examples/reach.py:reach --steps 5 --out",
    "--steps 1500": "--steps 20",
    "--episodes 50": "--episodes 2",
    "--episodes 100": "--episodes 2",
}


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def shorten(code: str) -> str:
    for long, short in SHORTER.items():
        code = code.replace(long, short)
    return code


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


@pytest.mark.parametrize("document", DOCUMENTS)
def test_python_runs_and_prints_what_it_says(document, workplace, capsys) -> None:
    names: dict[str, object] = {"shorter": partial(replace, steps=20)}
    found = [*blocks(document, "python")]
    assert found
    for code in blocks(document, "(?:python|sh)"):
        if code.startswith("steadyhand "):
            if document != "README.md":
                run_commands(code)
            continue
        capsys.readouterr()
        exec(compile(shorten(code), document, "exec"), names)
        printed = iter(capsys.readouterr().out.splitlines())
        for said in re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE):
            assert said in printed, f"{document}: {said}"


def run_commands(block: str) -> list[str]:
    """Run the commands of a block, shortened; the verbs."""
    lines = [line for line in block.splitlines() if line.startswith("steadyhand ")]
    commands = [shlex.split(shorten(line.split("#")[0])) for line in lines]
    for words in commands:
        # The demo has its own tests, and a server does not end by itself.
        assert words[1] in ("demo", "serve") or command(words) == 0, words
    return [words[1] for words in commands]


def command(words: list[str]) -> int:
    """Run a command; what traces a policy does that where shapes are not checked at run time."""
    if words[1] == "export":
        return subprocess.call([sys.executable, "-m", *words])
    return main(words[1:])


def test_a_loop_on_plain_tensors_is_short() -> None:
    lines = blocks("docs/tensors.md", "python")[1].splitlines()
    assert "sampler.loss" in "".join(lines)
    assert len([line for line in lines if line.strip()]) <= 15


def test_the_first_program_is_short() -> None:
    lines = [line for line in blocks("README.md", "python")[0].splitlines() if line.strip()]
    assert len(lines) <= 15


def test_commands_run(workplace, pusht_path) -> None:
    (workplace / pusht_path.name).symlink_to(pusht_path.resolve())
    verbs = [verb for block in blocks("README.md", "sh") for verb in run_commands(block)]
    assert set(verbs) == set(VERBS)
    assert list(Path("runs").glob("*/evaluations/*.mp4"))


def test_nothing_is_shortened_in_vain() -> None:
    text = "".join((ROOT / document).read_text() for document in DOCUMENTS)
    assert not [long for long in SHORTER if long not in text]


def test_make_verbs_are_those_that_are_told() -> None:
    command = re.compile(r"(?:`|^    )make ([a-z]+)", re.MULTILINE)
    texts = [(ROOT / name).read_text() for name in PAGES]
    told = {verb for text in texts for verb in command.findall(text)}
    assert {"demo", "test", "check", "bench"} <= told
    there = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert told <= there
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_reference_is_that_of_the_code() -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == make().reference(), "run make docs"


def test_the_house_is_drawn_as_it_is() -> None:
    """Every room that may be imported from is in the picture, with its own words."""
    picture = (ROOT / "docs" / "pictures" / "house.svg").read_text()
    assert picture == make().house(), "run python docs/make.py --reference"
    source = ROOT / "src" / "steadyhand"
    rooms = {path.stem for path in source.iterdir() if path.name.endswith(".py") or path.is_dir()}
    drawn = set(re.findall(r'class="room">(\w+)<', picture))
    assert drawn == rooms - {"__init__", "__pycache__", "py"}


def test_links_lead_somewhere() -> None:
    for name in PAGES:
        text = (ROOT / name).read_text()
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)|src=\"([^\"]+)\"", text):
            path = "".join(target)
            assert path.startswith("https://") or (ROOT / name).parent.joinpath(path).exists(), path


def test_flags_that_are_told_are_there(capsys) -> None:
    """Those of the how-to's tables, and of every command on its own line."""
    for words in (["state"], ["lerobot"], ["lerobot", "--backbone", "any"]):
        with pytest.raises(SystemExit):
            main(["train", *words, "--help"])
    there = set(re.findall(r"--[a-z][a-z.-]*", capsys.readouterr().out))
    text = "".join((ROOT / name).read_text() for name in ("docs/robot.md", "docs/idea.md"))
    told = set(re.findall(r"`(--[a-z][a-z.-]*)", text))
    assert len(told) > 5
    assert told <= there


def test_pictures_are_made_by_the_code() -> None:
    drawn = {"house.svg", *(f"{name}.svg" for name in (*make().DRAWN, *make().PLOTTED))}
    assert drawn == {path.name for path in (ROOT / "docs" / "pictures").iterdir()}
    told = "".join((ROOT / name).read_text() for name in PAGES)
    assert not [name for name in drawn if f"pictures/{name}" not in told]


def make():
    """docs/make.py as a module."""
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patched:  # as where the script itself is run
        patched.syspath_prepend(ROOT / "docs")
        spec.loader.exec_module(module)
    return module


def test_studies_in_the_documents_can_be_asked(monkeypatch) -> None:
    """Each command is declared, and none is run; every picture there is shown."""
    monkeypatch.chdir(ROOT)
    asked: list[str] = []

    def told(study, *_):
        asked.append(study.name)

    monkeypatch.setattr("steadyhand.cli.study._study", told)
    text = (ROOT / "docs" / "studies.md").read_text()
    for line in re.findall("^steadyhand (study .*)$", text, re.MULTILINE):
        assert main(shlex.split(line)) == 0
    assert {"sweep", "steps", "modes"} <= set(asked)
    there = {path.name for path in (ROOT / "docs" / "studies").iterdir()}
    assert there == set(re.findall(r"\(studies/([\w.-]+)\)", text))
