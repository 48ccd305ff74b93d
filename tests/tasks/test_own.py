"""A user's own file: found by its name, run where that is named and nowhere else."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from steadyhand.cli.main import main
from steadyhand.errors import ConfigurationError, MissingExtraError, UsageError
from steadyhand.nets.choices import MLPConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.recipes import recipe
from steadyhand.spec import Chunking
from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import recorded_once
from steadyhand.studies.executor import Job
from steadyhand.studies.folder import RunFolder
from steadyhand.studies.plan import PlannedRun, Trial, planned
from steadyhand.studies.runs import do_runs
from steadyhand.studies.vary import Varied, combinations, configured
from steadyhand.studies.worker import Signs, work
from steadyhand.tasks import Demonstrated, make_task, record_episodes, register_task
from steadyhand.tasks.own import family_of, file_word, mark_of, short_name, task_flag
from steadyhand.training.config import TrainConfig

EXAMPLE = Path(__file__).parents[2] / "examples" / "reach.py"


@pytest.fixture
def file(tmp_path) -> Path:
    """A file of the user's own that was not named yet."""
    return Path(shutil.copy(EXAMPLE, tmp_path / "own.py"))


def written(folder: Path, text: str) -> Path:
    path = folder / "written.py"
    path.write_text(text)
    return path


def test_it_is_found_under_the_name_that_was_registered(file, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = register_task("own.py:Reach:speed=0.60")
    assert name == f"{file}:Reach:speed=0.6", "whole, and spelled in one way"
    assert register_task(f"{file}:Reach:speed=0.5") == f"{file}:Reach", "0.5 is the usual speed"
    task = make_task(name)
    assert (task.name, task.speed) == (name, 0.6)  # type: ignore[attr-defined]
    assert isinstance(task, Demonstrated)
    assert task == make_task(name)
    assert task != make_task(f"{file}:Reach")
    assert len(record_episodes(name, 2)) == 2
    assert register_task("fork:gap=0.1") == "fork:gap=0.1"
    assert mark_of("fork") is None
    assert mark_of(None) is None


def test_what_it_is_called_in_titles_and_among_files(file) -> None:
    name = register_task(f"{file}:Reach:speed=0.6")
    assert family_of(name) == f"{file}:Reach"
    assert short_name(name) == "own.py:Reach:speed=0.6"
    word = file_word(name)
    assert word.startswith("own-Reach-speed-0.6-")
    assert "/" not in word
    file.write_text(f"{file.read_text()}\n# edited\n")
    assert file_word(register_task(name)) != word
    assert task_flag(name) == f" --task {file}:Reach:speed=0.6"
    assert task_flag("fork") == task_flag(None) == ""
    assert file_word("fork:gap=0.1,commit=0.5") == "fork-gap-0.1-commit-0.5"


@pytest.mark.parametrize(
    "code",
    [
        "def make():\n    return Fork(gap=0.1)",
        "class make(Fork):\n    __slots__ = ()\n    name = 'of its own'",
        "def make(gap=0.1, hard=True, way='left'):\n    return Fork(gap=gap)",
    ],
)
def test_any_task_is_known_by_what_the_user_typed(code, tmp_path) -> None:
    path = written(tmp_path, f"from steadyhand.tasks import Fork\n{code}\n")
    name = register_task(f"{path}:make")
    assert make_task(name).name == f"{path}:make"
    assert make_task(name).rate_hz == 10


def test_settings_are_of_the_kind_that_is_usual(tmp_path) -> None:
    code = "def make(hard=True, way='left'):\n    raise ValueError(f'{hard} {way!r}')"
    path = written(tmp_path, code)
    with pytest.raises(ConfigurationError, match="raised ValueError: False 'right'"):
        register_task(f"{path}:make:hard=no,way=right")
    with pytest.raises(ConfigurationError, match="make's hard is true or false, not 'maybe'"):
        register_task(f"{path}:make:hard=maybe")
    path = written(tmp_path, "def make(places=(1, 2)):\n    pass")
    with pytest.raises(ConfigurationError, match=r"places is \(1, 2\) by default, and only"):
        register_task(f"{path}:make:places=3")


@pytest.mark.parametrize(
    ("code", "name", "said"),
    [
        (None, "make", r"There is no file at .*written\.py"),
        ("def mkae():\n    pass", "make", "no function or class in .*'make'. Did you mean 'mkae'?"),
        ("def one():\n    pass", "", r"Name what is meant in .*, as .*written\.py:one\."),
        ("\nmake = undefined", "make", "line 2: it raised NameError: name 'undefined'"),
        ("def make(:", "make", "line 1: it raised SyntaxError"),
        ("raise SystemExit", "make", r"line 1: it raised SystemExit\."),
        ("def make():\n    return 1 / 0", "make", r"line 2: make\(\) raised ZeroDivisionError"),
        ("def make(gap):\n    pass", "make", "without arguments, and its gap has no default"),
        (
            "def make():\n    pass",
            "make",
            "written.py:make is NoneType, not an object with rate_hz",
        ),
        ("class World: pass\ndef make():\n    return World", "make", "is the class World, not an"),
        (
            "from types import SimpleNamespace as N\ndef make():\n    return N(rate_hz=1, "
            "max_steps=1, first_seed=0, initial_states='', make=print)",
            "make",
            "let it be an object of a class of your own",
        ),
        (
            "from steadyhand.tasks import Fork\ndef make():\n    return Fork(gap=9)",
            "make",
            r"gap is 9.*must be in 0.1…0.35",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(code, name, said, tmp_path) -> None:
    path = tmp_path / "written.py" if code is None else written(tmp_path, code)
    with pytest.raises(ConfigurationError, match=said) as told:
        register_task(f"{path}:{name}")
    assert "\n" not in str(told.value)


def test_a_missing_extra_is_told_as_ever(tmp_path) -> None:
    path = written(tmp_path, "raise ModuleNotFoundError(name='gym_pusht')")
    with pytest.raises(MissingExtraError, match="pip install 'steadyhand"):
        register_task(f"{path}:make")


def test_it_may_import_what_lies_beside_it(tmp_path) -> None:
    (tmp_path / "beside_it.py").write_text("from steadyhand.tasks import Fork as make\n")
    path = written(tmp_path, "from beside_it import make\n")
    assert make_task(register_task(f"{path}:make")).max_steps == 80


def test_a_recipe_returns_a_config(tmp_path) -> None:
    path = written(tmp_path, "def reach():\n    return {'steps': 3}")
    with pytest.raises(ConfigurationError, match=r"answered with \{'steps': 3\}; it returns a Tra"):
        recipe(f"{path}:reach")


def small(task: str, **changes) -> TrainConfig:
    return TrainConfig(
        task=task,
        chunking=Chunking(obs_steps=2, horizon=8, execute=4),
        policy=PolicyConfig(denoiser=MLPConfig(width=8, blocks=1)),
        steps=2,
        batch_size=8,
        precision="float32",
        device="cpu",
        **changes,
    )


def recorded(task: str, folder: Path) -> Path:
    path = folder / "recorded.npz"
    assert main(["record", "--task", task, "--episodes=8", f"--out={path}"]) == 0
    return path


class Here:
    """An executor that does each run at once, in this process."""

    def room_for(self, run: PlannedRun) -> bool:
        return True

    def submit(self, run: PlannedRun, folder: RunFolder) -> Job:
        work(folder, Signs(folder, None))
        return Done()


class Done:
    def ended(self) -> bool:
        return True

    def cancel(self) -> None: ...
    def wait(self) -> None: ...


def test_where_the_file_was_edited_it_is_another_run(file, tmp_path) -> None:
    name = register_task(f"{file}:Reach")
    data, trial = recorded(name, tmp_path), Trial(episodes=2)
    run = planned("own", small(name, data=data), [trial])
    there = planned("own", small("fork", data=data), [replace(trial, task=name)])
    found = do_runs([run], tmp_path / "out", executor=Here())[0]
    assert set(found.trials[trial.key]["scores"]) == {"success", "left", "right"}
    before = run.key, trial.key, there.key, there.trials[0].key
    folder = RunFolder(tmp_path / "out" / run.key)
    file.write_text(file.read_text().replace("speed: float = 0.5", "speed: float = 0.4"))
    with pytest.raises(ConfigurationError, match="was edited since this run was declared"):
        work(folder, Signs(folder, None))
    register_task(name)
    again = [replace(each, name=each.name) for each in (run, there)]
    after = again[0].key, trial.key, again[1].key, again[1].trials[0].key
    assert [one == other for one, other in zip(before, after, strict=True)] == [
        False,  # the task in which it is trained and tried
        True,  # which is not said in this trial
        True,  # tried there, and trained elsewhere
        False,
    ]


def test_an_edited_task_is_not_trained_on_what_it_recorded_before(file, tmp_path) -> None:
    name, place = register_task(f"{file}:Reach"), tmp_path / "data" / "own.npz"
    config = small(name, demonstrations=8)
    recorded_once(config, place)
    recorded_once(config, place)
    file.write_text(file.read_text().replace("speed: float = 0.5", "speed: float = 0.4"))
    register_task(name)
    with pytest.raises(UsageError, match=r"was not recorded of .*:Reach as it is now"):
        recorded_once(config, place)


def test_a_sweep_may_vary_it(file) -> None:
    slow = Varied.parse(f"task={file}:Reach:speed=0.4,fork")
    configs = [configured(Asked(), factors)[0] for factors in combinations([slow])]
    assert [config.task for config in configs] == [f"{file}:Reach:speed=0.4", "fork"]


def test_nothing_on_disk_makes_a_file_run(file, tmp_path, capsys, monkeypatch) -> None:
    """A run, its policy and a plan name a file, and whoever uses them does not."""
    out, done = tmp_path / "run", tmp_path / "it-was-run"
    evil = written(tmp_path, f"from pathlib import Path\nPath({str(done)!r}).touch()\n")
    evil.write_text(f"{evil.read_text()}{file.read_text()}")
    words = ["--steps=2", "--demonstrations=8", "--denoiser.width=8", "--denoiser.blocks=1"]
    words += ["--device=cpu", "--precision=float32"]
    assert main(["train", f"{file}:reach", *words, f"--out={out}"]) == 0
    for path in [*out.rglob("*.json")]:
        path.write_text(path.read_text().replace(str(file), str(evil)))
    assert str(evil) in (out / "config.json").read_text()
    assert str(evil) in next(out.rglob("policy.json")).read_text()
    capsys.readouterr()
    assert main(["inspect", str(out)]) == 0
    assert main(["evaluate", "--offline", str(out), "--samples=1"]) == 0
    asked = f"is run only where you name it yourself: look at it, then add --task {evil}:Reach"
    other = shutil.copytree(out, tmp_path / "other")
    for words in (
        ["evaluate", str(out)],
        ["compare", str(out), str(other)],
        ["train", "--resume", "--out", str(out)],
        ["distill", str(out), f"--out={tmp_path / 'student'}"],
        ["record", f"--task={file}:Reach:speed={evil}:Reach", f"--out={tmp_path / 'new.npz'}"],
    ):
        capsys.readouterr()
        assert main(words) == 2, words
        assert words[0] == "record" or asked in capsys.readouterr().err, words
    run = planned("fork", small("fork", data=recorded("fork", tmp_path)), [Trial(episodes=1)])
    folder = RunFolder(tmp_path / "out" / run.key)
    hostile = replace(run, config=replace(run.config, task=register_task(f"{file}:Reach")))
    folder.declare(hostile)
    plan = folder.path / "plan.json"
    plan.write_text(plan.read_text().replace(str(file), str(evil)))
    do_runs([run], tmp_path / "out", executor=Here())
    with pytest.raises(ConfigurationError, match="run only where you name it yourself"):
        folder.declare(replace(run, config=replace(run.config, task=f"{evil}:Reach")))
    assert not done.exists()
    assert main(["evaluate", str(out), f"--task={evil}:Reach", "--episodes=1"]) == 0
    assert done.exists(), "where it is named, it is run"
