import pytest

from midalign_demo.detection import detect


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
