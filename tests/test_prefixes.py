import pytest
import torch

from midalign_demo import bases, prefixes
from midalign_demo.engine import Engine
from midalign_demo.generation import Row
from midalign_demo.prefixes import Prefixes
from tests import tiny

SHARED = "Slots: datetime, location. Command: "
TEXTS = ["Hi", "What time is it in the harbour now?", "समय क्या है"]
TASK = {"slot-filling": 1.0}


@pytest.fixture
def forwards(engine, monkeypatch):
    """(rows, tokens) of every call of the decoder from here on."""
    seen = []
    decoder = engine.base.model.get_decoder()
    hook = decoder.register_forward_pre_hook(
        lambda module, given, options: seen.append(tuple(options["input_ids"].shape)), with_kwargs=True
    )
    yield seen
    hook.remove()


def ids_of(engine: Engine, *prompts: str) -> list[list[int]]:
    return [engine.base.encode_prompt(prompt) for prompt in prompts]


def logits(engine: Engine, prompts: list[list[int]], weights: list[dict], cache=None) -> torch.Tensor:
    """Of the last token of each row, (rows, words)."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(row)) + row for row in prompts])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in prompts])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    begun = 0 if cache is None else cache.get_seq_length()
    with engine.adapters.rows(weights), torch.inference_mode():
        return engine.base.model(
            input_ids=ids[:, begun:], attention_mask=mask, position_ids=positions[:, begun:], past_key_values=cache
        ).logits[:, -1]


def test_with_the_beginnings_all_comes_out_as_without(engine):
    prompts = ids_of(engine, *(SHARED + text for text in TEXTS), "Another " + SHARED, "Another " + SHARED + "one")
    weights = [TASK, TASK, TASK, {}, {}]
    cache = Prefixes(engine.base, engine.adapters).cache(prompts, weights)
    assert cache.get_seq_length() >= len(SHARED) - 2
    torch.testing.assert_close(
        logits(engine, prompts, weights, cache), logits(engine, prompts, weights), rtol=1e-4, atol=1e-4
    )


def test_a_beginning_is_computed_once_it_is_seen_to_be_shared(engine, forwards):
    rows = [Row(SHARED + text, TASK) for text in TEXTS]
    whole, short = (len(ids) for ids in ids_of(engine, SHARED + TEXTS[0], SHARED))
    engine.generate(rows[:1], max_new_tokens=1)
    assert forwards == [(1, whole)]
    forwards.clear()
    engine.generate(rows[1:2], max_new_tokens=1)
    assert [count for _, count in forwards] == [short, len(ids_of(engine, SHARED + TEXTS[1])[0]) - short]
    forwards.clear()
    engine.generate(rows, max_new_tokens=1)
    assert forwards == [(3, max(map(len, ids_of(engine, *(row.prompt for row in rows)))) - short)]


def test_other_adapters_have_beginnings_of_their_own(engine, forwards):
    for weights in (TASK, {"align": 1.0}, {"align": 0.5}, {}):
        forwards.clear()
        engine.generate([Row(SHARED + text, weights) for text in TEXTS], max_new_tokens=1)
        assert len(forwards) == 2, weights
        forwards.clear()
        engine.generate([Row(SHARED + text, weights) for text in TEXTS], max_new_tokens=1)
        assert len(forwards) == 1, weights


def test_an_adapter_that_is_loaded_anew_makes_them_out_of_date(engine, adapter_folders):
    prompts = ids_of(engine, *(SHARED + text for text in TEXTS))
    weights = [TASK] * len(prompts)
    kept = Prefixes(engine.base, engine.adapters)
    kept.cache(prompts, weights)
    engine.adapters.load("slot-filling", str(adapter_folders["align"]))
    cache = kept.cache(prompts, weights)
    torch.testing.assert_close(
        logits(engine, prompts, weights, cache), logits(engine, prompts, weights), rtol=1e-4, atol=1e-4
    )


def test_a_row_that_shares_nothing_costs_the_others_theirs_and_no_more(engine):
    kept = Prefixes(engine.base, engine.adapters)
    prompts = ids_of(
        engine, SHARED + "one", SHARED + "two", "Nothing of that kind, but a prompt of much greater length"
    )
    assert kept.cache(prompts, [TASK, TASK, {}]) is None
    assert kept.cache(prompts[:2], [TASK] * 2).get_seq_length() == len(ids_of(engine, SHARED)[0])


def test_equal_prompts_leave_a_token_to_compute(engine):
    prompts = ids_of(engine, SHARED, SHARED)
    cache = Prefixes(engine.base, engine.adapters).cache(prompts, [TASK] * 2)
    assert cache.get_seq_length() == len(prompts[0]) - 1


def test_what_is_kept_is_bounded(engine, monkeypatch):
    monkeypatch.setattr(prefixes, "MOST_TOKENS", 100)
    kept = Prefixes(engine.base, engine.adapters)
    for number in range(9):
        kept.cache(ids_of(engine, f"{number}" * 40 + "a", f"{number}" * 40 + "b"), [TASK] * 2)
    assert sum(len(one.tokens) for one in kept._kept.values()) <= 100
    assert len(kept._kept) == 2


def test_weights_without_number_are_not_remembered_without_end(engine, monkeypatch):
    monkeypatch.setattr(prefixes, "MOST_LAST", 3)
    kept = Prefixes(engine.base, engine.adapters)
    for number in range(1, 9):
        kept.cache(ids_of(engine, SHARED + "a"), [{"slot-filling": 1 / number}])
    assert len(kept._last) == 3


def test_questions_of_two_tasks_in_one_batch_each_have_what_theirs_begins_with(engine, forwards):
    other = "Translate this from German to English: "
    rows = [Row(start + text, TASK) for start in (SHARED, other) for text in TEXTS[:2]]
    kept = engine._generation._prefixes
    engine.generate(rows, max_new_tokens=1)
    beginnings = {len(one.tokens) for one in kept._kept.values()}
    assert beginnings == {len(ids) for ids in ids_of(engine, SHARED, other)}
    forwards.clear()
    engine.generate(rows, max_new_tokens=1)
    assert forwards == [(4, max(map(len, ids_of(engine, *TEXTS))) - 1)]


@pytest.mark.parametrize("family", ["gemma3_text", "gemma2", "mistral", "qwen2", "qwen3"])
def test_other_families_answer_alike(family, tmp_path):
    """Windows end within the prompts, and within the answers."""
    changes = {"sliding_window": 30} if family in ("gemma3_text", "gemma2", "mistral") else {}
    folder = tiny.save_base(tmp_path / family, family, **changes)
    texts = [SHARED + text for text in TEXTS]

    def answers(*batches: list[str]) -> list[str]:
        engine = Engine(bases.load(str(folder), dtype="float32", device="cpu"))
        found = [engine.generate([Row(text) for text in batch], max_new_tokens=24) for batch in batches]
        return [answer.text for batch in found for answer in batch]

    alone = [answers([text])[0] for text in texts]
    assert answers(texts) == alone
    assert answers(*([text] for text in texts)) == alone
