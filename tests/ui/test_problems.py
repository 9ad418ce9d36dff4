"""What visitors are told when something goes wrong."""

import logging

import gradio as gr
import pytest

from midalign_demo.errors import InputError
from midalign_demo.ui import problems


def test_a_visitors_mistake_is_named_and_not_logged(caplog):
    said = problems.notice_of(InputError("layer: <9> is not one"), "A map could not be drawn")
    assert "layer: &lt;9&gt; is not one" in said
    assert caplog.records == []


def test_a_failure_is_logged_and_its_details_are_not_shown(caplog):
    with caplog.at_level(logging.ERROR):
        said = problems.notice_of(KeyError("secret"), "A map could not be drawn")
    assert "Something went wrong" in said
    assert "secret" not in said
    assert "A map could not be drawn" in caplog.text
    assert "KeyError: 'secret'" in caplog.text


def test_an_endpoints_caller_gets_the_message_of_a_mistake_and_no_more_of_a_failure(caplog):
    with pytest.raises(gr.Error, match="layer: 9 is not one"), problems.told_to_the_caller():
        raise InputError("layer: 9 is not one")
    with pytest.raises(gr.Error) as caught, problems.told_to_the_caller():
        raise KeyError("secret")
    assert "secret" not in str(caught.value)
    assert "KeyError: 'secret'" in caplog.text
    with pytest.raises(gr.Error, match="no place"), problems.told_to_the_caller():
        raise gr.Error("no place")


def test_messages_are_cut_and_hold_nothing_that_cannot_be_sent():
    error = InputError("x" * 100_000)
    assert len(problems.notice_of(error, "")) < 800
    with pytest.raises(gr.Error) as caught, problems.told_to_the_caller():
        raise error
    assert len(str(caught.value)) < 800
    problems.notice_of(InputError("half \ud800 a pair"), "").encode()
