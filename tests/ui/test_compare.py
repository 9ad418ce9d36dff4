"""The Compare tab: stored answers, steps, labelled examples, references and links. The model is a tiny random one."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import gradio as gr
import pytest

from midalign_demo import embedded, unseen
from midalign_demo.errors import InputError
from midalign_demo.questions import question_of
from midalign_demo.ui import answering, examples, links, words
from midalign_demo.ui.demo import build
from midalign_demo.ui.host import ModelHost
from midalign_demo.ui.look import launch_options

ANSWERED = "document.querySelectorAll('.card[aria-busy=false]').length == {}"


def test_the_sample_endpoint_scores_each_variant_and_shows_what_it_said(client):
    made = client.predict("slot-filling", "", 3, variants=["base", "merged"], api_name="/evaluate_sample")
    assert (made["task"], made["n"]) == ("slot-filling", 3)
    assert {"f1", "precision", "recall", "interval"} <= made["variants"]["merged"].keys()
    assert {"language", "text", "gold", "answers"} <= made["examples"][0].keys()
    assert {"text", "f1"} <= made["examples"][0]["answers"]["base"].keys()
    assert made == client.predict("slot-filling", "", 3, variants=["base", "merged"], api_name="/evaluate_sample")
    translated = client.predict("translation", language="sw", n=2, api_name="/evaluate_sample")
    assert {one["language"] for one in translated["examples"]} == {"sw"}
    assert "chrf" in translated["variants"]["base"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"task": "poetry"}, "'poetry' is not one of"),
        ({"language": "tlh"}, "no example in 'tlh'"),
        ({"n": 0}, "n: 0 is not a number from 1"),
        ({"n": 10**9}, "from 1 to 24"),
        ({"n": "many"}, "n: 'many' is not a valid integer"),
        ({"n": True}, "n: True is not a valid integer"),
        ({"variants": "base"}, "variants: 'base' is not a valid list"),
        ({"variants": ["base", 3]}, "variants, element 2: 3 is not a valid string"),
        ({"variants": ["joint"]}, "'joint' has no adapter"),
    ],
)
def test_bad_input_to_the_sample_endpoint_is_named(client, arguments, said):
    with pytest.raises(Exception, match=said):
        client.predict(**arguments, api_name="/evaluate_sample")


def test_a_reference_is_scored_against_and_may_be_left_out():
    question = question_of("translation", "Guten Tag", language="de", target="en")
    assert answering.labelled(question, "  ", None) is None
    assert answering.labelled(question, " Good day ", None).gold == "Good day"
    assert answering.labelled(question, "\u200b\x00", None) is None
    assert answering.labelled(question, "Good \ud800 day\x07", None).gold == "Good \ufffd day"
    with pytest.raises(InputError, match="reference: it has 100000 characters"):
        answering.labelled(question, "x" * 100_000, None)


def test_a_brought_example_counts_only_while_its_text_is_asked():
    brought = next(one for one in unseen.read("slot-filling") if len(one.gold.slots) == 3)
    text = brought.question.text
    asked = question_of("slot-filling", text, slots=["datetime"])
    assert [slot.name for slot in answering.labelled(asked, "", brought).gold.slots] == ["datetime"]
    assert answering.labelled(question_of("slot-filling", f"{text}!"), "", brought) is None
    assert answering.labelled(question_of("json", text), "", brought) is None
    document = unseen.read("json")[0]
    asked = question_of("json", document.question.text, schema={"type": "object"})
    assert answering.labelled(asked, "", document) is None


@pytest.fixture(scope="module")
def waiting_url():
    """The page of a host whose model, the embedded one, never gets loaded."""
    demo = build(ModelHost(embedded.NAME))
    _, url, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield url
    demo.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_with_stored_answers_marked_as_such(open_page, waiting_url, width):
    page = open_page(width, url=waiting_url)
    page.wait_for_selector(".card", timeout=30_000)
    assert "Stored answers, made by midalign stored-answers" in page.inner_text("#result")
    assert page.locator(".card h2").all_inner_texts() == ["Base", "Task", "Task + align"]
    page.click("#task >> text=JSON")
    page.wait_for_selector(".card .verdict")
    assert "Stored answers" in page.inner_text("#result")
    page.click("#run")
    page.wait_for_function("!document.querySelector('#result').innerText.includes('Stored answers')")


@pytest.mark.browser
def test_the_page_of_another_model_has_no_stored_answers(open_page):
    page = open_page()
    page.wait_for_selector("#result .notice")
    assert page.locator(".card").count() == 0


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_three_steps_lead_from_a_question_to_alignment(open_page, width):
    page = open_page(width)
    page.click("#step-1")
    page.wait_for_function(ANSWERED.format(3), timeout=60_000)
    offered = [entry["text"] for entry in examples.by_task()["slot-filling"]]
    assert page.input_value("#command textarea") == offered[1]  # the first was there already
    page.click("#step-2")
    page.wait_for_selector("#map-draw:visible")
    page.click("#step-1")
    page.wait_for_selector("#run:visible")
    page.click("#step-3")
    step = "document.querySelector('#map-view .mm-steps output')?.innerText"
    page.wait_for_function(f"{step} === 'weight of align 1'", timeout=60_000)  # computed: this model has no stored map


@pytest.mark.browser
@pytest.mark.parametrize("task", ["Slot filling", "Translation", "JSON"])
def test_an_example_of_the_test_set_comes_with_its_right_answer_and_scores(open_page, task):
    page = open_page()
    if task != "Slot filling":
        page.click(f"#task >> text={task}")
        page.wait_for_function("document.querySelectorAll('#variants input').length == 2")
    page.click("#test-set")
    page.wait_for_selector(".card.gold", timeout=60_000)
    answers = 3 if task == "Slot filling" else 1
    page.wait_for_function(ANSWERED.format(answers), timeout=60_000)
    scores = page.locator(".card .score b").all_inner_texts()
    assert len(scores) == answers
    assert all(score.startswith("chrF" if task == "Translation" else "F1") for score in scores)
    page.fill("#command textarea", "Something else altogether")
    page.click("#run")
    if task != "Translation":  # whose reference stays in its field
        page.wait_for_selector(".card.gold", state="detached", timeout=60_000)


@pytest.mark.browser
def test_the_last_of_several_quick_clicks_is_answered(open_page):
    page = open_page()
    offered = [entry["text"] for entry in examples.by_task()["slot-filling"]]
    for number in (1, 4, 2, 3):
        page.locator("#examples .gallery-item").nth(number).click()
    page.wait_for_function("(text) => document.querySelector('.card .marked')?.innerText === text", arg=offered[3])
    page.wait_for_function(ANSWERED.format(3), timeout=60_000)
    page.wait_for_selector("#run:not([disabled])")
    page.wait_for_timeout(500)  # an earlier question's answer would come now
    assert page.input_value("#command textarea") == offered[3]
    assert page.inner_text(".card .marked >> nth=0") == offered[3]


@pytest.mark.browser
def test_a_reference_gives_each_translation_its_chrf(open_page):
    page = open_page(query="task=translation&text=Guten+Tag&language=de&target=en")
    page.wait_for_selector("#reference textarea:visible")
    page.fill("#reference textarea", "Good <i>day</i>")
    page.click("#run")
    page.wait_for_function(ANSWERED.format(1), timeout=60_000)
    assert page.inner_text(".card.gold .translation") == "Good <i>day</i>"
    assert page.inner_text(".card .score b").startswith("chrF ")


@pytest.mark.browser
def test_a_copied_link_restores_task_text_and_settings(open_page):
    page = open_page(query="task=json&text=Ann+%3Ci%3Eis%3C%2Fi%3E+%26+Rome&language=sw&grammar=0&align_weight=0.65")
    page.wait_for_function("document.querySelector('#command textarea')?.value?.startsWith('Ann')")
    page.click("#copy-link")
    page.wait_for_selector("#said .notice")
    query = urlsplit(page.evaluate("location.href")).query
    assert set(parse_qs(query)) <= set(links.FIELDS)
    again = open_page(query=query)
    again.wait_for_function("document.querySelector('#command textarea')?.value == 'Ann <i>is</i> & Rome'")
    assert again.is_checked("#task input[value=json]")
    assert "Kiswahili" in again.input_value("#language input")
    again.click("#options button >> text=Options")
    assert not again.is_checked("#grammar input")
    assert again.input_value("#align-weight input[type=number]") == "0.65"


@pytest.mark.browser
def test_a_link_that_makes_no_sense_is_said_so_and_the_page_works(open_page):
    query = "task=poetry&text=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E&language=%3Cb%3E&variants=joint&align_weight=nan"
    page = open_page(390, query=query)
    page.wait_for_selector("#said .notice")
    said = page.inner_text("#said")
    for part in (
        "'poetry' is not one of",
        "'<b>' is not a BCP 47 tag",
        "no adapter for joint",
        "'nan' is not a number",
    ):
        assert part in said
    assert page.input_value("#command textarea") == "<img src=x onerror=alert(1)>"
    assert page.locator("#said img, #result img").count() == 0


@pytest.mark.browser
@pytest.mark.parametrize(
    ("locale", "tag", "direction"), [("ar-EG", "ar", "rtl"), ("zh-CN", "zh", "ltr"), ("sw-KE", "sw", "ltr")]
)
def test_the_page_speaks_the_visitors_language(open_page, locale, tag, direction):
    page = open_page(390, locale=locale)
    say = words.Words(tag)
    page.wait_for_selector(f"#run >> text={say('run')}")
    assert page.inner_text("#step-1") == say("step_ask")
    page.wait_for_function("tag => document.documentElement.lang.split('-')[0] == tag", arg=tag)
    assert say("tab_compare") in page.inner_text("#tabs")
    page.wait_for_function("text => document.querySelector('#result')?.innerText == text", arg=say("hint"))
    page.click("#run")
    page.wait_for_function(ANSWERED.format(3), timeout=60_000)
    assert page.locator(".card h2").first.inner_text() == say("variant_base")
    assert page.locator("#result [lang]").first.get_attribute("dir") == direction


@pytest.mark.browser
@pytest.mark.parametrize(("text", "said"), [("   ", "it is empty"), ("x" * 100_000, "100000 characters")])
def test_what_can_not_be_asked_is_named_in_the_page(open_page, text, said):
    page = open_page()
    page.fill("#command textarea", text)
    page.click("#run")
    page.wait_for_selector("#result .notice.error", timeout=60_000)
    assert said in page.inner_text("#result .notice.error")
    page.wait_for_selector("#run:enabled")


def test_every_label_of_the_page_is_a_key_that_there_is():
    demo = build(ModelHost("no such base"))
    config = json.dumps(demo.get_config_file(), default=str)
    used = {part.split('\\"')[0] for part in config.split('\\"key\\": \\"')[1:]}
    assert len(used) > 25
    assert used <= words.tables()["en"].keys()
    assert isinstance(demo, gr.Blocks)
