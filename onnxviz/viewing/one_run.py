"""One input run and drawn: a picture a layer, each let go before the next comes, and an overview."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from onnxviz.activations import Activation
from onnxviz.draw.encode import save
from onnxviz.draw.kinds import draw_maps
from onnxviz.draw.overview import Head, OverviewRow, draw_overview, summarise
from onnxviz.draw.scale import ChannelStatistics, channel_statistics
from onnxviz.draw.style import Caption, Drawing
from onnxviz.feed.feeds import Feed
from onnxviz.files import safe_name
from onnxviz.graph.layers.catalogue import Layer
from onnxviz.viewing.call import Call
from onnxviz.viewing.classes import Scores
from onnxviz.viewing.overview import fed_lines, fed_picture, shown_words, telling_layers, title
from onnxviz.viewing.record import LayerRecord, RunRecord
from onnxviz.viewing.same_scale import Limits


@dataclass(frozen=True, slots=True)
class OneRun:
    """One feed to run: the folder for its pictures, the name that this will have in the whole's, common scales."""

    call: Call
    feed: Feed
    folder: Path
    directory: str
    limits: Limits

    def draw(self) -> RunRecord:
        """Run, draw every chosen layer and the overview, and hand all to the outlets.

        Raises:
            ExecutionError: onnxruntime fails on what is fed.
            InputError: Labels that were asked for fit no output.
        """
        call, feed = self.call, self.feed
        call.watcher.started(feed, len(call.choices), call.model.map_bytes(call.choices, feed))
        drawn = self._layers()
        drawn.scores.check()
        overview = f"overview.{call.options.format}"
        self._save(self._overview(drawn), overview)
        run = RunRecord(
            name=feed.stem,
            source={fed.name: fed.source for fed in feed.fed},
            directory=self.directory,
            overview=overview,
            preview=drawn.layers[0].pictures[0] if len(drawn.layers) == 1 else overview,
            top=drawn.scores.top,
        )
        call.outlets.end_run(run, feed)
        call.watcher.ended(run, drawn.layers, call.places.folder / self.directory)
        return run

    def _layers(self) -> _Drawn:
        drawn = _Drawn(Scores(self.call.classes))
        in_overview = telling_layers(self.call.choices)
        shown = {choice.value: choice.layer for choice in self.call.choices}
        for activation in self.call.stream(self.feed):
            drawn.scores.add(activation)
            if activation.value in shown:
                statistics = channel_statistics(activation.maps())
                if len(drawn.layers) in in_overview:
                    drawn.rows.append(_row(activation, statistics))
                drawn.layers.append(self._layer(activation, statistics, shown[activation.value], len(drawn.layers)))
        return drawn

    def _layer(
        self, activation: Activation, statistics: ChannelStatistics, layer: Layer | None, place: int
    ) -> LayerRecord:
        """Draw a layer, and hand it to the outlets and to who watches."""
        labels = self.call.classes.labels_of(activation.value)
        record = LayerRecord(
            name=activation.name,
            output=activation.value,
            tap=activation.tap,
            shape=activation.array.shape,
            layout=activation.layout,
            dtype=str(activation.array.dtype),
            range=statistics.range,
            layer=layer,
            pictures=self._pictures(activation, statistics, place),
        )
        self.call.outlets.add(activation, record, statistics, labels)
        self.call.watcher.drawn(record)
        return record

    def _pictures(self, activation: Activation, statistics: ChannelStatistics, place: int) -> tuple[str, ...]:
        """Draw a layer and return its pictures' names."""
        style = self.call.options.style
        if activation.value in self.limits:
            style = replace(style, limits=self.limits[activation.value])
        labels = self.call.classes.labels_of(activation.value)
        caption = Caption(activation.name, activation.caption_line, labels)
        drawings = draw_maps(activation.array, activation.layout, caption, style, statistics)
        stem = f"{place:03}-{safe_name(activation.name)}"
        numbers = [f"-{page + 1}" for page in range(len(drawings))] if len(drawings) > 1 else [""]
        return tuple(
            self._save(drawing, f"{stem}{number}.{self.call.options.format}")
            for drawing, number in zip(drawings, numbers, strict=True)
        )

    def _overview(self, drawn: _Drawn) -> Drawing:
        model = self.call.model
        shown = shown_words(len(drawn.rows), len(self.call.choices))
        line = f"{len(model.graph.nodes)} nodes  ·  {shown}  ·  opset {model.graph.opset}"
        top = [(found.name, found.value) for found in drawn.scores.top]
        head = Head(fed_picture(self.feed), fed_lines(self.feed.main if self.feed.fed else None), top)
        return draw_overview(Caption(title(model.file.origin), line), head, drawn.rows, self.call.options.style)

    def _save(self, drawing: Drawing, name: str) -> str:
        small = self.call.options.style.small
        save(drawing.image, self.folder / name, enlarged=drawing.enlarged, small=small, text=drawing.text)
        return name


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What has come of a run so far."""

    scores: Scores
    layers: list[LayerRecord] = field(default_factory=list)
    rows: list[OverviewRow] = field(default_factory=list)


def _row(activation: Activation, statistics: ChannelStatistics) -> OverviewRow:
    caption = Caption(activation.name, activation.caption_line)
    return summarise(activation.array, activation.layout, caption, statistics)
