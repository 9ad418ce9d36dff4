import dataclasses
import json

import pytest

from midalign_demo import tables
from midalign_demo.errors import InputError
from tests import made_tables


@pytest.mark.parametrize("make", [made_tables.retrieval, made_tables.slots])
def test_a_table_is_read_as_it_was_written(tmp_path, make):
    path = tables.write(make(), tmp_path)
    assert path == tmp_path / f"{make().name}.json"
    assert tables.read(path) == make()
    assert tables.paths_in(tmp_path) == [path]


def test_a_folder_that_is_not_there_holds_no_tables(tmp_path):
    assert tables.paths_in(tmp_path / "nowhere") == []


def damage(document: dict, *keys) -> dict:
    part = document
    for key in keys[:-1]:
        part = part[key]
    del part[keys[-1]]
    return document


@pytest.mark.parametrize(
    ("make", "keys"),
    [
        (made_tables.slots, ("title",)),
        (made_tables.slots, ("languages", "sw")),
        (made_tables.slots, ("languages", "sw", "group")),
        (made_tables.slots, ("result", "variants", "merged", "languages", "ru")),
        (made_tables.slots, ("result", "variants", "task", "overall", "interval", "precision")),
        (made_tables.slots, ("result", "differences", 0, "p")),
        (made_tables.retrieval, ("result", "variants", "align", "layers", "2", "pairs", "de-sw")),
        (made_tables.retrieval, ("result", "variants", "align", "layers", "1")),
        (made_tables.retrieval, ("result", "n")),
        (made_tables.retrieval, ("result", "adapters", "base")),
        (made_tables.retrieval, ("data", "licence")),
        (made_tables.retrieval, ("adapters", 0, "sha256")),
        (made_tables.retrieval, ("adapters", 0, "role")),
        (made_tables.retrieval, ("result", "variants", "align", "layers", "2", "all")),
        (made_tables.slots, ("result", "variants", "task", "overall", "f1")),
    ],
)
def test_a_damaged_table_is_refused_when_it_is_read(tmp_path, make, keys):
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(damage(dataclasses.asdict(make()), *keys)))
    with pytest.raises(InputError, match="damaged.json is not a table"):
        tables.read(path)


def test_a_table_of_a_task_that_there_is_not_is_refused(tmp_path):
    table = made_tables.slots()
    path = tables.write(dataclasses.replace(table, result={**table.result, "task": "poetry"}), tmp_path)
    with pytest.raises(InputError, match="is not a table"):
        tables.read(path)


def test_what_is_no_json_is_refused(tmp_path):
    path = tmp_path / "cut.json"
    path.write_text('{"name": "cut')
    with pytest.raises(InputError, match="is not a table"):
        tables.read(path)


def test_rows_stand_in_their_groups_and_know_their_script():
    table = made_tables.retrieval()
    assert table.rows() == ["en", "de", "sr-Latn", "sw"]
    assert [table.group(row) for row in table.rows()] == ["aligned", "aligned", "transfer", "transfer"]
    assert made_tables.slots().script("ru") == "Cyrillic"


def test_names_tell_directions_and_dialects_apart():
    languages = {
        "de-en": {"language": "de", "group": "transfer"},
        "nb-x-dialect": {"language": "nb-x-dialect", "group": "transfer"},
    }
    table = dataclasses.replace(made_tables.slots(), languages=languages)
    assert table.row_name("de-en") == "German (de-en)"
    assert table.row_name("nb-x-dialect") == "Norwegian Bokmål, dialect"


def test_scores_come_by_row_with_all_examples_first():
    found = tables.scores(made_tables.slots(), "f1", ["ru"])
    assert [(score.row, score.variant, score.n, score.value) for score in found] == [
        (None, "task", 12, 0.5), (None, "merged", 12, 0.5), ("ru", "task", 4, 0.5), ("ru", "merged", 4, 0.625),
    ]  # fmt: skip
    assert (found[-1].low, found[-1].high) == (0.5, 0.75)
    with pytest.raises(InputError, match="'chrf' is not one of f1, precision"):
        tables.scores(made_tables.slots(), "chrf")


def test_pairs_of_tags_with_hyphens_are_found():
    found = tables.pairs(made_tables.retrieval(), "base", 1)
    assert found["sw", "sr-Latn"] == 0.5
    assert len(found) == 6


def test_pairs_with_english_have_wilsons_interval():
    found = tables.with_english(made_tables.retrieval(), 1, ["sr-Latn"])
    assert [(score.row, score.variant, score.value) for score in found] == [
        ("sr-Latn", "base", 0.5), ("sr-Latn", "align", 0.75),
    ]  # fmt: skip
    assert (found[0].low, found[0].high) == pytest.approx((0.1500, 0.8500), abs=1e-4)  # of 2 in 4


def test_means_by_layer_are_of_the_languages_kept_and_english():
    found = tables.by_layer(made_tables.retrieval(), ["de", "sw"])
    assert list(found) == ["base", "align"]
    # en-de .6, en-sw .4, de-sw .5
    assert found["base"][1] == pytest.approx({"all": 0.5, "en-x": 0.5})
    only_german = tables.by_layer(made_tables.retrieval(), ["de"])
    assert only_german["base"][1] == pytest.approx({"all": 0.6, "en-x": 0.6})
    assert tables.by_layer(made_tables.retrieval(), ["en"]) == {}


def test_means_over_rows_leave_out_the_score_of_all_examples():
    assert tables.mean_over(tables.scores(made_tables.slots(), "f1", ["en", "sw"])) == {"task": 0.5, "merged": 0.5625}
