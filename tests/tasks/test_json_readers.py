import pytest

from midalign_demo.errors import InputError
from midalign_demo.tasks.json_generation import Entity
from midalign_demo.tasks.json_readers import holds_commands, read, read_folder_or_file
from midalign_demo.tasks.slot_readers import split_of

IOB2 = """# sent_id = 1
# text = Kofi Annan's office, in New York City.
1\tKofi\tB-PER\tx\ts
2\tAnnan\tI-PER\tx\ts
3\t's\tO\tx\ts
4\toffice\tO\tx\ts
5\t,\tO\tx\ts
6\tin\tO\tx\ts
7\tNew\tB-LOC\tx\ts
8\tYork\tI-LOC\tx\ts
9\tCity\tI-LOC\tx\ts
10\t.\tO\tx\ts

# sent_id = 2
# text = 北京大学在北京。
1\t北京\tB-ORG\tx\ts
2\t大学\tI-ORG\tx\ts
3\t在\tO\tx\ts
4\t北京\tB-LOC\tx\ts
5\t。\tO\tx\ts

# sent_id = 3
1\tEuro\tB-OTH\tx\ts
2\tUNO\tB-ORG\tx\ts
3\tNATO\tB-ORG\tx\ts
"""


@pytest.fixture
def write(tmp_path):
    def to(name: str, text: str):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return to


@pytest.mark.parametrize("text", [IOB2, IOB2.rstrip("\n"), IOB2.replace("\n", "\r\n"), "\ufeff" + IOB2 + "\n\n"])
def test_iob2_gives_entities_as_the_text_spells_them(write, text):
    first, second, third = read(write("sr-Latn_set.dev.iob2", text))
    assert first.language == "sr-Latn"
    assert first.text == "Kofi Annan's office, in New York City."
    assert first.entities == (Entity("PER", "Kofi Annan"), Entity("LOC", "New York City"))
    assert second.entities == (Entity("ORG", "北京大学"), Entity("LOC", "北京"))
    assert third.text == "Euro UNO NATO"  # no text of its own
    assert third.entities == (Entity("ORG", "UNO"), Entity("ORG", "NATO"))  # OTH is not asked for


def test_jsonl_names_its_language_or_takes_the_files(write):
    line = '{"text": "Ann", "json": {"Results": [{"TypeName": "PER", "Text": "Ann"}]}'
    path = write("da.jsonl", line + ', "lang": "DE"}\n\n' + line + "}\n")
    first, second = read(path)
    assert (first.language, second.language) == ("de", "da")
    assert first.entities == second.entities == (Entity("PER", "Ann"),)
    assert read(path, language="sv")[1].language == "sv"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("en_x.iob2", "1\tword\n", "line 1 has fewer than three"),
        ("en_x.iob2", "\n\n", "holds no text"),
        ("welsh!.iob2", IOB2, "'welsh!' is not a BCP 47 tag"),
        ("en.jsonl", "{", "line 1 is not JSON"),
        ("en.jsonl", '{"text": "a"}', "line 1 is not of the form"),
        ("en.jsonl", '{"text": "a", "json": []}', "line 1 is not of the form"),
        ("en.jsonl", '{"text": "a", "json": {}, "lang": "x!"}', "line 1: language: 'x!'"),
        ("en.txt", "a", "neither a .iob2 nor a .jsonl file"),
    ],
)
def test_what_does_not_fit_is_named(write, name, text, expected):
    with pytest.raises(InputError, match=expected):
        read(write(name, text))


def test_a_folder_is_read_whole(write, tmp_path):
    write("en_a.iob2", IOB2)
    write("de_b.iob2", IOB2)
    write("notes.txt", "no data")
    assert [document.language for document in read_folder_or_file(tmp_path)] == ["de"] * 3 + ["en"] * 3
    with pytest.raises(InputError, match="holds no .iob2, .jsonl or .conll file"):
        (tmp_path / "empty").mkdir()
        read_folder_or_file(tmp_path / "empty")


COMMANDS = """# id = 1/en
# text = wake me at seven in Rome
1\twake\talarm\tO
2\tme\talarm\tO
3\tat\talarm\tB-datetime
4\tseven\talarm\tI-datetime
5\tin\talarm\tO
6\tRome\talarm\tB-location
"""


def test_commands_are_texts_whose_types_are_their_slots(write, tmp_path):
    path = write("en.conll", COMMANDS)
    record = '{"id": "2/de", "lang": "de", "utt": "Spiel Abba", "slots": [{"slot": "artist", "values": ["Abba"]}]}'
    write("de.jsonl", record + "\n")
    (alone,) = read_folder_or_file(path)
    assert alone.entities == (Entity("datetime", "at seven"), Entity("location", "Rome"))
    assert alone.types == ("datetime", "location")
    german, english = read_folder_or_file(tmp_path)
    assert german.entities == (Entity("artist", "Abba"),)
    assert german.types == english.types == ("artist", "datetime", "location")


def test_only_commands_are_in_parts(write):
    path = write("en.conll", COMMANDS)
    part = split_of("1/en")
    assert len(read_folder_or_file(path, split=part)) == 1
    with pytest.raises(InputError, match="holds no command of the"):
        read_folder_or_file(path, split="dev" if part != "dev" else "test")
    with pytest.raises(InputError, match="has texts that are not in parts"):
        read_folder_or_file(write("en_a.iob2", IOB2), split="train")


def test_what_holds_commands_is_told_by_its_first_file(write, tmp_path):
    assert not holds_commands(tmp_path / "none")
    assert not holds_commands(write("x.jsonl", '{"text": "a", "json": {}}'))
    assert not holds_commands(write("en_a.iob2", IOB2))
    assert not holds_commands(tmp_path)  # en_a.iob2
    assert holds_commands(write("de.jsonl", '{"utt": "a"}'))
    assert holds_commands(tmp_path)
