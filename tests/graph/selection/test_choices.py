"""The selection language on a net of a dozen nodes whose every answer is worked out by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxviz.errors import NoMatchError, SelectionError, UsageError
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import Layer, catalogue
from onnxviz.graph.operators.table import KINDS
from onnxviz.graph.selection.choices import Choice, select
from onnxviz.graph.selection.defaults import default_choices
from onnxviz.graph.selection.globs import fitting_names, plain_name
from onnxviz.graph.selection.grammar import parse
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.unfold import unfold
from tests.cost import counted

# node -> its line in the file; depth, channels, height = width, stride and receptive field are in LAYERS below.
MODEL = """<ir_version: 8, opset_import: ["" : 13]>
net (float[1,3,32,32] image, float[8,3,3,3] w0, float[8] b0) => (float[1,10] score)
{
    c0 = Conv (image, w0)
    r0 = Relu (c0)
    p0 = MaxPool (r0)
    c1 = Conv (p0, w0)
    n1 = BatchNormalization (c1, b0, b0, b0, b0)
    r1 = Relu (n1)
    c2 = Conv (r1, w0)
    c3 = Conv (p0, w0)
    sum = Add (c2, c3)
    flat = Flatten (sum)
    score = Gemm (flat, w0)
}
"""
NODES = {
    "c0": "/stem/conv/Conv",
    "r0": "/stem/relu/Relu",
    "p0": "/stem/pool/MaxPool",
    "c1": "/layer1/layer1.0/conv1/Conv",
    "n1": "/layer1/layer1.0/norm/BatchNormalization",
    "r1": "/layer1/layer1.0/relu/Relu",
    "c2": "/layer10/conv/Conv",
    "c3": "/layer1/layer1.0/downsample/Conv",
    "sum": "",
    "flat": "/head/Flatten",
    "score": "/head/Gemm",
}


def make_graph(text: str = MODEL, names: dict[str, str] | None = None) -> Graph:
    model = onnx.parser.parse_model(text)
    for node in model.graph.node:
        node.name = (NODES if names is None else names).get(node.output[0], "")
    return Graph.from_proto(model)


def make_layer(output: str, kind: str, op: str, **fields: Any) -> Layer:
    node = fields.pop("node", NODES.get(output, ""))
    known: dict[str, Any] = {
        "scope": ".".join(node.strip("/").split("/")[:-1]),
        "act": output,
        "shape": (1, 8, 16, 16),
        "dtype": "float32",
        "layout": "NCHW",
        "layout_assumed": False,
        "channels": 8,
        "depth": 0,
        "parameters": 0,
        "bytes": None,
        "index": 0,
    }
    return Layer(name=node or output, node=node, kind=kind, op=op, output=output, **(known | fields))


def field_of(size: int, stride: int) -> Any:
    return SimpleNamespace(of=lambda *_: SimpleNamespace(size=(1, size), stride=(1, stride)))


LAYERS = (
    make_layer("c0", "conv", "Conv", act="r0", depth=1, shape=(1, 8, 30, 32), fields=field_of(3, 1)),
    make_layer("r0", "act", "Relu", depth=1),
    make_layer("p0", "pool", "MaxPool", depth=1, fields=field_of(4, 2)),
    make_layer("c1", "conv", "Conv", act="r1", depth=2, channels=16, fields=field_of(8, 2)),
    make_layer("n1", "norm", "BatchNormalization", act="r1", depth=2, channels=16),
    make_layer("r1", "act", "Relu", depth=2, channels=16),
    make_layer("c2", "conv", "Conv", depth=3, shape=("N", 8, None, None), fields=field_of(12, 2)),
    make_layer("c3", "conv", "Conv", depth=2, dtype="float16"),
    make_layer("sum", "add", "Add", depth=3),
    make_layer("score", "dense", "Gemm", depth=4, shape=(1, 10), layout="NC", channels=10),
)
GRAPH = make_graph()


def chosen(text: str | Sequence[str], **options: Any) -> list[str]:
    """Return the chosen values, in order."""
    return [choice.value for choice in select(text, **({"graph": GRAPH, "layers": LAYERS} | options))]


def refusal(error: type[Exception], text: str | Sequence[str], **options: Any) -> str:
    with pytest.raises(error) as caught:
        chosen(text, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("conv", "r0 r1 c2 c3"),
        ("pool", "p0"),
        ("conv,pool", "r0 p0 r1 c2 c3"),
        ("pool , conv", "r0 p0 r1 c2 c3"),
        ("all", "r0 p0 r1 c2 c3 sum score"),
        ("dense", "score"),
        # An index counts over what its primary matched, in graph order.
        ("conv[0]", "r0"),
        ("conv[-1]", "c3"),
        ("conv[1:3]", "r1 c2"),
        ("conv[::2]", "r0 c2"),
        ("conv[::-3]", "r0 c3"),
        ("conv[ 1 : ]", "r1 c2 c3"),
        ("conv[1:99]", "r1 c2 c3"),
        ("(pool, conv)[1]", "p0"),
        ("((conv[1:])[-1])", "c3"),
        ("conv[-1] & depth=2", "c3"),
        ("depth=2[0]", "r1"),
        ("(conv & stride=2)[-1]", "c2"),
        # All factors hold; from the left terms add and take away.
        ("conv & depth<=2", "r0 r1 c3"),
        ("conv&depth>1&channels=8", "c2 c3"),
        ("conv, !depth=2", "r0 c2"),
        ("conv, !conv[0], conv[0]", "r0 r1 c2 c3"),
        ("! conv & depth>1 , !act, !norm", "r0 p0 sum score"),
        ("!(conv, act, norm)", "p0 sum score"),
        ("conv & (!depth=2)", "r0 c2"),
        ("conv & (depth=1, depth=3)", "r0 c2"),
        # Fields.
        ("op=MaxPool", "p0"),
        ("op=*Pool", "p0"),
        ("op != Conv, !act, !norm", "p0 sum score"),
        ("kind=co*", "r0 r1 c2 c3"),
        ("channels>=10 & channels<16", "score"),
        ("height>16", "r0"),
        ("width > 31", "r0"),
        ("height<16.5 & conv", "r1 c3"),
        ("conv & height!=30", "r1 c2 c3"),
        ("conv & rf<12", "r0 r1"),
        ("conv & rf != 8", "r0 c2 c3"),
        ("conv & stride<3/2", "r0"),
        ("rank=2", "score"),
        ("rank<4", "score"),
        ("dtype=float16", "c3"),
        ("scope=layer10.*", "c2"),
        ("node='/layer10/conv/Conv'", "c2"),
        ("node=''", "sum"),
        ('value="c1"', "r1"),
        ("value=c?", ""),
        # Globs.
        ("layer1.** & conv", "r1 c3"),
        ("/layer1/** & conv", "r1 c3"),
        ("layer1* & conv", ""),
        ("layer10/**", "c2"),
        ("**/downsample/**", "c3"),
        ("conv, !**/downsample/**", "r0 r1 c2"),
        ("**/conv*/**", "r0 r1 c2"),
        ("stem/*/Conv", "r0"),
        ("stem/*", "r0 p0"),
        ("c*", "r0 r1 c2 c3"),
        ("stem.conv", "r0"),
        # Exact names.
        ("/stem/conv/Conv", "r0"),
        ("c0", "c0"),
        ("c0, c1", "c0 c1"),
        ("'c0' , pool", "c0 p0"),
        ("c0, /stem/conv/Conv", "c0 r0"),
        ("/head/Flatten", "flat"),
        ("flat", "flat"),
        ("image", "image"),
        ("w0", "w0"),
        ("score, image", "image score"),
        ("conv, !r0", "r1 c2 c3"),
        ("conv, !c0", "r1 c2 c3"),
        ("c0, r0, !conv", "r0"),
        ("c0 & conv", "c0"),
        ("conv & c0", "c0"),
        ("c0 & pool", ""),
        ("all & /head/Flatten", ""),
        # Nodes that are no layers.
        ("other", "flat"),
        ("kind=other", "flat"),
        ("other & op=Flatten", "flat"),
        ("op=Flat* & (other)", "flat"),
        ("(other, pool)[0]", "p0"),
        ("other & head/*", "flat"),
        ("head/*", "score"),
        ("op=Flatten", ""),
    ],
)
def test_the_language(text: str, values: str) -> None:
    if values:
        assert chosen(text) == values.split()
    else:
        refusal(NoMatchError, text)


def test_the_tap_is_after_the_nonlinearity_unless_asked() -> None:
    assert chosen("conv", tap="op") == ["c0", "c1", "c2", "c3"]
    assert chosen("/stem/conv/Conv", tap="op") == ["c0"]
    assert chosen("all", tap="op") == ["c0", "r0", "p0", "c1", "n1", "r1", "c2", "c3", "sum", "score"]
    assert "`raw` is not a tap" in refusal(UsageError, "conv", tap="raw")


def test_a_choice_says_how_it_is_shown() -> None:
    assert select("conv[0]", graph=GRAPH, layers=LAYERS) == (Choice("/stem/conv/Conv", "r0", "act", LAYERS[0]),)
    assert select("c0", graph=GRAPH, layers=LAYERS) == (Choice("c0", "c0", "value", LAYERS[0]),)
    assert select("/head/Flatten", graph=GRAPH, layers=LAYERS, tap="op") == (
        Choice("/head/Flatten", "flat", "op", None),
    )
    assert select("image", graph=GRAPH, layers=LAYERS) == (Choice("image", "image", "value", None),)


def test_a_value_comes_once_and_under_its_own_name_where_that_was_asked_for() -> None:
    (choice,) = select("conv[0], act[0]", graph=GRAPH, layers=LAYERS)
    assert (choice.name, choice.value) == ("/stem/conv/Conv", "r0")
    (choice,) = select("conv[0], r0", graph=GRAPH, layers=LAYERS)
    assert (choice.name, choice.tap) == ("r0", "value")


def test_several_texts_are_read_as_one() -> None:
    assert chosen(["conv", "pool"]) == chosen("conv,pool")
    assert chosen(["conv", "!conv[0]"]) == chosen("conv, !conv[0]")
    assert chosen(["!conv[1:]", "!act"]) == chosen("!conv[1:], !act")


def test_exclude_takes_away() -> None:
    assert chosen("conv", exclude=["**/downsample/**"]) == ["r0", "r1", "c2"]
    assert chosen("conv", exclude=["depth=2", "r0"]) == ["c2"]
    assert chosen("all", exclude=["!conv"]) == ["r0", "r1", "c2", "c3"]
    assert "or all of it is excluded" in refusal(NoMatchError, "conv", exclude=["all"])
    refusal(NoMatchError, "conv", exclude=["covn"])


@pytest.mark.parametrize("name", ["foo[0]", "a,b", "conv2d", "!x", "a & b", "op=Conv", "it's", '"', "(", "a*b", "ä b"])
def test_a_whole_text_that_is_a_name_is_that_name(name: str) -> None:
    model = onnx.parser.parse_model(MODEL)
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = name
    graph = Graph.from_proto(model)
    layers = (replace(LAYERS[0], output=name), *LAYERS[1:])
    assert chosen(name, graph=graph, layers=layers) == [name]
    assert chosen(f" {name} ", graph=graph, layers=layers) == [name]
    quoted = '"' + name.replace('"', '""') + '"'
    assert chosen(f"{quoted}, pool", graph=graph, layers=layers) == [name, "p0"]
    single = "'" + name.replace("'", "''") + "'"
    assert chosen(["pool", single], graph=graph, layers=layers) == [name, "p0"]


def test_a_name_with_signs_among_others_asks_for_quotes() -> None:
    graph = make_graph(names={"flat": "foo[0]"})
    assert "name `foo[0]` needs quotes here" in refusal(NoMatchError, "foo[0], conv", graph=graph)


@pytest.mark.parametrize("word", ["all", *KINDS])
def test_a_kind_of_layers_is_never_a_name_unless_it_is_quoted(word: str) -> None:
    graph = make_graph(names={"flat": word})
    quoted = select(f'"{word}"', graph=graph, layers=LAYERS)
    assert [choice.value for choice in quoted] == ["flat"]
    if word not in ("join", "attention", "resize"):
        assert len(chosen(word, graph=graph)) == {"all": 7, "conv": 4, "act": 2}.get(word, 1)


@pytest.mark.parametrize("word", ["join", "attention", "resize"])
def test_a_kind_that_the_model_lacks_is_a_name_where_something_is_called_so(word: str) -> None:
    said = f"`{word}` is taken as a name, since no layer is of that kind"
    (node,) = select(word, graph=make_graph(names={"flat": word}), layers=LAYERS)
    assert (node.value, node.note) == ("flat", said)
    scoped = (replace(LAYERS[0], scope=word), replace(LAYERS[2], scope=f"/{word}"), *LAYERS[3:])
    first, second = select(f"{word}, {word} & pool", graph=GRAPH, layers=scoped)
    assert (first.value, second.value, first.note) == ("r0", "p0", said)
    assert chosen(f"all, !{word}", layers=scoped) == [*chosen("all")][2:]
    assert "matches nothing" in refusal(NoMatchError, word)
    assert "matches nothing" in refusal(NoMatchError, f"kind={word}", layers=scoped)


def test_the_kind_is_said_where_it_is_a_name_too() -> None:
    graph = make_graph(names={"flat": "pool"})
    (choice,) = select("pool", graph=graph, layers=LAYERS)
    assert choice.note == """`pool` is the kind; `"pool"` in quotes (in a shell '"pool"') is what has that name"""


def test_a_name_of_a_value_and_of_another_node_is_the_value_and_that_is_said() -> None:
    graph = make_graph(names={**NODES, "p0": "c1"})
    layers = (*LAYERS[:2], replace(LAYERS[2], node="c1", name="c1"), *LAYERS[3:])
    (choice,) = select("c1", graph=graph, layers=layers)
    assert (choice.value, choice.tap) == ("c1", "value")
    assert choice.note == "`c1` names a value and a node, which as a layer means `p0`: the value is taken"


def test_a_node_named_as_its_own_output_is_the_value_and_the_other_reading_is_said() -> None:
    graph = make_graph(names={"c0": "c0", "p0": "p0"})
    layers = tuple(replace(layer, node=layer.output, name=layer.output) for layer in LAYERS)
    first, second = select("c0, p0", graph=graph, layers=layers)
    assert (first.value, first.tap) == ("c0", "value")
    assert "which as a layer means `r0`" in first.note
    assert second.note == ""


def test_nodes_that_share_a_name_are_all_taken() -> None:
    graph = make_graph(names={"c2": "twin", "c3": "twin"})
    layers = tuple(replace(layer, node="twin") if layer.output in ("c2", "c3") else layer for layer in LAYERS)
    assert chosen("twin", graph=graph, layers=layers) == ["c2", "c3"]


def test_layers_found_by_the_name_that_is_shown() -> None:
    layers = (replace(LAYERS[0], name="conv2d (Conv2D)"), *LAYERS[1:])
    assert chosen("conv2d (Conv2D)", layers=layers) == ["r0"]
    assert chosen("conv2d*", layers=layers) == ["r0"]


def test_a_full_catalogue_changes_nothing_but_other() -> None:
    full = (*LAYERS[:-1], make_layer("flat", "other", "Flatten", channels=7), LAYERS[-1])
    for text in ("all", "op!=Conv", "**", "depth>=0", "!conv", "head/*", "other", "op=Relu & (all, !conv)"):
        assert chosen(text, layers=full) == chosen(text)
    (choice,) = select("/head/Flatten", graph=GRAPH, layers=full)
    assert choice.layer == full[-2]
    assert chosen("other & channels=7", layers=full) == ["flat"]


def test_a_term_that_matches_nothing_beside_others_is_said() -> None:
    first, *rest = select("conv, resize, pool[7], conv & depth>9", graph=GRAPH, layers=LAYERS)
    assert first.note == "`resize` matches nothing; `pool[7]` matches nothing; `conv & depth>9` matches nothing"
    assert not any(choice.note for choice in rest)
    first, *_ = select("conv, **/Flatten", graph=GRAPH, layers=LAYERS)
    hint = "`other & **/Flatten` takes nodes that are not layers"
    assert first.note == f"`**/Flatten` matches nothing among the layers; {hint}"


def test_of_many_terms_that_match_nothing_a_few_are_named() -> None:
    first, *_ = select(["conv", *(f"depth>{number}" for number in range(100, 300))], graph=GRAPH, layers=LAYERS)
    assert first.note == (
        "`depth>100` matches nothing; `depth>101` matches nothing; `depth>102` matches nothing; and 197 more"
    )


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", 0, "the selection is empty"),
        ("   ", 3, "the selection is empty"),
        ("conv,", 5, "a layer is missing at the end"),
        ("conv,,pool", 5, "a layer is missing before `,`"),
        ("& conv", 0, "a layer is missing before `&`"),
        ("conv & !pool", 7, "`!` takes a whole term away"),
        ("!!conv", 1, "`!` takes a whole term away"),
        ("conv !pool", 5, "put a comma before it"),
        ("(conv", 0, "this `(` is not closed"),
        ("(conv !x)", 6, "put a comma before it"),
        ("conv)", 4, "this `)` closes nothing"),
        ("conv(pool)", 4, "`(` cannot stand here"),
        ("'conv", 0, "this quote is not closed"),
        ('con"v"', 3, '`"` cannot stand here'),
        ("conv[", 4, "this `[` is not closed"),
        ("conv[]", 5, "an index is an integer or a slice"),
        ("conv[a]", 5, "an index is an integer or a slice"),
        ("conv[1.5]", 5, "an index is an integer or a slice"),
        ("conv[1:2:3:4]", 5, "an index is an integer or a slice"),
        ("conv[::0]", 5, "the step of a slice cannot be 0"),
        ("conv[٣]", 5, "an index is an integer or a slice"),
        ("conv[0][1]", 7, "one index a factor"),
        ("depth==4", 5, "`==` is not a comparison; write `=`"),
        ("depth=>4", 5, "write `>=`"),
        ("depth<>4", 5, "write `!=`"),
        ("op~=Conv", 3, "write `!=`"),
        ("dept<4", 0, "`dept` is not a field; near: `depth`"),
        ("xyz=4", 0, "`xyz` is not a field; fields are kind op dtype scope node value depth channels"),
        ("depth<", 6, "a value is missing after `depth<`"),
        ("depth<four", 6, "`depth` is compared with a number, and `four` is not one"),
        ("depth<1e9", 6, "and `1e9` is not one"),
        ("depth<1/0", 6, "and `1/0` is not one"),
        ("op<Conv", 3, "`op` is text, and `<` compares numbers"),
        ("(" * 65 + "conv" + ")" * 65, 64, "parentheses nest deeper than 64"),
    ],
)
def test_what_cannot_be_read_is_pointed_at(text: str, place: int, message: str) -> None:
    quoted, pointer = refusal(SelectionError, text).split("\n")
    assert message in pointer
    if len(text) <= 60:
        assert quoted == f"selection `{text}`"
        assert pointer.index("^") == len("selection `") + place
    else:
        assert quoted[pointer.index("^")] == "("


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv, convv", "^ nothing is called `convv`; near: `conv`; `onnxviz layers MODEL` lists the names"),
        ("stem/conv/Conv1", "near: `/stem/conv/Conv`"),
        ("downsample", "near: `layer1.layer1.0.downsample`, `/layer1/layer1.0/downsample/Conv`"),
        ("MaxPool", "`op=MaxPool` takes the nodes of that operator"),
        ("Flatten", "`other & op=Flatten` takes nodes that are not layers"),
        ('"layer1.**"', "nothing is called `layer1.**`, for a * in quotes is not a glob"),
        ("resize", "matches nothing: the model has conv, act, pool, norm, add, dense;"),
        ("conv[4]", "matches nothing: there are 4 without the index;"),
        ("op=Maxpool", "matches nothing; near: `MaxPool`"),
        ("op=Flatten", "matches nothing among the layers; `other & op=Flatten` takes nodes that are not layers"),
        ("**/Flatten", "matches nothing among the layers; `other & **/Flatten` takes nodes that are not layers;"),
        ("head.* & op=Fl*", "among the layers; `other & head.* & op=Fl*` takes nodes that are not layers;"),
        ("**/Flattn", "^ matches nothing; `onnxviz layers MODEL` lists the names"),
        ("op=Conv & act", "^ matches nothing; `onnxviz layers MODEL` lists the names"),
        ("all[40]", "matches nothing: there are 10 without the index;"),
    ],
)
def test_what_is_not_there_comes_with_advice(text: str, message: str) -> None:
    quoted, pointer = refusal(NoMatchError, text).split("\n")
    assert quoted == f"selection `{text}`"
    assert message in pointer


def test_errors_are_safe_to_print_and_short() -> None:
    text = "conv & \x1b[31m" + "x" * 500
    lines = refusal(SelectionError, text).split("\n")
    assert len(lines) == 2
    assert all(line.isprintable() and len(line) < 200 for line in lines)
    quoted, pointer = refusal(SelectionError, "層層 & )").split("\n")
    assert quoted == "selection `層層 & )`"
    assert pointer.startswith(" " * (11 + 7) + "^")


def test_defaults() -> None:
    choices, words = default_choices(GRAPH, LAYERS, "act")
    assert [choice.value for choice in choices] == ["r0", "p0", "r1", "c2", "c3"]
    assert words == "conv,pool"
    plain = tuple(layer for layer in LAYERS if layer.kind not in ("conv", "pool"))
    choices, words = default_choices(GRAPH, plain, "op")
    assert [choice.value for choice in choices] == ["r0", "n1", "r1", "sum"]
    assert words.startswith("every layer of rank 3 or more")
    choices, _ = default_choices(GRAPH, LAYERS, "act", exclude=["conv"])
    assert [choice.value for choice in choices] == ["p0"]
    with pytest.raises(NoMatchError, match="or all of it is excluded"):
        default_choices(GRAPH, LAYERS[-1:], "act", exclude=["all"])


def test_layers_of_unknown_rank_are_taken_and_vectors_beside_maps_are_counted() -> None:
    unknown = replace(LAYERS[5], shape=None, layout=None, channels=None)
    choices, words = default_choices(GRAPH, (unknown, *LAYERS[8:]), "act")
    assert [choice.value for choice in choices] == ["r1", "sum"]
    assert words == (
        "every layer of rank 3 or more, since no layer is of kind conv or pool; taken too: 1 whose rank only the run"
        " tells; left out: 1 of a lower rank (`all` has them)"
    )


DENSE = (
    "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 0, 0, 1}> {"
    " a = MatMul (x, w) b = Relu (a) y = MatMul (b, w) }"
)


def test_a_network_of_dense_layers_is_taken_whole() -> None:
    graph, layers = read(DENSE)
    choices, words = default_choices(graph, layers, "act")
    assert [(choice.value, choice.layer and choice.layer.kind) for choice in choices] == [
        ("b", "dense"),
        ("y", "dense"),
    ]
    assert words == "every layer, since no layer is of kind conv or pool, or of rank 3 or more"


def test_vectors_are_taken_where_beside_them_only_ranks_are_unknown() -> None:
    unknown = replace(LAYERS[5], shape=None, layout=None, channels=None)
    for layers, values in (((unknown, *LAYERS[9:]), ["r1", "score"]), ((unknown,), ["r1"])):
        choices, words = default_choices(GRAPH, layers, "act")
        assert [choice.value for choice in choices] == values
        assert words == "every layer, since no layer is of kind conv or pool, or known to be of rank 3 or more"


def test_a_value_called_as_a_kind_is_not_spoken_of_where_nothing_was_selected() -> None:
    graph, layers = read("g (float[1,3,8,8] x, float[4,3,1,1] w) => (float[1,4,8,8] conv) { conv = Conv (x, w) }")
    (choice,), _ = default_choices(graph, layers, "act")
    assert (choice.value, choice.note) == ("conv", "")


def test_a_model_without_layers_shows_what_its_nodes_compute() -> None:
    graph, layers = read(
        "g (float[2,4] x) => (float[2,4] y, seq(float[2,2]) q) <int64[1] s = {2}> {"
        " c = Constant <value_floats = [1.0]> () a, b = Split <axis = 1, num_outputs = 2> (x) d = Sin (a)"
        " q = SplitToSequence <axis = 1> (x, s) y = Mul (x, c) }"
    )
    choices, words = default_choices(graph, layers, "act")
    assert [choice.value for choice in choices] == ["a", "b", "d", "y"]
    assert words == "the outputs of its nodes, since no node is a layer of a kind"
    less, _ = default_choices(graph, layers, "act", exclude=["op=Split & other"])
    assert [choice.value for choice in less] == ["d", "y"]


def test_a_model_of_constants_shows_these() -> None:
    graph, layers = read("g () => (float[1] y) { c = Constant <value_floats = [1.0]> () y = Sin (c) }")
    choices, _ = default_choices(graph, layers, "act")
    assert [choice.value for choice in choices] == ["c", "y"]


def test_what_no_input_reaches_is_taken_by_its_name_alone() -> None:
    """Paddle writes each weight as an Identity of an initializer."""
    graph, layers = read(
        "g (float[1,1,4,4] x) => (float[1,1,4,4] y) <float[1,1,1,1] stored = {2}> { [weight] w = Identity (stored)"
        " [scale] c = Constant <value_floats = [2.0]> () d = Sqrt (c) a = Conv (x, w) [turned] y = Sin (a) }"
    )
    for every in (False, True):
        found = catalogue(graph, infer_types(graph), every=every)
        assert chosen("other", graph=graph, layers=found) == ["y"]
        assert chosen("all, other", graph=graph, layers=found) == ["a", "y"]
        assert chosen("other & op=*", graph=graph, layers=found) == ["y"]
        assert chosen("weight, d, turned", graph=graph, layers=found) == ["w", "d", "y"]
        assert "matches nothing;" in refusal(NoMatchError, "other & op=Constant", graph=graph, layers=found)
    for text in ("op=Sqrt", "Sqrt"):
        error = refusal(NoMatchError, text, graph=graph, layers=layers)
        assert "no input reaches the nodes of Sqrt: their exact names take them" in error


def read(text: str) -> tuple[Graph, tuple[Layer, ...]]:
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20, "loc": 1]> {text}')
    graph = unfold(Graph.from_proto(model)).graph
    return graph, catalogue(graph, infer_types(graph))


FUNCTIONS = """g (float[1,1,8,8] x) => (float[1,1,8,8] y) <float[1,1,1,1] "stem.conv.weight" = {2}> {
    [one] a = loc.Twice (x, "stem.conv.weight")
    b = Conv (a, "stem.conv.weight")
    c = loc.Once (b)
    y = loc.Once (c)
}
<domain: "loc", opset_import: ["": 20]> Twice (i, w) => (o) { ["/first/Conv"] t = Conv (i, w) o = Conv (t, w) }
<domain: "loc", opset_import: ["": 20]> Once (v) => (r) {
    [pool] p = MaxPool <kernel_shape = [1, 1]> (v) r = Relu (p) }"""
"""Convolutions in order: two inside, one outside; then twice a pool inside with its nonlinearity, the call's output."""


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (None, "one/t a b c y"),
        ("conv", "one/t a b"),
        ("conv[0]", "one/t"),
        ("conv[1:], pool[-1]", "a b y"),
        ("op=MaxPool", "c y"),
        ("**", "one/t a b c y"),
        ("one/*", "one/t a"),
        ("one/**", "one/t a"),
        ("one/first/*", "one/t"),
        ("**/first/**", "one/t"),
        ("one//first/Conv", "one/t"),
        ("/first/Conv", "one/t"),
        ("t", "one/t"),
        ("o", "a"),
        ("one/o", "a"),
        ("one", "a"),
        ("i", "x"),
        ("c/p", "c/p"),
        ("**/p", "c y"),
        ("pool & c/**", "c"),
        ("conv, !one/**", "b"),
        ("stem.conv", "one/t a b"),
        ("act & depth=3", "c y"),
        ("channels=1 & height=8", "one/t a b c y"),
        ("rf=1", "one/t a b c y"),
    ],
)
def test_what_lies_inside_functions_is_selected_like_all_else(text: str | None, values: str) -> None:
    graph, layers = read(FUNCTIONS)
    choices = default_choices(graph, layers, "act")[0] if text is None else select(text, graph=graph, layers=layers)
    assert [choice.value for choice in choices] == values.split()
    assert [choice.note for choice in choices] == [""] * len(choices)


def test_a_name_inside_stands_alone_where_one_value_has_it() -> None:
    graph, layers = read(FUNCTIONS)
    message = refusal(NoMatchError, "p", graph=graph, layers=layers)
    assert "`p` is in several bodies or functions: write `c/p`, `y/p`" in message
    assert chosen("pool", graph=graph, layers=layers) == ["c", "y"]
    message = refusal(NoMatchError, '"pool"', graph=graph, layers=layers)
    assert "write `c/pool`, `y/pool`" in message


def test_what_holds_a_body_is_selected_by_its_name_and_what_a_body_is_given_by_its_own() -> None:
    graph, layers = read(
        "g (float[1,1,4,4] x, int64 n, bool k) => (float[1,1,4,4] y) <float[1,1,1,1] w = {2}> {"
        " [loop] y = Loop (n, k, x) <body = b (int64 i, bool c, float[1,1,4,4] v) => (d, r) {"
        " d = Identity (c) [inner] r = Conv (v, w) }> }"
    )
    assert chosen("loop", graph=graph, layers=layers) == ["y"]
    assert chosen("v, loop/body/i", graph=graph, layers=layers) == ["loop/body/i", "loop/body/v"]
    assert chosen("conv", graph=graph, layers=layers) == chosen("inner", graph=graph, layers=layers) == ["loop/body/r"]
    assert chosen("other", graph=graph, layers=layers) == ["loop/body/d", "y"]
    refusal(NoMatchError, '"loop/body/="', graph=graph, layers=layers)


def test_all_that_a_node_puts_out_can_be_listed_and_taken() -> None:
    graph, layers = read(
        "g (float[1,2,4,4] x) => (float[1,1,4,4] y) {"
        " [halves] a, b = Split <axis = 1, num_outputs = 2> (x) [pool] p, i = MaxPool <kernel_shape = [1, 1]> (a)"
        " [sum] y = Add (p, b) }"
    )
    every = catalogue(graph, infer_types(graph), every=True)
    assert [(layer.name, layer.kind, layer.output, layer.shape) for layer in every] == [
        ("halves", "other", "a", (1, 1, 4, 4)),
        ("b", "other", "b", (1, 1, 4, 4)),
        ("pool", "pool", "p", (1, 1, 4, 4)),
        ("i", "other", "i", (1, 1, 4, 4)),
        ("sum", "add", "y", (1, 1, 4, 4)),
    ]
    for found in (layers, every):
        assert chosen("all, other", graph=graph, layers=found) == ["a", "b", "p", "i", "y"]
        assert chosen("other", graph=graph, layers=found) == ["a", "b", "i"]
        assert chosen("halves", graph=graph, layers=found) == ["a", "b"]
        assert chosen("pool[0], sum", graph=graph, layers=found) == ["p", "y"]
        names = [choice.name for choice in select("other", graph=graph, layers=found)]
        assert names == ["halves", "b", "i"]


def test_a_layer_that_its_author_called_as_a_kind_is_said() -> None:
    entries = '[{"layer": "dense", "class": "Dense", "tensor": "t", "value": "b"}]'
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]> {DENSE}')
    model.metadata_props.add(key="onnxviz.layers", value=f'{{"version": 1, "layers": {entries}}}')
    graph = Graph.from_proto(model)
    layers = catalogue(graph, infer_types(graph))
    first, second = select("dense", graph=graph, layers=layers)
    assert (first.value, second.value) == ("b", "y")
    assert first.note == """`dense` is the kind; `"dense"` in quotes (in a shell '"dense"') is what has that name"""
    (quoted,) = select('"dense"', graph=graph, layers=layers)
    assert (quoted.name, quoted.value) == ("dense", "b")
    scoped = (replace(LAYERS[0], scope="pool"), *LAYERS[1:])
    choice, pooled = select("conv[0], pool", graph=GRAPH, layers=scoped)
    assert '`"pool"` in quotes' in choice.note
    assert pooled.value == "p0"
    assert chosen('"pool"', layers=scoped) == ["r0"]


def test_a_layer_is_found_by_the_name_of_its_weight() -> None:
    """The newer PyTorch exporter folds features.1, a norm, into the convolution features.0 and calls it features.1."""
    weights = 'float[1,1,1,1] "features.0.weight" = {2}, uint8[1,1,1,1] "block.conv.weight_quantized" = {2}'
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 20]> g (float[1,1,2,2] x) => (float[1,1,2,2] y)'
        f" <{weights}, float s = {{1}}> {{"
        ' [n0] a = Conv (x, "features.0.weight") w = DequantizeLinear ("block.conv.weight_quantized", s)'
        " [n1] y = Conv (a, w) }"
    )
    scopes = model.graph.node[0].metadata_props.add(key="pkg.torch.onnx.name_scopes")
    scopes.value = "['', 'features', 'features.1', 'conv2d']"
    graph = Graph.from_proto(model)
    layers = catalogue(graph, infer_types(graph))
    assert layers[0].name == "features.1"
    for text in ("features.0", '"features.0"', "features.1", "features.*", "features/0"):
        assert chosen(text, graph=graph, layers=layers) == ["a"], text
    assert chosen("block.conv", graph=graph, layers=layers) == ["y"]
    assert chosen("**.conv", graph=graph, layers=layers) == ["y"]
    assert "near: `features.0`" in refusal(NoMatchError, "feature.0", graph=graph, layers=layers)


LONG: dict[str, tuple[int, Callable[[int], str]]] = {
    "(": (100_000, lambda count: "(" * count),
    "!": (100_000, lambda count: "!" * count),
    "[": (100_000, lambda count: "[" * count),
    "'": (100_001, lambda count: "'" * count),
    "conv,": (20_000, lambda count: "conv," * count + "conv"),
    "conv[0],": (12_000, lambda count: "conv[0]," * count + "conv"),
    "c0,!c0,": (14_000, lambda count: "c0,!c0," * count + "c0"),
    "conv&": (20_000, lambda count: "conv&" * count + "conv"),
    "*a": (50_000, lambda count: "*a" * count),
    "**/": (33_000, lambda count: "**/" * count + "x"),
    "*/": (50_000, lambda count: "*/" * count + "*"),
    "x": (100_000, lambda count: "x" * count),
    "depth<9": (100_000, lambda count: "depth<" + "9" * count),
    "conv[9]": (100_000, lambda count: "conv[" + "9" * count + "]"),
    "blanks": (100_000, lambda count: " " * count + "conv & ("),
    "depths": (9_000, lambda count: ",".join(f"depth<{number}" for number in range(count))),
    "globs": (9_000, lambda count: ",".join(f"*a{number}*" for number in range(count))),
    "quotes": (50_000, lambda count: '"' + '""' * count + '"'),
    "open quotes": (50_000, lambda count: '"' + '""' * count),
    "nested": (60, lambda count: "(conv,!" * count + "pool" + ")" * count),
}


@pytest.mark.parametrize("name", LONG)
def test_long_texts_are_chosen_or_refused_in_short(name: str) -> None:
    count, text = LONG[name]
    try:
        chosen(text(count))
    except (SelectionError, NoMatchError) as error:
        assert len(str(error)) < 1000


@pytest.mark.parametrize("name", LONG)
def test_the_work_of_choosing_grows_as_the_text(name: str) -> None:
    full, text = LONG[name]
    costs = []
    for count in (min(full, 400) // 2, min(full, 400)):
        with counted(lines=1_000_000) as cost, suppress(SelectionError, NoMatchError):
            chosen(text(count))
        costs.append(cost.lines)
    assert costs[1] < 2.1 * costs[0]


PIECES = st.sampled_from(
    [
        *"""all conv pool act norm other c0 r0 flat image /stem/conv/Conv layer1.** **/conv*/** * ** depth channels
        height stride rf rank op kind dtype node value scope = != < <= > >= == ! & , ( ) [ ] [0] [-1] [::2] [1:] 1 2
        Conv 'c0' ' "a" "" '' / . nothing""".split(),
        " ",
    ]
)


@given(st.one_of(st.lists(PIECES, max_size=14).map("".join), st.text(max_size=30)))
@settings(max_examples=400, deadline=None)
def test_any_text_is_chosen_or_refused(text: str) -> None:
    try:
        choices = select(text, graph=GRAPH, layers=LAYERS)
    except (SelectionError, NoMatchError) as error:
        assert 1 <= len(str(error).split("\n")) <= 2
    else:
        values = [choice.value for choice in choices]
        assert values
        assert len(set(values)) == len(values)


CONDITION = st.sampled_from(["conv", "act", "depth<=2", "channels=8", "stem/**", "op=Conv", "rf>4", "all"])
INDICES = {
    "": slice(None),
    "[0]": slice(1),
    "[-1]": slice(-1, None),
    "[::2]": slice(None, None, 2),
    "[9]": slice(9, 10),
}
INDEX = st.sampled_from(sorted(INDICES))


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> tuple[str, frozenset[str]]:
    """A selection and the names that it means, computed with Python's own sets and lists."""
    text, meant = "", frozenset(layer.name for layer in LAYERS)
    for place in range(draw(st.integers(1, 3))):
        away = draw(st.booleans())
        term, matched = "", frozenset(layer.name for layer in LAYERS)
        for number in range(draw(st.integers(1, 2))):
            if depth and draw(st.booleans()):
                inner, names = draw(expressions(depth - 1))
                primary = f"({inner})"
            else:
                primary = draw(CONDITION)
                names = frozenset(layer.name for layer in LAYERS if MEANS[primary](layer))
            index = draw(INDEX)
            ordered = [layer.name for layer in LAYERS if layer.name in names]
            term += ("&" if number else "") + primary + index
            matched &= frozenset(ordered[INDICES[index]])
        if place == 0 and not away:
            meant = frozenset()
        meant = meant - matched if away else meant | matched
        text += ("," if place else "") + ("!" if away else "") + term
    return text, meant


MEANS = {
    "conv": lambda layer: layer.kind == "conv",
    "act": lambda layer: layer.kind == "act",
    "depth<=2": lambda layer: layer.depth <= 2,
    "channels=8": lambda layer: layer.channels == 8,
    "stem/**": lambda layer: layer.name.startswith("/stem/"),
    "op=Conv": lambda layer: layer.op == "Conv",
    "rf>4": lambda layer: layer.rf is not None and layer.rf > 4,
    "all": lambda layer: True,
}


@given(expressions())
@settings(max_examples=200, deadline=None)
def test_the_algebra_is_that_of_sets(example: tuple[str, frozenset[str]]) -> None:
    text, meant = example
    try:
        names = {choice.name for choice in select(text, graph=GRAPH, layers=LAYERS, tap="op")}
    except (NoMatchError, SelectionError) as error:
        assert isinstance(error, NoMatchError)
        names = set()
    assert names == meant


def as_regular_expression(pattern: str) -> re.Pattern[str]:
    """The same meaning in other words: too slow for hostile patterns, but plain to see."""
    pattern = re.sub(r"(?<![^/])\*\*(/\*\*)+(?![^/])", "**", re.sub(r"\*{3,}", "**", pattern.removeprefix("/")))
    stars = {"*": "[^/]*", "**": ".*", "**/": "(.*/)?", "/**": "(/.*)?"}
    pieces = re.split(r"((?<![^/])\*\*/|/\*\*$|\*+)", pattern)
    return re.compile("".join(stars.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)


@given(st.text("ab/*", max_size=9), st.text("ab/", max_size=10))
@settings(max_examples=600, deadline=None)
def test_globs_against_regular_expressions(pattern: str, name: str) -> None:
    once = [re.sub("//+", "/", text).removeprefix("/") for text in (pattern, name)]
    expected = as_regular_expression(once[0]).fullmatch(once[1]) is not None
    assert bool(fitting_names(pattern, [plain_name(name)])) == expected


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("layer1.**", "layer1", True),
        ("layer1.**", "layer1.0.conv1", True),
        ("layer1.**", "/layer1/layer1.0/conv1/Conv", True),
        ("layer1.**", "layer10.0", False),
        ("layer1", "layer10", False),
        ("layer1*", "layer10", True),
        ("layer1*", "layer1.0", False),
        ("layer1**", "layer10.0", True),
        ("**/conv", "conv", True),
        ("**/conv", "a.b.conv", True),
        ("**/conv", "a.bconv", False),
        ("**conv", "a.bconv", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "ab", False),
        ("a/**/**/b", "a/b", True),
        ("**", "", True),
        ("*", "a.b", False),
        ("*.*", "a/b", True),
        ("/a*", "ab", True),
        ("a*", "/ab", True),
        ("a*c*", "a" + "bc" * 40, True),
        ("*a" * 30 + "x", "a" * 200, False),
    ],
)
def test_globs(pattern: str, name: str, fits: bool) -> None:
    assert bool(fitting_names(pattern, [plain_name(name)])) == fits


def test_parsed_selections_compare_by_what_they_mean() -> None:
    assert parse("conv,pool[0]") == parse(" conv , pool [ 0 ] ")
    assert parse("conv") != parse("'conv'")


def test_fields_of_what_is_no_layer() -> None:
    graph = make_graph()
    bare = [layer for layer in LAYERS if layer.output != "flat"]
    taken = select("other & op=Flatten, other & scope=head", graph=graph, layers=bare)
    assert [choice.value for choice in taken] == ["flat"]
    assert [choice.value for choice in select("other & node=/head/Flatten", graph=graph, layers=bare)] == ["flat"]


def test_inputs_come_before_nodes_and_in_their_own_order() -> None:
    assert chosen("c0, w0, image, b0") == ["image", "w0", "b0", "c0"]


def test_parentheses_may_nest_deeply_but_not_without_end() -> None:
    assert chosen("(" * 64 + "pool" + ")" * 64) == chosen("pool")
    assert chosen("(pool), " * 70 + "(pool)") == chosen("pool")
    assert "parentheses nest deeper than 64" in refusal(SelectionError, "(" * 65 + "pool" + ")" * 65)


def test_defaults_obey_the_tap_and_what_is_excluded() -> None:
    graph = make_graph()
    plain, _ = default_choices(graph, LAYERS, "op")
    assert [choice.value for choice in plain][:2] == ["c0", "p0"]
    less, _ = default_choices(graph, LAYERS, "act", exclude=["pool"])
    assert "p0" not in [choice.value for choice in less]


def test_a_glob_is_looked_for_in_all_names_at_once() -> None:
    names = [f"/model/layers.{number // 8}/block.{number % 8}/Relu" for number in range(400)]
    nodes = [
        onnx.helper.make_node("Relu", ["x"], [f"{name}_output_{number}"], name=name)
        for number, name in enumerate(names)
    ]
    spec = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1, 4, 4])
    output = onnx.helper.make_tensor_value_info(nodes[0].output[0], onnx.TensorProto.FLOAT, [1, 1, 4, 4])
    graph = Graph.from_proto(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [spec], [output])))
    layers = catalogue(graph, infer_types(graph))
    globs = [f"**block*/**output_{number}*" for number in range(0, 400, 4)]
    # Reading a name character by character takes 200 lines or more.
    with counted(lines=10 * len(globs) * len(names)):
        found = select(",".join(globs), graph=graph, layers=layers)
    wanted = {str(number) for number in range(0, 400, 4)}
    expected = [n for n in range(400) if any(str(n)[:length] in wanted for length in range(1, 4))]
    assert [choice.value for choice in found] == [nodes[number].output[0] for number in expected]


def test_a_layer_that_a_quantiser_renamed_is_found_by_its_name_before() -> None:
    """Nodes become `conv_quant`, values without a node's name `sum_quantized`; its own name comes first."""
    renamed = {"c0": "stem/conv_quant", "c1": "body/conv_quant", "c2": "body/conv", "c3": "tail_quant"}
    graph = make_graph(MODEL.replace("sum", "sum_quantized"), renamed)
    layers = [make_layer(value, "conv", "Conv", node=name) for value, name in renamed.items()]
    layers.append(make_layer("sum_quantized", "add", "Add", node=""))
    found = {
        "stem/conv": (["c0"], "`stem/conv` takes `stem/conv_quant`, as a quantiser named it"),
        "body/conv": (["c2"], ""),
        "**/conv": (["c0", "c1", "c2"], "`**/conv` takes `stem/conv_quant` and 1 more, as a quantiser named it"),
        "sum": (["sum_quantized"], "`sum` takes `sum_quantized`, as a quantiser named it"),
        "tail_quant": (["c3"], ""),
    }
    for text, (values, note) in found.items():
        choices = select(text, graph=graph, layers=layers)
        assert ([choice.value for choice in choices], choices[0].note) == (values, note)
    with pytest.raises(NoMatchError, match="nothing is called `stem/con`; near"):
        select("stem/con", graph=graph, layers=layers)
