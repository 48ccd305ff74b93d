"""What a vision backbone of `transformers` may be: kinds that are built from numbers, and those.

It is a list of what may be. Nothing on it names a repository, a file or code of somebody's; kinds
of model that build another one inside are not on it.
"""

import importlib
import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from steadyhand.disk import parse_json
from steadyhand.errors import ConfigurationError, library, unknown

TOKENS = frozenset([
    "beit", "clip_vision_model", "data2vec-vision", "deit", "dinov2", "dinov2_with_registers",
    "dinov3_vit", "ijepa", "siglip_vision_model", "vit", "vit_msn",
])  # fmt: skip
"""Models that answer with a token for each patch, behind those for the whole picture."""
MAPS = frozenset([
    "bit", "convnext", "convnextv2", "efficientnet", "mobilenet_v1", "mobilenet_v2",
    "mobilevit", "poolformer", "pvt_v2", "regnet", "resnet", "segformer",
])  # fmt: skip
"""Models that answer with a map."""
WORDS = frozenset([
    "gelu", "gelu_fast", "gelu_new", "gelu_pytorch_tanh", "hardswish", "leaky_relu", "linear",
    "mish", "quick_gelu", "relu", "relu6", "sigmoid", "silu", "swish", "tanh", "basic",
    "bottleneck", "preactivation", "x", "y", "same", "valid", "mean", "max",
])  # fmt: skip
"""All that may stand in a configuration in words: activations and kinds of layers."""
LARGEST = 1 << 16
MOST_LEVELS = 64
OF_THE_LIBRARY = frozenset([
    "_attn_implementation_autoset", "_name_or_path", "architectures", "dtype", "id2label",
    "label2id", "model_type", "out_features", "out_indices", "stage_names", "torch_dtype",
    "transformers_version",
])  # fmt: skip
"""What it notes beside a model's own settings; nothing is built of it."""


def describe(source: str) -> tuple[str, tuple[float, ...], tuple[float, ...]]:
    """(architecture as JSON, mean, deviation of pictures) of a model in a folder or on the hub.

    Raises `ConfigurationError` where there is none, it does not see pictures, or is of a kind that
    is not known here.
    """
    transformers = library("transformers")
    try:
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
        found = getattr(config, "vision_config", None) or config
        try:
            said, _ = transformers.ImageProcessingMixin.get_image_processor_dict(source)
        except (OSError, AttributeError, ValueError):
            said = {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"There is no vision backbone '{source}': it is no folder with config.json and "
            "model.safetensors, and the hub knows no such model or cannot be reached. Name one as "
            "facebook/dinov2-small."
        ) from error
    own = _own_settings(found.model_type)
    content = {key: value for key, value in found.to_diff_dict().items() if key in own}
    content = json.loads(json.dumps(content)) | {"model_type": found.model_type}
    _settings(content)
    mean, deviation = (said.get(f"image_{name}") or (0.5,) * 3 for name in ("mean", "std"))
    return json.dumps(content), tuple(mean), tuple(deviation)


def _own_settings(kind: str) -> set[str]:
    """The settings that a kind of model declares itself."""
    if kind not in TOKENS | MAPS:
        raise ConfigurationError(unknown("kind of backbone", kind, TOKENS | MAPS))
    transformers = library("transformers")
    try:
        made, every = type(transformers.AutoConfig.for_model(kind)), transformers.PretrainedConfig
    except ValueError as error:
        raise ConfigurationError(
            f"This version of transformers knows no {kind}: pip install -U transformers"
        ) from error
    own, shared = (set(inspect.signature(c.__init__).parameters) for c in (made, every))
    return {name for name in own - shared - OF_THE_LIBRARY if not name.startswith("_")}


def read_architecture(text: str) -> tuple[str, dict[str, Any]]:
    """(the kind of model, its settings) of an architecture that a file holds.

    Raises `ConfigurationError` for what may not be in one.
    """
    try:
        content = parse_json(text)
    except ValueError as error:
        raise ConfigurationError(f"The backbone's architecture is damaged ({error}).") from error
    if not isinstance(content, dict):
        raise ConfigurationError("The backbone's architecture is damaged (it is no object).")
    return content.get("model_type", ""), _settings(content)


def _settings(content: Mapping[str, Any]) -> dict[str, Any]:
    kind = content.get("model_type")
    own = _own_settings(kind if isinstance(kind, str) else repr(kind))
    noted = OF_THE_LIBRARY | ({"num_hidden_layers"} - own)  # some derive it
    found = {key: value for key, value in content.items() if key not in noted}
    for key, value in found.items():
        if key not in own:
            raise ConfigurationError(
                f"A backbone of kind {kind} has no setting '{key}' here. It may need another "
                "version of transformers."
            )
        if not _plain(value):
            raise ConfigurationError(
                f"The setting '{key}' of the backbone {kind} is {value!r:.80}; settings are "
                f"numbers up to {LARGEST}, lists of them and names of activations."
            )
    return found


def _plain(value: Any, depth: int = 0) -> bool:
    if isinstance(value, list):
        return depth < 2 and len(value) <= MOST_LEVELS and all(_plain(v, depth + 1) for v in value)
    if isinstance(value, str):
        return value.lower() in WORDS
    return value is None or (isinstance(value, bool | int | float) and abs(value) <= LARGEST)


@contextmanager
def offline() -> Iterator[None]:
    """Within it nothing is fetched, whatever `transformers` would like to have."""
    # Both are read from the environment once; older versions of transformers keep a copy.
    places = {"huggingface_hub.constants": "HF_HUB_OFFLINE"}
    places |= {"transformers.utils.hub": "_is_offline_mode"}
    modules = {importlib.import_module(place): name for place, name in places.items()}
    before = [(m, name, getattr(m, name)) for m, name in modules.items() if hasattr(m, name)]
    for module, name, _ in before:
        setattr(module, name, True)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
