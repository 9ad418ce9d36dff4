import pytest

from midalign_demo.tasks.spans import find, words


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wake me at 7:30, please!", ["Wake", "me", "at", "7", ":", "30", ",", "please", "!"]),
        ("it's snake_case", ["it", "'", "s", "snake_case"]),
        ("मुझे सात बजे जगाओ।", ["मुझे", "सात", "बजे", "जगाओ", "।"]),  # vowel signs stay with their letter
        ("明日7時に", ["明", "日", "7", "時", "に"]),
        ("เปิดไฟ", list("เปิดไฟ")),
        ("أيقظني الساعة ٧", ["أيقظني", "الساعة", "٧"]),
        ("turn 灯 on", ["turn", "灯", "on"]),
        ("한국어 노래", ["한국어", "노래"]),
        ("  \n ", []),
        ("", []),
    ],
)
def test_words(text, expected):
    assert split(text) == expected


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("seven am", "Wake me at seven am", "seven am"),
        ("SEVEN  Am", "Wake me at seven am", "seven am"),
        ("7:30", "Wake me at 7:30 pm", "7:30"),
        ("7 : 30", "Wake me at 7:30 pm", "7:30"),
        ("सात बजे", "मुझे सुबह सात बजे जगाओ", "सात बजे"),
        ("พรุ่งนี้", "ปลุกฉันพรุ่งนี้เช้า", "พรุ่งนี้"),
        ("明日の朝", "明日の朝7時に起こして", "明日の朝"),
        ("朝", "明日の朝7時に起こして", "朝"),  # one character is a whole word in Japanese
        ("Küche", "Mach das Küchenlicht an", "Küche"),
        ("licht", "Mach das Küchenlicht an", "licht"),
        ("الصالة", "أطفئ أنوار الصالة", "الصالة"),
        ("صالة", "أطفئ أنوار الصالة", "صالة"),  # behind the article, which is joined to the word
        ("strasse", "Wie komme ich zur Hauptstraße hin", "straße"),
        ("STRASSE 5", "in der Straße 5", "Straße 5"),
        ("7時", "7時に起こして", "7時"),  # full-width digits are the same digits
        ("café", "the café at the corner", "café"),  # composed and decomposed accents
    ],
)
def test_a_value_is_found_where_it_stands(value, text, found):
    span = find(value, text)
    assert span is not None
    assert text[slice(*span)] == found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("on", "phone"),  # parts of words have three characters at least
        ("eight", "Wake me at seven"),
        ("seven pm", "Wake me at seven am"),
        ("", "Wake me"),
        ("  ", "Wake me"),
        ("seven", ""),
        ("wake me at seven am", "at seven am"),
    ],
)
def test_a_value_that_does_not_stand_there_is_not_found(value, text):
    assert find(value, text) is None


def test_whole_words_come_before_parts_of_words():
    text = "the cartoon about a car"
    assert find("car", text) == (20, 23)
    assert find("cart", text) == (4, 8)


def test_taken_ranges_are_not_found_again():
    text = "from Bern to Bern via Bernau"
    first = find("Bern", text)
    second = find("Bern", text, [first])
    third = find("Bern", text, [first, second])
    assert (first, second, third) == ((5, 9), (13, 17), (22, 26))
    assert find("Bern", text, [first, second, third]) is None


def test_spacing_inside_unspaced_scripts_does_not_matter():
    assert find("明日 の 朝", "明日の朝に") == (0, 4)
    assert find("明日の朝", "明日 の 朝 に") == (0, 6)


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("주방", "주방에 불 켜", "주방"),
        ("30", "הגדר ל30 מעלות", "30"),
        ("3", "set 30 degrees", None),
        ("on", "is the phone charged", None),
        ("on", "turn it on", "on"),
    ],
)
def test_short_parts_of_words(value, text, expected):
    span = find(value, text)
    assert (text[slice(*span)] if span else None) == expected
