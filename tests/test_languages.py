import pytest

from midalign_demo import languages
from midalign_demo.errors import InputError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("DE", "de"), ("zh_hans", "zh-Hans"), (" sw ", "sw"), ("SR-LATN", "sr-Latn"), ("pt-br", "pt-BR"),
        ("fil", "fil"), ("nb", "nb"), ("jv", "jv"),
    ],
)  # fmt: skip
def test_normalize_gives_the_usual_spelling(given, expected):
    assert languages.normalize(given) == expected


@pytest.mark.parametrize("bad", ["", "   ", "zzq", "english", "DOCUMENT_IDS", "de--at", "e", "zz", "text_parallel_0"])
def test_normalize_refuses_what_is_no_language_and_names_it(bad):
    with pytest.raises(InputError) as caught:
        languages.normalize(bad)
    assert repr(bad) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [None, 5, ["en"], {"a": 1}, "x" * 100_000, "en-" * 50])
def test_what_is_no_tag_at_all_is_refused_in_few_words(bad):
    with pytest.raises(InputError, match="is not a BCP 47 tag") as caught:
        languages.normalize(bad)
    assert len(str(caught.value)) < 200


def test_names_are_english_and_say_the_script_where_the_tag_does():
    assert languages.name("de") == "German"
    assert languages.name("sr-Latn") == "Serbian (Latin)"


def test_autonyms_are_in_the_language_itself():
    assert languages.autonym("de") == "Deutsch"
    assert languages.autonym("hi") == "हिन्दी"
    assert languages.autonym("ar") == "العربية"


def test_both_names_are_one_where_they_are_the_same():
    assert languages.both_names("de") == "Deutsch · German"
    assert languages.both_names("en") == "English"


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("ru", "Cyrl"), ("sr", "Cyrl"), ("sr-Latn", "Latn"), ("ja", "Jpan"), ("hi", "Deva"), ("am", "Ethi"),
        ("zh-Hant", "Hant"),
    ],
)  # fmt: skip
def test_script_is_the_usual_one_or_that_of_the_tag(tag, expected):
    assert languages.script(tag) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("ru", "Cyrillic"),
        ("am", "Ethiopic"),
        ("ja", "Japanese"),
        ("zh", "Simplified Han"),
        ("zh-TW", "Traditional Han"),
    ],
)
def test_scripts_have_english_names(tag, expected):
    assert languages.script_name(tag) == expected


@pytest.mark.parametrize("tag", ["ar", "he", "fa", "ur", "az-Arab", "ckb", "yi"])
def test_languages_written_from_right_to_left(tag):
    assert languages.is_rtl(tag)


@pytest.mark.parametrize("tag", ["en", "hi", "th", "ja", "az", "ku-Latn", "tr", "am"])
def test_languages_written_from_left_to_right(tag):
    assert not languages.is_rtl(tag)
