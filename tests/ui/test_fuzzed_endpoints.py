"""Whatever is sent to the endpoints: an answer, or a sentence; never a traceback, and the next question is answered."""

from __future__ import annotations

import json
import logging
from urllib.request import Request, urlopen

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import nasty

# A call takes a hundred times as long as the others that are tried.
FEWER = settings(max_examples=max(5, settings().max_examples // 5))
LANGUAGES = st.one_of(st.sampled_from(["en", "de"]), nasty.json_value)
VARIANTS = st.one_of(st.lists(st.sampled_from(["base", "task", "align", "owner/name", "../../etc"])), nasty.json_value)
CALLS = {
    "compare": st.tuples(
        st.one_of(nasty.text, nasty.json_value),
        st.sampled_from(["slot-filling", "json", "translation", "x", 3]),
        LANGUAGES,
        LANGUAGES,
        VARIANTS,
        nasty.json_value,
        nasty.json_value,
        st.none() | st.booleans(),
        st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), nasty.text),
        st.none(),
    ),
    "embedding_map": st.tuples(
        nasty.json_value,
        VARIANTS,
        nasty.scalar,
        st.sampled_from(["pca", "x", None]),
        nasty.scalar,
        nasty.scalar,
        nasty.scalar,
        st.booleans(),
        nasty.text,
    ),
    "layer_curve": st.tuples(nasty.json_value, VARIANTS, nasty.scalar),
    "evaluate_sample": st.tuples(st.sampled_from(["json", "x", 3]), LANGUAGES, nasty.scalar, VARIANTS),
}
GOOD = ["Wake me at seven", "slot-filling", "en", None, ["base"], ["datetime"], None, None, None, None]


def call(url: str, name: str, values) -> tuple[str, str]:
    """The event that a call ends with, `complete` or `error`, and its data; as any program may call, types and all."""
    where = f"{url.rstrip('/')}/gradio_api/call/{name}"
    request = Request(where, json.dumps({"data": list(values)}).encode(), {"content-type": "application/json"})
    with urlopen(request, timeout=120) as reply:
        event = json.load(reply)["event_id"]
    with urlopen(f"{where}/{event}", timeout=120) as reply:
        *_, kind, data = [line for line in reply.read().decode().splitlines() if line]
    return kind.removeprefix("event: "), data.removeprefix("data: ")


@FEWER
@given(asked=st.sampled_from([*CALLS]).flatmap(lambda name: st.tuples(st.just(name), CALLS[name])))
def test_every_call_ends_and_none_spoils_the_next(app_url, caplog, capfd, asked):
    name, values = asked
    caplog.clear()
    capfd.readouterr()
    with caplog.at_level(logging.ERROR):
        kind, data = call(app_url, name, values)
        assert kind in ("complete", "error"), data
    assert "Traceback" not in data
    assert "An endpoint's call failed" not in caplog.text
    assert "Traceback" not in capfd.readouterr().err
    kind, data = call(app_url, "compare", GOOD)
    assert kind == "complete"
    assert json.loads(data)[0]["outputs"][0]["variant"] == "base"
