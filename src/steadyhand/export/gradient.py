"""A function that takes a gradient of a network, written out as a graph of plain operations.

What autograd would do is followed once, with tensors that hold no numbers. The weights are inputs
of the graph, so that they are stored where the network has them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, fx, nn
from torch._dynamo.source import ConstantSource
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext
from torch.nn.attention import SDPBackend, sdpa_kernel

from steadyhand.errors import ConfigurationError
from steadyhand.export.derivatives import table

aten = torch.ops.aten
IDLE = (aten.detach.default, aten.alias.default)
VIEWS = (aten.view.default, aten._unsafe_view.default)  # pyright: ignore[reportPrivateUsage]


def tensors(module: nn.Module) -> dict[str, Tensor]:
    """What `module` holds, by name, each once."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def written_out(
    module: nn.Module, first: int, example: Sequence[Tensor], batch: int | None
) -> fx.GraphModule:
    """`module(first, *inputs)`, a list, as `graph(*tensors(module).values(), *inputs)`.

    `example` are inputs. A first axis that is as long as `batch` may later have any length; with
    None they are all as long as in the example.

    Raises `ConfigurationError` for a gradient that is not made of plain operations.
    """
    held = {key: tensor.detach() for key, tensor in tensors(module).items()}

    def called(*given: Tensor) -> list[Tensor]:
        weights = dict(zip(held, given, strict=False))
        return functional_call(module, weights, (first, *given[len(held) :]))

    faked = _Faked(batch)
    weights = [faked(tensor, fixed=True) for tensor in held.values()]
    with _plain_attention():
        made = make_fx(called, decomposition_table=table())(*weights, *map(faked, example))
    left = {str(node.target) for node in made.graph.nodes if "backward" in str(node.target)}
    if left:
        raise ConfigurationError(f"its gradient has {', '.join(sorted(left))}")
    _tidy(made.graph)
    made.graph.eliminate_dead_code()
    made.recompile()
    return made


class _Faked:
    """Makes tensors without numbers, of which the first axes of one length are free."""

    def __init__(self, batch: int | None) -> None:
        # A constant that an operation makes for itself is none of these.
        self.mode = FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True)
        self.batch, self.count = batch, 0

    def __call__(self, tensor: Tensor, *, fixed: bool = False) -> Tensor:
        self.count += 1
        free = tensor.ndim > 0 and not fixed and tensor.shape[0] == self.batch
        sizes = [DimDynamic.STATIC] * tensor.ndim
        context = StatelessSymbolicContext([DimDynamic.DUCK] * free + sizes[free:])
        source = ConstantSource(f"input_{self.count}")
        return self.mode.from_tensor(tensor, source=source, symbolic_context=context)


def _tidy(graph: fx.Graph) -> None:
    """Take out what computes nothing, and sizes that follow from the others."""
    for node in graph.nodes:
        if node.target in IDLE:
            node.replace_all_uses_with(node.args[0])
        elif node.target == aten.t.default and node.args[0].target == aten.t.default:
            node.replace_all_uses_with(node.args[0].args[0])
        elif node.target in VIEWS:
            sizes = [size if isinstance(size, int) else -1 for size in node.meta["val"].shape]
            if sizes.count(-1) == 1:
                node.args = (node.args[0], sizes)


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention as it is written, in products; and no gradient but what is asked for."""
    with sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        yield
