"""`ExtractPlan`: what an extraction runs, where the rows of each layer go, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnxviz.extraction.extract_options import ZARR, ExtractOptions
from onnxviz.extraction.extracted import SCHEMA
from onnxviz.extraction.extraction_job import ExtractionJob
from onnxviz.extraction.row_file import RowFile
from onnxviz.extraction.row_store import RowStore
from onnxviz.extraction.zarr_store import SUFFIX, ZarrRows
from onnxviz.files import safe_name
from onnxviz.inference.row_run import NO_POOL, LayerRows, row_run
from onnxviz.model import Model
from onnxviz.results.observer import Observer
from onnxviz.sweeping.beginning import SweepWork, choose, fingerprint
from onnxviz.sweeping.dataset import Dataset
from onnxviz.sweeping.pictures_table import PICTURES
from onnxviz.sweeping.shard_job import ShardResult
from onnxviz.version import __version__
from onnxviz.words import size_text


@dataclass(frozen=True, slots=True)
class ExtractPlan:
    """What is extracted.

    Attributes:
        work: the model, its pictures, and what was chosen.
        job: the work on each shard; its folder is not known yet.
        layers: the layers whose rows are handed out.
        format: of what is written.
    """

    work: SweepWork
    job: ExtractionJob
    layers: tuple[LayerRows, ...]
    format: str

    @property
    def files(self) -> list[RowStore]:
        """Where the rows of each layer go."""
        return [file for _, file in self.job.files]

    @property
    def bytes(self) -> int:
        """Bytes of all arrays, before a format makes them smaller."""
        return sum(file.bytes for file in self.files)

    @property
    def size_words(self) -> str:
        """What the arrays take."""
        return f"{'at most ' * (self.format == ZARR)}{size_text(self.bytes)}"

    @property
    def values(self) -> list[str]:
        """The values that are handed out."""
        return [layer.choice.value for layer in self.layers]

    @property
    def options(self) -> dict[str, Any]:
        """The options that the results depend on, besides those of every command over a data set."""
        return {"pool": self.job.pool, "dtype": self.files[0].dtype, "format": self.format}


def planned(model: Model, dataset: Dataset, options: ExtractOptions, observer: Observer, shard: int) -> ExtractPlan:
    """Choose the layers, run the first picture that can be fed, and make the job, for shards of so many pictures.

    Raises:
        InputError: No picture can be fed.
        UnsupportedError: Nothing that was chosen can be extracted.
    """
    work = choose(model, dataset, options, observer)
    run = row_run(
        model.inference, work.choices, work.fed, work.executor, work.leave_out(), pool=options.pool, dtype=options.dtype
    )
    pooled = "" if options.pool == NO_POOL else f"-{options.pool}"
    files: list[tuple[str, RowStore]] = []
    for place, layer in enumerate(run.layers):
        name = f"{place:03}-{safe_name(layer.choice.name)}{pooled}"
        if options.format == ZARR:
            rows: RowStore = ZarrRows(f"{name}{SUFFIX}", len(dataset), layer.row, options.dtype, shard)
        else:
            rows = RowFile(f"{name}.npy", len(dataset), layer.row, options.dtype)
        files.append((layer.output, rows))
    plan = ExtractPlan(
        work, ExtractionJob(work.model_run(run.piece), tuple(files), options.pool), run.layers, options.format
    )
    facts = work.facts(plan.values, plan.options)
    return replace(plan, job=replace(plan.job, fingerprint=fingerprint(facts, shard)))


def document_of(plan: ExtractPlan, result: ShardResult, folder: Path) -> dict[str, Any]:
    """Return what `extract.json` says of the results in a folder."""
    work, files = plan.work, plan.files
    sources = work.dataset.sources
    return {
        "schema": SCHEMA,
        "onnxviz": __version__,
        "model": str(work.model.file.origin),
        "device": work.placement.device,
        "level": work.run.level,
        "remark": work.remark,
        "pictures": len(work.dataset),
        "pool": plan.job.pool,
        "dtype": files[0].dtype,
        "format": plan.format,
        "classes": list(work.dataset.classes),
        "failures": [{"source": sources[number], "reason": reason} for number, reason in result.failed],
        "not_extracted": [{"layer": name, "reason": reason} for name, reason in work.left_out.items()],
        "layers": [_layer(layer, file) for layer, file in zip(plan.layers, files, strict=True)],
        "command": work.facts(plan.values, plan.options),
        "files": sorted([PICTURES, *(name for file in files for name in _names(folder, file.name))]),
    }


def _layer(layer: LayerRows, file: RowStore) -> dict[str, Any]:
    choice, known = layer.choice, layer.choice.layer
    return {
        "name": choice.name,
        "value": choice.value,
        "tap": choice.tap,
        "op": "" if known is None else known.op,
        "layout": layer.shape.layout or None,
        "dtype": layer.dtype,
        "file": file.name,
        "shape": [file.rows, *file.row],
    }


def _names(folder: Path, name: str) -> Iterator[str]:
    """Yield the file of that name, or all files below the folder of that name."""
    place = folder / name
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    return (path.relative_to(folder).as_posix() for path in files if path.is_file())
