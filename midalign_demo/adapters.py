"""Finding, checking, loading, activating and exactly merging LoRA adapters."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from midalign_demo import files
from midalign_demo.bases import Base
from midalign_demo.errors import InputError

if TYPE_CHECKING:
    from peft import PeftModel

    from midalign_demo.mixed import MixedRows

_WEIGHTS = "adapter_model.safetensors"


def shipped_folder() -> Path:
    """The folder of the adapters that come with the package."""
    return Path(str(resources.files("midalign_demo") / "assets" / "adapters"))


def shipped() -> list[str]:
    """Names of the adapters that come with the package."""
    return sorted(path.parent.name for path in shipped_folder().glob(f"*/{_WEIGHTS}"))


def locate(name: str) -> Path:
    """The folder of a shipped adapter's name, or of a path.

    Raises:
        InputError: neither.
    """
    path = Path(name) if Path(name).is_dir() else shipped_folder() / name
    if not (path / "adapter_config.json").is_file() or not (path / _WEIGHTS).is_file():
        raise InputError(
            f"adapter: {name!r} is neither a shipped adapter ({', '.join(shipped()) or 'none'}) "
            f"nor a folder with adapter_config.json and {_WEIGHTS}"
        )
    return path


def read_config(name: str) -> dict:
    """An adapter's `adapter_config.json`.

    Raises:
        InputError: no such adapter, or not a LoRA adapter.
    """
    path = locate(name) / "adapter_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"adapter: {path} is not JSON") from error
    if config.get("peft_type") != "LORA":
        raise InputError(f"adapter: {name!r} is of type {config.get('peft_type')!r}; only LORA is supported")
    # These can't be answered in one batch with other adapters, or not be summed exactly.
    for key, plain in {"use_dora": False, "modules_to_save": None, "bias": "none"}.items():
        if config.get(key, plain) not in (plain, []):
            raise InputError(
                f"adapter: {name!r} has {key}={config[key]!r}; only plain LoRA ({key}={plain!r}) is supported"
            )
    return config


def check_fits(name: str, base: Base) -> None:
    """Hold an adapter's tensors against the base before it is loaded.

    Raises:
        InputError: a tensor for a module that the base lacks, or of another shape, or a file that is cut short.
    """
    from safetensors import SafetensorError, safe_open

    path = locate(name) / _WEIGHTS
    modules = dict(base.model.named_modules())
    read_config(name)
    try:
        with safe_open(path, framework="pt") as tensors:
            shapes = {key: tuple(tensors.get_slice(key).get_shape()) for key in tensors.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise InputError(f"adapter: {path} is not a whole safetensors file ({error})") from error
    for key, shape in shapes.items():
        target, _, part = key.removeprefix("base_model.model.").rpartition(".lora_")
        if part not in ("A.weight", "B.weight"):
            raise InputError(f"adapter: {name!r} holds {key!r}, which is not a LoRA weight of a linear layer")
        module = modules.get(target)
        if module is None:
            raise InputError(f"adapter: {name!r} does not fit {base.name}, which has no module {target!r}")
        weight = getattr(module, "base_layer", module).weight
        mine, its = (shape[-1], weight.shape[1]) if part.startswith("A") else (shape[0], weight.shape[0])
        if mine != its:
            raise InputError(
                f"adapter: {name!r} does not fit {base.name}: {target!r} has width {its}, the adapter {mine}"
            )


@dataclass(frozen=True)
class Merge:
    """A weighted sum of adapters' weight updates, such as 1 x task + 0.5 x align."""

    name: str
    weights: Mapping[str, float]


class AdapterSet:
    """Named adapters on one base. Not thread-safe by itself: hold `base.lock` around changes and uses."""

    def __init__(self, base: Base):
        self.base = base
        self._peft: PeftModel | None = None
        self._folders: dict[str, Path] = {}
        self._merges: dict[str, Merge] = {}
        self._rows: MixedRows | None = None

    @property
    def names(self) -> list[str]:
        """Adapters that can be used now, merges included."""
        return [*self._folders, *self._merges]

    def load(self, name: str, source: str) -> None:
        """Load an adapter under a name.

        Args:
            source: a shipped adapter's name or a folder.

        Raises:
            InputError: no such adapter, or one that does not fit the base.
        """
        from peft import PeftModel

        check_fits(source, self.base)
        folder = locate(source)
        with self.base.lock:
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(self.base.model, str(folder), adapter_name=name)
            else:
                self._peft.load_adapter(str(folder), adapter_name=name)
            self._peft.eval()
            self._peft.requires_grad_(False)
            self._rows = None
        self._folders[name] = folder

    def merge(self, name: str, weights: Mapping[str, float]) -> None:
        """Make a further adapter that is exactly the weighted sum of loaded ones.

        The low-rank factors are concatenated (rank = sum of ranks), so nothing is approximated.

        Raises:
            InputError: an adapter that is not loaded, one with rank-stabilised scaling, which has no exact sum, a
                weight that is no number, or adapters that are each limited to other layers.
        """
        for part in weights:
            if part not in self._folders:
                raise InputError(f"merge: {part!r} is not one of the loaded adapters: {', '.join(self._folders)}")
            if self._peft.peft_config[part].use_rslora:
                raise InputError(
                    f"merge: {part!r} uses rank-stabilised scaling (use_rslora), which can't be summed exactly"
                )
            if not math.isfinite(weights[part]):
                raise InputError(f"merge: the weight of {part!r} is {weights[part]}; give a number")
        # PEFT clones the first adapter's config: one that is limited to some layers would cut the others off there.
        parts = sorted(weights, key=lambda part: len(self._layers_of(part)), reverse=True)
        first, *others = (set(self._layers_of(part)) for part in parts)
        if not first >= set().union(*others):
            raise InputError(f"merge: none of {', '.join(parts)} has all the layers of the others")
        with self.base.lock:
            if name in self._merges:
                self._peft.delete_adapter(name)
            self._peft.add_weighted_adapter(
                parts, [float(weights[part]) for part in parts], name, combination_type="cat"
            )
            self._peft.eval()
            self._peft.requires_grad_(False)
        self._merges[name] = Merge(name, dict(weights))

    def _layers_of(self, name: str) -> Sequence[int]:
        limited = self._peft.peft_config[name].layers_to_transform
        if limited is None:
            return range(self.base.num_layers)
        return [limited] if isinstance(limited, int) else limited

    def weights_of(self, name: str | None) -> dict[str, float]:
        """The adapters in force under a name, each with its weight; none for the bare base."""
        if name is None:
            return {}
        return dict(self._merges[name].weights) if name in self._merges else {name: 1.0}

    @contextlib.contextmanager
    def active(self, name: str | None) -> Iterator[None]:
        """Within it, model calls use this adapter (None: the bare base). Holds the base's lock."""
        with self.base.lock:
            if name is None:
                with self._peft.disable_adapter() if self._peft is not None else contextlib.nullcontext():
                    yield
                return
            self._check(name)
            self._peft.base_model.set_adapter([name], inference_mode=True)
            yield

    @contextlib.contextmanager
    def mixed(self, names: Sequence[str | None]) -> Iterator[None]:
        """Within it, row i of every batch is computed under adapter `names[i]` (None: the bare base).

        Holds the base's lock.

        Raises:
            InputError: an adapter that is not there.
        """
        for name in names:
            self._check(name)
        with self.base.lock:
            if self._peft is None:
                yield
                return
            if self._rows is None:
                from midalign_demo.mixed import MixedRows

                self._rows = MixedRows(self.base.model)
            with self._peft.disable_adapter(), self._rows.rows([self.weights_of(name) for name in names]):
                yield

    def _check(self, name: str | None) -> None:
        if name is not None and name not in self.names:
            raise InputError(f"adapter: {name!r} is not one of {', '.join(self.names)}")

    def save(self, name: str, folder: Path) -> None:
        """Write an adapter, merged ones included, as a plain PEFT folder."""
        with files.new_folder(folder) as draft:
            self._peft.save_pretrained(draft, selected_adapters=[name])
            written = draft / name  # PEFT puts an adapter that is not called "default" into a folder of its name
            for file in written.iterdir():
                file.rename(draft / file.name)
            written.rmdir()
