"""The Hugging Face hub: adapters fetched from it, folders uploaded to it with the user's own token."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from midalign_demo.errors import InputError

# What an adapter consists of there, no more: a folder of ours may hold checkpoints, one of others' pickles.
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "README.md", "training.json")

# What an encoder of sentence-transformers is loaded from: tables, vocabularies and safetensors; no pickles, no code.
_ENCODER_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")


@functools.cache
def fetched_adapter(repo: str) -> Path:
    """An adapter's files in the hub's own cache. Asked once a process, so that they stay the same within a run.

    Args:
        repo: `owner/name`.

    Raises:
        OSError: no network, no such adapter, no access.
        ValueError: not a hub id.
    """
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repo, allow_patterns=list(ADAPTER_FILES)))


def fetched_encoder(repo: str) -> Path:
    """An encoder's files in the hub's own cache.

    Args, Raises: as `fetched_adapter`.
    """
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repo, allow_patterns=list(_ENCODER_FILES)))


def upload(
    folder: Path, repo: str, kind: str, *, private: bool, files: Sequence[str] | None = None, sdk: str | None = None
) -> str:
    """Upload a folder; the address it then has. A repository that is not there yet is made.

    Args:
        repo: `owner/name`.
        kind: `model` or `space`.
        private: of a new one.
        files: only these; default: all, and what is there beside them goes.
        sdk: of a Space.

    Raises:
        InputError: no access, or no such owner.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    hub = HfApi()
    chosen = {"delete_patterns": "*"} if files is None else {"allow_patterns": list(files)}
    try:
        made = hub.create_repo(repo, repo_type=kind, space_sdk=sdk, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=made.repo_id, repo_type=kind, folder_path=folder, commit_message="midalign", **chosen
        )  # fmt: skip
    except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
        raise InputError(f"{kind}: {repo!r} can't be uploaded ({str(error).strip().splitlines()[0]})") from error
    return str(made)
