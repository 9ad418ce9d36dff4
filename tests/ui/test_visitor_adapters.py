"""Adapters that visitors name: refused unless the owner lets them in, few at a time, and no others' answers change."""

import pytest
from gradio_client import Client

from midalign_demo import cli, engine
from midalign_demo.errors import InputError
from midalign_demo.generation import Row
from midalign_demo.ui.demo import build
from midalign_demo.ui.host import ModelHost
from midalign_demo.ui.look import launch_options


@pytest.fixture(scope="module")
def opened(base_folder, adapter_folders):
    """Opens an app, with or without visitors' adapters; gives the host and a client."""
    demos = []

    def open_it(allowed: bool) -> tuple[ModelHost, Client]:
        sources = {"task": str(adapter_folders["task"])}
        host = ModelHost(str(base_folder), sources=sources, visitor_adapters=allowed, dtype="float32", device="cpu")
        host.start()
        host.wait()
        demo = build(host)
        _, url, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **launch_options())
        demos.append(demo)
        return host, Client(url, verbose=False)

    yield open_it
    for demo in demos:
        demo.close()


def own_fields(client: Client) -> list[dict]:
    return [one["props"] for one in client.config["components"] if one["props"].get("elem_id") == "own-adapter"]


def test_they_are_refused_unless_the_owner_lets_them_in(opened, adapter_folders):
    host, client = opened(False)
    folder = str(adapter_folders["align"])
    with pytest.raises(Exception, match="variants: '.*' is not one of base, task"):
        client.predict("hello", variants=["task", folder], api_name="/compare")
    assert host.engine.adapters.names == ["slot-filling"]
    assert [field["visible"] for field in own_fields(client)] == [False]


def test_an_adapter_that_is_let_in_answers_as_a_variant(opened, adapter_folders):
    host, client = opened(True)
    folder = str(adapter_folders["align"])
    alone = client.predict("hello", variants=["task"], api_name="/compare")["outputs"]
    both = client.predict("hello", variants=["task", folder], api_name="/compare")["outputs"]
    assert [output["variant"] for output in both] == ["task", folder]
    assert both[1]["adapters"] == [f"visitor:{folder}"]
    assert (both[0]["text"], both[0]["prompt"]) == (alone[0]["text"], alone[0]["prompt"])
    direct = host.engine.generate([Row(both[1]["prompt"], {f"visitor:{folder}": 1.0})], max_new_tokens=5)
    assert both[1]["text"].startswith(direct[0].text)
    scored = client.predict("slot-filling", "en", 1, [folder], api_name="/evaluate_sample")
    assert list(scored["variants"]) == [folder]
    with pytest.raises(Exception, match="adapter: 'no/such' is neither a shipped adapter"):
        client.predict("hello", variants=["no/such"], api_name="/compare")
    assert [field["visible"] for field in own_fields(client)] == [True]


@pytest.mark.browser
def test_the_page_has_a_box_for_one(opened, adapter_folders, browser):
    host, client = opened(True)
    page = browser.new_page()
    page.goto(client.src)
    page.get_by_text("Options").click()
    page.locator("#own-adapter textarea, #own-adapter input").fill(f" {adapter_folders['align']} ")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_text("answers are complete").wait_for(timeout=60_000)
    assert f"visitor:{adapter_folders['align']}" in host.engine.adapters.names
    assert page.locator(".card").count() == 3  # base, task and the visitor's
    page.close()


def test_only_the_newest_are_kept(opened, adapter_folders, tmp_path, monkeypatch):
    host, _ = opened(True)
    monkeypatch.setattr(engine, "MOST_BORROWED", 2)
    links = [tmp_path / name for name in "abc"]
    for link in links:
        link.symlink_to(adapter_folders["align"])
    first, second, third = map(str, links)
    for source in (first, second, first, third):
        host.engine.borrow(source)
    assert host.engine.adapters.names == ["slot-filling", f"visitor:{first}", f"visitor:{third}"]
    with pytest.raises(InputError, match="is not one of"):
        host.engine.adapters_of(second, "slot-filling")
    with pytest.raises(InputError, match="adapter: 'visitor:.*' is not one of"):
        host.engine.generate([Row("x", {f"visitor:{second}": 1.0})])


def test_a_server_has_the_adapters_that_it_was_started_with(capsys):
    assert cli.main(["demo", "--visitor-adapters", "--server", "http://127.0.0.1:1"]) == 2
    assert "visitor-adapters: a server answers" in capsys.readouterr().err
