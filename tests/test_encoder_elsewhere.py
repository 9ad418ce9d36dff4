"""The exported encoder in the hands of others: sentence-transformers' own tools, and MTEB with a local task."""

import datasets
import mteb
import pytest
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.abstasks.text.bitext_mining import AbsTaskBitextMining
from sentence_transformers import SentenceTransformer, util

from midalign_demo import parallel
from midalign_demo.adapters import AdapterSet
from midalign_demo.encoder import write_encoder
from midalign_demo.middle import embed
from midalign_demo.retrieval import retrieval_table


@pytest.fixture
def encoder(base, tmp_path):
    write_encoder(AdapterSet(base), {}, tmp_path / "encoder", layer=2)
    return SentenceTransformer(str(tmp_path / "encoder"), device="cpu")


@pytest.fixture
def pairs(parallel_folder):
    read = parallel.read(str(parallel_folder))
    return {tag: list(read[tag]) for tag in ("de", "en")}


class Bitext(AbsTaskBitextMining):
    metadata = TaskMetadata(
        name="LocalBitext", description="Pairs of a test.", type="BitextMining", category="t2t", modalities=["text"],
        reference=None, dataset={"path": "none", "revision": "none"}, eval_splits=["test"], eval_langs=["deu-Latn"],
        main_score="accuracy", date=None, domains=None, task_subtypes=None, license=None, annotations_creators=None,
        dialect=None, sample_creation=None, bibtex_citation=None,
    )  # fmt: skip

    def load_data(self, **kwargs):
        self.data_loaded = True


def test_mteb_finds_as_many_translations_as_we_do(base, encoder, pairs):
    task = Bitext()
    columns = {"sentence1": pairs["de"], "sentence2": pairs["en"]}
    task.dataset = {"test": datasets.Dataset.from_dict(columns)}
    scores = task.evaluate(mteb.SentenceTransformerEncoderWrapper(encoder), encode_kwargs={"batch_size": 8})["default"]
    lines = pairs["de"] + pairs["en"]
    rows = embed(base, lines, layers=[2])[2]
    ours = retrieval_table({"de": rows[: len(pairs["de"])], "en": rows[len(pairs["de"]) :]})
    one_way = scores["accuracy"]
    assert 0 <= one_way <= 1
    # MTEB looks for the English sentences of German ones; ours is the mean of both ways.
    task.dataset = {"test": datasets.Dataset.from_dict({"sentence1": pairs["en"], "sentence2": pairs["de"]})}
    back = task.evaluate(mteb.SentenceTransformerEncoderWrapper(encoder), encode_kwargs={})["default"]["accuracy"]
    assert (one_way + back) / 2 == pytest.approx(ours["pairs"]["de-en"], abs=1e-6)


def test_hard_negatives_are_mined_with_it(encoder, pairs):
    data = datasets.Dataset.from_dict({"anchor": pairs["de"], "positive": pairs["en"]})
    mined = util.mine_hard_negatives(data, encoder, num_negatives=2, verbose=False)
    assert set(mined.column_names) == {"anchor", "positive", "negative"}
    assert len(mined) > len(pairs["de"])
    assert all(row["negative"] in pairs["en"] and row["negative"] != row["positive"] for row in mined)


def test_paraphrases_are_mined_with_it(encoder, pairs):
    lines = [pairs["en"][0], *pairs["en"][5:9], pairs["en"][0]]
    score, first, second = util.paraphrase_mining(encoder, lines)[0]
    assert {first, second} == {0, len(lines) - 1}
    assert score == pytest.approx(1, abs=1e-4)
