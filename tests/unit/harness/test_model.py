"""The decoder: repeats exactly, alone or in company; its cache hides nothing and keeps nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness.services.worker.batch import (
    Batch,
    BudgetExceeded,
    ContextExceeded,
    NotFinite,
    Row,
    Sampler,
)
from harness.services.worker.checkpoint import load, save, tiny
from harness.services.worker.devices import repeat_exactly
from harness.services.worker.model import Cache, Config, Transformer, _turned
from harness.services.worker.tokens import VOCAB, encode

PROMPTS = ["hello", "tell me a story", "Привет, мир", "x" * 90, "a"]


@pytest.fixture(scope="module", autouse=True)
def _exact() -> None:
    repeat_exactly()


@pytest.fixture(scope="module")
def model() -> Transformer:
    return tiny()


def generate(batch: Batch, prompt: str, count: int, *, sampler: Sampler | None = None) -> list[int]:
    """Decode one job alone."""
    tokens = encode(prompt)
    row = batch.open(batch.need(len(tokens), count), sampler or Sampler())
    batch.prefill(row, tokens)
    chosen = [row.choose()]
    while len(chosen) < count:
        batch.step([row])
        chosen.append(row.choose())
    batch.close(row)
    return chosen


def generate_together(
    batch: Batch, prompts: list[str], count: int, samplers: list[Sampler]
) -> list[list[int]]:
    """Decode jobs that join one step after the other, so each has changing company."""
    chosen: list[list[int]] = []
    rows: list[Row] = []
    while not rows or any(len(tokens) < count for tokens in chosen):
        if len(rows) < len(prompts):
            tokens = encode(prompts[len(rows)])
            row = batch.open(batch.need(len(tokens), count), samplers[len(rows)])
            batch.prefill(row, tokens)
            rows.append(row)
            chosen.append([row.choose()])
        busy = [row for row, tokens in zip(rows, chosen, strict=True) if len(tokens) < count]
        batch.step(busy)
        for row, tokens in zip(rows, chosen, strict=True):
            if row in busy:
                tokens.append(row.choose())
    for row in rows:
        batch.close(row)
    return chosen


def test_greedy_decoding_repeats_exactly(model: Transformer) -> None:
    batch = Batch(model, slots=2)
    first = generate(batch, "hello", 60)
    assert generate(batch, "hello", 60) == first
    assert generate(Batch(model, slots=2), "hello", 60) == first
    assert len(set(first)) > 2, "a constant answer would prove nothing"


def test_tokens_do_not_depend_on_the_batch_mates_or_the_slot(model: Transformer) -> None:
    batch = Batch(model, slots=len(PROMPTS))
    alone = [generate(batch, prompt, 40) for prompt in PROMPTS]
    greedy = [Sampler() for _ in PROMPTS]
    assert generate_together(batch, PROMPTS, 40, greedy) == alone
    backwards = generate_together(batch, PROMPTS[::-1], 40, greedy)
    assert backwards[::-1] == alone


def test_logits_do_not_depend_on_the_batch_mates_to_the_last_bit(model: Transformer) -> None:
    def logits(company: int) -> torch.Tensor:
        batch = Batch(model, slots=4)
        rows = []
        for prompt in ["hello", "quite another text", "!", "some more"][: company + 1]:
            row = batch.open(100, Sampler())
            batch.prefill(row, encode(prompt))
            rows.append(row)
        for row in rows:
            row.choose()
        batch.step(rows)
        assert rows[0].logits is not None
        return rows[0].logits

    assert torch.equal(logits(0), logits(3))


def test_rows_that_rest_between_steps_get_the_same_tokens(model: Transformer) -> None:
    """One row goes on alone while the other rests; then they change roles."""
    prompts = ["The weather", "A story of two rows"]
    batch = Batch(model, slots=2)
    expected = [generate(batch, prompt, 6) for prompt in prompts]
    rows = [batch.open(32, Sampler()) for _ in prompts]
    for row, prompt in zip(rows, prompts, strict=True):
        batch.prefill(row, encode(prompt))
    found = [[row.choose()] for row in rows]
    for active in (0, 0, 1, 0, 1, 1, 1, 0, 0, 1):
        batch.step([rows[active]], resting=[rows[1 - active]])
        found[active].append(rows[active].choose())
    assert found == expected


def test_sampling_repeats_with_its_seed_and_only_with_it(model: Transformer) -> None:
    batch = Batch(model, slots=1)
    first = generate(batch, "hello", 40, sampler=Sampler(1.0, seed=7))
    assert generate(batch, "hello", 40, sampler=Sampler(1.0, seed=7)) == first
    assert generate(batch, "hello", 40, sampler=Sampler(1.0, seed=8)) != first
    assert generate(batch, "hello", 40) != first


def test_sampling_does_not_depend_on_the_batch_mates(model: Transformer) -> None:
    batch = Batch(model, slots=3)
    prompts = PROMPTS[:3]
    alone = [generate(batch, p, 30, sampler=Sampler(0.8, seed=n)) for n, p in enumerate(prompts)]
    samplers = [Sampler(0.8, seed=n) for n in range(3)]
    assert generate_together(batch, prompts, 30, samplers) == alone


def test_a_low_temperature_comes_close_to_greedy(model: Transformer) -> None:
    batch = Batch(model, slots=1)
    cold = generate(batch, "hello", 30, sampler=Sampler(0.001, seed=1))
    assert cold == generate(batch, "hello", 30)


def test_steps_over_the_cache_agree_with_reading_everything_at_once(model: Transformer) -> None:
    """The cache is an optimisation: with and without it the model thinks the same."""
    tokens = encode("the cache hides nothing")
    stepwise = Cache(model.config, 2, torch.device("cpu"), torch.float32)
    at_once = Cache(model.config, 1, torch.device("cpu"), torch.float32)
    model.prefill(tokens[:5], stepwise, 1)
    for position in range(5, len(tokens)):
        logits = model.step([0, tokens[position]], [0, position], stepwise)[1]
        whole = model.prefill(tokens[: position + 1], at_once, 0)
        torch.testing.assert_close(logits, whole, rtol=1e-4, atol=1e-4)


def test_the_order_of_a_prompt_matters(model: Transformer) -> None:
    cache = Cache(model.config, 1, torch.device("cpu"), torch.float32)
    one = model.prefill(encode("abc?"), cache, 0)
    other = model.prefill(encode("cba?"), cache, 0)
    assert not torch.allclose(one, other)


def test_positions_are_rotations_that_know_only_distances(model: Transformer) -> None:
    """The property that rotary positions are built for (arXiv:2104.09864, equation 11)."""
    source = torch.Generator().manual_seed(2)
    query, key = torch.randn(2, model.config.width // model.config.heads, generator=source)

    def turned(x: torch.Tensor, at: int) -> torch.Tensor:
        return _turned(x, (model.cos[at], model.sin[at]))

    torch.testing.assert_close(turned(query, 300).norm(), query.norm())
    near = turned(query, 7) @ turned(key, 3)
    far = turned(query, 407) @ turned(key, 403)
    torch.testing.assert_close(near, far, rtol=1e-4, atol=1e-4)
    assert not torch.isclose(near, turned(query, 7) @ turned(key, 4), rtol=1e-2)


def test_a_prompt_does_not_see_what_comes_after_it(model: Transformer) -> None:
    cache = Cache(model.config, 1, torch.device("cpu"), torch.float32)
    model.prefill(encode("same"), cache, 0)
    short = cache.keys[:, 0, :, :5].clone()
    model.prefill(encode("same beginning"), cache, 0)
    torch.testing.assert_close(cache.keys[:, 0, :, :5], short, rtol=1e-5, atol=1e-5)


def test_a_slot_forgets_the_job_before(model: Transformer) -> None:
    """Even a NaN that a broken job left in the cache does not reach the next one."""
    batch = Batch(model, slots=1)
    before = generate(batch, "hello", 10)
    batch._cache.keys.fill_(float("nan"))
    batch._cache.values.fill_(float("nan"))
    assert generate(batch, "hello", 10) == before


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_no_numbers_are_refused(bad: float, temperature: float) -> None:
    logits = torch.zeros(VOCAB)
    logits[3] = bad
    with pytest.raises(NotFinite):
        Sampler(temperature, seed=1).choose(logits)


def test_a_hopeless_token_is_no_failure() -> None:
    logits = torch.zeros(VOCAB)
    logits[3], logits[4] = float("-inf"), 1.0
    assert Sampler().choose(logits) == 4


def test_a_prompt_that_fills_the_context_is_refused(model: Transformer) -> None:
    batch = Batch(model, slots=1)
    assert batch.need(511, 50) == 512, "the answer ends where the context does"
    with pytest.raises(ContextExceeded, match="512 tokens, the model's context 512"):
        batch.need(512, 1)


def test_a_job_larger_than_the_budget_is_refused_and_a_smaller_one_waits(
    model: Transformer,
) -> None:
    batch = Batch(model, slots=4, budget=100)
    with pytest.raises(BudgetExceeded, match="101 cache positions needed, the budget is 100"):
        batch.need(50, 51)
    row = batch.open(60, Sampler())
    assert not batch.has_room(41)
    assert batch.has_room(40)
    batch.close(row)
    assert batch.has_room(100)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_decodes_and_repeats(dtype: torch.dtype, tmp_path: Path) -> None:
    save(tiny().to(dtype), tmp_path / "half.safetensors")
    batch = Batch(load(tmp_path / "half.safetensors", torch.device("cpu")), slots=2)
    batch.warm_up()
    first = generate(batch, "hello", 20)
    assert generate(batch, "hello", 20) == first


def test_no_more_rows_than_slots(model: Transformer) -> None:
    batch = Batch(model, slots=2)
    first = batch.open(1, Sampler())
    second = batch.open(1, Sampler())
    assert first.slot != second.slot
    assert not batch.has_slot
    batch.close(first)
    assert batch.open(1, Sampler()).slot == first.slot


@pytest.mark.parametrize(
    ("sizes", "complaint"),
    [
        ({"layers": 0}, "layers is 0"),
        ({"width": "64"}, "width is '64'"),
        ({"heads": True}, "heads is True"),
        ({"width": 60, "heads": 8}, "no multiple"),
        ({"context": 1}, "no room"),
        ({"hidden": 1 << 30}, "hidden is 1073741824"),
    ],
)
def test_sizes_that_make_no_model_are_refused(sizes: dict[str, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Config(**sizes)
