import io
import json
import tarfile

import pytest

from midalign_demo import parallel
from train import cldr, cli

NAMES = {
    "en": {"🏠": ("house", ["building", "house", "home"]), "🐇": ("rabbit", ["rabbit"]), "🪃": ("boomerang", [])},
    "cy": {"🏠": ("tŷ", ["adeilad", "cartref", "tŷ"]), "🐇": ("cwningen", ["anifail anwes"])},
    "am": {"🏠": ("የቤት ግንባታ", ["ቤት"]), "🐇": ("ጥንቸል", []), "🪃": ("ቡምራንግ", [])},
}


@pytest.fixture
def archive(tmp_path):
    """An archive in the form of the npm package's."""
    path = tmp_path / "cldr-annotations-full-1.tgz"
    with tarfile.open(path, "w:gz") as package:
        for tag, names in NAMES.items():
            entries = {emoji: {"default": words, "tts": [name]} for emoji, (name, words) in names.items()}
            entries["🫥"] = {"default": ["no name"]}
            content = json.dumps({"annotations": {"identity": {}, "annotations": entries}}).encode()
            member = tarfile.TarInfo(f"package/annotations/{tag}/annotations.json")
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    return path


def command(archive, output, tags: str, *options: str) -> int:
    return cli.main(["data", "cldr", "--archive", str(archive), "--output", str(output), "--languages", tags, *options])


def test_lines_are_concepts_named_in_all_languages_with_keywords_that_say_more(archive):
    assert cldr.read_annotations(archive, ["en", "cy"]) == {
        "en": ["house: building, home", "rabbit"],
        "cy": ["tŷ: adeilad, cartref", "cwningen: anifail anwes"],
    }
    assert cldr.read_annotations(archive, ["en", "am"])["am"] == ["የቤት ግንባታ", "ጥንቸል", "ቡምራንግ"]


def test_the_command_writes_parallel_text_with_english(archive, tmp_path, capsys):
    output = tmp_path / "new" / "cldr"
    assert command(archive, output, "cy,am", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"output": str(output), "counts": {"en": 2, "cy": 2, "am": 2}}
    corpus = parallel.read(output)
    assert set(corpus) == {"en", "cy", "am"}
    assert corpus["am"] == ["የቤት ግንባታ", "ጥንቸል"]
    assert [entry.name for entry in output.parent.iterdir()] == ["cldr"]


def test_an_existing_folder_is_left_alone(archive, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "en.txt").write_text("kept\n")
    assert command(archive, tmp_path / "mine", "cy") == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "mine" / "en.txt").read_text() == "kept\n"


@pytest.mark.parametrize(
    ("make", "tags", "expected"),
    [
        (None, "zu", "'zu' is not in"),
        (lambda path: path.write_text("text"), "cy", "can't be read as a .tgz"),
        (lambda path: path.unlink(), "cy", "can't be read as a .tgz"),
    ],
)
def test_what_cannot_be_read_is_one_line(archive, tmp_path, capsys, make, tags, expected):
    if make:
        make(archive)
    assert command(archive, tmp_path / "out", tags) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_word_that_is_no_language_is_refused(archive, tmp_path, capsys):
    with pytest.raises(SystemExit):
        command(archive, tmp_path / "out", "welsh!")
    assert "welsh!" in capsys.readouterr().err
