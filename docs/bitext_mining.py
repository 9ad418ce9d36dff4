"""Bitext mining: find the translations of sentences among many others, with an exported encoder.

    midalign export-encoder encoders/align
    python docs/bitext_mining.py encoders/align --parallel DATA/parallel/ntrex --languages sw,de \\
        --distractors DATA/parallel/tico19/en.txt DATA/slots/snips/en.jsonl

Needs sentence-transformers alone. Pairs are found as in LASER (Artetxe & Schwenk 2019): candidates are each sentence's
nearest neighbours in both directions, scored by ratio margin; of overlapping pairs the best is kept; pairs above a
threshold, chosen on lines of their own, are the result.
"""

import argparse
import json
from pathlib import Path

from sentence_transformers import SentenceTransformer, util

NEIGHBOURS = 4
TUNED = (200, 264)  # lines 201-264 choose the threshold; no shipped adapter was trained on these or the ones before


def mine(sources, targets) -> list[tuple[float, int, int]]:
    """Pairs (score, source, target), best first, no sentence in two of them.

    Args:
        sources, targets: embeddings (n, width) and (m, width).
    """
    forward = util.semantic_search(sources, targets, top_k=NEIGHBOURS)
    backward = util.semantic_search(targets, sources, top_k=NEIGHBOURS)
    near = [[sum(hit["score"] for hit in hits) / (2 * len(hits)) for hits in side] for side in (forward, backward)]
    cosines = {(at, hit["corpus_id"]): hit["score"] for at, hits in enumerate(forward) for hit in hits}
    cosines |= {(hit["corpus_id"], at): hit["score"] for at, hits in enumerate(backward) for hit in hits}
    scored = sorted(((value / (near[0][a] + near[1][b]), a, b) for (a, b), value in cosines.items()), reverse=True)
    used: tuple[set[int], set[int]] = (set(), set())
    found = []
    for score, a, b in scored:
        if a not in used[0] and b not in used[1]:
            used[0].add(a)
            used[1].add(b)
            found.append((score, a, b))
    return found


def measure(found, wanted: range, threshold: float) -> dict[str, float]:
    """Precision, recall and F1 of the pairs above a threshold; sentence i of `wanted` belongs to target i.

    Pairs of sources outside `wanted` are not looked at.
    """
    given = [(a, b) for score, a, b in found if score >= threshold and a in wanted]
    right = sum(a == b for a, b in given)
    precision, recall = right / max(1, len(given)), right / len(wanted)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(1e-9, precision + recall)}


def lines_of(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["utt"] for line in lines] if path.suffix == ".jsonl" else lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", help="what SentenceTransformer loads")
    parser.add_argument("--parallel", type=Path, required=True, help="folder of <language>.txt, aligned by lines")
    parser.add_argument("--languages", required=True, help="the sources', such as sw,de; the targets are English")
    parser.add_argument(
        "--distractors", type=Path, nargs="+", required=True, help="English lines that translate nothing"
    )
    parser.add_argument("--count", type=int, default=5000, help="of distractors; default: 5000")
    arguments = parser.parse_args()
    english = lines_of(arguments.parallel / "en.txt")
    known = set(english)
    others = [line for path in arguments.distractors for line in lines_of(path) if line.strip() and line not in known]
    others = others[: arguments.count]
    encoder = SentenceTransformer(arguments.encoder)
    targets = encoder.encode([*english, *others], convert_to_tensor=True)
    for language in arguments.languages.split(","):
        sources = lines_of(arguments.parallel / f"{language}.txt")
        found = mine(encoder.encode(sources, convert_to_tensor=True), targets)
        tuned = range(*TUNED)
        threshold = max((score for score, a, _ in found if a in tuned), key=lambda at: measure(found, tuned, at)["f1"])
        result = {"language": language, "distractors": len(others), "threshold": threshold}
        result["lines 1-200"] = measure(found, range(TUNED[0]), threshold)
        result[f"lines 1-{len(sources)}"] = measure(found, range(len(sources)), threshold)
        print(json.dumps(result))


if __name__ == "__main__":
    main()
