"""`ModelRun`: one piece of a model to run on every picture of a shard, as it travels to workers; `OpenRun` runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from onnxviz.errors import ExecutionError, InputError, ModelError
from onnxviz.feed.arrays import read_npy
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.make import FeedMaker
from onnxviz.inference.inference import Inference
from onnxviz.layout import Array, TensorSpec, shape_text
from onnxviz.model import Model
from onnxviz.runtime.executor import Executor, Piece
from onnxviz.runtime.session import RunOptions
from onnxviz.sweeping.dataset import Shard, file_of, stamp_of
from onnxviz.sweeping.shard_job import StoppedError

Arrays = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class ModelRun:
    """A piece of a model, and how pictures are fed to it.

    Attributes:
        model: the model's file.
        inputs: what the piece is fed.
        piece: what runs.
        feed: how pictures are made into arrays.
        run: the device and how it runs.
        sizes: what every picture's arrays must be like, as those of the first.
        batch: how many pictures are run at a time.
    """

    model: str
    inputs: tuple[TensorSpec, ...]
    piece: Piece
    feed: FeedOptions
    run: RunOptions
    sizes: Mapping[str, tuple[int, ...]]
    batch: int = 1

    def open(self) -> OpenRun:
        """Open a session.

        Raises:
            ModelError: The model's file cannot be read here, or changed.
        """
        return OpenRun(self, _opened(self.model).inference)


class OpenRun:
    """A session for a piece, kept for all shards of one worker."""

    def __init__(self, run: ModelRun, inference: Inference) -> None:
        """Open the piece."""
        self._run = run
        self._maker = FeedMaker(run.inputs, run.feed, inference.graph.metadata)
        self._executor: Executor = inference.executor(run.run, keep=True)
        self._executor.prepare(run.piece)

    def results(
        self, shard: Shard, failed: Callable[[int, str], None], stopped: Callable[[], bool]
    ) -> Iterator[tuple[Sequence[int], Arrays]]:
        """Yield places in a shard, and what the piece makes of the pictures there, in their order.

        A picture that cannot be fed or run is `failed`.

        Raises:
            StoppedError: `stopped` became true.
        """
        places: list[int] = []
        fed: list[Arrays] = []
        for place in range(len(shard.sources)):
            if stopped():
                raise StoppedError
            try:
                fed.append(self.feed(shard, place))
                places.append(place)
            except InputError as error:
                failed(place, str(error))
            if len(fed) == self._run.batch:
                yield from self._batch(places, fed, failed)
                places, fed = [], []
        if fed:
            yield from self._batch(places, fed, failed)

    def _batch(
        self, places: list[int], fed: list[Arrays], failed: Callable[[int, str], None]
    ) -> Iterator[tuple[Sequence[int], Arrays]]:
        whole = fed[0] if len(fed) == 1 else {name: np.concatenate([each[name] for each in fed]) for name in fed[0]}
        try:
            yield places, dict(self._executor.run([self._run.piece], whole))
        except ExecutionError as error:
            if len(places) == 1:
                failed(places[0], str(error))
                return
            for place, each in zip(places, fed, strict=True):
                yield from self._batch([place], [each], failed)

    def of(self, arrays: Arrays) -> Arrays:
        """Return what the piece makes of one picture, of which these arrays were made.

        Raises:
            ExecutionError: onnxruntime fails on it.
        """
        return dict(self._executor.run([self._run.piece], arrays))

    def feed(self, shard: Shard, place: int) -> Arrays:
        """Return what the piece is fed of a picture.

        Raises:
            InputError: It cannot be fed, is fed in another size than the first, or its file changed.
        """
        source = shard.sources[place]
        if stamp_of(source) != shard.stamps[place]:
            raise InputError(f"{source} has changed, or is gone, since the sweep began")
        arrays = self._maker.arrays(item_of(source))
        for name, array in arrays.items():
            if array.shape != self._run.sizes.get(name, array.shape):
                first = shape_text(self._run.sizes[name])
                raise InputError(
                    f"{source} is fed as {shape_text(array.shape)}, and the first as {first}: --size feeds all alike"
                )
        return arrays


def item_of(source: str) -> Any:
    """Return what a picture's text stands for: a path, or an item of a batch, with its axis."""
    path, item = file_of(source)
    return Path(path) if item is None else _batch_of(path)[item : item + 1]


@lru_cache(4)
def _batch_of(path: str) -> Array:
    return read_npy(Path(path), path)


@lru_cache(2)
def _opened(path: str) -> Model:
    from onnxviz.opening import open

    try:
        return open(path)
    except ModelError as error:
        raise ModelError(f"a worker cannot read the model {path}: {error}") from None


def batched(run: ModelRun, batch: int) -> ModelRun:
    """Return a run of several pictures at a time."""
    return replace(run, batch=batch)
