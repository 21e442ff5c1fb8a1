"""Sequences of several jobs -> one decode step for all of them.

A batch has a fixed number of slots and a budget of cache positions. A job's row holds one slot
and reserves all the positions it may need, so it never runs out half-way; when the budget cannot
hold it now it waits, when it never can it is refused. Driven by :mod:`.backend`'s thread alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from .model import Cache, Transformer
from .tokens import BOS

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Batch", "BudgetExceeded", "ContextExceeded", "NotFinite", "Row", "Sampler"]


class BudgetExceeded(Exception):
    """A job needs more cache positions than the whole budget has."""


class ContextExceeded(Exception):
    """A prompt has no room for an answer in the model's context."""


class NotFinite(Exception):
    """The model answered with infinities or NaN: its weights or its arithmetic are broken."""


class Sampler:
    """Logits -> the next token: the likeliest, or a seeded draw.

    The draw happens on the CPU, from a generator of the job's own: neither the device nor the
    other jobs of a batch have a part in it.

    :param temperature: 0 is greedy; 1 draws from the model's distribution.
    """

    def __init__(self, temperature: float = 0.0, seed: int = 0) -> None:
        self._temperature = temperature
        self._source = torch.Generator().manual_seed(seed) if temperature > 0 else None

    def choose(self, logits: Tensor) -> int:
        """Return the next token.

        :raises NotFinite: the largest logit is no finite number.
        """
        peak, likeliest = logits.max(-1)
        if not math.isfinite(peak.item()):
            # max() hands a NaN on, so one look at the peak is a look at all of them.
            raise NotFinite("the model's logits are not finite")
        if self._source is None:
            return int(likeliest)
        scaled = (logits.double().cpu() - float(peak)) / self._temperature
        return int(torch.multinomial(scaled.softmax(-1), 1, generator=self._source))


@dataclass(slots=True, eq=False)
class Row:
    """One job's place in the batch."""

    slot: int
    reserved: int
    """Cache positions that are set aside for it."""
    sampler: Sampler
    position: int = 0
    """Positions that are filled: where the next token is read."""
    token: int = BOS
    """The token that the next step reads."""
    logits: Tensor | None = field(default=None, repr=False)
    """What the model thinks of the next token, until it is chosen."""

    def choose(self) -> int:
        """Choose the next token, which the next step will read.

        :raises NotFinite: the model's answer is no numbers.
        """
        assert self.logits is not None, "a row has logits after prefill and after each step"
        self.token = self.sampler.choose(self.logits)
        self.logits = None
        return self.token


class Batch:
    """The rows that decode together.

    :param slots: rows at the same time.
    :param budget: cache positions for all rows together; all slots' full context by default.
    """

    def __init__(self, model: Transformer, *, slots: int, budget: int | None = None) -> None:
        weight = model.head.weight
        self.slots = slots
        self.context = model.config.context
        self.budget = slots * self.context if budget is None else budget
        self.reserved = 0
        self._model = model
        self._cache = Cache(model.config, slots, weight.device, weight.dtype)
        self._free = list(reversed(range(slots)))

    def warm_up(self) -> None:
        """Compute something once: torch prepares its kernels on first use, a job should not wait.

        It also proves that the device has the memory for a step, before anyone depends on it.
        """
        row = self.open(1, Sampler())
        self.prefill(row, [BOS])
        self.step([row])
        self.close(row)

    def check_context(self, tokens_in: int) -> None:
        """Refuse a prompt that leaves no room for an answer; any thread may ask.

        :raises ContextExceeded: the prompt fills the context by itself.
        """
        if tokens_in >= self.context:
            raise ContextExceeded(
                f"the prompt has {tokens_in} tokens, the model's context {self.context}"
            )

    def need(self, tokens_in: int, max_tokens: int) -> int:
        """Return the positions a job needs; an answer ends where the context does.

        :raises ContextExceeded: as :meth:`check_context`.
        :raises BudgetExceeded: the budget could not hold the job even alone.
        """
        self.check_context(tokens_in)
        needed = min(tokens_in + max_tokens, self.context)
        if needed > self.budget:
            raise BudgetExceeded(f"{needed} cache positions needed, the budget is {self.budget}")
        return needed

    @property
    def has_slot(self) -> bool:
        """Whether a slot is free."""
        return bool(self._free)

    def has_room(self, needed: int) -> bool:
        """Tell whether a row with this need can be opened."""
        return bool(self._free) and self.reserved + needed <= self.budget

    def open(self, needed: int, sampler: Sampler) -> Row:
        """Take a slot with an empty cache; :meth:`has_room` must have agreed."""
        row = Row(self._free.pop(), needed, sampler)
        self.reserved += needed
        self._cache.reset(row.slot)
        return row

    def close(self, row: Row) -> None:
        """Give the slot and its positions back."""
        self._free.append(row.slot)
        self.reserved -= row.reserved

    def prefill(self, row: Row, tokens: list[int]) -> None:
        """Read a prompt, alone; the row has logits afterwards."""
        row.logits = self._model.prefill(tokens, self._cache, row.slot)
        row.position = len(tokens)

    def step(self, rows: list[Row], *, resting: Iterable[Row] = ()) -> None:
        """Read each row's token in one pass of the model; each row has logits afterwards.

        :param resting: rows that stay where they are; what the pass computes for them is what
            their own next step computes again.
        """
        tokens = [BOS] * self.slots
        positions = [0] * self.slots
        for row in (*rows, *resting):
            tokens[row.slot] = row.token
            positions[row.slot] = row.position
        logits = self._model.step(tokens, positions, self._cache)
        for row in rows:
            row.logits = logits[row.slot]
            row.position += 1
