"""Policies as strangers hand them over: their cards, weights, backbones and folders."""

import json
import os
import shutil
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from case import Hostile, outside
from safetensors.torch import load_file, save_file

from steadyhand.data import Episodes
from steadyhand.nets.choices import DiTConfig, MLPConfig, TransformerConfig, UNetConfig
from steadyhand.nets.encoder_choices import BackboneConfig, ImageEncoderConfig, ResNetConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.storage import save_policy
from steadyhand.runtime.card import Provenance
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig
from steadyhand.training.train import build_policy

PARTS = {
    "mlp": MLPConfig(width=16, blocks=1),
    "unet": UNetConfig(widths=(8, 16), groups=4, step_width=16),
    "transformer": TransformerConfig(width=16, layers=1, heads=2),
    "dit": DiTConfig(width=16, layers=1, heads=2),
}
SEEN = ImageEncoderConfig(network=ResNetConfig(width=8, blocks=(1, 1)), keypoints=4, features=4)
VIT = {
    "model_type": "vit",
    "image_size": 28,
    "patch_size": 14,
    "num_hidden_layers": 1,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
LARGE = 10**9
DEEP = "[" * 100_000
CHUNKING, ACTION = ("spec", "chunking"), ("spec", "action")
DENOISER, SAMPLER, PROCESS = (("config", part) for part in ("denoiser", "sampler", "process"))
CAMERA = ("spec", "observations", 1)
CARDS: Mapping[str, tuple[Sequence[Any], Any]] = {
    **{f"{n} {LARGE}": ((*DENOISER, n), LARGE) for n in ("width", "blocks", "expansion")},
    **{f"{n} {LARGE}": ((*CHUNKING, n), LARGE) for n in ("horizon", "obs_steps", "past_rows")},
    **{f"execute {value!r}"[:30]: ((*CHUNKING, "execute"), value) for value in (0, -1, 2.5, True)},
    **{f"{n} 0": ((*DENOISER, n), 0) for n in ("width", "blocks", "expansion")},
    **{f"a width of {value!r}"[:30]: ((*DENOISER, "width"), value) for value in ("16", None, [1])},
    **{f"steps {n}": ((*SAMPLER, "steps"), n) for n in (0, -1, LARGE, 2**62, "1", None)},
    **{
        f"{name} {value!r}"[:40]: ((*SAMPLER, name), value)
        for name in ("eta", "clip", "temperature")
        for value in (float("nan"), float("inf"), -1, "x", [], 1e308)
    },
    **{f"solver {value!r}"[:40]: ((*SAMPLER, "solver"), value) for value in ("os.system", 1, {})},
    **{
        f"process {name}": (PROCESS, value)
        for name, value in {
            "of a trillion levels": {"type": "DDPM", "train_steps": 10**12},
            "of a million levels": {"type": "DDPM", "train_steps": 10**6},
            "of one level": {"type": "DDPM", "train_steps": 1},
            "with a schedule of its own": {"type": "DDPM", "schedule": "\x1b[2J"},
            "in bins": {"type": "Bins", "bins": LARGE},
            "in wide bins": {"type": "Bins", "width": LARGE},
            "in endless bins": {"type": "Bins", "bound": float("inf")},
            "mixed": {"type": "Mixture", "components": LARGE},
            "in jumps": {"type": "Shortcut", "levels": LARGE},
            "in levels": {"type": "Consistency", "levels": LARGE},
            "in a process": {"type": "Consistency", "path_of": {"type": "Consistency"}},
            "of another kind": {"type": "PolicySpec"},
            "of the system": {"type": "os.system", "command": "true"},
            "of a list": [1],
            "of nothing": None,
            "without a type": {},
            "of a deep type": {"type": [[[[1]]]]},
            "with a strange field": {"type": "Flow", "\x1b[31m": 1},
        }.items()
    },
    **{
        f"network {name}": (DENOISER, value)
        for name, value in {
            "of widths": {"type": "UNetConfig", "widths": [LARGE]},
            "of a million widths": {"type": "UNetConfig", "widths": [8] * 10**6},
            "of no widths": {"type": "UNetConfig", "widths": []},
            "of no groups": {"type": "UNetConfig", "widths": [8], "groups": 0},
            "of a kernel": {"type": "UNetConfig", "kernel": LARGE + 1},
            "of layers": {"type": "TransformerConfig", "width": 16, "layers": 10**6},
            "of heads": {"type": "TransformerConfig", "width": 16, "heads": 3},
            "of many heads": {"type": "DiTConfig", "width": 16, "heads": LARGE},
            "of dropout": {"type": "MLPConfig", "dropout": float("nan")},
            "of a text": "MLPConfig",
        }.items()
    },
    **{
        f"encoder {name}": (("config", "encoder"), value)
        for name, value in {
            "of a list": [],
            "of blocks": {
                "type": "ImageEncoderConfig",
                "network": {"type": "ResNetConfig", "blocks": [LARGE]},
            },
            "of levels": {
                "type": "ImageEncoderConfig",
                "network": {"type": "ResNetConfig", "blocks": [1] * 10**5},
            },
            "of keypoints": {"type": "ImageEncoderConfig", "keypoints": LARGE},
            "of a source": {
                "type": "ImageEncoderConfig",
                "network": {"type": "BackboneConfig", "source": "somebody/model"},
            },
        }.items()
    },
    **{
        f"an action of {value!r:.30}": ((*ACTION, "shape"), value)
        for value in ([-1], [0], [LARGE], [2**62], [True], [2, 2], [], [2.0], None, "2", {"a": 1})
    },
    **{
        f"an action named {value!r:.30}": ((*ACTION, "name"), value)
        for value in ("", "a[", f"a[0:{'9' * 400}]", "a[5:9]", "\x1b[2J", "a\n", "x" * 10**6, 7)
    },
    **{
        f"kind {value!r}": ((*ACTION, "kind"), value)
        for value in ("image", "depth", None, ["state"])
    },
    **{f"a width of columns {v!r}": ((*ACTION, "width"), v) for v in (-1, LARGE, "x", 2)},
    **{
        f"observations {name}": (("spec", "observations"), value)
        for name, value in {
            "none": [],
            "no list": {"name": "state"},
            "null": None,
            "twice": [{"name": "state", "shape": [3]}] * 2,
            "by the thousand": [{"name": f"s{i}", "shape": [1]} for i in range(50_000)],
            "of another name": [{"name": "other", "shape": [3]}],
            "relative": [{"name": "state", "shape": [3], "camera": [1, 1]}],
            "of many numbers": [{"name": "state", "shape": [10**6, 10**6, 10**6]}],
        }.items()
    },
    **{f"a rate of {v!r}": (("spec", "rate_hz"), v) for v in (0, -1, float("inf"), "10", None)},
    **{
        f"relative to {v!r:.20}": (("spec", "action_relative_to"), v) for v in ("state", "x", 1, [])
    },
    **{
        f"parts of an action {name}": (("spec", "action_parts"), value)
        for name, value in {
            "in no list": {"start": 0, "stop": 2},
            "of nothing": None,
            "of text": ["0:2=delta"],
            "by the thousand": [{"start": 0, "stop": 1}] * 50_000,
            "before the first": [{"start": -1, "stop": 1}],
            "without end": [{"start": 0, "stop": LARGE}],
            "backwards": [{"start": 2, "stop": 0}],
            "twice": [{"start": 0, "stop": 2}] * 2,
            "of the system": [{"start": 0, "stop": 2, "kind": "os.system"}],
            "that are six": [{"start": 0, "stop": 2, "kind": "rotation_6d"}],
            "relative to nothing": [{"start": 0, "stop": 2, "form": "relative"}],
            "relative to a file": [{"start": 0, "stop": 2, "reference": "/etc/passwd"}],
            "relative to much": [{"start": 0, "stop": 2, "reference": f"state[0:{LARGE}]"}],
            "relative to many": [{"start": 0, "stop": 2, "reference": "state"}],
            "of no levels": [{"start": 0, "stop": 1, "kind": "gripper"}],
            "of one level": [{"start": 0, "stop": 1, "kind": "gripper", "levels": [1, 1]}],
            "of two levels": [{"start": 0, "stop": 1, "kind": "gripper", "levels": [0, 1]}],
            "of far levels": [{"start": 0, "stop": 1, "kind": "gripper", "levels": [0, 1e300]}],
            "of strange levels": [{"start": 0, "stop": 1, "kind": "gripper", "levels": ["0", {}]}],
            "of a wide middle": [{"start": 0, "stop": 1, "kind": "gripper", "hysteresis": 1e9}],
        }.items()
    },
    **{
        f"normalisation {v!r:.20}": (("config", "normalisation"), v)
        for v in ("log", None, 1, ["min_max"])
    },
    **{
        f"a minimum of {value!r:.40}": (("statistics", "action", "minimum"), value)
        for value in (
            *([], None, {}, "1", 1.0, ["1", "2"], [1.0, "2"], [[1.0], [1.0, 2.0]], [True, False]),
            *([float("nan"), 0.0], [float("-inf"), 0.0], [1e300, 0.0], [1.0] * 3, [1e9, 1e9]),
        )
    },
    "no statistics": (("statistics",), {}),
    "statistics in a list": (("statistics",), [1]),
    "statistics of strange figures": (("statistics", "action", "__class__"), [1.0, 2.0]),
    "statistics of one figure": (("statistics", "action"), {"minimum": [0.0, 0.0]}),
    "a deviation below 0": (("statistics", "state", "deviation"), [-1.0, -1.0, -1.0]),
    **{
        f"a seed of {value!r:.20}": (("provenance", "seed"), value)
        for value in (2**80, 10**400, -1, 1.5, None, True)
    },
    "a step of a text": (("provenance", "step"), "9" * 400),
    "validation of texts": (("provenance", "validation_episodes"), ["x"]),
    "validation below 0": (("provenance", "validation_episodes"), [-1]),
    "data in a list": (("provenance", "data"), ["/etc"]),
    "a task in an object": (("provenance", "task"), {"a": 1}),
    "provenance in a list": (("provenance",), [1, 2]),
    "details in a list": (("provenance", "details"), [[1]]),
    "marks of objects": (("provenance", "details"), {"trained_on": [{"a": 1}]}),
    "another format": (("format",), ["steadyhand-policy"]),
    "a version of true": (("version",), True),
    "a version in a list": (("version",), [[[1]]]),
    "a library of somebody": (("library",), "\x1b]0;title\x07; rm -rf /"),
    "no config": (("config",), None),
    "a config in a list": (("config",), [1, 2]),
    "a spec in a text": (("spec",), "spec"),
}
PICTURES: Mapping[str, tuple[Sequence[Any], Any]] = {
    **{
        f"a picture of {value!r:.40}": ((*CAMERA, "shape"), value)
        for value in ([10**6, 10**6, 3], [16, 16, 0], [16, 16], [-16, 16, 3], [16, 16, LARGE])
    },
    **{
        f"a camera of {value!r:.40}": ((*CAMERA, "camera"), value)
        for value in (
            [10**6, 10**6],
            [8192, 8192],
            [0, 0],
            [-1, 5],
            [16],
            [16, 16, 3],
            "16",
            [4096, 16],
        )
    },
    **{
        f"a crop of {v!r}": (("config", "encoder", "crop"), v)
        for v in (0, -1, 1e-9, 2, float("nan"), "1")
    },
}
BACKBONES: Mapping[str, Any] = {
    "a model inside": {"model_type": "detr", "backbone": "somebody/model"},
    "a pose": {"model_type": "vitpose", "backbone": "somebody/model"},
    "of timm": {"model_type": "timm_wrapper", "architecture": "hf-hub:somebody/model"},
    "a kernel": {**VIT, "attn_implementation": "somebody/kernel"},
    "another kernel": {**VIT, "_attn_implementation": "somebody/kernel"},
    "experts": {**VIT, "experts_implementation": "somebody/kernel"},
    "code": {**VIT, "auto_map": {"AutoModel": "somebody/model--a.B"}, "trust_remote_code": True},
    "quantised": {**VIT, "quantization_config": {"quant_method": "bitsandbytes"}},
    "an activation": {**VIT, "hidden_act": "somebody/kernel"},
    "a million blocks": {**VIT, "num_hidden_layers": 10**6},
    "many blocks": {**VIT, "num_hidden_layers": 60_000},
    "wide": {**VIT, "hidden_size": 65_536, "intermediate_size": 65_536},
    "large": {**VIT, "image_size": 65_536, "patch_size": 1},
    "no patches": {**VIT, "patch_size": 0},
    "not finite": {**VIT, "layer_norm_eps": float("nan")},
    "in a list": [VIT],
    "in words": "vit",
    "deep": json.loads("[" * 500 + "]" * 500),
    "a path": {**VIT, "_name_or_path": "/etc/passwd"},
}


def change(card: dict[str, Any], place: Sequence[Any], value: Any) -> dict[str, Any]:
    """A copy of a card, with another value in that place."""
    copy = json.loads(json.dumps(card))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copy


def sparse(path: Path, shapes: Mapping[str, Sequence[int]], size: int) -> None:
    """Weights of which nothing but the description takes room on the disk."""
    content, place = {}, 0
    for name, shape in shapes.items():
        end = place + 4 * int(np.prod(shape, dtype=object))
        content[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [place, end]}
        place = end
    header(path, json.dumps(content), size)


def header(path: Path, text: str, size: int = 0, length: int | None = None) -> None:
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text) if length is None else length) + text.encode())
        file.truncate(8 + len(text) + size)


def tensors(path: Path, act: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    save_file(act(load_file(path)), path)


def first(act: Callable[[Any], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda found: {**found, (name := next(iter(found))): act(found[name]).contiguous()}


WEIGHTS: Mapping[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "short": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "a long header": lambda path: header(path, "{}", length=2**62),
    "a header below 0": lambda path: header(path, "{}", length=2**64 - 1),
    "a deep header": lambda path: header(path, DEEP),
    "a header in a list": lambda path: header(path, "[1]"),
    "no tensors": lambda path: header(path, "{}"),
    "a million tensors": lambda path: header(
        path,
        json.dumps(
            {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(10**6)}
        ),
    ),
    "thirty gigabytes": lambda path: sparse(path, {"a": [LARGE, 8]}, 32 * LARGE),
    "more than there is": lambda path: sparse(path, {"a": [LARGE, 8]}, 100),
    "a shape that wraps": lambda path: sparse(path, {"a": [2**62, 4]}, 0),
    "one less": lambda path: tensors(path, lambda found: dict(list(found.items())[1:])),
    "one more": lambda path: tensors(path, lambda found: {**found, "more": torch.zeros(1)}),
    "escape sequences": lambda path: tensors(
        path, lambda found: {**found, "\x1b[2J": torch.zeros(1)}
    ),
    "of whole numbers": lambda path: tensors(path, first(lambda t: t.long())),
    "complex": lambda path: tensors(path, first(lambda t: t.to(torch.complex64))),
    "turned round": lambda path: tensors(path, first(lambda t: t.T if t.ndim == 2 else t[None])),
    "not finite": lambda path: tensors(path, first(lambda t: t * float("nan"))),
    "endless": lambda path: tensors(path, first(lambda t: t + float("inf"))),
    "a pickle": lambda path: torch.save({"a": torch.zeros(1)}, path),
}
TEXTS: Mapping[str, bytes] = {
    "empty": b"",
    "a list": b"[]",
    "null": b"null",
    "deep": DEEP.encode(),
    "deep objects": b'{"a":' * 100_000,
    "cut": b'{"format": "steadyhand-pol',
    "no text": bytes(range(256)),
    "a number of 400 digits": b"9" * 400,
    "a number of a million digits": b'{"version": ' + b"9" * 10**6 + b"}",
    "large": b'{"a": "' + b"x" * (17 << 20) + b'"}',
    "zeros": bytes(1000),
}


def write(folder: Path) -> list[Hostile]:
    """The cases; the first of them are right."""
    made = _policies(folder)
    cases = [Hostile(f"right, {name}", path, True) for name, path in made.items()]
    plain, seeing, backbone = (made[name] for name in ("mlp", "pictures", "backbone"))

    def case(name: str, source: Path) -> Path:
        path = folder / f"case-{len(cases)}"
        shutil.copytree(source, path, symlinks=True)
        cases.append(Hostile(name, path))
        return path

    for source, changes in ((plain, CARDS), (seeing, PICTURES)):
        card = json.loads((source / "policy.json").read_text())
        for name, (place, value) in changes.items():
            text = json.dumps(change(card, place, value))
            (case(name, source) / "policy.json").write_text(text)
    card = json.loads((backbone / "policy.json").read_text())
    for name, value in BACKBONES.items():
        place = ("config", "encoder", "network", "architecture")
        text = json.dumps(change(card, place, json.dumps(value)))
        (case(f"a backbone: {name}", backbone) / "policy.json").write_text(text)
    for name, act in WEIGHTS.items():
        act(case(f"weights: {name}", plain) / "policy.safetensors")
    for name, content in TEXTS.items():
        (case(f"a card: {name}", plain) / "policy.json").write_bytes(content)
    text = (plain / "policy.json").read_text()
    for name, key in (("a field", '"execute": 4'), ("a figure", '"minimum": [')):
        deep = text.replace(key, f'{key.split(":")[0]}: {"[" * 900}{"]" * 900}, "x": [', 1)
        (case(f"{name} nested deep", plain) / "policy.json").write_text(deep)
    _honest_but_endless(case, made)
    _elsewhere(folder, case, plain)
    return cases


def _policies(folder: Path) -> dict[str, Path]:
    """Policies of every network, of pictures and of a backbone, as this library writes them."""
    random = np.random.default_rng(0)
    arrays = {
        "state": random.normal(size=(40, 3)).astype(np.float32),
        "camera": random.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8),
        "action": random.normal(size=(40, 2)).astype(np.float32),
    }
    episodes = Episodes(arrays, np.array([20, 40]), rate_hz=20.0)
    usual = TrainConfig(chunking=Chunking(obs_steps=2, horizon=8, execute=4), device="cpu")
    configs = {name: (("state",), PolicyConfig(denoiser=part)) for name, part in PARTS.items()}
    small = PolicyConfig(encoder=SEEN, denoiser=PARTS["mlp"])
    source = folder.parent / "backbone"
    _backbone(source)
    sees = ImageEncoderConfig(network=BackboneConfig(source=str(source)), keypoints=4, crop=0.875)
    configs["pictures"] = (("state", "camera"), small)
    configs["backbone"] = (
        ("state", "camera"),
        PolicyConfig(encoder=sees, denoiser=PARTS["mlp"]),
    )
    made = {}
    for name, (observations, parts) in configs.items():
        config = TrainConfig(
            observations=observations, policy=parts, chunking=usual.chunking, image_size=(32,)
        )
        made[name] = folder / name
        save_policy(made[name], build_policy(config, episodes), Provenance(task="fork", step=3))
    shutil.rmtree(source)
    return made


def _backbone(folder: Path) -> None:
    import transformers

    kind = VIT["model_type"]
    config = transformers.AutoConfig.for_model(
        kind, **{key: value for key, value in VIT.items() if key != "model_type"}
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)


def _honest_but_endless(case: Callable[[str, Path], Path], made: Mapping[str, Path]) -> None:
    """Descriptions that fit their weights, of which nothing is there."""
    for name, key, value in (
        ("mlp", "width", 60_000),
        ("transformer", "width", 60_000),
        ("dit", "layers", 1_000),
    ):
        path = case(f"sparse weights of a {name} of {key} {value}", made[name])
        card = json.loads((path / "policy.json").read_text())
        text = json.dumps(change(card, (*DENOISER, key), value))
        (path / "policy.json").write_text(text)
        found = load_file(path / "policy.safetensors")
        shapes = {n: [value if side == 16 else side for side in t.shape] for n, t in found.items()}
        size = sum(4 * int(np.prod(shape, dtype=object)) for shape in shapes.values())
        sparse(path / "policy.safetensors", shapes, size)


def _elsewhere(folder: Path, case: Callable[[str, Path], Path], plain: Path) -> None:
    """Files that are pipes, devices, folders or links, and runs whose links lead out."""
    place = outside(folder)
    shutil.copytree(plain, place / "policy")
    for name in ("policy.json", "policy.safetensors"):
        for what, act in {
            "a pipe": os.mkfifo,
            "a folder": os.mkdir,
            "a link out": lambda path: os.symlink(place / "policy" / path.name, path),
            "a device": lambda path: os.symlink("/dev/zero", path),
            "a circle": lambda path: os.symlink(path, path),
            "nothing": lambda path: os.symlink(path.with_name("nowhere"), path),
        }.items():
            path = case(f"{name} is {what}", plain) / name
            path.unlink()
            act(path)
    for name in ("last", "checkpoints"):
        run = case(f"a run whose {name} leads out", plain)
        for path in run.iterdir():
            path.unlink()
        (run / "config.json").write_text("{}")
        (run / name).symlink_to(place / "policy")
        if name == "checkpoints":
            (run / "last").symlink_to("checkpoints")
    aside = case("a link put aside", plain)
    (aside / "last").symlink_to(place)
