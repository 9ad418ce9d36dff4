"""The app's one engine: loaded in the background, so that the page is up at once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from midalign_demo import embedded, tasks, variants
from midalign_demo.errors import InputError
from midalign_demo.line import Asker
from midalign_demo.tasks import slot_filling
from midalign_demo.ui.visits import Visits
from midalign_demo.ui.zero_gpu import ZeroEngine

if TYPE_CHECKING:
    from midalign_demo.served import ServedEngine
    from midalign_demo.shared import SharedEngine

logger = logging.getLogger(__name__)

FIRST_TASK = slot_filling.NAME  # loaded at the start; other tasks' adapters when they are first asked for
_TELL_SECONDS = 0.5


class ModelHost:
    """Loads an engine in a thread and says how far it is.

    Args:
        base, options: as `midalign_demo.engine.open_engine` takes them.
        sources: adapters in the place of the shipped ones, by role, or beside them under names of their own; all but
            `align` are those of `FIRST_TASK`.
        served: what answers in the place of the base, which is then loaded for maps and layers alone.
        zero: on a ZeroGPU Space, see `midalign_demo.ui.zero_gpu`.
        visitor_adapters: whether visitors may name adapters of their own, folders and hub ids; where the engine runs
            here and its adapters can be changed.

    Attributes:
        visitor_adapters: as given, where it can be.
        visits: the calls of endpoints that are under way.
    """

    def __init__(
        self,
        base: str,
        *,
        sources: Mapping[str, str] | None = None,
        served: ServedEngine | None = None,
        zero: bool = False,
        visitor_adapters: bool = False,
        **options: str,
    ):
        self.visitor_adapters = visitor_adapters and served is None and not zero
        self.base, self.served, self.zero, self._options = base, served, zero, options
        self._given = dict(sources or {})
        self._stage = f"Starting {base}"
        self._since = time.monotonic()
        self.visits = Visits()
        self._engine: SharedEngine | ZeroEngine | None = None
        self._problem: str | None = None
        self._finished = threading.Event()

    def sources(self, task: str) -> dict[str, str]:
        """A task's adapters by role: shipped ones, and those given in their place."""
        given = {role: source for role, source in self._given.items() if task == FIRST_TASK or role == "align"}
        return {**variants.shipped_sources(self.base, task), **given}

    def variants(self, task: str) -> list[str]:
        """The variants that a task's adapters allow, or that are served; known before anything is loaded."""
        if self.served is not None:
            return self.served.variants(task)
        given = self.sources(task)
        usual = [name for name in variants.VARIANTS if variants.roles_of([name]) <= given.keys()]
        return [*usual, *variants.own_of(given)]

    def is_visitors(self, task: str, variant: str) -> bool:
        """Whether a variant is an adapter that a visitor names, and may."""
        return self.visitor_adapters and variant not in (*variants.VARIANTS, *self.variants(task))

    def start(self) -> None:
        """Begin to load; returns at once, but on ZeroGPU, where all has to be loaded before the page is served."""
        if self.zero:
            self._load()
            return
        threading.Thread(target=self._load, name="model-loader", daemon=True).start()

    def _load(self) -> None:
        try:
            embedded.check_ahead(self.base)
            from midalign_demo.engine import open_engine  # imports torch and transformers, which takes seconds
            from midalign_demo.shared import SharedEngine

            engine = open_engine(
                self.base, FIRST_TASK, sources=self.sources(FIRST_TASK), report=self._report, **self._options
            )
            if self.zero:
                for task in tasks.MODULES:
                    engine.add_task(task, self.sources(task))
            self._engine = ZeroEngine(engine) if self.zero else SharedEngine(engine)
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

    def wait(self, timeout: float = 600) -> bool:
        """Wait for the end of loading; whether it has come. Endpoints, which have no stage to show, wait that long."""
        return self._finished.wait(timeout)

    def loading_stages(self) -> Iterator[str]:
        """Wait for the end of loading, with the stage again and again until then."""
        while not self.wait(_TELL_SECONDS):
            yield self.stage

    def answering_stages(self) -> Iterator[str]:
        """As `loading_stages`, until what answers is there; a server is there at once."""
        if self.served is None:
            yield from self.loading_stages()

    @property
    def engine(self) -> SharedEngine | ZeroEngine:
        """The engine.

        Raises:
            InputError: it is not loaded yet, or could not be.
        """
        if self._problem:
            raise InputError(self._problem)
        if self._engine is None:
            raise InputError(f"The model is still loading: {self.stage}")
        return self._engine

    def engine_of(self, asker: Asker | None) -> SharedEngine | ZeroEngine:
        """The engine as somebody asks it who may leave, waited for.

        Raises:
            InputError: as `engine`.
        """
        self.wait()
        engine = self.engine
        return engine if asker is None or isinstance(engine, ZeroEngine) else engine.asked_by(asker)

    def engine_for(
        self, task: str, asker: Asker | None = None, *, asked: Sequence[str] = ()
    ) -> SharedEngine | ZeroEngine | ServedEngine:
        """What answers somebody: the engine with a task's adapters, waited for, or the server.

        Args:
            asked: variants that are to answer, adapters of visitors among them where they may name some.

        Raises:
            InputError: as `engine`; or an adapter that does not fit the base.
        """
        if self.served is not None:
            return self.served
        engine = self.engine_of(asker)
        engine.add_task(task, self.sources(task))
        for variant in asked:
            if self.is_visitors(task, variant):
                engine.borrow(variant)
        return engine
