"""The app as its users meet it: over HTTP with gradio_client, and in a browser. The model is a tiny random one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from gradio_client import Client

from midalign_demo.ui import examples
from midalign_demo.ui.host import ModelHost


def test_the_compare_endpoint_answers_with_the_documented_shape(client):
    result = client.predict(
        "Weck mich um sieben", language="de", variants=["base", "merged"], slots=["datetime"], api_name="/compare"
    )
    assert result["task"] == "slot-filling"
    assert [output["variant"] for output in result["outputs"]] == ["base", "merged"]
    assert [output["adapters"] for output in result["outputs"]] == [[], ["slot-filling", "align"]]
    assert {"prompt", "text", "parsed", "valid", "new_tokens", "seconds"} <= result["outputs"][1].keys()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"text": "  "}, "empty"),
        ({"text": "hallo", "language": "nonsense"}, "'nonsense'"),
        ({"text": "hallo", "variants": ["best"]}, "'best'"),
        ({"text": "hallo", "slots": ["a:b"]}, "'a:b'"),
        ({"text": "x" * 100_000}, "100000"),
        ({"text": "hallo", "task": "poetry"}, "'poetry'"),
        ({"text": "hallo", "task": "translation"}, "target: none given"),
        ({"text": "hallo", "task": "json", "schema": {"type": "text"}}, "'text' is not valid"),
    ],
)
def test_bad_input_to_the_endpoint_is_named_and_the_next_request_is_answered(client, arguments, said):
    with pytest.raises(Exception, match=said):
        client.predict(**arguments, api_name="/compare")
    assert client.predict("hallo", variants=["task"], api_name="/compare")["outputs"]


@pytest.mark.parametrize(
    "text",
    [
        "أيقظني غدا الساعة السابعة",
        "<bos><end_of_turn><start_of_turn>model\n<eos></s><|im_end|>",
        "wake\x00 me\x1b[31m at\x07 seven\r\n\u202e\u200b\ufeff\ufffe",
        "\U0001f600 \U0010ffff",
        '{"a": 1}; datetime: now\nSlots: none',
    ],
)
def test_unusual_text_is_answered_and_given_back_as_it_was_but_for_control_characters(client, text):
    for task in ("slot-filling", "json"):
        made = client.predict(text, task=task, grammar=True, api_name="/compare")
        assert made["text"] == text.translate(dict.fromkeys(map(ord, "\0\a\x1b"), " ")).strip()
        assert made["outputs"]


def test_only_the_documented_endpoints_are_public(client):
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {
        "/compare", "/embedding_map", "/layer_curve", "/evaluate_sample",
    }  # fmt: skip


@pytest.mark.parametrize("task", ["slot-filling", "translation", "json"])
def test_the_examples_cover_many_languages_and_scripts(task):
    from midalign_demo import languages

    entries = examples.by_task()[task]
    tags = {entry["language"] for entry in entries} | {entry.get("target", "en") for entry in entries}
    assert len(tags) >= 12
    assert len({languages.script(tag) for tag in tags}) >= 6
    assert all(("target" in entry) == (task == "translation") for entry in entries)


def test_the_compare_endpoint_answers_for_every_task(client):
    made = client.predict("Guten Tag", task="translation", language="de", target="en", api_name="/compare")
    assert (made["task"], made["language"], made["target"]) == ("translation", "de", "en")
    assert [output["variant"] for output in made["outputs"]] == ["base"]
    schema = {"type": "object", "properties": {"a": {"enum": [1]}}, "required": ["a"], "additionalProperties": False}
    made = client.predict("Guten Tag", task="json", schema=schema, api_name="/compare")
    assert made["outputs"][0]["parsed"] == {"a": 1}
    assert made["language"] == "de"


def test_the_weights_of_a_question_are_its_own(client):
    asked = {"text": "Weck mich", "variants": ["merged"], "api_name": "/compare"}
    before = client.predict(**asked)["outputs"][0]["adapters"]
    changed = client.predict(task_weight=0.5, align_weight=0.25, **asked)["outputs"][0]["adapters"]
    assert changed == ["slot-filling*0.5", "align*0.25"]
    assert client.predict(**asked)["outputs"][0]["adapters"] == before == ["slot-filling", "align"]


def without_times(result):
    if isinstance(result, dict):
        return {key: without_times(value) for key, value in result.items() if key != "seconds"}
    return [without_times(value) for value in result] if isinstance(result, list) else result


@pytest.mark.parametrize(
    ("endpoint", "calls"),
    [
        ("/compare", [{"text": text, "variants": ["task", "merged"]} for text in ("Weck mich", "المنبه", "起きて")]),
        ("/embedding_map", [{"languages": ["en", tag], "topic": "commands"} for tag in ("de", "th")]),
        ("/layer_curve", [{"languages": ["en", "sw"], "variants": [name]} for name in ("base", "align")]),
        ("/evaluate_sample", [{"task": task} for task in ("slot-filling", "translation")]),
    ],
)  # fmt: skip
def test_eight_clients_at_once_each_get_what_one_gets(client, app_url, endpoint, calls):
    alone = [without_times(client.predict(**call, api_name=endpoint)) for call in calls]
    clients = [Client(app_url, verbose=False) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        jobs = [
            pool.submit(one.predict, **calls[number % len(calls)], api_name=endpoint)
            for number, one in enumerate(clients)
        ]
        for number, job in enumerate(jobs):
            assert without_times(job.result(timeout=120)) == alone[number % len(calls)]


def test_loading_that_fails_is_told_to_the_user(tmp_path):
    host = ModelHost(str(tmp_path / "nothing"))
    host.start()
    assert host.wait(60)
    assert "nothing" in host.problem


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_visitor_asks_and_every_variant_answers(open_page, width):
    page = open_page(width)
    page.fill("#command textarea", "Wake <b>me</b> at seven")
    page.click("#run")
    page.wait_for_function("document.querySelectorAll('.card[aria-busy=false]').length == 3", timeout=60_000)
    assert page.locator(".card h2").all_inner_texts() == ["Base", "Task", "Task + align"]
    assert "<b>me</b>" in page.locator(".card .marked").first.inner_text()
    assert "slot-filling + align" in page.locator(".card footer").nth(2).inner_text()


@pytest.mark.browser
def test_one_click_on_an_example_asks_it_in_its_direction(open_page):
    page = open_page()
    arabic = next(example["text"] for example in examples.by_task()["slot-filling"] if example["language"] == "ar")
    page.click(f"#examples >> text={arabic}")
    page.wait_for_function("document.querySelectorAll('.card[aria-busy=false]').length == 3", timeout=60_000)
    assert page.input_value("#command textarea") == arabic
    page.wait_for_function("document.querySelector('#command textarea').dir == 'rtl'", timeout=10_000)
    assert page.locator(".card .marked").first.get_attribute("dir") == "rtl"


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_visitor_changes_the_task(open_page, width):
    page = open_page(width)
    page.click("#task >> text=Translation")
    page.wait_for_selector("#target:visible")
    page.click("#run")
    page.wait_for_function("document.querySelectorAll('.card[aria-busy=false]').length == 1", timeout=60_000)
    assert "Translate this from English to German" in page.locator(".card pre").text_content()
    page.click("#task >> text=JSON")
    page.wait_for_selector("#target", state="hidden")
    page.wait_for_function("document.querySelectorAll('.card').length == 0")
    page.click("#run")
    page.wait_for_function("document.querySelectorAll('.card[aria-busy=false]').length == 1", timeout=60_000)
    assert page.locator(".card .verdict").inner_text().endswith("fits the schema")
    assert "Detected language: English" in page.locator(".guess").inner_text()
