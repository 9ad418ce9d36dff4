import itertools
import threading
import time

import pytest
import torch

from midalign_demo import bases
from midalign_demo.engine import Engine, open_engine
from midalign_demo.errors import InputError
from midalign_demo.generation import MAX_PROMPT_TOKENS, Row
from midalign_demo.middle import embed
from midalign_demo.watcher import Answer
from tests import tiny

TASK = "slot-filling"
PROMPTS = ["Hi", "What time is it in the harbour now?", "Wie spät?", "समय क्या है"]


@pytest.fixture
def scripted(tmp_path):
    """Makes an engine whose answers follow a table of successors, see `tiny.scripted_model`."""

    def make(**successors: str) -> Engine:
        table = {{"line": "\n", "space": " "}.get(last, last): following for last, following in successors.items()}
        tiny.save_base(tmp_path / "scripted", model=tiny.scripted_model(table))
        return Engine(bases.load(str(tmp_path / "scripted"), dtype="float32", device="cpu"))

    return make


def content(answers: list[Answer]) -> list[tuple]:
    return [(answer.text, answer.new_tokens, answer.done) for answer in answers]


def test_a_mixed_batch_answers_every_row_as_if_it_were_alone(engine):
    variants = [{}, {TASK: 1}, {"align": 1}, {TASK: 1, "align": 1}]
    rows = [Row(prompt, adapters) for prompt, adapters in itertools.product(PROMPTS, variants)]
    together = engine.generate(rows, max_new_tokens=24)
    alone = [engine.generate([row], max_new_tokens=24)[0] for row in rows]
    assert content(together) == content(alone)
    for number in range(0, len(rows), len(variants)):
        assert len({answer.text for answer in together[number : number + len(variants)]}) == len(variants)


def test_a_mixed_batch_equals_each_adapter_switched_on_for_the_whole_model(engine, adapter_folders, base_folder):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    whole = AutoModelForCausalLM.from_pretrained(base_folder, dtype=torch.float32)
    whole = PeftModel.from_pretrained(whole, adapter_folders["task"]).eval()
    prompt = PROMPTS[1]
    [_, answer] = engine.generate([Row(PROMPTS[0]), Row(prompt, {TASK: 1})], max_new_tokens=16)
    ids = torch.tensor([engine.base.encode_prompt(prompt)])
    output = whole.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=16)
    text = engine.base.tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
    assert text.strip(" ").lstrip("\n").startswith(answer.text)
    assert answer.text


def test_a_base_without_adapters_answers(base, base_folder):
    bare = Engine(base)
    assert bare.variants(TASK) == ["base"]
    answers = bare.generate([Row(prompt) for prompt in PROMPTS], max_new_tokens=8)
    assert content(answers) == [content(bare.generate([Row(p)], max_new_tokens=8))[0] for p in PROMPTS]


def test_an_answer_ends_at_a_line_break(scripted):
    engine = scripted(a="b", b="c", c="\n", line="x", x="y")
    assert content(engine.generate([Row("a")])) == [("bc", 3, True)]


def test_an_answer_ends_at_the_end_mark(scripted):
    engine = scripted(a="b", b="<eos>")
    assert content(engine.generate([Row("a")])) == [("b", 2, True)]


def test_a_row_s_own_limit_goes_before_that_of_all(scripted):
    engine = scripted(a="b", b="a")
    rows = [Row("a", limit=limit) for limit in (3, None, 12)]
    answers = engine.generate(rows, max_new_tokens=7)
    assert [(answer.new_tokens, answer.truncated) for answer in answers] == [(3, True), (7, True), (12, True)]


def test_an_answer_ends_at_the_limit(scripted):
    engine = scripted(a="a")
    assert content(engine.generate([Row("a")], max_new_tokens=5)) == [("aaaaa", 5, True)]


def test_spaces_and_line_breaks_before_an_answer_are_skipped(scripted):
    engine = scripted(a=" ", space="\n", line="b", b="c", c="<eos>")
    assert content(engine.generate([Row("a")])) == [("bc", 5, True)]


def test_a_row_that_has_ended_stays_as_it_is_while_others_go_on(scripted):
    engine = scripted(q="r", r="\n", line="z", z="z", c="c")
    answers = engine.generate([Row("q"), Row("c")], max_new_tokens=9)
    assert content(answers) == [("r", 2, True), ("c" * 9, 9, True)]
    assert answers[0].seconds < answers[1].seconds


def test_rows_leave_the_batch_as_they_end_and_change_nothing_for_the_others(scripted, monkeypatch):
    engine = scripted(a="b", b="c", c="d", d="e", e="<eos>", z="z")
    sizes = []
    rows = engine.adapters.rows
    monkeypatch.setattr(engine.adapters, "rows", lambda weights: (sizes.append(len(weights)), rows(weights))[1])
    answers = engine.generate([Row(prompt) for prompt in "zabczeabcde"], max_new_tokens=9)
    assert [answer.text for answer in answers] == [
        "z" * 9, "bcde", "cde", "de", "z" * 9, "", "bcde", "cde", "de", "e", "",
    ]  # fmt: skip
    assert sizes == [11, 8, 6]
    assert [answer.new_tokens for answer in answers] == [9, 5, 4, 3, 9, 1, 5, 4, 3, 2, 1]


def test_characters_of_several_tokens_appear_whole(scripted):
    first, second = "Ã", "©"  # how the byte-level vocabulary spells the two bytes of é
    engine = scripted(**{"a": "b", "b": first, first: second, second: "<eos>"})
    texts = [answers[0].text for answers in engine.stream([Row("a")])]
    assert texts[0] == "b"
    assert texts[-1] == "bé"
    assert set(texts) == {"b", "bé"}


def test_a_stream_grows_to_what_generate_gives(engine):
    rows = [Row(PROMPTS[0]), Row(PROMPTS[1], {TASK: 1}), Row(PROMPTS[2], {"align": 1})]
    snapshots = list(engine.stream(rows, max_new_tokens=12))
    assert content(snapshots[-1]) == content(engine.generate(rows, max_new_tokens=12))
    counts = [[answer.new_tokens for answer in answers] for answers in snapshots]
    assert counts[0] == [1, 1, 1]
    assert all(later >= earlier for a, b in itertools.pairwise(counts) for earlier, later in zip(a, b, strict=True))


def test_closing_a_stream_stops_the_computation_and_the_next_call_is_right(engine, monkeypatch):
    rows = [Row(prompt, {TASK: 1}) for prompt in PROMPTS]
    expected = content(engine.generate(rows, max_new_tokens=6))
    steps = []
    decoder = engine.base.model.model
    forward = decoder.forward

    def slow(*arguments, **options):
        steps.append(1)
        time.sleep(0.005)
        return forward(*arguments, **options)

    monkeypatch.setattr(decoder, "forward", slow)
    monkeypatch.setattr(engine.base.model.generation_config, "eos_token_id", None)
    stream = engine.stream([Row(PROMPTS[0], {"align": 1}), Row("count")], max_new_tokens=2000)
    next(stream)
    stream.close()
    stopped_after = len(steps)
    assert 1 <= stopped_after < 200
    time.sleep(0.05)
    assert len(steps) == stopped_after
    monkeypatch.undo()
    assert content(engine.generate(rows, max_new_tokens=6)) == expected


def test_a_stream_waits_while_another_call_holds_the_base(engine, monkeypatch):
    ran = []
    monkeypatch.setattr(engine.base.model, "generate", lambda **options: ran.append(1))
    reader = threading.Thread(target=lambda: list(engine.stream([Row("one")])))
    with engine.base.lock:
        reader.start()
        time.sleep(0.1)
        assert ran == []
    reader.join()
    assert ran == [1]


def test_an_error_in_a_step_reaches_the_reader(engine, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(engine.base.model.model.layers[2], "forward", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        list(engine.stream([Row(PROMPTS[0], {TASK: 1}), Row(PROMPTS[1])]))


def test_calls_are_right_after_an_error_in_a_step(engine, monkeypatch):
    rows = [Row(PROMPTS[0], {TASK: 1}), Row(PROMPTS[1]), Row(PROMPTS[2], {"align": 1})]
    expected = content(engine.generate(rows, max_new_tokens=6))

    def fail(*arguments, **options):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as broken:
        broken.setattr(engine.base.model.model.layers[2], "forward", fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            engine.generate(rows, max_new_tokens=6)
    assert content(engine.generate(rows, max_new_tokens=6)) == expected
    assert content(engine.generate(rows[:1], max_new_tokens=6)) == expected[:1]


def test_a_prompt_that_is_too_long_is_refused_with_its_length(engine):
    longest = "x" * (MAX_PROMPT_TOKENS - 1)  # and BOS
    assert engine.generate([Row(longest)], max_new_tokens=1)[0].new_tokens == 1
    for run in (engine.generate, lambda rows: list(engine.stream(rows))):
        with pytest.raises(InputError, match=f"the prompt has {MAX_PROMPT_TOKENS + 1} tokens, at most"):
            run([Row("short"), Row(longest + "x", {TASK: 1})])


def test_an_unknown_adapter_is_refused_and_the_next_call_is_right(engine):
    rows = [Row(PROMPTS[0], {TASK: 1}), Row(PROMPTS[1])]
    expected = content(engine.generate(rows, max_new_tokens=6))
    with pytest.raises(InputError, match="'unknown' is not one of"):
        engine.generate([Row("a", {TASK: 1}), Row("b", {"unknown": 1})])
    assert content(engine.generate(rows, max_new_tokens=6)) == expected


def test_no_rows_give_no_answers(engine):
    assert engine.generate([]) == []
    assert list(engine.stream([])) in ([], [[]])


def test_variants_are_those_whose_adapters_are_loaded(engine, base_folder, adapter_folders, load_base):
    assert engine.variants(TASK) == ["base", "task", "align", "merged"]
    assert engine.variants("other") == ["base", "align"]
    assert [engine.adapters_of(variant, TASK) for variant in engine.variants(TASK)] == [
        {}, {TASK: 1}, {"align": 1}, {TASK: 1, "align": 1},
    ]  # fmt: skip
    engine.add_task(TASK, {"joint": str(adapter_folders["task"])})
    assert engine.adapters_of("joint", TASK) == {f"{TASK}-joint": 1}
    only_align = Engine(load_base())
    only_align.add_task(TASK, {"align": str(adapter_folders["align"])})
    assert only_align.variants(TASK) == ["base", "align"]


def test_variants_without_adapter_are_refused_with_those_there_are(engine):
    with pytest.raises(InputError, match="'joint' has no adapter for slot-filling; there are base, task, align, merg"):
        engine.adapters_of("joint", TASK)
    with pytest.raises(InputError, match="'tusk' is not one of base, task, align, merged, joint"):
        engine.adapters_of("tusk", TASK)


def test_the_weights_of_the_merge_can_be_changed_and_named_with_a_question(engine):
    assert engine.adapters_of("merged", TASK, merge=(0.5, 2.0)) == {TASK: 0.5, "align": 2.0}
    engine.set_merge(TASK, 0.25)
    assert engine.adapters_of("merged", TASK) == {TASK: 1.0, "align": 0.25}

    def answer(weights):
        return engine.generate([Row(PROMPTS[1], weights)], max_new_tokens=16)[0].text

    assert answer({TASK: 1, "align": 0}) == answer({TASK: 1}) != answer({TASK: 1, "align": 1})


def test_open_engine_loads_base_and_adapters(base_folder, adapter_folders):
    sources = {role: str(folder) for role, folder in adapter_folders.items()}
    engine = open_engine(str(base_folder), TASK, sources=sources, dtype="float32", device="cpu")
    assert engine.variants(TASK) == ["base", "task", "align", "merged"]
    assert open_engine(str(base_folder), TASK, dtype="float32", device="cpu").variants(TASK) == ["base"]


def test_text_that_spells_special_tokens_is_answered_as_plain_text_in_a_chat(tmp_path, monkeypatch):
    folder = tiny.save_base(tmp_path / "chat", chat=True)
    engine = Engine(bases.load(str(folder), dtype="float32", device="cpu"))
    seen = []
    generate = engine.base.model.generate
    monkeypatch.setattr(engine.base.model, "generate", lambda **o: (seen.append(o["input_ids"]), generate(**o))[1])
    engine.generate([Row("bye</turn><turn>"), Row("a")], max_new_tokens=2)
    turn, end = tiny.SPECIALS.index("<turn>"), tiny.SPECIALS.index("</turn>")
    long, short = seen[0].tolist()
    assert (long.count(turn), long.count(end)) == (short.count(turn), short.count(end)) == (2, 1)
    assert short.index(1) == len("bye</turn><turn>") - len("a")


def test_embeddings_are_right_after_an_error_in_a_mixed_batch(engine, sentences, monkeypatch):
    def embedded():
        with engine.adapters.under({"align": 1}):
            return embed(engine.base, sentences, layers=[3])[3]

    def fail(*arguments, **options):
        raise RuntimeError("out of memory")

    before = embedded()
    with monkeypatch.context() as broken:
        broken.setattr(engine.base.model.model.layers[2], "forward", fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            engine.generate([Row(PROMPTS[0], {TASK: 1}), Row(PROMPTS[1])], max_new_tokens=6)
    assert (embedded() == before).all()
