import pytest

from midalign_demo import detection
from midalign_demo.detection import detect
from midalign_demo.sentences import own_sentences


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("Wie wird das Wetter am Freitag in Hamburg?", "de"),
        ("ปลุกฉันพรุ่งนี้เจ็ดโมงเช้า", "th"),
        ("ذكرني بشراء الحليب غدا", "ar"),
        ("ነገ ጠዋት በሰባት ሰዓት ቀስቅሰኝ", "am"),
        ("Niamshe kesho saa moja asubuhi", "sw"),
    ],
)
def test_the_language_of_a_sentence_is_found(tag, text):
    assert detect(text) == tag


def test_any_text_has_an_answer():
    assert detect("?!")


def test_lines_of_another_language_than_the_one_claimed_are_told():
    assert detection.other_language(own_sentences(["fr"])["fr"], "de") == "fr"
    assert detection.other_language(own_sentences(["ru"])["ru"], "uk") == "ru"
    for tag, lines in own_sentences().items():
        assert detection.other_language(lines, tag) is None, tag


def test_nothing_is_said_of_near_or_unknown_languages_or_of_too_little_text():
    assert detection.other_language(own_sentences(["id"])["id"], "ms") is None
    assert detection.other_language(own_sentences(["fr"])["fr"], "min") is None
    assert detection.other_language(["Bonjour, tout le monde."], "de") is None
    assert detection.other_language([], "de") is None
