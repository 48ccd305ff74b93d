"""The paper's Transformer against torch's own layers; the diffusion transformer; their masks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from steadyhand.errors import ConfigurationError
from steadyhand.nets.choices import PAPER_TRANSFORMER, DiTConfig, TransformerConfig
from steadyhand.nets.dit import DiffusionTransformer
from steadyhand.nets.transformer import Transformer
from steadyhand.spec import Chunking, PolicySpec


def specification(**chunking: int) -> PolicySpec:
    recorded = {"state": (20,), "action": (2,)}
    return PolicySpec.select(recorded, observations=["state"], chunking=Chunking(**chunking))


def stirred(network: nn.Module) -> nn.Module:
    """With weights that are not zero anywhere, so that nothing is the same by accident."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return network.requires_grad_(False).eval()


def given(rows: int = 16, tokens: int = 2, features: int = 20, actions: int = 2):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, rows, actions, generator=generator)
    condition = torch.randn(3, tokens, features, generator=generator)
    return x, torch.tensor([3.0, 40.0, 90.0]), condition


def test_the_papers_transformer_has_its_parameters() -> None:
    network = PAPER_TRANSFORMER.build(specification(), (2, 20))
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(9.0e6, rel=0.01)


@pytest.mark.parametrize("past_rows", [0, 1])
def test_it_agrees_with_the_layers_of_torch(past_rows) -> None:
    """Memory, masks and blocks: `nn.TransformerDecoder`, norm first, with the same weights."""
    rows, tokens, width, heads = 8, 2, 32, 4
    spec = specification(horizon=rows, execute=4, past_rows=past_rows)
    ours = TransformerConfig(width=width, layers=2, heads=heads).build(spec, (tokens, 20))
    assert isinstance(stirred(ours), Transformer)
    layer = nn.TransformerDecoderLayer(
        width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
    )
    theirs = nn.TransformerDecoder(layer, 2).eval()
    with torch.no_grad():
        for block, reference in zip(ours.blocks, theirs.layers, strict=True):
            pairs = ((block.itself, reference.self_attn), (block.across, reference.multihead_attn))
            for mine, whole in pairs:
                weight = torch.cat([mine.query.weight, mine.key_value.weight])
                whole.in_proj_weight.copy_(weight)
                whole.in_proj_bias.copy_(torch.cat([mine.query.bias, mine.key_value.bias]))
                whole.out_proj.load_state_dict(mine.leave.state_dict())
            for mine, norm in zip(block.norms, ("norm1", "norm2", "norm3"), strict=True):
                getattr(reference, norm).load_state_dict(mine.state_dict())
            reference.linear1.load_state_dict(block.inner[0].state_dict())
            reference.linear2.load_state_dict(block.inner[3].state_dict())
        x, t, condition = given(rows, tokens)
        memory = torch.cat([ours.time(t)[:, None], ours.condition(condition)], 1)
        memory = ours.encode(memory + ours.tokens.places.weight)
        hidden = torch.ones(rows, rows).triu(1).bool()
        # The paper's mask: row r sees the time and observation s where r >= s, both counted from
        # the oldest observation; with past_rows 0 every row is as late as the newest.
        late = np.arange(rows)[:, None] - past_rows < np.array([-99, -1, 0])[None, :]
        wanted = theirs(
            ours.enter(x) + ours.rows.places.weight,
            memory,
            tgt_mask=hidden,
            memory_mask=torch.from_numpy(late),
        )
        wanted = ours.leave(ours.norm(wanted))
        assert late.any() == bool(past_rows)
        torch.testing.assert_close(ours(x, t, condition), wanted, rtol=1e-4, atol=1e-5)


def test_an_action_sees_none_that_come_after_it() -> None:
    config = TransformerConfig(width=16, layers=2, heads=2)
    network = stirred(config.build(specification(), (2, 20)))
    x, t, condition = given()
    changed = x.clone()
    changed[:, 9] += 1
    before, after = network(x, t, condition), network(changed, t, condition)
    torch.testing.assert_close(before[:, :9], after[:, :9])
    assert float((before[:, 9:] - after[:, 9:]).abs().min()) > 0
    seeing = stirred(replace(config, causal=False).build(specification(), (2, 20)))
    difference = seeing(x, t, condition) - seeing(changed, t, condition)
    assert float(difference[:, 0].abs().max()) > 0


@pytest.mark.parametrize(
    "config", [TransformerConfig(width=16, heads=2), DiTConfig(width=16, heads=2)]
)
class TestBoth:
    def test_masked_tokens_do_not_matter(self, config) -> None:
        network = stirred(config.build(specification(), (5, 20)))
        x, t, condition = given(tokens=5)
        mask = torch.tensor([[1, 1, 1, 0, 0], [1, 0, 1, 0, 1], [1, 1, 1, 1, 1]]).bool()
        other = torch.where(mask[..., None], condition, torch.full_like(condition, 7.0))
        torch.testing.assert_close(network(x, t, condition, mask), network(x, t, other, mask))
        assert float((network(x, t, condition, mask) - network(x, t, condition)).abs().max()) > 0
        everything = torch.ones_like(mask)
        torch.testing.assert_close(network(x, t, condition, everything), network(x, t, condition))

    def test_with_all_tokens_masked_it_still_answers(self, config) -> None:
        network = stirred(config.build(specification(), (2, 20)))
        x, t, condition = given()
        assert bool(network(x, t, condition, torch.zeros(3, 2).bool()).isfinite().all())

    def test_shorter_chunks_are_taken_and_longer_ones_refused(self, config) -> None:
        network = stirred(config.build(specification(), (2, 20)))
        assert network(*given(rows=5)).shape == (3, 5, 2)
        with pytest.raises(ConfigurationError, match="built for 16 actions in a chunk, not 17"):
            network(*given(rows=17))
        with pytest.raises(ConfigurationError, match=r"condition tokens.*not"):
            network(*given(tokens=3))

    def test_heads_that_do_not_divide_the_width_are_refused(self, config) -> None:
        kind = type(config)
        with pytest.raises(ConfigurationError, match="width of 16 cannot be split over 3 heads"):
            kind(width=16, heads=3).build(specification(), (2, 20))
        with pytest.raises(ConfigurationError, match="layers is 0"):
            kind(layers=0)
        with pytest.raises(ConfigurationError, match="dropout is 1"):
            kind(dropout=1.0)


def test_the_diffusion_transformer_takes_tokens_of_another_model() -> None:
    """Hundreds of tokens, another number in each call, without positions of their own."""
    config = DiTConfig(width=16, layers=2, heads=2, positions=False)
    network = stirred(config.build(specification(), (1, 20)))
    x, t, many = given(tokens=300)
    assert network(x, t, many).shape == x.shape
    shuffled = many[:, torch.randperm(300, generator=torch.Generator().manual_seed(0))]
    torch.testing.assert_close(network(x, t, shuffled), network(x, t, many), atol=1e-4, rtol=1e-4)
    placed = stirred(DiTConfig(width=16, layers=2, heads=2).build(specification(), (2, 20)))
    x, t, two = given()
    assert float((placed(x, t, two) - placed(x, t, two.flip(1))).abs().max()) > 1e-3


def test_the_diffusion_transformer_begins_at_zero() -> None:
    network = DiTConfig(width=16, heads=2).build(specification(), (2, 20))
    assert isinstance(network, DiffusionTransformer)
    with torch.no_grad():
        assert float(network(*given()).abs().max()) == 0
        network.leave.weight.normal_()
        x, t, condition = given()
        # With gates at zero the blocks pass on what they are given: rows do not see one another.
        changed = x.clone()
        changed[:, 3] += 1
        difference = (network(x, t, condition) - network(changed, t, condition)).abs().amax((0, 2))
    assert float(difference[3]) > 0
    assert float(difference.sum() - difference[3]) == 0
