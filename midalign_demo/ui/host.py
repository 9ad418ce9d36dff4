"""The app's one engine: loaded in the background, so that the page is up at once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from midalign_demo.errors import InputError
from midalign_demo.variants import shipped_sources

if TYPE_CHECKING:
    from midalign_demo.engine import Engine

logger = logging.getLogger(__name__)


class ModelHost:
    """Loads an engine in a thread and says how far it is.

    Args:
        base, task, sources, options: as `midalign_demo.engine.open_engine` takes them.
    """

    def __init__(self, base: str, task: str, *, sources: Mapping[str, str] | None = None, **options: str):
        self.base, self._task, self._options = base, task, options
        self.sources = {**shipped_sources(base, task), **(sources or {})}
        self._stage = f"Starting {base}"
        self._since = time.monotonic()
        self._engine: Engine | None = None
        self._problem: str | None = None
        self._finished = threading.Event()

    def start(self) -> None:
        """Begin to load; returns at once."""
        threading.Thread(target=self._load, name="model-loader", daemon=True).start()

    def _load(self) -> None:
        try:
            from midalign_demo.engine import open_engine  # imports torch and transformers, which takes seconds

            self._engine = open_engine(
                self.base, self._task, sources=self.sources, report=self._report, **self._options
            )
        except InputError as error:
            self._problem = str(error)
        except Exception:
            logger.exception("The model could not be loaded")
            self._problem = f"{self.base} could not be loaded; the server's log says why"
        finally:
            self._finished.set()

    def _report(self, message: str) -> None:
        self._stage = message
        logger.info(message)

    @property
    def is_loading(self) -> bool:
        return not self._finished.is_set()

    @property
    def problem(self) -> str | None:
        """Why there is no engine, once loading has failed."""
        return self._problem

    @property
    def stage(self) -> str:
        """What is going on while the engine loads."""
        return self._stage

    @property
    def seconds(self) -> float:
        """Since the start of loading."""
        return time.monotonic() - self._since

    def wait(self, timeout: float) -> bool:
        """Wait for the end of loading; whether it has come."""
        return self._finished.wait(timeout)

    @property
    def engine(self) -> Engine:
        """The engine.

        Raises:
            InputError: it is not loaded yet, or could not be.
        """
        if self._problem:
            raise InputError(self._problem)
        if self._engine is None:
            raise InputError(f"The model is still loading: {self.stage}")
        return self._engine
