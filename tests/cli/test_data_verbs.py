"""The verbs for data and for judging on it, as users type them: convert, inspect, --offline."""

import json
import shutil
import sys
from html import escape
from pathlib import Path

import numpy as np
import pytest

from steadyhand.cli.main import main
from steadyhand.data import Episodes, open_episodes, write_episodes
from steadyhand.reports.page import prose
from steadyhand.runtime.card import read_provenance

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))

import sets

TINY = [
    "--device=cpu",
    "--precision=float32",
    "--denoiser.width=16",
    "--denoiser.blocks=1",
    "--encoder.network.width=4",
    "--encoder.network.blocks=1",
    "--batch-size=8",
    "--steps=6",
    "--checkpoint-every=3",
    "--image-size=24",
    "--chunking.horizon=8",
    "--chunking.execute=4",
    "--noises=2",
]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("STEADYHAND_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    return sets.lerobot_v2(tmp_path_factory.mktemp("data") / "arm")


@pytest.fixture(scope="module")
def run(film, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "arm"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("STEADYHAND_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        assert main(["train", "lerobot", f"--data={film}", f"--out={out}", *TINY]) == 0
    return out


def answer(capsys, *words) -> dict:
    """The one JSON object on standard output."""
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("format", ["lerobot", "zarr", "npz"])
def test_convert(film, format, tmp_path, capsys) -> None:
    there = tmp_path / f"arm.{format}"
    found = answer(capsys, "convert", film, there)
    assert found == {"episodes": 3, "steps": 36, "path": str(there)}
    before, after = open_episodes(film), open_episodes(there)
    for key, array in before.arrays.items():
        np.testing.assert_array_equal(after.arrays[key][:], array[:])
    assert main(["convert", str(film), str(there)]) == 2
    assert "already there" in capsys.readouterr().err


def test_inspect_with_a_report(film, tmp_path, capsys) -> None:
    page = tmp_path / "new" / "arm.html"
    found = answer(capsys, "inspect", film, "--report", page)
    assert (found["format"], found["version"], found["rate_hz"]) == ("lerobot", "v2.1", 10.0)
    assert found["tasks"] == ["wander"]
    assert found["report"] == str(page)
    assert found["features"]["action"] == {
        "shape": [2],
        "dtype": "float32",
        "kind": "state",
        "names": ["x", "y"],
    }
    assert found["features"][sets.CAMERA]["kind"] == "image"
    # Chunks of 16 are longer than these episodes.
    assert {p["kind"] for p in found["problems"]} == {"horizon"}
    text = page.read_text()
    assert text.count("data:image/jpeg;base64") == 3
    assert text.count("stroke: var(--left); stroke-opacity") == 3 * (2 + 4 + 1)
    assert "<script" not in text


def test_a_run_on_a_robots_own_data(run, film, capsys) -> None:
    record = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert 0 <= record[-1]["waiting_for_data"] < 1
    found = answer(capsys, "inspect", run)
    assert list(found["features"]) == ["last_action", "observation.state", sets.CAMERA, "action"]
    assert found["features"][sets.CAMERA]["shape"] == [24, 32, 3]
    assert main(["evaluate", str(run)]) == 2
    assert "evaluate --offline" in capsys.readouterr().err


def test_after_offline_training_comes_the_judgement(film, tmp_path, capsys) -> None:
    """Not the robot: nobody knows yet whether the policy does better than holding still."""
    out = tmp_path / "my run"
    state = ["--observations=observation.state", f"--out={out}"]
    words = [word for word in TINY if "encoder" not in word and "image-size" not in word]
    assert main(["train", "state", f"--data={film}", *state, *words]) == 0
    said = capsys.readouterr().err.replace("\n", " ")
    assert f"Next: steadyhand evaluate --offline '{out}'" in said
    assert "load_policy" not in said
    assert main(["evaluate", "--offline", str(out), "--samples=1"]) == 0
    assert "cannot be told on one episode" in " ".join(capsys.readouterr().out.split())


def test_one_episode_leaves_nothing_to_judge_on(tmp_path, capsys) -> None:
    """And no share held out for validation would: the advice is one that can be followed."""
    steps = np.random.default_rng(0).normal(size=(20, 2))
    write_episodes(
        tmp_path / "one.npz", Episodes({"state": steps, "action": steps}, np.array([20]))
    )
    words = [word for word in TINY if "encoder" not in word and "image-size" not in word]
    out = tmp_path / "run"
    assert main(["train", "state", f"--data={tmp_path / 'one.npz'}", f"--out={out}", *words]) == 0
    assert "--data DEMONSTRATIONS" in " ".join(capsys.readouterr().err.split())
    assert main(["evaluate", "--offline", str(out)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "record more episodes and train on those" in said
    assert "--validation-share" not in said


def test_evaluate_offline(run, film, tmp_path, capsys) -> None:
    found = answer(capsys, "evaluate", "--offline", run, "--samples", 2)
    assert found["episodes"] == len(found["held_out"]) == 1
    assert set(found["baselines"]) == {"hold", "nearest"}
    for figure in (found["error"], found["baselines"]["hold"], found["baselines"]["nearest"]):
        assert figure["low"] is figure["high"] is None, "of one episode"
    assert [row["name"] for row in found["per_dimension"]] == ["x", "y"]
    assert len(found["per_step"]["policy"]) == 8
    page = Path(found["chart"]).read_text()
    assert "Episode" in page
    # One episode is held out, and of one nothing can be told.
    assert "cannot be told on one episode" in found["verdict"]
    assert escape(found["verdict"]) in page
    assert prose(found["next"]) in page
    assert set(found["differences"]) == {"hold", "nearest"}
    converted = tmp_path / "arm.zarr"
    assert main(["convert", str(film), str(converted)]) == 0
    capsys.readouterr()
    again = answer(capsys, "evaluate", run, "--offline", "--data", converted, "--samples", 2)
    assert again["held_out"] == found["held_out"]
    assert again["error"]["mean"] == pytest.approx(found["error"]["mean"], rel=1e-4)
    wrong = (found["held_out"][0] + 1) % 3
    assert main(["evaluate", "--offline", str(run), "--chart", str(wrong)]) == 2
    assert "not held out" in capsys.readouterr().err


def test_corrupt_video_is_found_before_training(film, tmp_path, capsys) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(film, broken)
    clip = next(broken.rglob("episode_000001.mp4"))
    content = bytearray(clip.read_bytes())
    middle = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2
    content[middle : middle + 100] = bytes(100)
    clip.write_bytes(bytes(content))
    next(broken.rglob("episode_000002.parquet")).unlink()
    words = ["train", "lerobot", f"--data={broken}", *TINY]
    out = tmp_path / "run"
    assert main([*words, f"--out={out}"]) == 2
    assert "episode_000002.parquet" in (said := capsys.readouterr().err)
    assert "--skip-broken-episodes" in said
    assert not out.exists()
    # With one of two episodes left, none is held out.
    words += ["--skip-broken-episodes", "--validation-share=0"]
    assert main([*words, f"--out={out}"]) == 0
    said = capsys.readouterr().err
    assert "Left out: episode 2" in said.replace("\n", " ")
    assert "Left out: episode 1" in said
    assert "1 episodes, 12 steps" in said


def test_a_backbone_by_its_folder(film, tmp_path, capsys) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.AutoConfig.for_model(
        "vit",
        image_size=28,
        patch_size=14,
        num_hidden_layers=1,
        hidden_size=16,
        num_attention_heads=2,
        intermediate_size=32,
    )
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path / "vit")
    words = [word for word in TINY if "encoder" not in word and "image-size" not in word]
    out = tmp_path / "run"
    words += [f"--backbone={tmp_path / 'vit'}", "--image-size", "32", "32", f"--out={out}"]
    assert main(["train", "lerobot", f"--data={film}", *words]) == 0
    shutil.rmtree(tmp_path / "vit")
    capsys.readouterr()
    assert answer(capsys, "evaluate", "--offline", out, "--samples=1")["episodes"] == 1
    assert main(["train", "fork", "--backbone=x"]) == 2
    assert "sees no pictures" in capsys.readouterr().err


def test_episodes_are_called_what_the_set_calls_them(tmp_path, capsys) -> None:
    """A set with gaps in its numbers is trained on and judged by those numbers."""
    path = sets.lerobot_v2(tmp_path / "gaps", videos=False)
    index = path / "meta" / "episodes.jsonl"
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    for line, number in zip(lines, (2, 5, 9), strict=True):
        file = next(path.rglob(f"episode_{line['episode_index']:06d}.parquet"))
        file.rename(file.with_name(f"moved_{number:06d}"))
        line["episode_index"] = number
    for file in path.rglob("moved_*"):
        file.rename(file.with_name(f"{file.name.replace('moved', 'episode')}.parquet"))
    index.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = tmp_path / "run"
    words = [word for word in TINY if "encoder" not in word and "image" not in word]
    words += [f"--data={path}", "--observations=observation.state", f"--out={run}"]
    answer(capsys, "train", "state", *words)
    judged = answer(capsys, "evaluate", "--offline", run, "--samples=2")
    [number] = judged["held_out"]
    assert number in (2, 5, 9)
    assert list(read_provenance(run / "last").validation_episodes) == [number]
    assert f"Episode {number}, " in Path(judged["chart"]).read_text()
    assert main(["evaluate", "--offline", str(run), f"--chart={number}", "--samples=2"]) == 0
    assert main(["evaluate", "--offline", str(run), "--chart=0"]) == 2
    assert f"Held out are: {number}." in capsys.readouterr().err


def test_several_tasks_and_echoes_are_told_before_training(tmp_path, capsys) -> None:
    state = np.random.default_rng(0).normal(size=(60, 2)).cumsum(0)
    arrays = {"state": state, "actions": state, "task_id": np.repeat([0, 1], 30)}
    write_episodes(tmp_path / "a.npz", Episodes(arrays, np.array([30, 60])))
    words = [word for word in TINY if "encoder" not in word and "image" not in word]
    words += [f"--data={tmp_path / 'a.npz'}", "--action=actions", f"--out={tmp_path / 'run'}"]
    assert main(["train", "state", *words]) == 0
    said = capsys.readouterr().err
    assert said.count("The data holds 2 tasks") == 1
    assert said.count("'actions[0:2]' is 'state' of the same step") == 1
