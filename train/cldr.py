"""Emoji names and keywords of Unicode CLDR as parallel vocabulary.

Some 1,960 concepts in more than a hundred languages, a line each, such as "derelict house: home".
For languages whose parallel text is short, they add words that it doesn't have. The archive is what
`npm pack cldr-annotations-full` downloads (Unicode licence v3).
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from midalign_demo.errors import InputError

_MEMBER = "package/annotations/{tag}/annotations.json"


def read_annotations(archive: str | Path, tags: list[str]) -> dict[str, list[str]]:
    """Parallel lines, one for each emoji that has a name in every language.

    Args:
        archive: the npm package `cldr-annotations-full`, a `.tgz`.
        tags: languages to read.

    Returns:
        For each language its lines: the name, and after a colon the keywords that it doesn't contain.

    Raises:
        InputError: not such an archive, or a language that it doesn't have.
    """
    try:
        with tarfile.open(archive, "r:gz") as package:
            named = {tag: _annotations(package, tag, archive) for tag in tags}
    except (OSError, tarfile.TarError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"archive: {str(archive)!r} can't be read as a .tgz ({reason})") from error
    shared = [emoji for emoji in named[tags[0]] if all(emoji in lines for lines in named.values())]
    return {tag: [lines[emoji] for emoji in shared] for tag, lines in named.items()}


def _annotations(package: tarfile.TarFile, tag: str, archive: str | Path) -> dict[str, str]:
    """Emoji -> its line in one language."""
    try:
        member = package.extractfile(_MEMBER.format(tag=tag))
    except KeyError as error:
        raise InputError(f"languages: {tag!r} is not in {archive}") from error
    if member is None:  # a folder of that name
        raise InputError(f"languages: {tag!r} is no file in {archive}")
    entries = json.load(member)["annotations"]["annotations"]
    return {emoji: _line(entry) for emoji, entry in entries.items() if entry.get("tts")}


def _line(entry: dict) -> str:
    name = entry["tts"][0]
    keywords = [keyword for keyword in entry.get("default", []) if keyword not in name]
    return f"{name}: {', '.join(keywords)}" if keywords else name
