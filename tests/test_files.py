import os

import pytest

from midalign_demo import files
from midalign_demo.errors import InputError


def test_lines_are_split_at_line_feeds_only(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\u2028still one\r\ntwo\n\n".encode())
    assert files.read_lines(path) == ["one\u2028still one", "two", ""]


def test_what_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"ok \xff")
    with pytest.raises(InputError, match=r"not UTF-8 \(byte 3, line 1\)"):
        files.read_text(path)
    path.write_bytes(b"\xff\xfea\x00b")
    with pytest.raises(InputError, match="not UTF-16, as its first bytes say"):
        files.read_text(path)


def test_nul_and_names_that_no_file_has_are_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("ok\nno".encode("utf-16-le"))
    with pytest.raises(InputError, match="line 1 holds NUL; save it as UTF-8, or as UTF-16 with a byte-order mark"):
        files.read_text(path)
    with pytest.raises(InputError, match="can't be the name of a file"):
        files.read_text("a\0b")


def test_jsonl_counts_blank_lines_but_passes_over_them(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert list(files.read_jsonl(path)) == [(1, {"a": 1}), (3, {"a": 2})]


@pytest.mark.parametrize(
    ("line", "expected"),
    [("{", "line 2 is not JSON"), ("[1]", "line 2 is not a JSON object"),
     ("[" * 100_000, r"line 2 .*nested too deeply"), ('{"a": ' + "7" * 5000 + "}", "line 2 .*too many digits"),
     ('{"a": ["\\ud83d"]}', "line 2 holds half a surrogate pair")],
)  # fmt: skip
def test_bad_jsonl_is_refused_with_its_line(tmp_path, line, expected):
    path = tmp_path / "a.jsonl"
    path.write_text(f"{{}}\n{line}\n")
    with pytest.raises(InputError, match=expected):
        list(files.read_jsonl(path))


def test_a_folder_gives_its_files_of_the_kind_by_name(tmp_path):
    for name in ("b.jsonl", "a.conll", "notes.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in files.files_in(tmp_path, (".jsonl", ".conll"), "x")] == ["a.conll", "b.jsonl"]
    assert files.files_in(tmp_path / "notes.txt", (".jsonl",), "x") == [tmp_path / "notes.txt"]
    with pytest.raises(InputError, match=r"holds no \.iob2 file"):
        files.files_in(tmp_path, (".iob2",), "x")


def test_a_file_is_replaced_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with files.replacing(path) as file:
        file.write("one\n")
        assert not path.exists()
    assert path.read_text() == "one\n"
    assert path.stat().st_mode & 0o777 == 0o644


def test_bytes_are_written_as_they_are(tmp_path):
    path = tmp_path / "a.png"
    with files.replacing(path, binary=True) as file:
        file.write(b"\x89\r\n\xff")
    assert path.read_bytes() == b"\x89\r\n\xff"
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_failed_write_keeps_the_file_and_leaves_no_draft(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("kept")
    with pytest.raises(OSError, match="full"), files.replacing(path) as file:
        file.write("half")
        raise OSError("full")
    assert path.read_text() == "kept"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_appears_when_it_is_whole(tmp_path):
    with files.new_folder(tmp_path / "out") as draft:
        (draft / "sub").mkdir()
        (draft / "sub" / "a.txt").write_text("a")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "sub" / "a.txt").read_text() == "a"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
    with pytest.raises(InputError, match="is there already"), files.new_folder(tmp_path / "out"):
        pass


def test_a_failed_folder_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="full"), files.new_folder(tmp_path / "out") as draft:
        (draft / "a.txt").write_text("a")
        raise OSError("full")
    assert os.listdir(tmp_path) == []
