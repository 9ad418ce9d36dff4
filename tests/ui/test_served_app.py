"""The app, with a server's models in the place of its own base's variants."""

import pytest
from gradio_client import Client

from midalign_demo.served import ServedEngine
from midalign_demo.ui.demo import build
from midalign_demo.ui.host import ModelHost
from midalign_demo.ui.look import launch_options


@pytest.fixture
def url(server, served_models, base_folder):
    host = ModelHost(str(base_folder), served=ServedEngine(server, served_models), dtype="float32", device="cpu")
    demo = build(host)
    _, url, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **launch_options())
    host.start()
    yield url
    demo.close()


def test_the_endpoint_answers_with_the_servers_models(url, served_models):
    client = Client(url, verbose=False)
    made = client.predict("Weck mich um acht", language="de", api_name="/compare")
    assert [output["variant"] for output in made["outputs"]] == ["base", "task"]
    assert [output["adapters"] for output in made["outputs"]] == [[served_models["base"]], [served_models["task"]]]
    assert made["outputs"][0]["text"] != made["outputs"][1]["text"]


def test_maps_and_layers_are_of_the_base(url):
    client = Client(url, verbose=False)
    drawn = client.predict(languages=["en", "de"], variants=["base"], api_name="/embedding_map")
    assert [part["label"] for part in drawn["slices"]] == ["base"]
    assert list(client.predict(languages=["en", "de"], variants=["base"], api_name="/layer_curve")["variants"]) == [
        "base"
    ]


def test_the_page_says_who_answers_and_streams_what_is_answered(url, server, browser):
    page = browser.new_page()
    page.goto(url)
    page.get_by_text(f"Answers come from {server}").wait_for()
    assert page.locator("#grammar").count() == 0 or not page.locator("#grammar").is_visible()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator(".card").nth(1).wait_for(timeout=60_000)
    page.wait_for_function("document.querySelectorAll('.card').length === 2")
    page.close()
