"""The README's commands are the ones that are tested."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_ci_runs_the_readmes_test_command_word_for_word():
    commands = [
        line for line in (ROOT / ".ci/run").read_text().splitlines() if line.startswith("python3.11 -m venv .venv")
    ]
    assert len(commands) == 1
    assert commands[0] in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_files_that_the_readme_shows_exist():
    import re

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", text)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
