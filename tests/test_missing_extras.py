"""What a plain installation, without torch, says of what is not there."""

import subprocess
import sys

import pytest

import steadyhand
from steadyhand.data import write_episodes

NEEDED = {
    "torch": ("load_policy", "save_policy", "Policy", "train", "build_policy", "Sampler"),
    "safetensors": ("load_policy", "save_policy", "train"),
    "jaxtyping": ("Policy", "TorchPredictor", "load_policy"),
}


@pytest.mark.parametrize("package", NEEDED)
def test_what_is_missing_is_answered_with_what_to_install(package) -> None:
    code = (
        "import sys\n"
        f"sys.modules[{package!r}] = None\n"
        "import steadyhand as sh\n"
        f"for name in {NEEDED[package]}:\n"
        "    try:\n        getattr(sh, name)\n"
        "    except sh.SteadyhandError as error: print(name, error.kind, error)\n"
        "sh.Chunking(), sh.PolicyConfig(), sh.recipe('fork')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line.split()[0] for line in said] == list(NEEDED[package])
    for line in said:
        assert f"missing-extra {package} is not installed" in line
        assert line.endswith("pip install 'steadyhand[train]'")


def test_a_data_set_is_inspected_without_what_draws_pages(tmp_path) -> None:
    write_episodes(tmp_path / "a.npz", steadyhand.record_episodes("fork", 3))
    code = (
        "import sys\n"
        "for name in ('jinja2', 'markupsafe', 'matplotlib'): sys.modules[name] = None\n"
        "from steadyhand.cli.main import main\n"
        f"print(main(['inspect', r'{tmp_path / 'a.npz'}']))\n"
        f"print(main(['inspect', r'{tmp_path / 'a.npz'}', '--report', r'{tmp_path / 'a.html'}']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert [line for line in done.stdout.splitlines() if line in "02"] == ["0", "2"], done.stderr
    assert "pip install 'steadyhand[data]'" in done.stderr


@pytest.mark.parametrize("error", [ModuleNotFoundError("x", name="nowhere"), ImportError("torn")])
def test_a_defect_is_shown_as_what_it_is(error, monkeypatch) -> None:
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr(steadyhand, "import_module", fail)
    with pytest.raises(ImportError) as caught:
        steadyhand.load_policy  # noqa: B018
    assert caught.value is error
