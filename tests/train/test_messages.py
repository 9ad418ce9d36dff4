import json
import struct

import pytest

from midalign_demo.errors import InputError
from train.cli import main
from train.messages import read_messages


def write_mo(path, messages: dict[str, str]) -> None:
    """A gettext catalogue in its binary form (GNU gettext manual, "The Format of GNU MO Files")."""
    messages = {"": "Content-Type: text/plain; charset=UTF-8\n", **messages}
    keys = sorted(messages)
    texts = [text.encode() + b"\0" for text in [*keys, *(messages[key] for key in keys)]]
    count, at = len(keys), 28 + 16 * len(keys)
    table = b""
    for text in texts:
        table += struct.pack("<II", len(text) - 1, at)
        at += len(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0) + table + b"".join(texts))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "resource"
    write_mo(
        root / "cy" / "LC_MESSAGES" / "a.mo",
        {
            "menu\x04_Go to the last slide": "Ewch i'r _sleid olaf",
            "Open": "Agor",
            "%1 of all the files": "%1 o'r holl ffeiliau",
            "It stays as it is": "It stays as it is",
            "Only Welsh has this one": "Dim ond Cymraeg",
        },
    )
    write_mo(root / "cy" / "LC_MESSAGES" / "b.mo", {"Create a new empty page": "Creu tudalen wag newydd"})
    write_mo(
        root / "am" / "LC_MESSAGES" / "a.mo",
        {"Go to the last slide": "ወደ መጨረሻው ተንሸራታች", "Create a new empty page": "አዲስ ባዶ ገጽ መፍጠሪያ"},
    )
    return tmp_path


def test_sentences_that_all_languages_have_are_aligned(folder):
    assert read_messages(folder, ["en", "am", "cy"]) == {
        "en": ["Create a new empty page", "Go to the last slide"],
        "am": ["አዲስ ባዶ ገጽ መፍጠሪያ", "ወደ መጨረሻው ተንሸራታች"],
        "cy": ["Creu tudalen wag newydd", "Ewch i'r sleid olaf"],
    }


def test_buttons_placeholders_and_what_is_not_translated_are_left_out(folder):
    assert read_messages(folder, ["cy"])["en"] == [
        "Only Welsh has this one", "Go to the last slide", "Create a new empty page",
    ]  # fmt: skip


def test_a_language_without_catalogues_is_named(folder):
    with pytest.raises(InputError, match=r"^languages: 'sw' has neither sw/LC_MESSAGES/\*.mo nor sw.json "):
        read_messages(folder, ["cy", "sw"])
    with pytest.raises(InputError, match="^languages: give at least one beside English"):
        read_messages(folder, ["en"])


def test_a_file_that_is_no_catalogue_is_named(folder):
    (folder / "resource" / "am" / "LC_MESSAGES" / "bad.mo").write_bytes(b"not a catalogue")
    with pytest.raises(InputError, match=r"bad.mo is not a gettext catalogue$"):
        read_messages(folder, ["am"])


def test_the_command_writes_a_folder_of_parallel_text(folder, tmp_path):
    output = tmp_path / "out"
    arguments = ["data", "messages", "--folder", str(folder), "--languages", "am,cy", "--output", str(output)]
    assert main(arguments) == 0
    assert (output / "cy.txt").read_text() == "Creu tudalen wag newydd\nEwch i'r sleid olaf\n"
    assert sorted(file.name for file in output.iterdir()) == ["am.txt", "cy.txt", "en.txt"]


def test_messages_of_mediawiki_are_aligned_by_key(tmp_path):
    folder = tmp_path / "mediawiki" / "i18n"
    folder.mkdir(parents=True)
    for tag, messages in {
        "en": {
            "@metadata": {"authors": []},
            "a": "You must be logged in.",
            "b": "See [[$1]] for all of it",
            "c": "Yes",
        },
        "sw": {
            "@metadata": {},
            "a": "Lazima uingie akaunti.",
            "b": "Tazama [[$1]] kwa yote",
            "c": "Ndiyo",
            "d": "Peke",
        },
    }.items():
        (folder / f"{tag}.json").write_text(json.dumps(messages))
    assert read_messages(tmp_path, ["sw"]) == {"en": ["You must be logged in."], "sw": ["Lazima uingie akaunti."]}
    (folder / "sw.json").write_text("[1]")
    with pytest.raises(InputError, match=r"sw.json is not an object of key and message$"):
        read_messages(tmp_path, ["sw"])
    (folder / "sw.json").write_text("{")
    with pytest.raises(InputError, match=r"sw.json is not JSON$"):
        read_messages(tmp_path, ["sw"])
