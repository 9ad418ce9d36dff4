"""midalign_demo.hub: adapters from the hub's own cache, which is what an earlier download leaves; and to it."""

import shutil

import pytest

from midalign_demo import adapters, hub
from midalign_demo.errors import InputError

REPO = "someone/some-LoRA"
COMMIT = "0123456789012345678901234567890123456789"


@pytest.fixture
def cached(adapter_folders, tmp_path, monkeypatch):
    """A cache with one adapter in it, as huggingface_hub lays it out. There is no network in tests."""
    root = tmp_path / "hub"
    repo = root / f"models--{REPO.replace('/', '--')}"
    shutil.copytree(adapter_folders["task"], repo / "snapshots" / COMMIT)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(root))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_OFFLINE", True)
    hub.fetched_adapter.cache_clear()
    yield repo / "snapshots" / COMMIT
    hub.fetched_adapter.cache_clear()


def test_an_adapter_of_the_hub_is_one_like_others(cached, adapter_folders):
    assert adapters.locate(REPO) == cached
    assert adapters.checksum(REPO) == adapters.checksum(str(adapter_folders["task"]))
    assert adapters.read_tensors(REPO).keys() == adapters.read_tensors(str(adapter_folders["task"])).keys()


def test_one_that_cannot_be_had_is_named_with_the_reason(cached):
    with pytest.raises(
        InputError, match=r"^adapter: 'someone/other' is neither .* nor can it be had from the hub \("
    ) as e:
        adapters.locate("someone/other")
    assert "\n" not in str(e.value)
    with pytest.raises(InputError, match="neither a shipped adapter"):
        adapters.locate("../../etc/passwd")


def test_an_adapter_with_pickled_weights_alone_is_refused(cached):
    (cached / "adapter_model.safetensors").rename(cached / "adapter_model.bin")
    with pytest.raises(
        InputError, match="nor a folder or hub id with adapter_config.json and adapter_model.safetensors"
    ):
        adapters.locate(REPO)


def test_push_sends_an_adapters_own_files(output, document, adapter_folders, hub_calls):
    folder = str(adapter_folders["task"])
    assert output("adapters", "push", folder, "someone/mine").strip() == "https://huggingface.co/someone/mine"
    assert hub_calls[0] == (
        "create_repo", "someone/mine",
        {"repo_type": "model", "space_sdk": None, "private": False, "exist_ok": True},
    )  # fmt: skip
    sent = hub_calls[1][1]
    assert sent["folder_path"] == adapter_folders["task"]
    assert sent["allow_patterns"] == list(hub.ADAPTER_FILES)
    assert "delete_patterns" not in sent
    assert document("adapters", "push", folder, "someone/mine", "--private")["url"].endswith("someone/mine")
    assert hub_calls[2][2]["private"] is True


def test_push_without_a_place_or_an_adapter_is_refused(refused, hub_calls):
    assert "push: 'align' given; it takes NAME OWNER/REPOSITORY" in refused("adapters", "push", "align")
    assert "'nothing' is neither" in refused("adapters", "push", "nothing", "someone/mine")
    assert hub_calls == []


def test_an_upload_without_a_token_is_one_line(adapter_folders, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"^model: 'someone/mine' can't be uploaded \(.+\)$"):
        hub.upload(adapter_folders["task"], "someone/mine", "model", private=False)
