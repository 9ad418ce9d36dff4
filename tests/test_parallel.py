import json

import pytest

from midalign_demo import parallel
from midalign_demo.errors import InputError


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for stem, text in files.items():
        (folder / f"{stem.replace('_', '-')}.txt").write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def write_jsonl(path, records):
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return path


def message_of(*arguments, **options) -> str:
    with pytest.raises(InputError) as caught:
        parallel.read(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_gives_every_languages_lines(tmp_path):
    folder = write(tmp_path / "p", en="one\ntwo\n", de="eins\nzwei\n", sr_Latn="jedan\ndva\n")
    (folder / "DOCUMENT_IDS.txt").write_text("a\nb\nc\n")
    (folder / "notes.md").write_text("not a language")
    corpus = parallel.read(folder)
    assert corpus == {"de": ["eins", "zwei"], "en": ["one", "two"], "sr-Latn": ["jedan", "dva"]}


def test_languages_come_in_the_order_asked_for(tmp_path):
    folder = write(tmp_path / "p", en="one\n", de="eins\n", fr="un\n")
    assert list(parallel.read(folder, ["fr", "en"]).items()) == [("fr", ["un"]), ("en", ["one"])]


def test_a_file_may_lack_its_last_line_feed(tmp_path):
    folder = write(tmp_path / "p", en="one\ntwo", de="eins\nzwei\n")
    assert parallel.read(folder)["en"] == ["one", "two"]


def test_bom_and_windows_line_ends_are_not_part_of_sentences(tmp_path):
    folder = write(tmp_path / "p", en="\ufeffone\r\ntwo\r\n", de="eins\nzwei\n")
    assert parallel.read(folder)["en"] == ["one", "two"]


@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"])
def test_other_separators_inside_a_sentence_do_not_split_it(tmp_path, inside):
    sentence = f"one{inside}more"
    folder = write(tmp_path / "p", en=f"{sentence}\ntwo\n", de="eins\nzwei\n")
    assert parallel.read(folder)["en"] == [sentence, "two"]


@pytest.mark.parametrize("inside", ["\u2028", "\x85"])
def test_other_separators_do_not_split_records_of_tables(tmp_path, inside):
    jsonl = write_jsonl(tmp_path / "p.jsonl", [{"en": f"one{inside}more", "de": "eins"}, {"en": "two", "de": "zwei"}])
    assert parallel.read(jsonl)["en"] == [f"one{inside}more", "two"]
    (tmp_path / "p.tsv").write_text(f"en\tde\none{inside}more\teins\ntwo\tzwei\n", encoding="utf-8")
    assert parallel.read(tmp_path / "p.tsv")["en"] == [f"one{inside}more", "two"]


def test_jsonl_with_the_reference_codes_names(tmp_path):
    records = [{"prefix": "", "text": "x", "text_parallel_0": f"s{n}", "text_parallel_1": f"t{n}"} for n in range(3)]
    assert parallel.read(write_jsonl(tmp_path / "p.jsonl", records)) == {
        "text_parallel_0": ["s0", "s1", "s2"],
        "text_parallel_1": ["t0", "t1", "t2"],
    }


def test_jsonl_with_language_tags_and_other_keys(tmp_path):
    path = write_jsonl(tmp_path / "p.jsonl", [{"number": 1, "en": "one", "zh-Hant": "一"}])
    with path.open("a") as handle:
        handle.write("\n")
    assert parallel.read(path) == {"en": ["one"], "zh-Hant": ["一"]}


def test_tsv_keeps_quotes_as_they_are(tmp_path):
    path = tmp_path / "p.tsv"
    path.write_bytes('\ufeffen\tde\r\n"one" more\teins "mehr\r\ntwo\tzwei\r\n'.encode())
    assert parallel.read(path) == {"en": ['"one" more', "two"], "de": ['eins "mehr', "zwei"]}


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(1, None, "abcde"), (2, 4, "bcd"), (4, None, "de"), (5, 5, "e"), (3, 900, "cde")],
)
def test_line_ranges_count_from_one_and_include_both_ends(tmp_path, first, last, expected):
    folder = write(tmp_path / "p", en="a\nb\nc\nd\ne\n", de="a\nb\nc\nd\ne\n")
    assert parallel.read(folder, first=first, last=last) == {"de": list(expected), "en": list(expected)}


@pytest.mark.parametrize(("first", "last"), [(0, 2), (3, 2), (6, None), (6, 9)])
def test_a_range_without_lines_is_refused(tmp_path, first, last):
    folder = write(tmp_path / "p", en="a\nb\nc\nd\ne\n", de="a\nb\nc\nd\ne\n")
    assert "is not a range within the 5 lines" in message_of(folder, first=first, last=last)


def test_files_of_different_length_are_refused_with_their_counts(tmp_path):
    message = message_of(write(tmp_path / "p", en="one\ntwo\n", de="eins\n"))
    assert "not aligned" in message
    assert "{'de': 1, 'en': 2}" in message


def test_an_empty_line_is_named_by_language_and_number(tmp_path):
    folder = write(tmp_path / "p", en="one\ntwo\nthree\nfour\n", de="eins\nzwei\n \nvier\n")
    assert "line 3 of 'de'" in message_of(folder)
    assert "line 3 of 'de'" in message_of(folder, first=2, last=3)
    assert parallel.read(folder, first=4)["de"] == ["vier"]


@pytest.mark.parametrize(("asked", "missing"), [(["en", "sw", "fr"], "sw, fr"), (["sw"], "sw")])
def test_a_missing_language_is_refused_with_those_there_are(tmp_path, asked, missing):
    folder = write(tmp_path / "p", en="one\n", de="eins\n")
    assert message_of(folder, asked) == f"languages: {missing} not in {folder}, which has de, en"
    table = write_jsonl(tmp_path / "p.jsonl", [{"en": "one", "de": "eins"}])
    assert message_of(table, asked) == f"languages: {missing} not in {table}, which has de, en"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("p.jsonl", '{"en": "a", "de": "b"}\n{"en": "a"\n', "line 2 is not JSON"),
        ("p.jsonl", '{"en": "a", "de": "b"}\n[1]\n', "line 2 is not a JSON object"),
        ("p.jsonl", '{"en": "a", "de": "b"}\n{"en": "a"}\n', "line 2 of .* has no text in 'de'"),
        ("p.jsonl", '{"en": "a", "de": 4}\n', "line 1 of .* has no text in 'de'"),
        ("p.jsonl", '{"en": "a", "text": "b"}\n', "needs two columns"),
        ("p.jsonl", "", "has no sentences"),
        ("p.jsonl", '{"en": "a", "de": "b"}\n\n\n{"en": "a"}\n', "line 4 of .* has no text in 'de'"),
        ("p.tsv", "en\tde\none\n", "line 2 of .* has no text in 'de'"),
        ("p.tsv", "", "has no sentences"),
        ("p.tsv", "en\tde\n", "has no sentences"),
        ("p.tsv", "en\tde\n\none\teins\tuno\n", "line 3 of .* has 3 columns, the first line has 2"),
        ("p.tsv", "en\tde\ten\na\tb\tc\n", "has the column 'en' twice"),
        ("p.tsv", "en\tEN\na\tb\n", "has 'en' twice, one of them as 'EN'"),
        ("p.tsv", "en\tde\n\na\tb\n \u200b\tc\n", "line 4 of 'en' in .* is empty"),
        ("p.csv", "en,de\n", "is not a folder"),
    ],
)
def test_bad_tables_are_refused_with_the_place(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=expected):
        parallel.read(tmp_path / name)


def test_a_path_that_is_not_there_is_named(tmp_path):
    assert str(tmp_path / "none") in message_of(tmp_path / "none")
    assert "No such file" in message_of(tmp_path / "none.jsonl")


def test_a_folder_without_language_files_is_refused(tmp_path):
    assert "holds no <language>.txt file" in message_of(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-with-mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["p.tsv", "p.jsonl", "p"])
def test_encodings_and_line_ends_make_no_difference(tmp_path, name, encoding, end):
    def write_as(path, text):
        text = text.replace("\n", end)
        mark = encoding.endswith("-with-mark")
        path.write_bytes(("\ufeff" + text).encode("utf-16-be") if mark else text.encode(encoding))

    if name == "p":
        (tmp_path / "p").mkdir()
        write_as(tmp_path / "p" / "en.txt", "Bye\nTea\n")
        write_as(tmp_path / "p" / "de.txt", "Tschüs\n茶 \U0001f600\n")
    elif name == "p.tsv":
        write_as(tmp_path / name, "en\tde\nBye\tTschüs\nTea\t茶 \U0001f600\n")
    else:
        rows = [{"en": "Bye", "de": "Tschüs"}, {"en": "Tea", "de": "茶 \U0001f600"}]
        write_as(tmp_path / name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    assert parallel.read(tmp_path / name) == {"en": ["Bye", "Tea"], "de": ["Tschüs", "茶 \U0001f600"]}


def test_long_cells_and_empty_cells_at_the_end_are_read(tmp_path):
    (tmp_path / "p.tsv").write_text("en\tde\n" + "x" * 200_000 + "\ty\t\t\n")
    assert [len(lines[0]) for lines in parallel.read(tmp_path / "p.tsv").values()] == [200_000, 1]


def test_a_folder_with_a_language_twice_or_without_a_line_is_refused(tmp_path):
    folder = write(tmp_path / "p", en="one\n", de="eins\n", DE="zwei\n")
    assert "has 'de' twice" in message_of(folder)
    assert "has no sentences" in message_of(write(tmp_path / "q", en="", de=""))


def test_a_file_over_the_size_that_is_read_is_refused_with_both(tmp_path):
    (tmp_path / "p.tsv").write_text("en\tde\n" + "a\tb\n" * 500)
    with pytest.raises(InputError, match="the file has 2,006 bytes, at most 2,000 are allowed"):
        parallel.read(tmp_path / "p.tsv", most_bytes=2000)


def test_text_that_is_not_utf8_is_refused_with_the_byte(tmp_path):
    folder = write(tmp_path / "p", en=b"ab\xff\n", de="eins\n")
    assert "not UTF-8 (byte 2, line 1)" in message_of(folder)
