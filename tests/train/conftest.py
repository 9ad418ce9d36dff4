from pathlib import Path

import pytest


@pytest.fixture
def align(base_folder, parallel_folder):
    """Arguments for a short alignment run; options are added or changed by keyword."""

    def arguments(output: Path, **changes) -> list[str]:
        options = {
            "base": base_folder, "dtype": "float32", "data": f"{parallel_folder}:1-36", "dev": f"{parallel_folder}:37-",
            "lines": 6, "steps": 8, "dev-every": 4, "dev-batches": 2, "learning-rate": 0.01, **changes,
        }  # fmt: skip
        parts = [str(part) for key, value in options.items() if value is not None for part in (f"--{key}", value)]
        return ["align", "--output", str(output), "--json", *parts]

    return arguments
