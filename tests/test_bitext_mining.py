"""docs/bitext_mining.py: pairs and figures worked out by hand, and the whole of it with an exported encoder."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[1] / "docs" / "bitext_mining.py"


@pytest.fixture(scope="module")
def mining():
    spec = importlib.util.spec_from_file_location("bitext_mining", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_sentence_is_in_one_pair_and_the_best_come_first(mining):
    # Both sources are nearest to target 1. The second is nearer, so the first is left target 0.
    sources = torch.tensor([[0.6, 0.8], [0.1, 1.0]])
    targets = torch.tensor([[1.0, 0.2], [0.0, 1.0]])
    found = mining.mine(sources, targets)
    assert [(a, b) for _, a, b in found] == [(1, 1), (0, 0)]
    assert found[0][0] > found[1][0]
    # Ratio margin (Artetxe & Schwenk 2019): the cosine over the mean of both sides' mean cosine with their nearest.
    cosines = torch.nn.functional.normalize(sources) @ torch.nn.functional.normalize(targets).T
    expected = cosines[1, 1] / (cosines[1].mean() / 2 + cosines[:, 1].mean() / 2)
    assert found[0][0] == pytest.approx(float(expected), rel=1e-5)


def test_precision_and_recall_count_the_wanted_sources_alone(mining):
    found = [(1.4, 0, 0), (1.3, 1, 5), (1.2, 7, 7), (1.1, 2, 2), (0.9, 3, 3)]
    # Of sources 0-3 three pairs are above 1.0, two of them right; the fourth is below.
    measured = mining.measure(found, range(4), 1.0)
    assert measured == {"precision": pytest.approx(2 / 3), "recall": 0.5, "f1": pytest.approx(4 / 7)}
    assert mining.measure(found, range(4), 2.0) == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_it_runs_with_an_exported_encoder(mining, base_folder, output, tmp_path, monkeypatch, capsys):
    words = ["alpha", "bravo", "cedar", "delta", "ember", "flint", "grove", "heron", "inlet", "joust"]
    lines = [f"{words[i % 10]} {words[i // 10 % 10]} {words[i // 100]}" for i in range(270)]
    parallel = tmp_path / "parallel"
    parallel.mkdir()
    for tag in ("en", "de", "sw"):
        (parallel / f"{tag}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    others = tmp_path / "others.jsonl"
    others.write_text("".join(json.dumps({"utt": f"{word} and no more"}) + "\n" for word in words), encoding="utf-8")
    encoder = tmp_path / "encoder"
    output("export-encoder", str(encoder), "--variant", "base", "--base", base_folder, "--layer", "1")
    monkeypatch.setattr(
        sys, "argv",
        ["bitext_mining.py", str(encoder), "--parallel", str(parallel), "--languages", "sw,de",
         "--distractors", str(others), "--count", "8"],
    )  # fmt: skip
    capsys.readouterr()
    mining.main()
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["language"] for one in said] == ["sw", "de"]
    for one in said:  # a sentence and its copy have the same vector
        assert one["distractors"] == 8
        assert one["lines 1-200"]["f1"] > 0.9
        assert one["lines 1-270"]["recall"] > 0.9
