"""Whatever is in a file: it is read, or an `InputError` says what is wrong with it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from midalign_demo import adapter_files, parallel, tables
from midalign_demo.errors import InputError
from midalign_demo.tasks import json_readers, slot_readers
from tests.fuzz import nasty

ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "utf-32"])
RECORDS = st.lists(
    st.dictionaries(
        st.sampled_from(
            ["en", "de", "id", "utt", "slots", "lang", "text", "json", "text_parallel_0", "text_parallel_1"]
        ),
        st.one_of(
            nasty.json_value,
            st.lists(
                st.fixed_dictionaries({"slot": nasty.scalar, "values": nasty.json_value, "surface": nasty.scalar})
            ),
            st.fixed_dictionaries(
                {"Results": st.lists(st.fixed_dictionaries({"TypeName": nasty.scalar, "Text": nasty.scalar}))}
            ),
        ),
    ),
    max_size=4,
)
LINES = st.lists(
    st.lists(st.one_of(nasty.text, st.sampled_from(["en", "de", "1", "O", "B-x", "I-x", "I-", "# text = x"]))).map(
        "\t".join
    )
)


def contents(draw_text):
    return st.one_of(
        st.binary(max_size=200),
        st.tuples(draw_text, ENCODINGS).map(
            lambda pair: pair[0].encode(pair[1], "surrogatepass" if "utf" in pair[1] else "replace")
        ),
    )


ROWS = LINES.map("\n".join)
JSONL = RECORDS.map(lambda records: "\n".join(json.dumps(record) for record in records))


@given(tsv=contents(ROWS), jsonl=contents(st.one_of(JSONL, nasty.text)), txt=contents(nasty.text))
def test_parallel_text(tmp_path_factory, tsv, jsonl, txt):
    folder = tmp_path_factory.mktemp("files")
    (folder / "a.tsv").write_bytes(tsv)
    (folder / "a.jsonl").write_bytes(jsonl)
    (folder / "de.txt").write_bytes(txt)
    (folder / "en.txt").write_text("one\n")
    with nasty.bounded():
        for path in (folder / "a.tsv", folder / "a.jsonl", folder):
            try:
                corpus = parallel.read(path)
            except InputError:
                continue
            assert len({len(lines) for lines in corpus.values()}) == 1
            for lines in corpus.values():
                "".join(lines).encode()


@given(conll=contents(ROWS), iob2=contents(ROWS), jsonl=contents(st.one_of(JSONL, nasty.text)))
def test_commands_and_documents(tmp_path_factory, conll, iob2, jsonl):
    folder = tmp_path_factory.mktemp("files")
    for name, content in (("en.conll", conll), ("en.iob2", iob2), ("en.jsonl", jsonl)):
        (folder / name).write_bytes(content)
    reads = (
        (slot_readers.read, "en.conll"),
        (slot_readers.read, "en.jsonl"),
        (json_readers.read, "en.iob2"),
        (json_readers.read, "en.jsonl"),
        (json_readers.read_folder_or_file, "."),
    )
    with nasty.bounded():
        for read, name in reads:
            try:
                read(folder / name)
            except InputError:
                continue


CONFIG = {
    "peft_type": "LORA",
    "r": 3,
    "lora_alpha": 6,
    "target_modules": ["q_proj"],
    "rank_pattern": {},
    "alpha_pattern": {},
    "layers_to_transform": None,
    "bias": "none",
    "use_dora": False,
    "init_lora_weights": True,
}


@given(changes=st.dictionaries(st.sampled_from([*CONFIG]), nasty.json_value), raw=st.none() | st.binary(max_size=60))
def test_adapter_configurations(tmp_path_factory, adapter_folders, changes, raw):
    path = tmp_path_factory.mktemp("adapter") / "adapter_config.json"
    path.write_bytes(json.dumps({**CONFIG, **changes}).encode() if raw is None else raw)
    weights = adapter_folders["task"] / adapter_files.WEIGHTS
    with nasty.bounded():
        try:
            config = adapter_files.read_config(path, "x")
            adapter_files.read_shapes(weights, config, "x")
        except InputError:
            return


@given(content=contents(st.one_of(nasty.text, nasty.json_value.map(json.dumps))))
def test_result_tables(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("results")
    (folder / "a.json").write_bytes(content)
    with nasty.bounded():
        try:
            tables.read(folder / "a.json")
        except InputError:
            return
