"""A figure as an HTML page of its own, which needs no network."""

from __future__ import annotations

import html

from midalign_demo.maps import EmbeddingMap

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2430; --paper: #fff; --rule: #7b829059; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e7eb; --paper: #0f172a; } }
body { max-width: 1180px; margin: 0 auto; padding: 12px; color: var(--ink); background: var(--paper);
  font: 15px/1.5 system-ui, "Noto Sans", sans-serif; }
h1 { margin: 0; font-size: 1.2rem; } p { margin: .2rem 0 .8rem; max-width: 75ch; overflow-wrap: anywhere; }
table { min-width: min(100%, 40rem); border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: start; font-weight: 600; padding: .4rem 0; }
th, td { padding: .25rem .8rem .25rem 0; text-align: start; border-bottom: 1px solid var(--rule); }
.main-svg .infolayer text, .main-svg .cartesianlayer text { fill: var(--ink) !important; }
"""
_HOW_TO_READ = (
    "Each point is a sentence, joined to its translations. Where these lie together, the model has the same place for "
    "the same meaning; where a language lies by itself, it has not. The map squeezes hundreds of dimensions into a few "
    "and can mislead. What was measured in all of them:"
)


def map_page(shown: EmbeddingMap, figure) -> str:
    """The page: the figure, and in a table what it shows, for those who cannot see it.

    Args:
        figure: one of `midalign_demo.figures`.
    """
    chart = figure.to_html(include_plotlyjs=True, full_html=False, auto_play=False, config={"displaylogo": False})
    facts = [
        f"{len(set(shown.meaning))} sentences in {', '.join(shown.languages)}",
        {"umap": "UMAP", "pca": "PCA"}[shown.method],
        *(["each language's mean subtracted"] if shown.centred else []),
    ]
    rows = "\n".join(
        f"<tr><td>{html.escape(part.label)}</td><td>{part.layer}</td>"
        f"<td>{_number(part.retrieval['en-x'])}</td><td>{_number(part.retrieval['all'])}</td></tr>"
        for part in shown.slices
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>midalign map</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Where sentences lie in the middle of the model</h1>
<p>{html.escape("; ".join(facts))}</p>
{chart}
<p>{_HOW_TO_READ}</p>
<table>
<caption>Retrieval accuracy: how often the nearest sentence in the other language is the translation</caption>
<thead><tr><th>variant</th><th>layer</th><th>pairs with English</th><th>all pairs</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
