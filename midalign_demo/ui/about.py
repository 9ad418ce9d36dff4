"""The About tab: the method, the variants, limits, terms of use and citations."""

from __future__ import annotations

from html import escape
from importlib.resources import files

import gradio as gr

from midalign_demo import adapters, embedded, provenance, tasks, variants
from midalign_demo.ui import words

_METHOD = """\
## The method

A language model reads English and Thai with the same weights, but sentences of the same meaning take different paths
through it. They come nearest to each other in the **middle** layers; alignment brings them nearer still. While a
small LoRA adapter is trained, sentences go in bare, without prompt or question, in batches of translations. At the
middle layer each becomes one vector, the mean over its tokens. A contrastive loss rewards the adapter when a sentence
is more like its translation (by cosine) than like any other sentence of the batch.

No task is needed for that. The adapter is then added to one that was tuned on a task in a few languages. The hope,
and the finding of the paper on 7 to 8 billion parameters: what the task adapter has learned there reaches more
languages.
"""
_MERGED = "task adapter + {weights} alignment adapter; each chosen on its task's development data"
_VARIANTS = {
    "base": "the pretrained model; asked with three answered examples before the question",
    "task": "an adapter tuned on the task's data in a few languages",
    "align": "the alignment adapter alone, which never saw the task; asked with the same three examples",
    "joint": "the task adapter trained on, on its task and on alignment in turn, and averaged with where it began",
}
_LIMITS = """\
## Limits

- The model is small: 270 million parameters. It makes mistakes in every language, gives wrong values with the same
  air as right ones, and knows some languages hardly at all. Do not let anything that matters depend on its answers.
- That translations lie together does not mean that the answers are better. Whether they are, per task and language,
  is under *Results*, also where alignment does not help.
- The adapters know what their data hold: short voice commands, news, health information and texts with named
  entities, in a few dozen languages. Most of the world's languages are not among them.
- Scores are of a few hundred examples at most. Where two intervals overlap widely, the order of two variants may be
  chance.
"""
_CITATIONS = """\
## Citations

- The method: Danni Liu and Jan Niehues. *Middle-Layer Representation Alignment for Cross-Lingual Transfer in
  Fine-Tuned LLMs.* ACL 2025. [arXiv:2502.14830](https://arxiv.org/abs/2502.14830),
  [code](https://github.com/dannigt/mid-align)
- The base: Gemma Team. *Gemma 3 Technical Report.* 2025. [arXiv:2503.19786](https://arxiv.org/abs/2503.19786)
- NTREX-128: Christian Federmann, Tom Kocmi and Ying Xin. *NTREX-128 – News Test References for MT Evaluation of 128
  Languages.* SumEval 2022. [Paper](https://aclanthology.org/2022.sumeval-1.4)
- TICO-19: Antonios Anastasopoulos et al. *TICO-19: the Translation Initiative for COvid-19.* NLP for COVID-19 (Part
  2), 2020. [arXiv:2007.01788](https://arxiv.org/abs/2007.01788)
- SNIPS: Alice Coucke et al. *Snips Voice Platform: an embedded Spoken Language Understanding system for
  private-by-design voice interfaces.* 2018. [arXiv:1805.10190](https://arxiv.org/abs/1805.10190)
- xSID: Rob van der Goot et al. *From Masked Language Modeling to Translation: Non-English Auxiliary Tasks Improve
  Zero-shot Spoken Language Understanding.* NAACL 2021. [arXiv:2105.07316](https://arxiv.org/abs/2105.07316)
- Universal NER: Stephen Mayhew et al. *Universal NER: A Gold-Standard Multilingual Named Entity Recognition
  Benchmark.* NAACL 2024. [arXiv:2311.09122](https://arxiv.org/abs/2311.09122)
"""


class AboutTab:
    """Builds the tab inside a `gr.Blocks` context. It needs no model."""

    def __init__(self):
        gr.Markdown(_METHOD)
        gr.HTML(_figures(), elem_classes="flush", elem_id="about-figures")
        gr.HTML(_variants(), elem_classes="flush", elem_id="about-variants")
        gr.Markdown(_LIMITS)
        gr.HTML(_terms(), elem_classes="flush", elem_id="about-terms")
        gr.Markdown(_CITATIONS)


def _figures() -> str:
    folder = files("midalign_demo") / "ui"
    drawn = [
        (folder / name).read_text(encoding="utf-8") for name in ("method-training.svg", "method-merging.svg")
    ]  # fmt: skip
    captions = ("1. Align: train on translations", "2. Add: use it with a task")
    parts = "".join(
        f"<figure><figcaption>{caption}</figcaption>{svg}</figure>"
        for caption, svg in zip(captions, drawn, strict=True)
    )
    return f"<div class='methods'>{parts}</div>"


def _variants() -> str:
    by_weight: dict[float, list[str]] = {}
    for task in tasks.MODULES:
        by_weight.setdefault(variants.MERGE_WEIGHTS[task], []).append(task)
    named = [
        f"{weight:g} ×" + ("" if len(by_weight) == 1 else f" ({', '.join(of)})") for weight, of in by_weight.items()
    ]
    said = {**_VARIANTS, "merged": _MERGED.format(weights=" or ".join(named))}
    rows = "".join(
        f"<tr><th scope='row'>{escape(words.ENGLISH(f'variant_{name}'))}</th><td>{escape(said[name])}</td></tr>"
        for name in variants.VARIANTS
    )
    return (
        "<h2>The variants</h2><table class='figures'><thead><tr><th>variant</th><th>what answers</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _terms() -> str:
    """Terms of base and data. The notes on data are those that training wrote beside the adapters."""
    notes = provenance.notes_of(adapters.shipped())
    rows = "".join(
        f"<tr><td>{escape(note)}</td><td>{escape(', '.join(names))}</td></tr>" for note, names in notes.items()
    )
    said, scheme, rest = embedded.LICENCE_NOTE.partition("https://")
    link = scheme + rest
    return (
        "<h2>Terms of use</h2>"
        f"<p>The code is under the Apache License 2.0. The base model, {escape(embedded.HUB_ID)}, and the adapters "
        f"trained on it are not. {escape(said)}"
        f"<a href='{escape(link)}' target='_blank' rel='noopener'>{escape(link)}</a></p>"
        "<p>What the shipped adapters were trained and tuned on, with its licence; none of it comes with the app:</p>"
        "<table class='figures'><thead><tr><th>data and licence</th><th>adapters</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
