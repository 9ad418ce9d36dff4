"""What the page says, in eight languages.

Labels of Gradio's components are translated in the browser, by its language; what the server draws (answers, notices)
is written in the language that the browser asks for, which is the same one.

Gradio itself speaks no Swahili, and shows whoever asks for a language that it doesn't speak the English labels. So such
a visitor's page is sent ours in the place of the English ones.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from functools import lru_cache
from importlib.resources import files

import gradio as gr

from midalign_demo import languages, pages

TAGS = ("en", "de", "es", "fr", "zh", "ar", "hi", "sw")
_NOT_GRADIOS = ("sw",)

# Tells screen readers the language of a page whose labels Gradio takes for English.
TELL_LANGUAGE = """() => {
  const spoken = navigator.language.split("-")[0];
  if (%s.includes(spoken)) document.documentElement.lang = spoken;
}""" % list(_NOT_GRADIOS)  # noqa: UP031 (braces belong to the script)

_asked: ContextVar[str] = ContextVar("asked", default="")  # Accept-Language of the request that is being answered


@lru_cache(maxsize=1)
def tables() -> dict[str, dict[str, str]]:
    """For each language its words by key; every language has every key."""
    folder = files("midalign_demo") / "assets" / "words"
    return {tag: json.loads((folder / f"{tag}.json").read_text(encoding="utf-8")) for tag in TAGS}


class _Labels(gr.I18n):
    """The tables as Gradio sends them to a browser."""

    @property
    def translations_dict(self) -> dict[str, dict[str, str]]:
        tag = _first_of(_asked.get())
        return {**self.translations, "en": self.translations[tag]} if tag in _NOT_GRADIOS else self.translations


class Page(gr.Blocks):
    """A page whose labels are those that the visitor is to be sent."""

    @property
    def config(self) -> dict:
        """What Gradio makes the page from, and otherwise makes once for all visitors."""
        if _first_of(_asked.get()) in _NOT_GRADIOS:
            return {**self._config, "i18n_translations": i18n().translations_dict}
        return self._config

    @config.setter
    def config(self, value: dict) -> None:
        self._config = value


class LanguageOfRequest:
    """ASGI middleware that keeps the language asked for at hand while a request is answered."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send) -> None:
        """Answer a request."""
        headers = dict(scope.get("headers") or ())
        token = _asked.set(headers.get(b"accept-language", b"").decode("latin-1"))
        try:
            await self._app(scope, receive, send)
        finally:
            _asked.reset(token)


@lru_cache(maxsize=1)
def i18n() -> gr.I18n:
    """The tables in the form that Gradio's `launch` takes, along with `LanguageOfRequest`."""
    return _Labels(**tables())


def label(key: str) -> str:
    """A label that the browser translates.

    It is given to Gradio as text, which is the one form that every component takes when it is built and when it is
    updated.
    """
    if key not in tables()["en"]:
        raise KeyError(key)
    return str(i18n()(key))


class Words:
    """The words of one language.

    Args:
        tag: one of `TAGS`.
    """

    def __init__(self, tag: str):
        self.tag = tag
        self._table = tables()[tag]

    def variant(self, name: str) -> tuple[str, str]:
        """A variant's title and what it is, in a few words; of a user's own its name, which says it all."""
        return self._table.get(f"variant_{name}", name), self._table.get(f"about_{name}", "")

    def __call__(self, key: str, **values) -> str:
        """The words for a key, with values put in where they have a `{name}`."""
        return self._table[key].format(**values)

    @property
    def of_map(self) -> dict[str, str]:
        """What a map says, as `pages.map_document` takes it."""
        return {key: text for key, text in self._table.items() if key.startswith(pages.WORDS)}

    @property
    def attributes(self) -> str:
        """Language and direction, as attributes of an HTML element."""
        return f'lang="{self.tag}" dir="{"rtl" if languages.is_rtl(self.tag) else "ltr"}"'


ENGLISH = Words("en")


def of(request: gr.Request | None) -> Words:
    """The words for a visitor: those of the language that the browser names first, or English."""
    tag = _first_of(request.headers.get("accept-language", "")) if request else "en"
    return Words(tag) if tag in TAGS else ENGLISH


def _first_of(accepted: str) -> str:
    """The language that an Accept-Language header names first, without its region."""
    return accepted.split(",")[0].split(";")[0].split("-")[0].strip().lower()
