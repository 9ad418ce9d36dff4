"""Which language a text is written in, guessed offline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from midalign_demo import languages

_CHUNKS, _CHUNK_LINES = 12, 5  # lines that are looked at together: single ones are often mistaken
_ENOUGH_CHARACTERS = 200
_MOST_OF_THEM = 0.75
_NEAR = 25  # langcodes' distance, up to which speakers of one language read the other


def detect(text: str) -> str:
    """The most likely language of a text (BCP 47), of the 97 that py3langid knows; short texts are often mistaken."""
    import py3langid  # reads its model, which takes a moment

    tag, _ = py3langid.classify(text)
    return languages.normalize(tag)


def other_language(lines: Sequence[str], tag: str) -> str | None:
    """The language that lines seem to be written in, where it is not the one claimed; None where nothing is amiss.

    A few dozen lines are looked at, several together. Languages near to the one claimed, such as Indonesian for
    Malay, are not told from it, nor is anything said of languages that py3langid doesn't know.
    """
    import langcodes
    import py3langid

    claimed = langcodes.Language.get(tag).language
    if claimed is None or claimed not in {known for known, _ in py3langid.rank("")}:
        return None
    every = max(1, len(lines) // (_CHUNKS * _CHUNK_LINES))
    sample = lines[::every][: _CHUNKS * _CHUNK_LINES]
    chunks = [" ".join(sample[at::_CHUNKS]) for at in range(min(_CHUNKS, len(sample)))]
    if not chunks:
        return None
    votes = Counter(detect(chunk) for chunk in chunks)
    found, times = votes.most_common(1)[0]
    is_sure = sum(map(len, sample)) >= _ENOUGH_CHARACTERS and times >= _MOST_OF_THEM * len(chunks)
    return found if is_sure and langcodes.tag_distance(found, claimed) > _NEAR else None
