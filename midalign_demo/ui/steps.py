"""The strip on top of the page: three steps, one click each, from a question to what alignment does."""

from __future__ import annotations

import gradio as gr

from midalign_demo.ui.compare import CompareTab
from midalign_demo.ui.words import label

COMPARE, MAP = "compare", "map"  # ids of the tabs that the steps lead to
_STEPS = ("step_ask", "step_see", "step_align")
_QUICK = {"show_progress": "hidden", "api_visibility": "private", "queue": False}

# On a phone the tabs are below the strip.
_SHOW_TABS = "() => document.querySelector('#tabs')?.scrollIntoView({behavior: 'smooth', block: 'start'})"

# The map's tab is drawn when it is first shown, so what it shows may have to be waited for. A map of strengths plays;
# another, or none (adapters without a stored map), makes way for one.
_PLAY_STRENGTH = """() => {
  let tries = 0, asked = false;
  const pick = () => {
    const look = document.querySelector('#map-view [data-look="strength"]');
    if (look) {
      look.click();
      document.querySelector('#map-view .mm-play')?.click();
      return;
    }
    const strength = document.querySelector('#map-show input[value="strength"]');
    if (!asked && strength && (document.querySelector('#map-view .mm') || tries > 30)) {
      strength.click();
      asked = true;
    }
    if (++tries < 1200) setTimeout(pick, 100);
  };
  pick();
  document.querySelector('#tabs')?.scrollIntoView({behavior: 'smooth', block: 'start'});
}"""


class Steps:
    """Builds the strip inside a `gr.Blocks` context."""

    def __init__(self):
        self._buttons = []
        with gr.Row(elem_id="steps"):
            for number, key in enumerate(_STEPS, start=1):
                with gr.Column(min_width=200, elem_classes="step"):
                    self._buttons.append(gr.Button(label(key), elem_id=f"step-{number}"))
                    gr.Markdown(label(f"{key}_why"))

    def lead_on(self, tabs: gr.Tabs, compare: CompareTab) -> None:
        """Let the steps work, once there are tabs for them to lead to."""
        ask, see, align = self._buttons
        compare.ask_an_example(ask, tabs, COMPARE)
        ask.click(None, None, None, js=_SHOW_TABS, **_QUICK)
        see.click(lambda: gr.Tabs(selected=MAP), None, tabs, **_QUICK).then(None, None, None, js=_SHOW_TABS, **_QUICK)
        align.click(lambda: gr.Tabs(selected=MAP), None, tabs, **_QUICK).then(
            None, None, None, js=_PLAY_STRENGTH, **_QUICK
        )
