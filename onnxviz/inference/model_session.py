"""`ModelSession`: a model opened once for many runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from onnxviz.activations import Activations
from onnxviz.errors import ExecutionError, RunError
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.graph.selection.choices import Choice
from onnxviz.inference.inference import Inference
from onnxviz.runtime.executor import Executor
from onnxviz.runtime.session import RunOptions


class ModelSession(AbstractContextManager["ModelSession"]):
    """A model opened once for many runs on one device; `placement` says where its nodes run."""

    def __init__(self, inference: Inference, choices: Sequence[Choice], options: RunOptions) -> None:
        """Open the graph, cut to what the choices need.

        Raises:
            DeviceError: The device took no node.
        """
        inference.check_run(choices)
        self._inference = inference
        self._choices = choices
        self._plan = inference.whole([choice.value for choice in choices])
        executor = inference.executor(options, keep=True)
        with inference.advising():
            for piece in self._plan.pieces:
                executor.prepare(piece)
        self._executor: Executor | None = executor
        self.placement = executor.placement

    def run(self, source: Any, feed: FeedOptions | None = None) -> Activations:
        """Run once on one source (see `Model.run`) and return the activations.

        Raises:
            InputError: The source cannot be fed, or is a list, which means several runs.
            RunError: onnxruntime fails, or the session is closed.
        """
        if self._executor is None:
            raise RunError("the session is closed")
        tries = self._inference.tries(source, feed, [choice.value for choice in self._choices])
        while True:
            try:
                return Activations(self._inference.carry_out(self._plan, self._choices, tries.feed, self._executor))
            except ExecutionError as error:
                tries.refused(error)

    def __exit__(self, *details: object) -> None:
        self._executor = None
