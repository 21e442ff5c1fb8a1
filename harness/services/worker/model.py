"""A decoder-only transformer with a key-value cache: token ids -> logits of the next token.

RMSNorm (arXiv:1910.07467), rotary positions (arXiv:2104.09864) and a SwiGLU feed-forward
(arXiv:2002.05202): the shape of the open models of today, small enough to read. The batch owns
one :class:`Cache` with a row ("slot") for each sequence that decodes at the same time.

What a row computes never depends on the other rows: a prompt is read alone, and a decode step
always has the same shapes, idle slots included, so the same arithmetic runs in the same order
whoever else is there. :mod:`.batch` drives it; :mod:`.checkpoint` saves and loads it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from .tokens import VOCAB

__all__ = ["Cache", "Config", "Transformer"]


@dataclass(frozen=True, slots=True)
class Config:
    """The sizes of a model; saved in the checkpoint's metadata."""

    layers: int = 2
    width: int = 64
    heads: int = 4
    hidden: int = 176
    """Width of the feed-forward's inside."""
    context: int = 512
    """Positions of one sequence: prompt and answer together."""
    vocab: int = VOCAB

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or not 1 <= value <= _LARGEST:
                raise ValueError(f"{field.name} is {value!r}, not an integer in 1..{_LARGEST}")
        if self.context < 2:
            raise ValueError("context is 1, which has no room for a prompt and its answer")
        if self.width % (2 * self.heads):
            # Rotary positions turn pairs of numbers within a head.
            raise ValueError(f"width {self.width} is no multiple of 2 x heads {self.heads}")

    def as_dict(self) -> dict[str, int]:
        """Return ``{"layers": 2, "width": 64, ...}``."""
        return asdict(self)


_LARGEST = 1 << 20


class Cache:
    """Keys and values of what each slot has read: two tensors [layer, slot, head, position, dim].

    It is allocated once, at its full size: a job that was admitted cannot run out of it.
    """

    def __init__(self, config: Config, slots: int, device: torch.device, dtype: torch.dtype):
        shape = (
            config.layers,
            slots,
            config.heads,
            config.context,
            config.width // config.heads,
        )
        self.keys = torch.zeros(shape, device=device, dtype=dtype)
        self.values = torch.zeros(shape, device=device, dtype=dtype)
        self.rows = torch.arange(slots, device=device)

    def reset(self, slot: int) -> None:
        """Forget what a slot has read.

        Needed even though unread positions are masked: an infinity or NaN that an earlier job
        left there would come through the mask, because 0 x NaN is NaN.
        """
        self.keys[:, slot].zero_()
        self.values[:, slot].zero_()


class Transformer(nn.Module):
    """The model. Its parameters' names are the names of the checkpoint's tensors."""

    cos: Tensor
    sin: Tensor
    places: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        # Not filled, as all weights are about to be: nn.Embedding would fill it, and on `meta`
        # torch imports its whole compiler for that, which takes as long as torch itself.
        rows = torch.empty(config.vocab, config.width)
        self.embedding = nn.Embedding.from_pretrained(rows, freeze=False)  # type: ignore[no-untyped-call]  # torch's
        # A ModuleList forgets the type of what it holds.
        self._path = [_Block(config, layer) for layer in range(config.layers)]
        self.blocks = nn.ModuleList(self._path)
        self.norm = _RMSNorm(config.width)
        self.head = nn.Linear(config.width, config.vocab)

    def make_tables(self) -> None:
        """Compute what is no weight and so is in no checkpoint; once, before the first use."""
        cos, sin = _rotations(self.config)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.register_buffer("places", torch.arange(self.config.context), persistent=False)

    @torch.inference_mode()
    def prefill(self, tokens: list[int], cache: Cache, slot: int) -> Tensor:
        """Read a whole prompt into a slot; return the logits [vocab] of the token after it."""
        length = len(tokens)
        ids = torch.tensor([tokens], device=cache.rows.device)
        x = self.embedding(ids)
        turn = self.cos[:length], self.sin[:length]
        for block in self._path:
            x = block.read(x, turn, cache, slot)
        # Float32, whatever the weights are: sampling and the finiteness check read these.
        logits: Tensor = self.head(self.norm(x[0, -1])).float()
        return logits

    @torch.inference_mode()
    def step(self, tokens: list[int], positions: list[int], cache: Cache) -> Tensor:
        """Read one token for each slot, at its position; return logits [slot, vocab].

        Idle slots take part with any token at position 0; their rows mean nothing.
        """
        device = cache.rows.device
        at = torch.tensor(positions, device=device)
        x = self.embedding(torch.tensor(tokens, device=device)[:, None])
        turn = self.cos[at][:, None, None], self.sin[at][:, None, None]
        seen = (self.places <= at[:, None])[:, None, None]
        for block in self._path:
            x = block.step(x, turn, seen, at, cache)
        logits: Tensor = self.head(self.norm(x[:, 0])).float()
        return logits


class _Block(nn.Module):
    """Attention, then a feed-forward, each added to what came in."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.heads = config.heads
        self.attention_norm = _RMSNorm(config.width)
        self.attention_in = nn.Linear(config.width, 3 * config.width, bias=False)
        self.attention_out = nn.Linear(config.width, config.width, bias=False)
        self.forward_norm = _RMSNorm(config.width)
        self.forward_in = nn.Linear(config.width, 2 * config.hidden, bias=False)
        self.forward_out = nn.Linear(config.hidden, config.width, bias=False)

    def read(self, x: Tensor, turn: tuple[Tensor, Tensor], cache: Cache, slot: int) -> Tensor:
        """Put a prompt [1, length, width] through; fill the slot's cache from position 0."""
        query, key, value = self._project(x, turn)
        length = x.shape[1]
        cache.keys[self.layer, slot, :, :length] = key[0]
        cache.values[self.layer, slot, :, :length] = value[0]
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self._finish(x, mixed)

    def step(
        self, x: Tensor, turn: tuple[Tensor, Tensor], seen: Tensor, at: Tensor, cache: Cache
    ) -> Tensor:
        """Put one token for each slot [slot, 1, width] through, over the whole cache."""
        query, key, value = self._project(x, turn)
        keys, values = cache.keys[self.layer], cache.values[self.layer]
        keys[cache.rows, :, at] = key[:, :, 0]
        values[cache.rows, :, at] = value[:, :, 0]
        mixed = functional.scaled_dot_product_attention(query, keys, values, attn_mask=seen)
        return self._finish(x, mixed)

    def _project(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return query, key and value, each [row, head, length, dim], positions turned in."""
        rows, length, width = x.shape
        parts = self.attention_in(self.attention_norm(x))
        parts = parts.view(rows, length, 3, self.heads, width // self.heads)
        parts = parts.permute(2, 0, 3, 1, 4)
        query, key = _turned(parts[:2], turn)
        return query, key, parts[2]

    def _finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + self.attention_out(mixed.transpose(1, 2).reshape(x.shape))
        gate, up = self.forward_in(self.forward_norm(x)).chunk(2, dim=-1)
        result: Tensor = x + self.forward_out(functional.silu(gate) * up)
        return result


class _RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        # Cheaper than torch's own on a CPU, which puts it together from more parts.
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


def _rotations(config: Config) -> tuple[Tensor, Tensor]:
    """Return cosines and sines [position, dim] of the rotary angles, each half the same angles."""
    dim = config.width // config.heads
    speed = 10_000.0 ** (-torch.arange(0, dim, 2) / dim)
    angles = (torch.arange(config.context)[:, None] * speed).repeat(1, 2)
    return angles.cos(), angles.sin()


def _turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate each pair (first half, second half) of a head by its position's angle."""
    cos, sin = turn
    one, two = x.chunk(2, dim=-1)
    return (x * cos + torch.cat((-two, one), dim=-1) * sin).to(x.dtype)
