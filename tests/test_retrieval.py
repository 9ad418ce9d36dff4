import numpy as np
import pytest

from midalign_demo.errors import InputError
from midalign_demo.retrieval import cosine_accuracy, margin_accuracy, mexa_accuracy, retrieval_table, unit_rows

# Row 0 finds column 1, column 1 finds row 0; all others find their own.
CONFUSED = np.array([
    [0.6, 0.7, 0.1],
    [0.2, 0.5, 0.4],
    [0.3, 0.1, 0.9],
])  # fmt: skip


def rotated(angles):
    radians = np.deg2rad(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def test_cosine_accuracy_is_the_mean_of_both_directions():
    # By row: 0 wrong (0.7 > 0.6), 1 right, 2 right. By column: 0 right, 1 wrong (0.7 > 0.5), 2 right.
    assert cosine_accuracy(CONFUSED) == pytest.approx(2 / 3)
    # By row all find column 0: one of two right. By column: 0 finds row 1, 1 finds row 1: one of two right.
    assert cosine_accuracy(np.array([[0.5, 0.1], [0.9, 0.8]])) == pytest.approx(0.5)


def test_cosine_accuracy_of_directions_that_differ():
    # By row: 0.9, 0.8, 0.7 are all on the diagonal: 3 of 3. By column: 0 -> row 0, 1 -> row 0, 2 -> row 1: 1 of 3.
    matrix = np.array([[0.9, 0.89, 0.1], [0.2, 0.8, 0.79], [0.3, 0.1, 0.7]])
    assert cosine_accuracy(matrix) == pytest.approx((3 / 3 + 1 / 3) / 2)


def test_of_equal_scores_the_first_counts_in_both_directions():
    # By row: 0 finds column 0 (tie), 1 finds column 0. By column: 0 finds row 1, 1 finds row 0 before row 1.
    assert cosine_accuracy(np.array([[0.5, 0.5], [0.7, 0.5]])) == pytest.approx((1 / 2 + 0 / 2) / 2)


def test_mexa_needs_the_pair_to_be_above_its_row_and_its_column():
    # Pair 0: 0.6 < 0.7 in its row. Pair 1: 0.5 < 0.7 in its column. Pair 2: 0.9 above 0.3, 0.1, 0.1, 0.4.
    assert mexa_accuracy(CONFUSED) == pytest.approx(1 / 3)
    matrix = np.array([[0.9, 0.89, 0.1], [0.2, 0.8, 0.79], [0.3, 0.1, 0.7]])
    assert mexa_accuracy(matrix) == pytest.approx(1 / 3)


def test_mexa_takes_a_tie_as_a_miss():
    assert mexa_accuracy(np.array([[0.9, 0.9], [0.1, 0.5]])) == 0.0


def test_margin_discounts_a_hub_that_is_near_to_everything():
    # Column 0 is a hub: by cosine, rows 0, 1 and 2 all find it. With 3 rows the mean takes all 3 neighbours:
    # rows (0.9+0.2+0.1)/3 = 0.4, (0.8+0.7+0.1)/3 = 0.5333, (0.8+0.1+0.75)/3 = 0.55;
    # columns 0.8333, 0.3333, 0.3167.
    matrix = np.array([[0.9, 0.2, 0.1], [0.8, 0.7, 0.1], [0.8, 0.1, 0.75]])
    assert cosine_accuracy(matrix) == pytest.approx((1 / 3 + 3 / 3) / 2)
    # Row 1: 0.8/0.6833 = 1.17 < 0.7/0.4333 = 1.62. Row 2: 0.8/0.6917 = 1.16 < 0.75/0.4333 = 1.73. Row 0:
    # 0.9/0.6167 = 1.46 > 0.2/0.3667 = 0.55. By column all stay right.
    assert margin_accuracy(matrix) == 1.0


def test_margin_takes_the_four_nearest_neighbours_only():
    # Row 0 and column 0 hold values whose fifth-nearest (-0.9) would change the winner if it were counted.
    matrix = np.full((5, 5), 0.1)
    np.fill_diagonal(matrix, 0.5)
    matrix[0] = [0.50, 0.52, 0.4, 0.4, -0.9]
    k4_row = (0.52 + 0.50 + 0.4 + 0.4) / 4
    column0 = (0.5 + 0.1 * 3) / 4
    column1 = (0.52 + 0.5 + 0.1 * 2) / 4
    own, rival = 0.50 / ((k4_row + column0) / 2), 0.52 / ((k4_row + column1) / 2)
    assert own > rival
    assert cosine_accuracy(matrix) < 1.0
    assert margin_accuracy(matrix) == 1.0


def test_table_names_pairs_in_order_and_averages_those_with_english():
    embeddings = {
        "de": rotated([0, 90, 180]),
        "en": rotated([5, 95, 185]),
        "sw": rotated([5, 185, 95]),  # rows 1 and 2 swapped
    }
    table = retrieval_table(embeddings)
    assert table["pairs"] == {"de-en": 1.0, "de-sw": pytest.approx(1 / 3), "en-sw": pytest.approx(1 / 3)}
    assert table["en-x"] == pytest.approx((1 + 1 / 3) / 2)
    assert table["all"] == pytest.approx((1 + 2 / 3) / 3)


def test_table_without_english_has_no_en_x():
    table = retrieval_table({"de": rotated([0, 90]), "en-GB": rotated([0, 90]), "bn": rotated([0, 90])})
    assert table["en-x"] is None
    assert table["all"] == 1.0


def test_length_of_the_embeddings_makes_no_difference():
    a, b = rotated([0, 60, 200]), rotated([10, 70, 210])
    scaled = b * np.array([[0.01], [1000.0], [3.0]])
    assert retrieval_table({"en": a, "de": scaled})["all"] == 1.0


def test_centring_takes_away_a_languages_own_offset():
    a = np.array([[1.0, 0.2, 0.0], [-1.0, 0.1, 0.0], [0.0, -0.3, 1.0]])
    offset = np.array([-40.0, 100.0, 30.0])
    assert retrieval_table({"en": a, "de": a + offset}, centre=True)["all"] == 1.0
    assert retrieval_table({"en": a, "de": a + offset}, centre=False)["all"] < 1.0


@pytest.mark.parametrize("score", ["cosine", "margin", "mexa"])
def test_perfect_alignment_scores_one(score):
    rows = rotated([0, 40, 80, 120, 160, 200])
    assert retrieval_table({"en": rows, "fr": rows.copy()}, score=score)["pairs"] == {"en-fr": 1.0}


@pytest.mark.parametrize("score", ["cosine", "margin", "mexa"])
@pytest.mark.parametrize("centre", [False, True])
def test_embeddings_that_have_all_collapsed_to_one_point_do_not_score(score, centre):
    same = np.tile([[0.5, 0.25]], (10, 1))
    assert retrieval_table({"en": same, "fr": same.copy()}, score=score, centre=centre)["all"] <= 0.1


@pytest.mark.parametrize("score", ["cosine", "margin", "mexa"])
def test_all_zero_embeddings_do_not_score_and_give_numbers(score):
    zeros = np.zeros((10, 4))
    value = retrieval_table({"en": zeros, "fr": zeros.copy()}, score=score)["all"]
    assert 0.0 <= value <= 0.1


def test_unit_rows_have_length_one_and_do_not_change_their_input():
    rows = np.array([[3.0, 4.0], [0.0, 2.0]])
    np.testing.assert_allclose(unit_rows(rows), [[0.6, 0.8], [0.0, 1.0]])
    np.testing.assert_allclose(
        unit_rows(rows, centre=True),
        [[1.5 / np.hypot(1.5, 1), 1 / np.hypot(1.5, 1)], [-1.5 / np.hypot(1.5, 1), -1 / np.hypot(1.5, 1)]],
    )
    np.testing.assert_array_equal(rows, [[3.0, 4.0], [0.0, 2.0]])


def test_bad_arguments_are_named():
    rows = rotated([0, 90])
    with pytest.raises(InputError, match="'euclid' is not one of cosine, margin, mexa"):
        retrieval_table({"en": rows, "de": rows}, score="euclid")
    with pytest.raises(InputError, match="en given; retrieval needs at least two"):
        retrieval_table({"en": rows})
    with pytest.raises(InputError, match="none given"):
        retrieval_table({})
    with pytest.raises(InputError, match=r"differ in number: \{'en': 2, 'de': 1\}"):
        retrieval_table({"en": rows, "de": rows[:1]})


@pytest.mark.base
def test_embedded_base_finds_most_translations_at_its_middle_layer():
    from midalign_demo import bases
    from midalign_demo.middle import embed

    corpus = {
        "en": [
            "The baker opens her shop before sunrise.", "My brother is afraid of spiders.",
            "The river froze last winter.", "We planted three apple trees behind the house.",
            "Nobody answered the telephone.", "The train to the mountains is late again.",
            "She plays the violin in an orchestra.", "Please put the milk back in the fridge.",
        ],
        "de": [
            "Die Bäckerin öffnet ihren Laden vor Sonnenaufgang.", "Mein Bruder hat Angst vor Spinnen.",
            "Der Fluss ist letzten Winter zugefroren.", "Wir haben hinter dem Haus drei Apfelbäume gepflanzt.",
            "Niemand ging ans Telefon.", "Der Zug in die Berge hat schon wieder Verspätung.",
            "Sie spielt Geige in einem Orchester.", "Stell bitte die Milch zurück in den Kühlschrank.",
        ],
        "fr": [
            "La boulangère ouvre son magasin avant le lever du soleil.", "Mon frère a peur des araignées.",
            "La rivière a gelé l'hiver dernier.", "Nous avons planté trois pommiers derrière la maison.",
            "Personne n'a répondu au téléphone.", "Le train pour la montagne est encore en retard.",
            "Elle joue du violon dans un orchestre.", "Remets le lait dans le frigo, s'il te plaît.",
        ],
    }  # fmt: skip
    base = bases.load()
    rows = embed(base, [line for lines in corpus.values() for line in lines], layers=[4, 11])
    table = {
        layer: retrieval_table({tag: values[at * 8 : at * 8 + 8] for at, tag in enumerate(corpus)})["all"]
        for layer, values in rows.items()
    }
    assert table[11] >= 0.8
    assert table[11] > table[4]
