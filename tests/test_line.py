import threading

import pytest

from midalign_demo.line import Asker, Busy, Line


class One:
    def __init__(self, name, size=(1, 10)):
        self.asker, self.size, self.name = Asker(name), size, name

    def __repr__(self):
        return str(self.name)


def line(*ones: One, most: int = 100, most_rows: int = 4, most_tokens: int = 1000) -> Line:
    made: Line = Line(most, most_rows=most_rows, most_tokens=most_tokens)
    for one in ones:
        made.join(one)
    return made


def batches(of: Line) -> list[str]:
    """The names in each batch, as one word."""
    found = []
    while taken := of.take(0):
        found.append("".join(str(one.name) for one in taken))
        of.done(taken)
    return found


def test_everybodys_first_comes_before_anybodys_second():
    assert batches(line(*map(One, "aaabacb"), most_rows=1)) == list("abcabaa")
    assert batches(line(*map(One, "aaabacb"))) == ["abca", "baa"]


def test_who_asks_anew_is_in_the_round_that_is_being_done():
    waiting = line(*map(One, "aaaa"), most_rows=1)
    waiting.done(waiting.take(0))
    waiting.done(waiting.take(0))
    waiting.join(One("b"))
    waiting.join(One("b"))
    assert batches(waiting) == list("baba")


def test_what_was_given_up_does_not_count_as_a_first():
    given_up = One("a")
    waiting = line(given_up, *map(One, "bb"), most_rows=1)
    given_up.asker.left.set()
    waiting.join(One("a"))
    assert batches(waiting) == list("abab")


def test_who_comes_later_overtakes_nobodys_first():
    waiting = line(*map(One, "ab"), most_rows=1)
    found = []
    for late in "cdef":
        taken = waiting.take(0)
        waiting.join(One(late))
        waiting.join(One("b"))
        found.append(taken[0].name)
        waiting.done(taken)
    assert found == list("abcd")


def test_those_without_a_name_are_each_their_own():
    one, other = One(None), One(None)
    assert one.asker.name != other.asker.name


def test_a_batch_has_no_more_rows_and_tokens_than_it_may_and_what_does_not_fit_is_first_in_the_next():
    rows = [One("a", (2, 10)), One("b", (3, 10)), One("c", (2, 10))]
    assert batches(line(*rows)) == ["ac", "b"]
    tokens = [One("a", (1, 100)), One("b", (1, 600)), One("c", (2, 100)), One("d", (1, 700))]
    assert batches(line(*tokens)) == ["ac", "b", "d"]


def test_what_is_larger_than_a_batch_is_done_alone():
    assert batches(line(One("a", (9, 900)), One("b"))) == ["a", "b"]


def test_other_work_is_done_alone_and_keeps_its_place():
    assert batches(line(One("a"), One("w", None), One("b"), One("v", None))) == ["ab", "w", "v"]


def test_who_joins_what_is_under_way_overtakes_nobody():
    ones = [One("a", (2, 10)), One("b", (2, 10)), One("c", (1, 10)), One("w", None), One("d")]
    waiting = line(*ones)
    assert not waiting.fits(3, 10)
    assert waiting.take_beside(3, 10) == []  # though c would fit
    assert waiting.fits(2, 250)
    assert not waiting.fits(2, 251)
    assert waiting.take_beside(1, 10) == ones[:1]
    assert waiting.take_beside(0, 0) == ones[1:3]
    assert waiting.fits(4, 1000)
    assert not waiting.fits(4, 1000, others=False)
    assert waiting.take_beside(0, 0, others=False) == []
    assert waiting.take_beside(4, 1000) == ones[3:4]
    assert waiting.take_beside(0, 0) == ones[4:]
    assert not waiting.fits(0, 0)
    with pytest.raises(Busy):
        full = line(*ones, most=5)
        full.take_beside(0, 0)
        full.join(One("e"))
    full.done(ones)
    full.done(ones)
    full.join(One("e"))


def test_the_place_is_that_in_the_fair_order():
    ones = [One("a"), One("a"), One("b")]
    waiting = line(*ones)
    assert [waiting.place(one) for one in ones] == [1, 3, 2]
    waiting.leave(ones[0])
    assert [waiting.place(one) for one in ones] == [None, 2, 1]
    waiting.leave(ones[0])
    taken = waiting.take(0)
    assert [waiting.place(one) for one in taken] == [None, None]


def test_past_the_bound_nobody_is_let_in_until_one_is_done_or_leaves():
    ones = [One("a"), One("b")]
    waiting = line(*ones, most=2, most_rows=1)
    for _ in range(2):
        with pytest.raises(Busy, match="^busy: 2 questions are being answered or wait; try again in a minute$"):
            waiting.join(One("c"))
        taken = waiting.take(0)  # it counts as long as it is under way
    assert not waiting.take(0)
    waiting.done(taken)
    waiting.join(One("c"))
    with pytest.raises(Busy):
        waiting.join(One("d"))
    waiting.join(One("d"), again=True)
    assert batches(waiting) == ["c", "d"]


def test_one_who_leaves_frees_the_place():
    ones = [One("a"), One("b")]
    waiting = line(*ones, most=2)
    waiting.leave(ones[1])
    waiting.join(One("c"))
    assert batches(waiting) == ["ac"]


def test_whoever_takes_is_woken():
    waiting = line()
    taken = []
    taker = threading.Thread(target=lambda: taken.extend(waiting.take(60)))
    taker.start()
    waiting.join(One("a"))
    taker.join(60)
    assert [one.name for one in taken] == ["a"]


def test_an_asker_is_told_of_each_place_once():
    told = []
    asker = Asker("a", tell=told.append)
    moved = [asker.stand_at(place) for place in (3, 3, 1, None, None)]
    assert moved == [True, False, True, True, False]
    assert told == [3, 1]
    assert asker.place is None
