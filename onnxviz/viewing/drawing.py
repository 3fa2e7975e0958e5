"""One run as pictures: one or more of each layer, which is then let go, and an overview."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from onnxviz.activations import Activation
from onnxviz.classes.classes import Classes
from onnxviz.classes.scores import Scores
from onnxviz.draw.arrange import arrange_axes
from onnxviz.draw.channel_health import channel_health
from onnxviz.draw.encode import save
from onnxviz.draw.kinds import draw_maps
from onnxviz.draw.overview import Head, OverviewRow, draw_overview, summarise
from onnxviz.draw.statistics import ChannelStatistics, channel_statistics, irregular_words
from onnxviz.draw.style import Caption, Drawing, Style
from onnxviz.feed.feed import Feed
from onnxviz.files import safe_name
from onnxviz.graph.layers.layer import Layer
from onnxviz.graph.selection.choices import Choice
from onnxviz.layout import first_step
from onnxviz.model import Model
from onnxviz.results.outlets import Outlets
from onnxviz.results.record import LayerRecord, RunRecord, path_inside
from onnxviz.viewing.film_of_run import Film
from onnxviz.viewing.likeness import ShownChannels
from onnxviz.viewing.not_shown import NotShown
from onnxviz.viewing.options import ViewOptions
from onnxviz.viewing.overview_contents import fed_lines, fed_picture, shown_words, telling_layers, title
from onnxviz.viewing.run_explanations import RunExplanations
from onnxviz.viewing.token_ids import fed_ids, names_for

Stream = Callable[[Feed], Iterator[Activation]]
"""Runs a feed and yields the activations of what is shown and of the class outputs."""

SharedLimits = Mapping[str, tuple[float, float]]
"""The ends of the scale of each value, the same for all inputs."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a model: the chosen values but for those that are `not_shown` and, in the overview, its classes.

    The overview is `like` an earlier one; `why` explains the answers on the page.
    """

    model: Model
    choices: tuple[Choice, ...]
    classes: Classes
    not_shown: NotShown
    like: ShownChannels | None = None
    why: RunExplanations | None = None

    def token_names(self, feed: Feed) -> Mapping[int, tuple[str, ...]]:
        """Return the words or ids of the tokens that are fed, by how many there are."""
        return fed_ids(feed, self.model.inference.inputs(), self.model.path)

    @property
    def layers(self) -> Mapping[str, Layer | None]:
        """The layer of each chosen value, None of one that is not a layer's."""
        return {choice.value: choice.layer for choice in self.choices}

    @property
    def present(self) -> Sequence[Choice]:
        """The choices without those that the run under way does not compute."""
        return [choice for choice in self.choices if choice.value not in self.not_shown.current]

    @property
    def in_overview(self) -> frozenset[str]:
        """The values whose layers the overview shows."""
        choices = self.present
        if self.like is not None:
            return frozenset(choice.value for choice in choices if choice.name in self.like)
        outputs = {spec.name for spec in self.model.outputs}
        return frozenset(choices[place].value for place in telling_layers(choices, outputs=outputs))

    def overview_style(self, name: str, count: int, style: Style) -> Style:
        """Return the style of the row, in the overview, of a layer of `count` channels."""
        like = self.like.get(name, ()) if self.like is not None else ()
        channels = [channel for channel in like if channel < count]
        return replace(style, channels=channels, order="listed", top=None) if channels else style


@dataclass(frozen=True, slots=True)
class Album:
    """Where the pictures of a run are saved, and how they are drawn: `folder` while it is made, `directory` in it.

    `place` is that of the run's source among the inputs.
    """

    folder: Path
    directory: str
    options: ViewOptions
    limits: SharedLimits
    place: int = 0

    def style_of(self, value: str) -> Style:
        """Return the style of a value's pictures, on the scale that all inputs share if they do."""
        style = self.options.style
        return replace(style, limits=self.limits[value]) if value in self.limits else style

    def save(self, drawing: Drawing, name: str) -> str:
        """Save a picture and return its file's name, which is `name` with the ending of the format."""
        name, small = f"{name}.{self.options.format}", self.options.style.small
        path = self.folder / self.directory / name
        save(drawing.image, path, enlarged=drawing.enlarged, small=small, text=drawing.text)
        return name


def draw_run(feed: Feed, activations: Iterable[Activation], shown: Shown, album: Album, outlets: Outlets) -> RunRecord:
    """Draw every chosen layer of a run as it comes, then the overview, and hand all to the outlets.

    Raises:
        ExecutionError: onnxruntime fails on the feed.
        InputError: Labels that the user gave fit no output.
    """
    ids = shown.token_names(feed)
    drawn = _draw_layers(activations, shown, album, outlets, ids)
    drawn.scores.check()
    overview = album.save(_overview(drawn, feed, shown, album.options), "overview") if album.options.pictures else ""
    film = drawn.film.save(album.folder / album.directory) if drawn.film is not None and drawn.layers else ""
    run = RunRecord(
        name=feed.stem,
        source={fed.name: fed.source for fed in feed.fed},
        directory=album.directory,
        overview=overview,
        preview=drawn.layers[0].pictures[0] if overview and len(drawn.layers) == 1 else overview,
        top=drawn.scores.top,
        film=film,
        explanations=explained(feed, shown, outlets),
    )
    outlets.end_run(run, feed, drawn.layers, album.place, ids)
    return run


def explained(feed: Feed, shown: Shown, outlets: Outlets) -> tuple[dict[str, Any], ...]:
    """Add to the page what explains the answers of the run under way, where that is asked for, and return it."""
    if shown.why is None or outlets.report is None:
        return ()
    return shown.why.add(feed, outlets.report.collected)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What has been drawn of a run so far."""

    scores: Scores
    film: Film | None
    layers: list[LayerRecord] = field(default_factory=list)
    rows: list[OverviewRow] = field(default_factory=list)


def _draw_layers(
    activations: Iterable[Activation], shown: Shown, album: Album, outlets: Outlets, ids: Mapping[int, tuple[str, ...]]
) -> _Drawn:
    options = album.options
    drawn = _Drawn(Scores(shown.classes), Film(options.style) if options.gif else None)
    in_overview, chosen = None, shown.layers
    for activation in activations:
        # What this input does not compute is known when the first activation comes.
        in_overview = shown.in_overview if in_overview is None else in_overview
        drawn.scores.add(activation)
        if activation.value in chosen:
            statistics = channel_statistics(activation.maps())
            labels = shown.classes.labels_of(activation.value)
            names = names_for(activation, ids)
            caption = Caption(activation.name, activation.caption_line, labels, first_step(activation.steps), names)
            row = None
            if options.pictures and activation.value in in_overview:
                style = shown.overview_style(activation.name, len(statistics.minimum), album.style_of(activation.value))
                row = summarise(activation.array, activation.seen_by(style.query), caption, statistics, style)
                drawn.rows.append(row)
                in_overview -= {activation.value}  # of steps that differ in size the first is shown
            stem = f"{len(drawn.layers):03}-{safe_name(activation.name)}"
            pictures = _save_pages(activation, caption, statistics, album, stem) if options.pictures else ()
            layer = _record(activation, chosen[activation.value], statistics, pictures, row)
            layer = replace(layer, query=_query_of(activation, options.style))
            if drawn.film is not None:
                drawn.film.add(activation, caption, album.limits.get(activation.value))
            outlets.add(activation, layer, statistics, labels)
            drawn.layers.append(layer)
    return drawn


def _query_of(activation: Activation, style: Style) -> str:
    """Return whose attention a picture shows, empty where it shows none."""
    if not activation.is_attention:
        return ""
    return arrange_axes(activation.array, activation.seen_by(style.query)).query


def _record(
    activation: Activation,
    layer: Layer | None,
    statistics: ChannelStatistics,
    pictures: tuple[str, ...],
    row: OverviewRow | None,
) -> LayerRecord:
    return LayerRecord(
        name=activation.name,
        output=activation.value,
        tap=activation.tap,
        shape=activation.array.shape,
        layout=activation.layout,
        layout_assumed=activation.layout_assumed,
        dtype=activation.dtype,
        range=statistics.range,
        layer=layer,
        pictures=pictures,
        health=channel_health(activation.array, activation.arrangement, activation.bounds, statistics),
        dequantised=activation.dequantised,
        irregular=irregular_words(activation.maps(), statistics),
        quantised=activation.quantised,
        steps=activation.steps,
        overview=None if row is None else row.shown,
        tokens=activation.tokens,
    )


def _save_pages(
    activation: Activation, caption: Caption, statistics: ChannelStatistics, album: Album, stem: str
) -> tuple[str, ...]:
    """Draw the pages of a layer, save them and return their files' names."""
    style = album.style_of(activation.value)
    drawings = draw_maps(activation.array, activation.seen_by(style.query), caption, style, statistics)
    numbers = [f"-{page + 1}" for page in range(len(drawings))] if len(drawings) > 1 else [""]
    return tuple(album.save(drawing, stem + number) for drawing, number in zip(drawings, numbers, strict=True))


def _overview(drawn: _Drawn, feed: Feed, shown: Shown, options: ViewOptions) -> Drawing:
    graph = shown.model.graph
    words = shown_words(len(drawn.rows), len(shown.present))
    path = path_inside(drawn.layers)
    inside = f"  ·  all in {path.removesuffix('/')}" if path else ""
    nodes = f"{len(graph.nodes)} node{'s' * (len(graph.nodes) != 1)}"
    line = f"{nodes}  ·  {words}  ·  opset {graph.opset}{inside}"
    rows = [replace(row, caption=_without(path, row.caption)) for row in drawn.rows]
    top = [(found.name, found.value) for found in drawn.scores.top]
    head = Head(fed_picture(feed), fed_lines(feed.main if feed.fed else None), top)
    style = options.style if shown.like is None else replace(options.style, order="listed")
    return draw_overview(Caption(title(shown.model.file.origin), line), head, rows, style)


def _without(path: str, caption: Caption) -> Caption:
    """Return a caption whose names do not repeat a path."""
    if not path:
        return caption
    parts = (part.removeprefix(path) for part in caption.line.split("  ·  "))
    return replace(caption, title=caption.title.removeprefix(path), line="  ·  ".join(parts))
