"""Maps for the browser: the document that the page's script draws, and an HTML page of its own around it.

`assets/page/` has the script and its style; the app's tab runs the same. A document is what JSON can hold:

- `map`: `EmbeddingMap.to_dict`;
- `languages`: `{"tag", "name"}` of each;
- `colourings`: for `language`, `script` and `meaning` the groups, each `{"name", "colour", "symbol", "points"}`;
- `colour_by`: the first of them to be shown;
- `looks`: ways to look at the slices, each `{"key", "name", "step_label", "step_names", "panels"}`; a panel is
  `{"title", "steps"}` with the numbers of its slices, one after another;
- `note`: a sentence to stand above the map, or empty;
- `words`: what the script says, by the keys of `assets/words/` that begin with `map_`; English stands in for what is
  missing, and for all of it in a document without `words`;
- `lang`, `dir`: the language and direction of these words, as HTML has them; `en` and `ltr` where they are missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from midalign_demo import languages
from midalign_demo.errors import InputError
from midalign_demo.maps import COLOUR_BY, SHOWS, EmbeddingMap

_DECIMALS = 3  # enough to draw; all layers of two variants are then about a megabyte
PLACEHOLDER = "__MAP__"  # where a page's document goes
WORDS = "map_"  # what the keys of a map's words begin with
_STYLE = """
:root { color-scheme: light dark; --body-text-color: #1f2430; --background-fill-primary: #fff; }
@media (prefers-color-scheme: dark) { :root { --body-text-color: #e5e7eb; --background-fill-primary: #0f172a;
  --background-fill-secondary: #1e293b; --body-text-color-subdued: #a3adbd; }
  .mm .mm-yes { color: #4ade80; } .mm .mm-no { color: #fbbf24; } }
body { max-width: 1180px; margin: 0 auto; padding: 12px; color: var(--body-text-color);
  background: var(--background-fill-primary); font: 15px/1.5 system-ui, "Noto Sans", sans-serif; }
h1 { margin: 0; font-size: 1.2rem; } h1 + p { margin: .2rem 0 .8rem; max-width: 75ch; }
"""


@lru_cache(maxsize=1)
def english() -> dict[str, str]:
    """What a map says by itself: the English words by key."""
    table = json.loads(_asset("words", "en.json"))
    return {key: text for key, text in table.items() if key.startswith(WORDS)}


def map_document(
    shown: EmbeddingMap,
    *,
    show: str = SHOWS[0],
    colour_by: str = COLOUR_BY[0],
    note: str = "",
    words: Mapping[str, str] | None = None,
    lang: str = "en",
) -> dict:
    """What the script draws.

    Args:
        show: what the slices differ in, one of `maps.SHOWS`; `strength` can be looked at in two ways.
        colour_by: one of `maps.COLOUR_BY`.
        note: a sentence to stand above the map.
        words: what the map says, by the keys of `english`; default: that.
        lang: the tag of their language.

    Raises:
        InputError: another `show` or `colour_by`.
    """
    from midalign_demo.figures import groups  # plotly takes a moment to import

    if colour_by not in COLOUR_BY:
        raise InputError(f"colour by: {colour_by!r} is not one of {', '.join(COLOUR_BY)}")
    words = {**english(), **(words or {})}
    colourings = {name: [asdict(group) for group in groups(shown, name)] for name in COLOUR_BY}
    if shown.added:
        for found in colourings.values():
            found[-1]["name"] = words["map_own_all"]
    return {
        "map": shown.to_dict(_DECIMALS),
        "languages": [{"tag": tag, "name": languages.name(tag)} for tag in shown.languages],
        "colourings": colourings,
        "colour_by": colour_by,
        "looks": _looks(shown, show, words),
        "note": note,
        "words": words,
        "lang": lang,
        "dir": _direction(lang),
    }


def _direction(lang: str) -> str:
    return "rtl" if languages.is_rtl(lang) else "ltr"


def _looks(shown: EmbeddingMap, show: str, words: Mapping[str, str]) -> list[dict]:
    numbers = range(len(shown.slices))
    labels = [part.label for part in shown.slices]
    if show == "variants":
        panels: list[dict] = [{"title": None, "steps": [at]} for at in numbers]
        name = words["map_look_variants"]
        return [{"key": "variants", "name": name, "step_label": "", "step_names": [""], "panels": panels}]
    if show == "strength":
        name = labels[0].partition(" ")[0]
        shared = os.path.commonprefix(labels)
        weights = [label[shared.rfind(" ") + 1 :] for label in labels]
        ends = [{"title": "base", "steps": [0]}, {"title": name, "steps": [len(labels) - 1]}]
        return [
            {"key": "ends", "name": words["map_look_ends"].format(name=name), "step_label": "", "step_names": [""],
             "panels": ends},
            {"key": "strength", "name": words["map_look_strength"],
             "step_label": words["map_weight"].format(name=name), "step_names": weights,
             "panels": [{"title": None, "steps": list(numbers)}]},
        ]  # fmt: skip
    if show == "layers":
        steps = {
            label: sorted((at for at in numbers if labels[at] == label), key=lambda at: shown.slices[at].layer or 0)
            for label in dict.fromkeys(labels)
        }
        names = [str(shown.slices[at].layer) for at in next(iter(steps.values()))]
        panels = [{"title": label, "steps": own} for label, own in steps.items()]
        return [
            {"key": "layers", "name": words["map_look_layers"], "step_label": words["map_layer"],
             "step_names": names, "panels": panels},
        ]  # fmt: skip
    raise InputError(f"show: {show!r} is not one of {', '.join(SHOWS)}")


def as_json(document: Mapping) -> str:
    """A document as JSON that can stand in HTML: what people wrote cannot end the script that it is in."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


@lru_cache(maxsize=1)
def script() -> str:
    """The script: it defines `midalignMap`."""
    words = f"const ENGLISH = {as_json(english())};\n"
    return words + "".join(_asset("page", name) for name in ("drawing.js", "map.js"))


@lru_cache(maxsize=1)
def style() -> str:
    """The style sheet of what the script builds."""
    return _asset("page", "map.css")


def _asset(folder: str, name: str) -> str:
    return (files("midalign_demo") / "assets" / folder / name).read_text(encoding="utf-8")


def plotly_file() -> Path:
    """plotly.js, as the installed plotly package has it."""
    return Path(str(files("plotly") / "package_data" / "plotly.min.js"))


def map_page(document: str = PLACEHOLDER, *, words: Mapping[str, str] | None = None, lang: str = "en") -> str:
    """The page, which needs no network.

    Args:
        document: from `as_json`; without it the page has the placeholder in its place.
        words, lang: what stands around the map, as `map_document` takes them.
    """
    words = {**english(), **(words or {})}
    return f"""<!doctype html>
<html lang="{lang}" dir="{_direction(lang)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>midalign map</title>
<style>{_STYLE}{style()}</style>
</head>
<body>
<h1>{words["map_page_title"]}</h1>
<p>{words["map_how_to_read"]}</p>
<main id="map"><noscript>{words["map_needs_script"]}</noscript></main>
<script>{plotly_file().read_text(encoding="utf-8")}</script>
<script type="application/json" id="document">{document}</script>
<script>
{script()}
midalignMap(document.getElementById("map"), {{ plotly: async () => Plotly }})
  .show(JSON.parse(document.getElementById("document").textContent));
</script>
</body>
</html>
"""
