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
    "bottleneck", "preactivation", "x", "y", "same", "valid", "mean", "max", "default", "full",
    "full_attention", "sliding_attention",
])  # fmt: skip
"""All that may stand in a configuration in words: activations, kinds of layers and of choices."""
LARGEST = 1 << 16
ROPE = ("rope_parameters", "rope_scaling", "rope_theta")
WAYS_OF_ROPE = ("default", "linear", "dynamic", "yarn", "longrope", "llama3")
LARGEST_OF_ROPE = 10**9
"""Of what turns a place in a text into waves; no size is made of it."""
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
    _known(found.model_type)
    own = own_settings(found.model_type)
    content = {key: value for key, value in found.to_diff_dict().items() if key in own}
    content = json.loads(json.dumps(content)) | {"model_type": found.model_type}
    settings_of(content)
    mean, deviation = (said.get(f"image_{name}") or (0.5,) * 3 for name in ("mean", "std"))
    return json.dumps(content), tuple(mean), tuple(deviation)


def _known(kind: str) -> None:
    if kind not in TOKENS | MAPS:
        raise ConfigurationError(unknown("kind of backbone", kind, TOKENS | MAPS))


def own_settings(kind: str) -> set[str]:
    """The settings that a kind of model declares itself; only kinds of a list are asked for."""
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
    kind = content.get("model_type")
    _known(kind if isinstance(kind, str) else repr(kind))
    return content["model_type"], settings_of(content)


def settings_of(content: Mapping[str, Any], largest: int = LARGEST) -> dict[str, Any]:
    """What a model of a known kind is built of. Raises `ConfigurationError` for anything else."""
    kind = content["model_type"]
    own = own_settings(kind)
    noted = OF_THE_LIBRARY | ({"num_hidden_layers"} - own)  # some derive it
    found = {key: value for key, value in content.items() if key not in noted}
    for key, value in found.items():
        if key not in own:
            raise ConfigurationError(
                f"A backbone of kind {kind} has no setting '{key}' here. It may need another "
                "version of transformers."
            )
        if not (_rope(value) if key in ROPE else plain(value, largest)):
            raise ConfigurationError(
                f"The setting '{key}' of the backbone {kind} is {value!r:.80}; settings are "
                f"numbers up to {largest}, lists of them and names of activations."
            )
    return found


def plain(value: Any, largest: int = LARGEST, depth: int = 0) -> bool:
    """Whether it is a number of a size that settings have, a known word, or a list of such."""
    if isinstance(value, list):
        few = depth < 2 and len(value) <= MOST_LEVELS
        return few and all(plain(v, largest, depth + 1) for v in value)
    if isinstance(value, str):
        return value.lower() in WORDS
    return value is None or (isinstance(value, bool | int | float) and abs(value) <= largest)


def _rope(value: Any) -> bool:
    """Whether it says how places in a text are told apart: numbers, and the name of the way."""
    if not isinstance(value, dict):
        return plain(value, LARGEST_OF_ROPE)
    return all(
        item in WAYS_OF_ROPE if key in ("rope_type", "type") else plain(item, LARGEST_OF_ROPE)
        for key, item in value.items()
    )


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
