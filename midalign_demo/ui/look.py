"""The app's look, light and dark: colours, type and spacing."""

from __future__ import annotations

from importlib.resources import files

import gradio as gr
from gradio.themes.utils.colors import Color
from starlette.middleware import Middleware

from midalign_demo import pages
from midalign_demo.ui import corpora, words
from midalign_demo.ui.queue import THREADS

# Ink on paper by day, lamp light at night; one deep green for what can be done.
_STONE = Color(
    c50="#faf9f6", c100="#f2f0ea", c200="#e4e0d6", c300="#cdc7b9", c400="#9c978a", c500="#6f6b61", c600="#54514a",
    c700="#3b3a36", c800="#272826", c900="#1b1d1c", c950="#131514", name="stone",
)  # fmt: skip
_PINE = Color(
    c50="#eef7f4", c100="#d5ece5", c200="#abd9cc", c300="#79bfae", c400="#46a08d", c500="#238472", c600="#146b5c",
    c700="#10564b", c800="#0f453d", c900="#0d3832", c950="#06211d", name="pine",
)  # fmt: skip
_SANS = ["system-ui", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Noto Sans Mono", "monospace"]


def theme() -> gr.themes.Base:
    """The theme that Gradio's own components take."""
    return gr.themes.Base(
        primary_hue=_PINE,
        secondary_hue=_PINE,
        neutral_hue=_STONE,
        radius_size=gr.themes.sizes.radius_md,
        spacing_size=gr.themes.sizes.spacing_md,
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="#b4afa3",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_800",
        block_background_fill="#ffffff",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_700",
        block_border_width="1px",
        block_shadow="none",
        block_label_text_color="*neutral_600",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_title_text_weight="600",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="#b4afa3",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_700",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_600",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="*neutral_950",
        button_border_width="1px",
        button_border_width_dark="1px",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_600",
        button_secondary_text_color="*neutral_800",
        button_secondary_text_color_dark="*neutral_100",
        checkbox_label_background_fill="*neutral_50",
        checkbox_label_background_fill_dark="*neutral_800",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="*primary_900",
        checkbox_label_text_color_selected="*primary_800",
        checkbox_label_text_color_selected_dark="*primary_100",
        checkbox_label_border_color_selected="*primary_400",
        checkbox_label_border_color_selected_dark="*primary_600",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_400",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        block_padding="*spacing_lg *spacing_xl",
    )


def launch_options() -> dict:
    """What `launch` has to be given for the page to look and speak as it should, and for its bounds to hold."""
    speaking = {"i18n": words.i18n(), "app_kwargs": {"middleware": [Middleware(words.LanguageOfRequest)]}}
    bounds = {"max_file_size": corpora.MOST_BYTES, "max_threads": THREADS}
    return {"theme": theme(), "css": css(), **bounds, **speaking}


def css() -> str:
    """The style sheet of the cards, the map and the page."""
    return (files("midalign_demo") / "ui" / "style.css").read_text(encoding="utf-8") + pages.style()
