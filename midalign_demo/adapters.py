"""Finding, checking, reading and applying LoRA adapters."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from midalign_demo import adapter_files, hub
from midalign_demo.bases import Base
from midalign_demo.errors import InputError

if TYPE_CHECKING:
    import torch

_WEIGHTS = adapter_files.WEIGHTS
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


Weights = Mapping[str, float]  # weight by name of the adapters in force; empty: the bare base


class Factors(NamedTuple):
    """A linear layer's update, `scaling * up @ down`: shapes (rank, width in) and (width out, rank)."""

    down: torch.Tensor
    up: torch.Tensor
    scaling: float


def shipped_folder() -> Path:
    """The folder of the adapters that come with the package."""
    return Path(str(resources.files("midalign_demo") / "assets" / "adapters"))


def shipped() -> list[str]:
    """Names of the adapters that come with the package."""
    return sorted(path.parent.name for path in shipped_folder().glob(f"*/{_WEIGHTS}"))


def locate(name: str) -> Path:
    """The folder of a shipped adapter's name, of a path, or of an adapter on the Hugging Face hub, which is fetched.

    Raises:
        InputError: none of these, or one without the two files that an adapter is made of.
    """
    path = Path(name) if Path(name).is_dir() else shipped_folder() / name
    why = ""
    if not path.is_dir() and _HUB_ID.fullmatch(name):
        try:
            path = hub.fetched_adapter(name)
        except (OSError, ValueError) as error:  # what the hub's client raises: offline, gated, gone, no such name
            why = f", nor can it be had from the hub ({' '.join(str(error).split())[:160]})"
    if not (path / adapter_files.CONFIG).is_file() or not (path / _WEIGHTS).is_file():
        raise InputError(
            f"adapter: {name!r} is neither a shipped adapter ({', '.join(shipped()) or 'none'}) "
            f"nor a folder or hub id with adapter_config.json and {_WEIGHTS}{why}"
        )
    return path


def checksum(name: str) -> str:
    """SHA-256 of what an adapter does: its weights and its configuration.

    Raises:
        InputError: no such adapter.
    """
    folder = locate(name)
    digest = hashlib.sha256()
    for file in (adapter_files.CONFIG, _WEIGHTS):
        digest.update((folder / file).read_bytes())
    return digest.hexdigest()


def read_config(name: str) -> dict:
    """An adapter's `adapter_config.json`.

    Raises:
        InputError: no such adapter, or not a LoRA adapter.
    """
    folder = locate(name)
    return adapter_files.read_config(folder / adapter_files.CONFIG, name)


def read_tensors(name: str, *, dtype: torch.dtype | None = None) -> dict[str, Factors]:
    """An adapter's low-rank factors by the path of the linear layer that they belong to.

    Args:
        dtype: what to read them as; default: as they are stored.

    Raises:
        InputError: see `read_config`; or a file that is cut short or holds other tensors than pairs of factors.
    """
    path, config = _checked_files(name)
    adapter_files.read_shapes(path, config, name)
    return _load(path, config, name, dtype)


def _checked_files(name: str) -> tuple[Path, dict]:
    """An adapter's weights file, which is as it was shipped if it was, and its configuration."""
    folder, config = locate(name), read_config(name)
    if folder.parent == shipped_folder():
        adapter_files.check_unaltered(folder)
    return folder / _WEIGHTS, config


def _load(path: Path, config: dict, name: str, dtype: torch.dtype | None) -> dict[str, Factors]:
    from safetensors.torch import load_file

    pairs: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in load_file(path).items():
        if not tensor.isfinite().all():
            raise InputError(f"adapter: {name!r} holds {key!r}, which has values that are no numbers")
        module, part = adapter_files.module_of(key)
        assert part is not None  # the file's head was looked at
        pairs.setdefault(module, {})[part] = tensor.to(dtype or tensor.dtype)
    return {
        module: Factors(pair["A"], pair["B"], _scaling(config, module, pair["A"].shape[0]))
        for module, pair in pairs.items()
    }


def _scaling(config: dict, module: str, rank: int) -> float:
    """What the product of the factors is multiplied by: alpha / r, or alpha / sqrt(r) if rank-stabilised."""
    alpha = adapter_files.of_pattern(config, "alpha_pattern", module, config["lora_alpha"])
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def check_fits(name: str, base: Base) -> dict[str, Factors]:
    """Hold an adapter against the base, and only then load its factors.

    Raises:
        InputError: see `read_tensors`; or factors for a linear layer that the base lacks, or of another width.
    """
    import torch

    modules = dict(base.model.named_modules())
    file, config = _checked_files(name)
    for path, shape in adapter_files.read_shapes(file, config, name).items():
        module = modules.get(path)
        if not isinstance(module, torch.nn.Linear):
            raise InputError(f"adapter: {name!r} does not fit {base.name}, which has no linear layer {path!r}")
        for its, mine in ((module.in_features, shape.width_in), (module.out_features, shape.width_out)):
            if mine != its:
                raise InputError(
                    f"adapter: {name!r} does not fit {base.name}: {path!r} has width {its}, the adapter {mine}"
                )
    return _load(file, config, name, torch.float32)


class AdapterSet:
    """Named adapters for one base, whose weights stay as they are: adapters are put on while a batch is computed.

    Attributes:
        sources: for each name what was loaded under it: a shipped adapter's name, a folder or a hub id.
    """

    def __init__(self, base: Base):
        from midalign_demo.mixed import MixedRows  # torch takes seconds to import

        self.base = base
        self.sources: dict[str, str] = {}
        self.changes = 0  # how often an adapter was loaded: what was computed under a name before is out of date
        self._rows = MixedRows(base.model)

    @property
    def names(self) -> list[str]:
        """The loaded adapters."""
        return self._rows.names

    def load(self, name: str, source: str) -> None:
        """Load an adapter under a name.

        Args:
            source: a shipped adapter's name, a folder or a hub id.

        Raises:
            InputError: no such adapter, or one that does not fit the base.
        """
        factors = check_fits(source, self.base)
        with self.base.lock:
            self._rows.add(name, factors)
            self.sources[name] = source
            self.changes += 1

    def unload(self, name: str) -> None:
        """Let an adapter go that was loaded under a name; rows that still name it are refused."""
        with self.base.lock:
            self._rows.remove(name)
            del self.sources[name]
            self.changes += 1

    @contextlib.contextmanager
    def rows(self, weights: Sequence[Weights]) -> Iterator[None]:
        """Within it, row i of every batch is computed under the sum of the adapters in `weights[i]`, each times its
        weight; every batch must have as many rows. The sum is exact. Holds the base's lock.

        Raises:
            InputError: an adapter that is not there, or a weight that is no number.
        """
        for row in weights:
            self.check(row)
        with self.base.lock, self._rows.rows(weights):
            yield

    def sum_of(self, weights: Weights) -> dict[str, torch.Tensor]:
        """What the sum of adapters adds to the weights of linear layers, by their paths; each (out, in), float32.

        Raises:
            InputError: as `rows`.
        """
        self.check(weights)
        return self._rows.sum_of(weights)

    def state_with(self, weights: Weights) -> dict[str, torch.Tensor]:
        """The base's weights by name with adapters added, in the base's precision; the base itself stays as it is.

        Raises:
            InputError: as `rows`.
        """
        state = dict(self.base.model.state_dict())  # what is changed is a copy
        for path, change in self.sum_of(weights).items():
            key = f"{path}.weight"
            state[key] = (state[key].float() + change).to(state[key].dtype)
        return state

    def under(self, weights: Weights) -> contextlib.AbstractContextManager[None]:
        """As `rows`, with the same adapters for every row of batches of any size."""
        return self.rows([weights])

    def check(self, weights: Weights) -> None:
        """
        Raises:
            InputError: an adapter that is not there, or a weight that is no number.
        """
        for name, weight in weights.items():
            if name not in self.names:
                raise InputError(f"adapter: {name!r} is not one of {', '.join(self.names) or 'those loaded (none)'}")
            if not math.isfinite(weight):
                raise InputError(f"merge: the weight of {name!r} is {weight}; give a number")
