import pytest

from midalign_demo import characters


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plain\ttext\r\n", "plain\ttext\r\n"),
        ("half \ud83d a pair", "half \N{REPLACEMENT CHARACTER} a pair"),
        ("\x00a\x07b\x1b[31mc\x7f\x85", " a b [31mc  "),
        ("\ufeffMark", "Mark"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian is written with it
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("\u202eback\u202c", "\u202eback\u202c"),
    ],
)
def test_what_is_no_text_is_taken_out(given, expected):
    assert characters.cleaned(given) == expected
    characters.cleaned(given).encode()


@pytest.mark.parametrize("blank", ["", " ", "\u200b\u200d", "\u202e\u2069", "\ufeff", "\u2028", "\x00", "\u00ad"])
def test_what_leaves_no_mark_is_blank(blank):
    assert characters.is_blank(blank)
    assert not characters.is_blank(f"{blank}x")


def test_half_a_pair_is_told_from_a_whole_one():
    assert characters.has_lone_surrogate("a\udc00")
    assert not characters.has_lone_surrogate("a\U0001f600")
