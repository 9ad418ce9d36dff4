"""With small data sets in the hub's own columns in the place of the hub."""

import pytest

from midalign_demo import hub_data
from midalign_demo.errors import InputError
from midalign_demo.examples import read_examples, read_parallel
from midalign_demo.tasks.json_generation import Entity
from midalign_demo.tasks.slot_filling import Slot

datasets = pytest.importorskip("datasets")

MASSIVE = [
    {"id": "1", "locale": "de-DE", "partition": "test", "scenario": 16, "intent": 48,
     "utt": "weck mich diese woche um fünf uhr morgens auf", "worker_id": "8",
     "annot_utt": "weck mich [date : diese woche] um [time : fünf uhr morgens] auf",
     "slot_method": {"slot": ["time", "date"], "method": ["translation", "translation"]},
     "judgments": {"worker_id": [], "intent_score": [], "slots_score": [], "grammar_score": [], "spelling_score": [],
                   "language_identification": []}},
    {"id": "2", "locale": "de-DE", "partition": "test", "scenario": 9, "intent": 1, "utt": "ruhe", "worker_id": "8",
     "annot_utt": "ruhe", "slot_method": {"slot": [], "method": []}, "judgments": {"worker_id": []}},
]  # fmt: skip
TAGS = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
UNER = {
    "idx": ["dev-0"], "text": ["Kofi Annan's office is in Rome."], "annotator": ["x"],
    "tokens": [["Kofi", "Annan", "'s", "office", "is", "in", "Rome", "."]],
    "ner_tags": [[1, 2, 0, 0, 0, 0, 5, 0]],
}  # fmt: skip
WMT = {
    "de-en": [{"de-en": {"de": "Guten Tag.", "en": "Hello."}}, {"de-en": {"de": "Ja.", "en": "Yes."}}],
    "en-cs": [{"en-cs": {"en": "Yes.", "cs": "Ano."}}],
}
FLORES = {
    code: [
        {"id": number, "iso_639_3": code[:3], "iso_15924": code[4:], "glottocode": "x", "text": f"{code} {number}",
         "url": "x", "domain": "wikinews", "topic": "x", "has_image": "no", "has_hyperlink": "no",
         "last_updated": "1.0"}
        for number in (2, 0, 1)
    ]
    for code in ("eng_Latn", "deu_Latn", "swh_Latn", "cmn_Hans", "arb_Arab")
}  # fmt: skip


@pytest.fixture(autouse=True)
def hub(monkeypatch):
    """The data sets by name; every call is kept."""
    calls = []

    def load_dataset(name, config, *, split, **options):
        calls.append((name, config, split, options.get("revision")))
        if name == "AmazonScience/massive" and config == "de-DE":
            return datasets.Dataset.from_list(MASSIVE)
        if name == "universalner/universal_ner" and config == "en_ewt":
            features = datasets.Features(
                {"idx": datasets.Value("string"), "text": datasets.Value("string"),
                 "tokens": datasets.Sequence(datasets.Value("string")),
                 "ner_tags": datasets.Sequence(datasets.ClassLabel(names=TAGS)),
                 "annotator": datasets.Sequence(datasets.Value("string"))}
            )  # fmt: skip
            return datasets.Dataset.from_dict({**UNER, "annotator": [["x"]]}, features=features)
        if name == "haoranxu/WMT23-Test":
            return datasets.Dataset.from_list(WMT[config])
        if name == "openlanguagedata/flores_plus":
            return datasets.Dataset.from_list(FLORES[config])
        raise ConnectionError("Couldn't reach the hub\n(offline)")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return calls


def test_massive_commands_carry_their_slots(hub):
    first, second = hub_data.commands("hub:massive/de-DE")
    assert hub == [("AmazonScience/massive", "de-DE", "test", "refs/convert/parquet")]
    assert (first.language, first.text) == ("de", "weck mich diese woche um fünf uhr morgens auf")
    assert first.slots == (Slot("date", "diese woche"), Slot("time", "fünf uhr morgens"))
    assert second.slots == ()


def test_universal_ner_gives_entities_as_the_text_spells_them(hub):
    [document] = hub_data.documents("hub:uner/en_ewt#dev")
    assert hub[0][2] == "dev"
    assert document.language == "en"
    assert document.entities == (Entity("PER", "Kofi Annan"), Entity("LOC", "Rome"))


def test_wmt23_has_a_column_named_by_its_direction(hub):
    assert hub_data.parallel_text("hub:wmt23/de-en") == {"de": ["Guten Tag.", "Ja."], "en": ["Hello.", "Yes."]}
    assert hub_data.parallel_text("hub:wmt23/cs-en") == {"cs": ["Ano."], "en": ["Yes."]}
    assert hub[-1][1] == "en-cs"


def test_flores_languages_are_aligned_by_the_sentences_numbers(hub):
    corpus = read_parallel("hub:flores/en,de,sw,zh,ar", ["sw", "zh"], last=2)
    assert corpus == {"sw": ["swh_Latn 0", "swh_Latn 1"], "zh": ["cmn_Hans 0", "cmn_Hans 1"]}
    assert {call[2] for call in hub} == {"devtest"}


def test_they_are_evaluated_as_files_are():
    [first, _] = read_examples("slot-filling", "hub:massive/de-DE")
    assert first.question.inventory == ("date", "time")
    [document] = read_examples("json", "hub:uner/en_ewt")
    assert document.gold[0].text == "Kofi Annan"
    [one, _] = read_examples("translation", "hub:wmt23/de-en", language="de", target="en")
    assert (one.question.text, one.gold) == ("Guten Tag.", "Hello.")


def test_the_trainer_takes_them_too():
    from train.recipe import TaskRecipe
    from train.sources import read_corpora, task_schedule

    recipe = TaskRecipe(data=["hub:massive/de-DE*4"], rows=2, split=False)
    schedule, summary = task_schedule(recipe, recipe.data, None, steps=3)
    assert summary["languages"] == ["de"]
    assert "Slots: " in schedule[0]["prompts"][0]
    assert read_corpora(["hub:flores/en,sw:1-2"], None, None)[0]["sw"] == ["swh_Latn 0", "swh_Latn 1"]


@pytest.mark.parametrize(
    ("read", "name", "expected"),
    [
        (hub_data.commands, "hub:massive", "'hub:massive' is not of the form hub:massive/CONFIG"),
        (hub_data.commands, "hub:uner/en_ewt", "is not of the form hub:massive/CONFIG"),
        (hub_data.commands, "hub:massive/xx-XX", "'xx'"),
        (hub_data.commands, "hub:massive/fr-FR", r"AmazonScience/massive \(fr-FR, test\) can't be had: Couldn't reach"),
        (hub_data.parallel_text, "hub:massive/de-DE", "hub:wmt23/CONFIG or hub:flores/CONFIG"),
    ],
)
def test_what_cannot_be_had_is_one_line(read, name, expected):
    with pytest.raises(InputError, match=expected) as error:
        read(name)
    assert "\n" not in str(error.value)
