import pytest

from midalign_demo import bases
from midalign_demo.comparison import compare, stream_compare
from midalign_demo.engine import Engine
from midalign_demo.errors import InputError
from midalign_demo.tasks.question import MAX_CHARACTERS, check_text
from midalign_demo.tasks.slot_filling import Question
from tests import tiny


def asked(text: str, language: str | None = None) -> Question:
    return Question(text, ("a", "time"), language)


@pytest.fixture
def engine(engine):
    engine.set_merge("slot-filling", 0.5)
    return engine


@pytest.fixture
def scripted(tmp_path):
    """An engine that answers every prompt, which ends with a colon, with `a: Xyz`."""
    model = tiny.scripted_model({":": "a", "a": "X", "X": "y", "y": "z", "z": "<eos>"})
    with_colon = tiny.save_base(tmp_path / "scripted", model=model)
    return Engine(bases.load(str(with_colon), dtype="float32", device="cpu"))


def test_every_variant_answers_in_one_document(engine):
    document = compare(engine, asked("  Weck mich um acht ", "de"), ["base", "task", "align", "merged"])
    outputs = document.pop("outputs")
    assert document == {"task": "slot-filling", "language": "de", "text": "Weck mich um acht"}
    assert [output["variant"] for output in outputs] == ["base", "task", "align", "merged"]
    assert [output["adapters"] for output in outputs] == [
        [], ["slot-filling"], ["align"], ["slot-filling", "align*0.5"],
    ]  # fmt: skip
    for output in outputs:
        assert set(output) == {
            "variant", "adapters", "prompt", "text", "parsed", "valid", "truncated", "new_tokens", "seconds",
        }  # fmt: skip
        question = "Slots: a, time\nCommand: Weck mich um acht\nValues:"
        tuned = output["variant"] in ("task", "merged")
        assert output["prompt"] == question if tuned else output["prompt"].endswith(f"\n\n{question}")
        assert 1 <= output["new_tokens"] <= asked("").answer_limit(len(engine.base.encode("Weck mich um acht")))
    assert len({output["text"] for output in outputs}) == 4


def test_answers_are_parsed_and_placed_in_the_text(engine, monkeypatch):
    from midalign_demo.watcher import Answer

    said = Answer("time: acht; a: Bad; time: nine", 9, 0.25, True)
    monkeypatch.setattr(engine, "generate", lambda rows, **options: [said, Answer("nonsense", 2, 0.1, True)])
    outputs = compare(engine, asked("Weck mich um Acht"), ["base", "task"])["outputs"]
    assert outputs[0]["parsed"] == [
        {"slot": "time", "value": "acht", "start": 13, "end": 17},
        {"slot": "a", "value": "Bad", "start": None, "end": None},
        {"slot": "time", "value": "nine", "start": None, "end": None},
    ]
    assert (outputs[0]["valid"], outputs[0]["new_tokens"], outputs[0]["seconds"]) == (True, 9, 0.25)
    assert (outputs[1]["parsed"], outputs[1]["valid"]) == ([], False)


def test_a_stream_ends_with_what_compare_gives(engine):
    question, variants = asked("stop"), ["base", "merged"]
    *earlier, last = stream_compare(engine, question, variants)
    assert len(earlier) > 3
    assert all(output.pop("done") for output in last["outputs"])
    expected = compare(engine, question, variants)
    for document in (last, expected):
        for output in document["outputs"]:
            del output["seconds"]
    assert last == expected
    assert not any(output["done"] for output in earlier[0]["outputs"])


def test_a_scripted_answer_goes_all_the_way(scripted):
    [output] = compare(scripted, asked("Zug nach Xyz"), ["base"])["outputs"]
    assert (output["text"], output["new_tokens"], output["valid"]) == ("aXyz", 5, False)


def test_closing_the_stream_closes_the_engines(engine, monkeypatch):
    closed = []

    def stream(rows, **options):
        try:
            yield engine.generate(rows, max_new_tokens=1)
        finally:
            closed.append(True)

    monkeypatch.setattr(engine, "stream", stream)
    documents = stream_compare(engine, asked("stop"), ["base"])
    next(documents)
    assert closed == []
    documents.close()
    assert closed == [True]


@pytest.mark.parametrize(
    ("text", "variants", "expected"),
    [
        ("", ["base"], "text: it is empty"),
        (" \n ", ["base"], "text: it is empty"),
        ("x" * (MAX_CHARACTERS + 1), ["base"], f"it has {MAX_CHARACTERS + 1} characters, at most {MAX_CHARACTERS}"),
        ("stop", [], "variants: none given; there are base, task, align, merged"),
        ("stop", ["base", "joint"], "'joint' has no adapter for slot-filling"),
        ("stop", ["both"], "'both' is not one of"),
    ],
)
def test_bad_input_is_refused_at_once(engine, text, variants, expected):
    with pytest.raises(InputError, match=expected):
        compare(engine, asked(text), variants)
    with pytest.raises(InputError, match=expected):
        next(stream_compare(engine, asked(text), variants))


def test_text_is_stripped_and_may_be_as_long_as_allowed():
    assert check_text("  hi \n") == "hi"
    assert check_text("x" * MAX_CHARACTERS) == "x" * MAX_CHARACTERS
