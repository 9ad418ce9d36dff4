"""Finding, checking, loading, applying and exactly summing LoRA adapters."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
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
_SUM = "sum"  # name of a sum while it is written


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


Weights = Mapping[str, float]  # weight by name of the adapters in force; empty: the bare base


class AdapterSet:
    """Named adapters on one base. Not thread-safe by itself: hold `base.lock` around changes and uses."""

    def __init__(self, base: Base):
        self.base = base
        self._peft: PeftModel | None = None
        self._folders: dict[str, Path] = {}
        self._rows: MixedRows | None = None

    @property
    def names(self) -> list[str]:
        """The loaded adapters."""
        return list(self._folders)

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

    @contextlib.contextmanager
    def rows(self, weights: Sequence[Weights]) -> Iterator[None]:
        """Within it, row i of every batch is computed under the sum of the adapters in `weights[i]`, each times its
        weight; every batch must have as many rows. The sum is exact. Holds the base's lock.

        Raises:
            InputError: an adapter that is not there, or a weight that is no number.
        """
        for row in weights:
            self._check(row)
        with self.base.lock:
            if self._peft is None:
                yield
                return
            if self._rows is None:
                from midalign_demo.mixed import MixedRows

                self._rows = MixedRows(self.base.model)
            with self._peft.disable_adapter(), self._rows.rows(weights):
                yield

    def under(self, weights: Weights) -> contextlib.AbstractContextManager[None]:
        """As `rows`, with the same adapters for every row of batches of any size."""
        return self.rows([weights])

    def _check(self, weights: Weights) -> None:
        for name, weight in weights.items():
            if name not in self.names:
                raise InputError(f"adapter: {name!r} is not one of {', '.join(self.names) or 'those loaded (none)'}")
            if not math.isfinite(weight):
                raise InputError(f"merge: the weight of {name!r} is {weight}; give a number")

    def save_sum(self, weights: Weights, folder: Path) -> None:
        """Write a weighted sum of adapters as one plain PEFT folder.

        The low-rank factors are concatenated (rank = sum of ranks), so nothing is approximated.

        Raises:
            InputError: as `rows`; an adapter with rank-stabilised scaling, which has no exact sum in this form;
                adapters that are each limited to other layers; or a folder that is there already.
        """
        self._check(weights)
        for part in weights:
            if self._peft.peft_config[part].use_rslora:
                raise InputError(
                    f"merge: {part!r} uses rank-stabilised scaling (use_rslora), which can't be summed exactly"
                )
        # PEFT clones the first adapter's config: one that is limited to some layers would cut the others off there.
        parts = sorted(weights, key=lambda part: len(self._layers_of(part)), reverse=True)
        first, *others = (set(self._layers_of(part)) for part in parts)
        if not first >= set().union(*others):
            raise InputError(f"merge: none of {', '.join(parts)} has all the layers of the others")
        with self.base.lock, files.new_folder(folder) as draft:
            self._peft.add_weighted_adapter(
                parts, [float(weights[part]) for part in parts], _SUM, combination_type="cat"
            )
            try:
                self._peft.save_pretrained(draft, selected_adapters=[_SUM])
            finally:
                self._peft.delete_adapter(_SUM)
            written = draft / _SUM  # PEFT puts an adapter that is not called "default" into a folder of its name
            for file in written.iterdir():
                file.rename(draft / file.name)
            written.rmdir()

    def _layers_of(self, name: str) -> Sequence[int]:
        limited = self._peft.peft_config[name].layers_to_transform
        if limited is None:
            return range(self.base.num_layers)
        return [limited] if isinstance(limited, int) else limited
