"""`ModelSession`: a model opened once for many runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from onnxviz.activations import Activation, Activations
from onnxviz.errors import ExecutionError, RunError
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.graph.selection.choices import Choice
from onnxviz.inference.inference import Inference
from onnxviz.inference.refusals import warn
from onnxviz.inference.run_plan import RunPlan
from onnxviz.runtime.executor import Executor
from onnxviz.runtime.session import RunOptions


class ModelSession(AbstractContextManager["ModelSession"]):
    """A model opened once for many runs on one device; `placement` says where its nodes run."""

    def __init__(self, inference: Inference, choices: Sequence[Choice], options: RunOptions) -> None:
        """Open the graph, cut to what the choices need; where an input decides which branch that is, at its run.

        Raises:
            DeviceError: The device took no node.
        """
        inference.check_run(choices)
        self._inference = inference
        self._choices = choices
        self._values = [choice.value for choice in choices]
        self._planned: tuple[Inference, RunPlan] | None = None
        self._executor: Executor | None = inference.executor(options, keep=True)
        if inference.is_open_to(self._values):
            with inference.advising():
                _, plan = self._plan(self._executor, None)
                for piece in plan.pieces:
                    self._executor.prepare(piece)
        self.placement = self._executor.placement

    def run(self, source: Any, feed: FeedOptions | None = None) -> Activations:
        """Run once on one source (see `Model.run`) and return the activations.

        Raises:
            InputError: The source cannot be fed, or is a list, which means several runs.
            RunError: onnxruntime fails, or the session is closed.
        """
        if self._executor is None:
            raise RunError("the session is closed")
        tries = self._inference.tries(source, feed, self._values)
        while True:
            try:
                return Activations(self._run(tries.feed, self._executor))
            except ExecutionError as error:
                tries.refused(error)

    def _run(self, fed: Feed, executor: Executor) -> Iterator[Activation]:
        with self._inference.advising(fed):
            opened, plan = self._plan(executor, fed)
        yield from opened.carry_out(plan, opened.present(self._choices, warn), fed, executor)
        self.placement = executor.placement

    def _plan(self, executor: Executor, fed: Feed | None) -> tuple[Inference, RunPlan]:
        """Return what runs the choices on a feed, and its plan, made once for all that take the same branches."""
        opened = self._inference.reach(self._values, executor, fed)
        if self._planned is None or self._planned[0] is not opened:
            present = [value for value in self._values if value not in opened.missing]
            self._planned = opened, opened.whole(present)
        return self._planned

    def __exit__(self, *details: object) -> None:
        self._executor = None
