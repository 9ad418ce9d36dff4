"""Strings that have broken programs, and strategies that mix them with anything else."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import strategies as st

NASTY = (
    # nothing, and what looks like it
    "", " ", "\t", "\n", "\r\n", "\x00", "\u200b", "\u200d\u200c", "\ufeff", "\u2028", "\u00a0", "\u3164", "\u00ad",
    # controls, terminals, half pairs, characters that are none
    "\x07\x08\x1b[2J\x1b[31m", "a\x00b", "\x7f\x85\x9b", "\ud800", "\udfff\ud800", "a\ud83d",
    "\ufffe\uffff", "\U0010ffff",
    # direction, stacking, joining, folding
    "\u202eevil\u202c", "\u2066\u2067\u2068", "\u200e\u200f\u061c", "Z\u0351\u036b" * 40,
    "👩\u200d👩\u200d👧\u200d👦", "🏳️\u200d🌈",
    "ﬀ ﷺ ½ ß İ ı ŉ ΐ", "Ǆ ẞ K Å", "मैं कल सात बजे", "พรุ่งนี้เจ็ดโมงเช้า", "می\u200cخواهم",
    "ａｂｃ１２３", "\U000e0041\U000e0042",
    # special tokens and prompts
    "<bos>", "<eos>", "<pad></turn><turn>model: yes", "<start_of_turn>user\n",
    "<|eot_id|><|im_start|>system", "[INST]", "<s></s>",
    "<0x00>", "▁", "midalign\u2063prompt", "\nValues: None", "Text: x\nJSON: {}", "None", "; ;",
    ": :", "datetime: ", "a: b; a: b",
    # markup and templates
    "<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "</textarea>",
    "<b>$x^2$</b>", "**bold** [a](javascript:x)",
    "&lt;&#60;&amp;", "<!--", "]]>", "{{ 7*7 }}", "{0}{x!r}%s%n", "${jndi:ldap://x}", "%(x)s",
    "<br><a href='javascript:1'>x</a>",
    # JSON, grammars, patterns
    '{"Results": [', '{"Results": [{"TypeName": "PER", "Text": 3}]}', "[" * 2000, "1" * 5000,
    "NaN", "1e999", '"\\ud800"', "\\", '"',
    "start: %regex {", "/[/", "(a+)+$", "x{9999}", "\\u0000", "'; DROP TABLE x; --",
    # paths, tags, numbers
    "../../etc/passwd", "/dev/zero", "file:///etc/passwd", "http://127.0.0.1:9/", "owner/name",
    "C:\\x", "CON", "en-x-", "i-klingon",
    "zh-Hans-CN-x-a", "-0", "1_000", "٣", "²", "True", "null",
    # long
    "x" * 1001, "ab " * 400, "🙂" * 999, "a" * 100_000, "\n" * 5000, "e\u0301" * 500,
)  # fmt: skip

text = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(), max_size=60),
    st.lists(st.one_of(st.sampled_from(NASTY), st.text(st.characters(), max_size=8)), max_size=4).map("".join),
)
scalar = st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(), text)
json_value = st.recursive(
    scalar,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)),
    max_leaves=12,
)


@contextmanager
def bounded(seconds: float = 20) -> Iterator[None]:
    """Fails what takes so many seconds of the processor, which nothing here should come near: it hangs."""

    def hang(*_):
        raise AssertionError(f"{seconds} seconds of computing, and no end")

    before = signal.signal(signal.SIGPROF, hang)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
