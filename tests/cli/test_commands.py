from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

from onnxviz.cli.terminal import print_table
from tests.models import model_of

Command = Callable[..., object]
HEAVY = ("numpy", "onnx", "onnxruntime", "PIL", "rich")


@pytest.mark.parametrize("command", [[], ["layers"], ["expose"], ["convert"], ["view"], ["demo"], ["devices"]])
def test_help_loads_nothing_heavy_and_ends_with_an_example(command: list[str]) -> None:
    script = (
        "import sys; from onnxviz.cli import main; sys.argv = ['onnxviz', *sys.argv[1:], '--help']\n"
        "try: main()\n"
        f"except SystemExit: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    # After the usage and a blank line a sentence; after the last option and a blank line the example.
    parts = done.stdout.strip().split("\n\n")
    assert re.match(r" +[A-Z].*[.;,]?", parts[1])
    assert " ".join(parts[-1].split()).startswith(" ".join(["Example: onnxviz", *command]))


def test_layers_lists_the_bundled_model(onnxviz_command: Command, bundled_model: Path) -> None:
    done = onnxviz_command("layers", bundled_model)
    ends, lines = done.out.splitlines()[:3], done.out.splitlines()[3:]
    assert ends == ["input   image          Nx3x224x224  float32", "output  probabilities  Nx1000  float32", ""]
    assert (done.code, len(lines)) == (0, 1 + 49 + 1 + 9 + 1 + 34)  # header, conv, pool, add, dense, act
    assert "stem/conv" in lines[1] and "3x3" in lines[1] and "Nx32x112x112" in lines[1]


def test_names_in_letters_that_a_pipe_lacks(tmp_path: Path) -> None:
    """A pipe on Windows is of a code page."""
    text = "g (float[1,1,2,2] x) => (float[1,1,2,2] y) { [n] y = Relu (x) }"
    model = tmp_path / "m.onnx"
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> {text}')
    proto.graph.node[0].name = "層🐈"
    onnx.save(proto, model)
    command = [sys.executable, "-m", "onnxviz", "layers", str(model)]
    narrow = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    table = subprocess.run(command, capture_output=True, check=True, env=narrow).stdout.decode("cp1252")
    assert r"\u5c64\U0001f408 " in table
    document = json.loads(subprocess.run([*command, "--json"], capture_output=True, check=True, env=narrow).stdout)
    assert document["layers"][0]["name"] == "層🐈"
    command = [sys.executable, "-m", "onnxviz", "view", str(model), "--random", "--layers", "all", "--json"]
    run = subprocess.run([*command, "-o", str(tmp_path / "maps")], capture_output=True, check=True, env=narrow)
    assert json.loads(run.stdout.decode())["runs"][0]["layers"][0]["name"] == "層🐈"


def test_layers_json_keeps_its_schema(onnxviz_command: Command, bundled_model: Path) -> None:
    document = json.loads(onnxviz_command("layers", bundled_model, "--json").out)
    assert document["schema"] == "onnxviz.layers/1"
    float32 = {"dtype": "float32", "type": "float32"}
    assert document["inputs"] == [{"name": "image", "shape": ["N", 3, 224, 224], **float32}]
    assert document["outputs"] == [{"name": "probabilities", "shape": ["N", 1000], **float32}]
    first = document["layers"][0]
    assert first["name"] == "stem/conv"
    assert first["shape"] == ["N", 32, 112, 112]
    assert first["receptive_field"] == {
        "size": [3, 3],
        "stride": [2, 2],
        "start": first["receptive_field"]["start"],
        "status": "exact",
        "global": False,
    }
    assert {
        "node",
        "op",
        "kind",
        "scope",
        "output",
        "act",
        "dtype",
        "layout",
        "channels",
        "depth",
        "parameters",
        "bytes",
    } <= set(first)


def test_the_types_of_inputs_and_outputs_are_listed(onnxviz_command: Command, tmp_path: Path) -> None:
    helper, tensor = onnx.helper, onnx.helper.make_tensor_type_proto
    types = {
        "sequence of float32": helper.make_sequence_type_proto(tensor(onnx.TensorProto.FLOAT, [2])),
        "optional sequence of int64": helper.make_optional_type_proto(
            helper.make_sequence_type_proto(tensor(onnx.TensorProto.INT64, None))
        ),
        "text": tensor(onnx.TensorProto.STRING, ["N"]),
        "sparse float32": helper.make_sparse_tensor_type_proto(onnx.TensorProto.FLOAT, [2]),
        "map from int64 to float32": helper.make_map_type_proto(
            onnx.TensorProto.INT64, tensor(onnx.TensorProto.FLOAT, [])
        ),
        "?": onnx.TypeProto(),
    }
    inputs = [helper.make_value_info(f"in{place}", kind) for place, kind in enumerate(types.values())]
    nodes = [helper.make_node("Identity", [info.name], [f"out{place}"]) for place, info in enumerate(inputs)]
    outputs = [helper.make_value_info(f"out{place}", kind) for place, kind in enumerate(types.values())]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", inputs, outputs)), tmp_path / "m.onnx")
    lines = [line.split("  ") for line in onnxviz_command("layers", tmp_path / "m.onnx").out.splitlines()]
    assert [line[-1] for line in lines if line[0] in ("input", "output")] == [*types, *types]
    document = json.loads(onnxviz_command("layers", tmp_path / "m.onnx", "--json").out)
    for end in ("inputs", "outputs"):
        assert [one["type"] for one in document[end]] == [*list(types)[:-1], None]


def test_layers_of_a_run_know_their_sizes(onnxviz_command: Command, bundled_model: Path, cat: Path) -> None:
    document = json.loads(onnxviz_command("layers", bundled_model, "--run", cat, "--json").out)
    assert document["layers"][0]["shape"] == [1, 32, 112, 112]


def test_a_run_of_layers_takes_the_options_of_feeding(onnxviz_command: Command, cat: Path, tmp_path: Path) -> None:
    text = "g (float[N,3,H,W] x) => (float[N,3,A,B] y) { [pool] y = MaxPool <kernel_shape = [2, 2]> (x) }"
    model = model_of(tmp_path / "m.onnx", text).path
    done = onnxviz_command("layers", model, "--run", cat, "--size", "5x7", "--preset", "raw", "--json")
    assert json.loads(done.out)["layers"][0]["shape"] == [1, 3, 4, 6]
    refused = onnxviz_command("layers", model, "--size", "5x7")
    assert refused.code == 2 and "name the input with --run INPUT" in refused.err
    # As if it were not given.
    assert onnxviz_command("layers", model, "--transform", "none").code == 0


def test_layers_lists_nodes_that_are_not_layers_where_they_are_selected(
    onnxviz_command: Command, tmp_path: Path
) -> None:
    nodes = " ".join(f"v{place + 1} = Sin (v{place})" for place in range(40))
    model = model_of(
        tmp_path / "m.onnx", f"g (float[4] v0) => (float[4] v40) <float[4] w = {{1, 2, 3, 4}}> {{ {nodes} }}"
    ).path
    done = onnxviz_command("layers", model, "--layers", "other & op=Sin", "--json")
    assert done.code == 0
    assert [layer["name"] for layer in json.loads(done.out)["layers"]] == [f"v{place + 1}" for place in range(40)]
    beside = onnxviz_command("layers", model, "--layers", "v3, v0, w")
    assert beside.code == 0 and beside.err == "not listed, since no node makes them: 'v0', 'w'\n"
    alone = onnxviz_command("layers", model, "--layers", "w")
    assert alone.code == 3 and "'w' is a weight of the model: it can be exposed, but is not a layer" in alone.err


BRANCHES = """g (float[1,1,4,4] x, bool k) => (float[] y) <float[1,1,1,1] w = {2}> {
    ["/first/Conv"] a = Conv (x, w)
    [gate] b = If (k) <
        then_branch = t () => (p) {
            ["part/one/Conv"] c = Conv (a, w) ["part/one/Relu"] d = Relu (c) p = loc.twice (d) },
        else_branch = e () => (q) { ["part/Conv"] q = Conv (a, w) }>
    [call] y = loc.twice (b)
}
<domain: "loc", opset_import: ["": 20]> twice (i) => (o) { h = Sigmoid (i) o = Tanh (h) }"""


def test_the_path_of_layers_inside_stands_once_above_them(onnxviz_command: Command, tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", BRANCHES).path
    lines = onnxviz_command("layers", model).out.splitlines()[4:]
    assert [re.split("  +", line.rstrip(), maxsplit=1)[0] or line.split()[0] for line in lines] == [
        "layer",
        "/first/Conv",
        "gate/then_branch/",
        "part/one/Conv",
        "part/one/Relu",
        "p/h",
        "p/o",
        "gate/else_branch/part/Conv",
        "call/",
        "h",
        "o",
    ]
    assert lines[3] == "  part/one/Conv             conv  Conv     1x1x4x4         1      2  1x1                 64 B"
    document = json.loads(onnxviz_command("layers", model, "--json").out)
    assert [layer["name"] for layer in document["layers"]] == [
        "/first/Conv",
        *[f"gate/then_branch/{name}" for name in ("part/one/Conv", "part/one/Relu", "p/h", "p/o")],
        "gate/else_branch/part/Conv",
        "call/h",
        "call/o",
    ]
    assert document["layers"][3]["inside"] == "If #1 then_branch / twice #2"
    assert document["layers"][0]["inside"] is None
    tree = onnxviz_command("layers", model, "--tree").out.splitlines()[4:]
    assert tree[2:5] == ["gate", "  then_branch", "    part"]


def test_what_is_not_listed_inside_is_said(onnxviz_command: Command, tmp_path: Path) -> None:
    text = "g (float[4] x) => (float[4] y) { y = loc.Gelu (x) }"
    function = '<domain: "loc", opset_import: ["": 20, "loc": 1]> Gelu (i) => (o)'
    opened = model_of(tmp_path / "m.onnx", f"{text} {function} {{ o = Neg (i) }}")
    proto = onnx.load(opened.path)
    proto.functions[0].domain = proto.graph.node[0].domain = "com.microsoft"
    proto.functions[0].opset_import.add(domain="com.microsoft", version=1)
    proto.opset_import.add(domain="com.microsoft", version=1)
    onnx.save(proto, tmp_path / "native.onnx")
    done = onnxviz_command("layers", tmp_path / "native.onnx", "--all")
    said = "'y' calls a function that onnxruntime computes by itself: what is inside is not listed"
    assert done.code == 0 and said in done.err
    endless = model_of(tmp_path / "endless.onnx", f"{text} {function} {{ o = loc.Gelu (i) }}")
    done = onnxviz_command("layers", endless.path)
    assert done.code == 0
    assert "50,000 or more nodes inside functions and bodies are not listed: too many, or too deep" in done.err


def test_tree_indents_by_scope(onnxviz_command: Command, bundled_model: Path) -> None:
    lines = onnxviz_command("layers", bundled_model, "--tree", "--layers", "stage2.**").out.splitlines()[3:]
    assert lines[:2] == ["stage2", "  block1"]
    assert lines[2].startswith("    expand  conv Conv  Nx96x112x112")


def test_expose_writes_a_model_that_runs(onnxviz_command: Command, doubling_model: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.onnx"
    done = onnxviz_command("expose", doubling_model, "--layers", "conv", "-o", target, "--verify", "--json")
    assert done.code == 0
    document = json.loads(done.out)
    assert document["outputs"] == [{"name": "r", "layer": "conv", "tap": "act"}]
    assert document["verify"] == {"max_abs": 0.0, "max_rel": 0.0}
    assert [value.name for value in onnx.load(target).graph.output] == ["y", "r"]
    again = onnxviz_command("expose", doubling_model, "--layers", "conv", "-o", target)
    assert again.code == 6 and "exists" in again.err
    assert onnxviz_command("expose", doubling_model, "--layers", "conv", "-o", target, "--force").code == 0


def test_a_difference_past_the_tolerance_is_exit_7(
    onnxviz_command: Command, doubling_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnxviz.differences import Difference
    from onnxviz.model import Model

    monkeypatch.setattr(Model, "verify", lambda self, original: Difference(0.055, 0.1))
    done = onnxviz_command("expose", doubling_model, "-o", tmp_path / "out.onnx", "--verify")
    assert done.code == 7
    assert "by 0.055 (0.1 of the largest value, tolerance 0.001)" in done.err


def test_expose_linked_lies_beside_the_model(onnxviz_command: Command, bundled_model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(bundled_model, tmp_path / "my model é.onnx"))
    done = onnxviz_command("expose", copy, "--layers", "pool", "--linked")
    linked = tmp_path / "my model é.exposed.onnx"
    assert done.code == 0
    assert linked.stat().st_size < 200_000
    assert onnxviz_command("layers", linked).code == 0
    with copy.open("ab") as original:
        original.write(b"\0")
    changed = onnxviz_command("layers", linked)
    assert changed.code == 3 and "changed" in changed.err


def test_a_dry_run_writes_nothing(onnxviz_command: Command, doubling_model: Path, tmp_path: Path) -> None:
    done = onnxviz_command("expose", doubling_model, "-o", tmp_path / "no.onnx", "--dry-run")
    assert done.code == 0 and "would expose 1 value in" in done.err and "'y' already is an output" in done.err
    assert not (tmp_path / "no.onnx").exists()


def test_of_many_names_a_few_are_said(onnxviz_command: Command, tmp_path: Path) -> None:
    outputs = ", ".join(f"float[4] y{place}" for place in range(40))
    nodes = " ".join(f"y{place} = Sin (x)" for place in range(40))
    model = model_of(tmp_path / "m.onnx", f"g (float[4] x) => ({outputs}) {{ {nodes} }}").path
    done = onnxviz_command("expose", model, "--layers", "other", "--dry-run", "-o", tmp_path / "out.onnx")
    assert done.code == 0 and "'y0', 'y1', 'y2' and 37 more already are outputs" in done.err
    (tmp_path / "labels.txt").write_text("cat\ndog\n", "utf-8")
    done = onnxviz_command("view", model, "--random", "--labels", tmp_path / "labels.txt", "-o", tmp_path / "maps")
    assert done.code == 4 and "'y0' is 4, 'y1' is 4, 'y2' is 4 and 37 more" in done.err


def test_view_names_the_cat(onnxviz_command: Command, bundled_model: Path, cat: Path, tmp_path: Path) -> None:
    done = onnxviz_command("view", bundled_model, cat, "-o", tmp_path / "maps", "--raw", tmp_path / "maps.npz")
    assert done.code == 0, done.err
    document = json.loads((tmp_path / "maps" / "view.json").read_text("utf-8"))
    run = document["runs"][0]
    assert document["schema"] == "onnxviz.view/1"
    assert run["top"][0]["class"].startswith("Egyptian cat")
    assert run["top"][0]["score"] == pytest.approx(0.798, abs=0.005)
    assert len(run["layers"]) == 50
    for layer in run["layers"]:
        for picture in layer["pictures"]:
            with Image.open(tmp_path / "maps" / picture) as image:
                image.load()
    with np.load(tmp_path / "maps.npz") as members:
        stem = members["0000"]
    assert members is not None and stem.shape == (1, 32, 112, 112)
    channel = run["layers"][0]["channels"][5]
    assert channel["max"] == pytest.approx(float(stem[0, 5].max()))
    assert channel["mean"] == pytest.approx(float(stem[0, 5].mean(dtype=np.float64)), rel=1e-5)
    assert channel["std"] == pytest.approx(float(stem[0, 5].std(dtype=np.float64)), rel=1e-5)


def test_view_replaces_its_own_folder_and_no_other(
    onnxviz_command: Command, doubling_model: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", np.ones((1, 1, 2, 2), np.float32))
    arguments = ("view", doubling_model, tmp_path / "x.npy", "-o", tmp_path / "maps")
    assert onnxviz_command(*arguments).code == 0
    assert onnxviz_command(*arguments).code == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    refused = onnxviz_command(*arguments[:-1], other)
    assert refused.code == 6 and "--force" in refused.err
    assert (other / "thesis.txt").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["doubling.onnx", "maps", "other", "x.npy"]


def test_files_of_the_user_in_a_folder_of_ours_are_kept(
    onnxviz_command: Command, doubling_model: Path, tmp_path: Path
) -> None:
    for name in ("x", "y"):
        np.save(tmp_path / f"{name}.npy", np.ones((1, 1, 2, 2), np.float32))
    maps = tmp_path / "maps"
    arguments = ("view", doubling_model, tmp_path / "x.npy", tmp_path / "y.npy", "-o", maps)
    assert onnxviz_command(*arguments).code == 0
    assert onnxviz_command(*arguments).code == 0
    for place in (maps / "notes.txt", maps / "000-x" / "thesis.txt"):
        place.write_text("years of work")
        refused = onnxviz_command(*arguments)
        assert refused.code == 6 and "holds what onnxviz did not make" in refused.err
        assert place.read_text() == "years of work"
        place.unlink()
    (maps / "mine").mkdir()
    assert onnxviz_command(*arguments).code == 6
    (maps / "mine").rmdir()
    assert onnxviz_command(*arguments).code == 0


def test_the_model_is_never_written_over(onnxviz_command: Command, doubling_model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((1, 1, 2, 2), np.float32))
    before = doubling_model.read_bytes()
    view = ("view", doubling_model, tmp_path / "x.npy", "-o", tmp_path / "maps", "--force")
    for code, arguments in (
        (6, ("expose", doubling_model, "-o", doubling_model, "--force")),
        (6, ("expose", doubling_model, "-o", doubling_model, "--force", "--linked")),
        (2, (*view, "--raw", doubling_model)),
        (2, (*view, "--raw", tmp_path / "x.npy")),
        (6, (*view, "--raw", tmp_path / "maps" / "raw.npz")),
        (6, (*view, "--html", doubling_model)),
        (6, (*view, "--html", tmp_path / "x.npy")),
        (6, (*view, "--html", tmp_path / "maps" / "page.html")),
    ):
        assert onnxviz_command(*arguments).code == code
    assert doubling_model.read_bytes() == before
    assert np.load(tmp_path / "x.npy").shape == (1, 1, 2, 2)
    assert not (tmp_path / "maps").exists()


def test_raw_never_replaces_what_is_needed(onnxviz_command: Command, doubling_model: Path, tmp_path: Path) -> None:
    model = doubling_model.rename(tmp_path / "model.npz")
    np.savez(tmp_path / "x.npz", x=np.ones((1, 1, 2, 2), np.float32))
    before = model.read_bytes()
    view = ("view", model, tmp_path / "x.npz", "-o", tmp_path / "maps", "--force", "--raw")
    assert onnxviz_command(*view, model).code == 6
    assert onnxviz_command(*view, tmp_path / "x.npz").code == 6
    assert model.read_bytes() == before
    assert np.load(tmp_path / "x.npz")["x"].shape == (1, 1, 2, 2)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--scale", "log", "no scale 'log'"),
        ("--colormap", "virdis", "no colormap 'virdis'"),
        ("--theme", "dusk", "no theme 'dusk'"),
        ("--order", "size", "no order 'size'"),
        ("--tile", "100000", "tile must be at most 1740"),
    ],
)
def test_a_style_is_refused_before_the_input_is_read(
    onnxviz_command: Command, doubling_model: Path, tmp_path: Path, option: str, value: str, said: str
) -> None:
    done = onnxviz_command("view", doubling_model, tmp_path / "missing.npy", option, value)
    assert done.code == 2 and said in done.err and "missing" not in done.err


def test_a_device_is_refused_before_the_input_is_read(
    onnxviz_command: Command, doubling_model: Path, tmp_path: Path
) -> None:
    for name in ("gpu", "cuda:x", "cuda:"):
        done = onnxviz_command("view", doubling_model, tmp_path / "missing.npy", "--device", name)
        assert done.code == 2 and f"unknown device '{name}'" in done.err and "missing" not in done.err


def test_labels_that_fit_no_output(onnxviz_command: Command, bundled_model: Path, cat: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("cat\ndog\n", "utf-8")
    done = onnxviz_command("view", bundled_model, cat, "--labels", tmp_path / "labels.txt", "-o", tmp_path / "maps")
    assert done.code == 4
    assert "the labels name 2 classes, and no output is a vector of so many: 'probabilities' is Nx1000" in done.err
    done = onnxviz_command("view", bundled_model, cat, "--labels", tmp_path / "none.txt", "-o", tmp_path / "maps")
    assert done.code == 4 and "none.txt cannot be read: there is no such file" in done.err
    done = onnxviz_command("view", bundled_model, cat, "--labels", tmp_path, "-o", tmp_path / "maps")
    assert done.code == 4 and "cannot be read: that is a folder" in done.err
    assert not (tmp_path / "maps").exists()


def test_the_page_lies_where_it_was_asked_for(
    onnxviz_command: Command, doubling_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", np.ones((1, 1, 2, 2), np.float32))
    maps, page = tmp_path / "maps", tmp_path / "page.html"
    view = ("view", doubling_model, tmp_path / "x.npy", "-o", maps)
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or len(opened) < 2)
    done = onnxviz_command(*view, "--open", "--json")
    assert done.code == 0 and json.loads(done.out)["report"] == "report.html"
    assert opened == [(maps / "report.html").resolve().as_uri()]
    assert (maps / "report.html").read_text("utf-8").startswith("<!doctype html>")

    done = onnxviz_command(*view, "--html", page, "--open")
    assert done.code == 0 and f"to explore: {page}" in done.err and "no browser could be started" in done.err
    assert page.exists() and not (maps / "report.html").exists()
    assert json.loads((maps / "view.json").read_text("utf-8"))["report"] == str(page)
    before = page.read_bytes()
    refused = onnxviz_command(*view, "--html", page)
    assert refused.code == 6 and "exists: --force" in refused.err
    assert page.read_bytes() == before
    assert onnxviz_command(*view, "--html", maps / "report.html").code == 0
    assert (maps / "report.html").exists()

    assert onnxviz_command(*view, "--no-html").code == 0
    assert sorted(path.name for path in maps.iterdir()) == ["000-conv.png", "001-pool.png", "overview.png", "view.json"]
    assert json.loads((maps / "view.json").read_text("utf-8"))["report"] is None
    for extra, text in (
        (("--no-html", "--open"), "excludes --open"),
        (("--no-html", "--html-size", "1MB"), "excludes --html-size"),
        (("--no-html", "--html", page), "excludes --html"),
    ):
        refused = onnxviz_command(*view, *extra)
        assert refused.code == 2 and text in refused.err
    assert onnxviz_command(*view, "--html-size", "large").code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["doubling.onnx", "maps", "page.html", "x.npy"]


def test_the_page_says_what_its_size_took(
    onnxviz_command: Command, bundled_model: Path, cat: Path, tmp_path: Path
) -> None:
    arguments = ("view", bundled_model, cat, "--layers", "conv[0]", "-o", tmp_path / "maps")
    done = onnxviz_command(*arguments, "--html-size", "500kB")
    assert done.code == 0
    assert "To keep the file small, " in done.err
    assert (tmp_path / "maps" / "report.html").stat().st_size <= 500_000
    assert onnxviz_command(*arguments).err.count("To keep the file small") == 0


def test_a_weight_is_not_drawn(onnxviz_command: Command, doubling_model: Path, tmp_path: Path) -> None:
    done = onnxviz_command("view", doubling_model, "--random", "--layers", "w", "-o", tmp_path / "maps")
    assert done.code == 3 and "'w' is a weight of the model" in done.err
    assert not (tmp_path / "maps").exists()


def test_what_verifies_is_missed_before_a_file_is_written(
    onnxviz_command: Command, doubling_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    done = onnxviz_command("expose", doubling_model, "--verify", "-o", tmp_path / "out.onnx")
    assert (done.code, "pip install 'onnxviz[cpu]'" in done.err) == (5, True)
    assert not (tmp_path / "out.onnx").exists()


def test_nothing_is_left_to_verify_with_only(onnxviz_command: Command, doubling_model: Path, tmp_path: Path) -> None:
    done = onnxviz_command("expose", doubling_model, "--only", "--verify", "-o", tmp_path / "out.onnx")
    assert done.code == 2 and "which --only drops" in done.err
    assert not (tmp_path / "out.onnx").exists()


def test_a_folder_that_holds_an_input_is_never_replaced(
    onnxviz_command: Command, doubling_model: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    np.save(pictures / "x.npy", np.ones((1, 1, 2, 2), np.float32))
    for given in (pictures, pictures / "x.npy", pictures / "*.npy", f"x={pictures / 'x.npy'}"):
        refused = onnxviz_command("view", doubling_model, given, "-o", pictures, "--force")
        assert refused.code == 6 and "which is needed" in refused.err
    assert [path.name for path in pictures.iterdir()] == ["x.npy"]


def test_several_inputs_have_a_folder_each_and_one_bad_one_is_listed(
    onnxviz_command: Command, doubling_model: Path, tmp_path: Path
) -> None:
    for place in range(2):
        np.save(tmp_path / f"{place}.npy", np.full((1, 1, 2, 2), place + 1, np.float32))
    (tmp_path / "bad.npy").write_bytes(b"no array")
    inputs = [tmp_path / name for name in ("0.npy", "bad.npy", "1.npy")]
    done = onnxviz_command("view", doubling_model, *inputs, "-o", tmp_path / "maps", "--same-scale", "--layers", "conv")
    assert done.code == 4
    assert "left out" in done.err and "bad.npy" in done.err
    document = json.loads((tmp_path / "maps" / "view.json").read_text("utf-8"))
    assert [run["directory"] for run in document["runs"]] == ["000-0", "001-1"]
    assert [run["layers"][0]["max"] for run in document["runs"]] == [2, 4]
    assert len(document["failures"]) == 1
    assert onnxviz_command("view", doubling_model, *inputs, "-o", tmp_path / "m2", "--fail-fast").code == 4
    assert not (tmp_path / "m2").exists()


def test_an_input_that_does_not_run_is_listed_after_the_tables_of_the_others(
    onnxviz_command: Command, tmp_path: Path
) -> None:
    text = "g (float[1,1,H,W] x) => (float[1,1,H,W] y) <float[1,1,1,3] b = {1, 1, 1}> { [sum] y = Add (x, b) }"
    path = model_of(tmp_path / "m.onnx", text).path
    for name, width in (("a", 3), ("odd", 5), ("b", 3)):
        np.save(tmp_path / f"{name}.npy", np.zeros((1, 1, 2, width), np.float32))
    inputs = [tmp_path / f"{name}.npy" for name in ("a", "odd", "b")]
    done = onnxviz_command("view", path, *inputs, "-o", tmp_path / "maps")
    assert done.code == 4
    assert [line for line in done.out.splitlines() if line.endswith(".npy")] == [str(inputs[0]), str(inputs[2])]
    assert done.out.count("000-sum.png") == 2 and f"picture in {(tmp_path / 'maps' / '001-b').as_posix()}" in done.out
    assert f"left out {inputs[1]}: onnxruntime could not run the model" in done.err
    assert onnxviz_command("view", path, inputs[1], "-o", tmp_path / "one").code == 5
    stopped = onnxviz_command("view", path, *inputs, "-o", tmp_path / "fast", "--fail-fast")
    assert stopped.code == 5
    assert not (tmp_path / "one").exists() and not (tmp_path / "fast").exists()


@pytest.mark.parametrize(
    ("code", "arguments", "text"),
    [
        (
            2,
            (
                "layers",
                "{model}",
                "--layers",
                "conv[",
            ),
            "conv[",
        ),
        (2, ("layers", ""), "the model's path is empty"),
        (2, ("demo", "--show", "--show-as", "ascii"), "--show-as takes auto, kitty, sixel or blocks, not 'ascii'"),
        (2, ("view", "{model}"), "--random"),
        (2, ("view", "{model}", "--random", "--scale", "loud"), "loud"),
        (2, ("view", "{model}", "--random", "--format", "gif"), "gif"),
        (2, ("view", "{model}", "--random", "--memory", "much"), "--memory"),
        (2, ("view", "{model}", "--random", "--channels", "3-1"), "channels are numbers"),
        (2, ("view", "{model}", "--random", "--channels", "9" * 20), "no channel 9999"),
        (3, ("layers", "missing.onnx"), "missing.onnx"),
        (3, ("layers", "{picture}"), "JPEG"),
        (3, ("expose", "{model}", "--layers", "norm"), "norm"),
        (4, ("view", "{model}", "missing.jpg"), "missing.jpg"),
        (5, ("view", "{model}", "--random", "--device", "cuda"), "cuda"),
    ],
)
def test_exit_codes_and_one_clear_error(
    code: int,
    arguments: tuple[str, ...],
    text: str,
    onnxviz_command: Command,
    doubling_model: Path,
    cat: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = onnxviz_command(*(word.format(model=doubling_model, picture=cat) for word in arguments))
    assert done.code == code, done.err
    assert text in done.err
    assert len(done.err[done.err.index("onnxviz: ") :].strip().splitlines()) <= 2
    assert [path.name for path in tmp_path.iterdir()] == ["doubling.onnx"]


@pytest.mark.parametrize("more", ["--all", "--json"])
def test_a_closed_pipe_is_quiet(bundled_model: Path, more: str) -> None:
    command = f"set -o pipefail; {sys.executable} -m onnxviz layers {bundled_model} {more} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_leaves_loses_no_picture(doubling_model: Path, tmp_path: Path) -> None:
    for place in range(20):
        np.save(tmp_path / f"{place:02}.npy", np.ones((1, 1, 2, 2), np.float32))
    command = (
        f"set -o pipefail; {sys.executable} -m onnxviz view {doubling_model} '{tmp_path}/*.npy' -o {tmp_path}/m -q"
    )
    done = subprocess.run(["bash", "-c", f"{command} | head -2"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1] == str(tmp_path / "00.npy")
    assert len(json.loads((tmp_path / "m" / "view.json").read_text("utf-8"))["runs"]) == 20


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_standard_output_that_is_full_is_one_error(bundled_model: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "onnxviz", "layers", str(bundled_model)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 6
    assert done.stderr == "onnxviz: cannot write to standard output: no space left on device\n"


def interrupted_at(pattern: str, folder: Path, *words: object) -> str:
    """Start a command, send it SIGINT when the folder holds such a file, and return what it says."""
    process = subprocess.Popen(
        [sys.executable, "-m", "onnxviz", *map(str, words)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # Whoever runs the tests in the background may have them ignore it, and what they start with them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list(folder.rglob(pattern)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    # Where the signal comes while Python runs a text, as for a dataclass of a module that is only now imported, Python
    # itself ends by the signal in the end; a shell says 130 of both.
    assert process.returncode in (130, -signal.SIGINT)
    return said


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_an_interrupt_of_one_run_leaves_nothing(bundled_model: Path, cat: Path, tmp_path: Path) -> None:
    # Of fifty layers 49 are to come when the first picture is there.
    said = interrupted_at("*.png", tmp_path, "view", bundled_model, cat, "-o", tmp_path / "maps")
    assert said.endswith("onnxviz: interrupted; nothing that was not finished is kept\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_an_interrupt_of_several_runs_keeps_those_that_are_done(
    onnxviz_command: Command, bundled_model: Path, cat: Path, tmp_path: Path
) -> None:
    # Of forty runs most are to come when the second begins, however late that is noticed.
    words = ("view", bundled_model, *[cat] * 40, "-o", tmp_path / "maps", "--layers", "conv[0], conv[-1]", "--no-html")
    said = interrupted_at("001-cat", tmp_path, *words).splitlines()[-1]
    found = re.search(
        r"interrupted; (\d+) of 40 inputs are done and kept in (\S+): the same command with --resume", said
    )
    assert found is not None, said
    assert found[2] == str(tmp_path / "maps.unfinished")
    assert [path.name for path in tmp_path.iterdir()] == ["maps.unfinished"]
    refused = onnxviz_command(*words)
    assert refused.code == 6 and f"holds {found[1]} of 40 inputs" in refused.err
    done = onnxviz_command(*words, "--resume")
    assert done.code == 0 and f"{found[1]} of 40 inputs are done and kept" in done.err
    assert len(json.loads((tmp_path / "maps" / "view.json").read_text("utf-8"))["runs"]) == 40
    assert [path.name for path in tmp_path.iterdir()] == ["maps"]


def test_a_model_that_may_not_be_looked_at_is_one_error(
    onnxviz_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refused)
    done = onnxviz_command("layers", tmp_path / "m.onnx")
    assert (done.code, done.err) == (3, f"onnxviz: '{tmp_path / 'm.onnx'}' cannot be opened: Permission denied\n")


def test_devices_and_version(onnxviz_command: Command) -> None:
    document = json.loads(onnxviz_command("devices", "--json").out)
    assert document["schema"] == "onnxviz.devices/1"
    assert any(device["name"] == "cpu" and device["usable"] for device in document["devices"])
    assert onnxviz_command("--version").out.startswith("onnxviz 0.")


def test_the_demo_runs_from_any_folder(
    onnxviz_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = onnxviz_command("demo", "--picture", "coffee")
    assert done.code == 0, done.err
    assert "espresso" in done.out
    assert (tmp_path / "onnxviz-demo" / "overview.png").exists()
    assert onnxviz_command("demo", "--picture", "connectome").code == 0
    assert onnxviz_command("demo", "--picture", "dog").code == 2


def test_verbose_says_each_layer(onnxviz_command: Command, doubling_model: Path, tmp_path: Path) -> None:
    view = ("view", doubling_model, "--random", "-o", tmp_path / "maps")
    said = onnxviz_command(*view, "-v").err
    assert re.search(r"^ +\d+\.\d\d s  a session on cpu, 3 of 3 nodes$", said, re.MULTILINE)
    assert re.search(r"^ +\d+\.\d\d s  drawn pool in 001-pool\.png$", said, re.MULTILINE)
    assert " s  " not in onnxviz_command(*view).err


def test_names_of_a_model_move_no_cursor(onnxviz_command: Command, tmp_path: Path) -> None:
    node = helper.make_node("Evil\x1b[31m", ["x"], ["y\x1b[2J"], name="n\x1b]0;t", domain="d")
    value = helper.make_tensor_value_info
    graph = helper.make_graph([node], "g", [value("x", 1, [1, 1, 2, 2])], [value("y\x1b[2J", 1, [1, 1, 2, 2])])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("d", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "evil.onnx")
    for arguments in (
        ("layers", tmp_path / "evil.onnx", "--all"),
        ("layers", tmp_path / "evil.onnx", "--all", "--tree"),
        ("layers", tmp_path / "evil.onnx", "--layers", "n\x1b["),
        ("view", tmp_path / "evil.onnx", "--random", "--layers", "y\x1b[2J", "-o", tmp_path / "maps"),
    ):
        done = onnxviz_command(*arguments)
        assert "\x1b" not in done.out + done.err and "\\x1b" in done.out + done.err


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no UTF-8 exist on Linux only")
def test_a_file_name_that_is_no_utf8(onnxviz_command: Command, doubling_model: Path, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path / "caf") + b"\xe9.npy"))
    np.save(odd, np.ones((1, 1, 2, 2), np.float32))
    done = onnxviz_command("view", doubling_model, odd, "-o", tmp_path / "maps", "--json")
    assert done.code == 0, done.err
    for text in (done.out, (tmp_path / "maps" / "view.json").read_text("utf-8")):
        assert json.loads(text)["runs"][0]["source"]["x"].endswith("caf\udce9.npy")


def test_a_seed_alone_means_noise(onnxviz_command: Command, doubling_model: Path, tmp_path: Path) -> None:
    for name, options in (("a", ("--seed", "3")), ("b", ("--random", "--seed", "3")), ("c", ("--random",))):
        view = ("view", doubling_model, *options, "-o", tmp_path / name)
        assert onnxviz_command(*view, "--raw", tmp_path / f"{name}.npz").code == 0
    a, b, c = (np.load(tmp_path / f"{name}.npz")["0000"] for name in "abc")
    assert (a == b).all() and (a != c).any()


def test_a_scale_that_was_guessed_is_said_even_when_quiet(onnxviz_command: Command, cat: Path, tmp_path: Path) -> None:
    convolution = "{ n = %s y = Conv (n, w) }"
    head = "g (float[1,3,8,8] x) => (float[1,1,8,8] y) <float[1] k = {255}, float[1,3,1,1] w = {1, 1, 1}>"
    model_of(tmp_path / "guess.onnx", f"{head} {convolution % 'Relu (x)'}")
    model_of(tmp_path / "own.onnx", f"{head} {convolution % 'Div (x, k)'}")
    guessed = onnxviz_command("view", tmp_path / "guess.onnx", cat, cat, "-o", tmp_path / "a", "-q", "--no-html")
    assert guessed.err.startswith("ATTENTION: the model does not say how its pixels are to be scaled; they are fed as")
    assert guessed.err.count("ATTENTION") == 1
    open_head = "g (int8[1,C,8,8] x) => (float[1,C,8,8] y)"
    model_of(tmp_path / "open.onnx", f"{open_head} {{ [same] y = Cast <to=1> (x) }}")
    view = ("view", tmp_path / "open.onnx", cat, "--layers", "same", "-o", tmp_path / "c", "-q", "--no-html")
    lines = onnxviz_command(*view).err.splitlines()
    assert lines == [
        "ATTENTION: the model does not say how many channels it takes: 3 are fed, as NCHW",
        "ATTENTION: the input is int8 and the model says nothing about its scale: pixel - 128 is fed",
    ]
    own = onnxviz_command("view", tmp_path / "own.onnx", cat, "-o", tmp_path / "b", "-q", "--no-html")
    assert own.err == ""
    (fed,) = json.loads((tmp_path / "b" / "view.json").read_text())["runs"][0]["fed"]
    assert fed["notes"] == ["the model itself scales its pixels: x / 255; they are fed as 0..255"]
    assert fed["max"] > 150


def test_all_and_a_selection_exclude_each_other(onnxviz_command: Command, doubling_model: Path) -> None:
    done = onnxviz_command("layers", doubling_model, "--all", "--layers", "conv")
    assert done.code == 2 and "--all lists every node" in done.err


def test_nothing_is_left_to_expose(onnxviz_command: Command, doubling_model: Path, tmp_path: Path) -> None:
    done = onnxviz_command("expose", doubling_model, "--layers", "y", "-o", tmp_path / "out.onnx", "--dry-run")
    assert done.code == 0
    assert f"every value is an output already: {tmp_path / 'out.onnx'} would have the model's own outputs" in done.err
    assert not (tmp_path / "out.onnx").exists()


def test_a_long_name_widens_its_own_row_alone(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("layer", "op"), [("n" * 300, "Conv"), ("conv1", "Relu")], left=(True, True))
    assert capsys.readouterr().out == f"layer  op\n{'n' * 300}  Conv\nconv1  Relu\n"


@pytest.fixture
def table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[str], str]]:
    """Print a table on a terminal of so many columns; return its lines and what is said beside it."""

    monkeypatch.setenv("NO_COLOR", "1")

    def printed(columns: int, *arguments: Sequence[object], **options: bool) -> tuple[list[str], str]:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(columns))
        print_table(*arguments, left=(True,) * len(arguments[0]), **options)
        done = capsys.readouterr()
        return done.out.splitlines(), done.err

    return printed


def test_a_narrow_terminal_drops_columns_and_cuts_no_name(table: Callable[..., tuple[list[str], str]]) -> None:
    titles, long = ("layer", "kind", "shape", "picture in maps"), "/model.0/" + "b" * 20
    rows = [(long, "conv", "1x16x80x80", "000-picture.png"), ("head", "dense", "1x10", "001-head.png")]
    lines, said = table(30, titles, rows)
    assert lines == [
        "layer  kind   shape",
        long,
        "       conv   1x16x80x80",
        "head   dense  1x10",
    ]
    assert said == "the terminal is too narrow for: picture in maps\n"
    lines, said = table(16, titles, rows)
    assert lines == ["layer  kind", long, "       conv", "head   dense"]
    assert said == "the terminal is too narrow for: shape, picture in maps\n"
    lines, said = table(80, titles, rows)
    assert lines[1] == f"{long}  conv   1x16x80x80  000-picture.png"
    assert not said


def test_a_table_has_the_colours_of_the_terminal_and_keeps_its_columns(
    table: Callable[..., tuple[list[str], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("conv1", "0 .. 6"), ("b0.bn", "0 .. 2, NaN in 1 of 16"), ("infer", "no numbers")]
    plain, _ = table(80, ("layer", "range"), rows)
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm-256color")
    lines, _ = table(80, ("layer", "range"), rows)
    assert [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines] == plain
    assert lines == [
        "\x1b[1mlayer\x1b[0m  \x1b[1mrange\x1b[0m",
        "\x1b[36mconv1\x1b[0m  0 .. 6",
        "\x1b[36mb0.bn\x1b[0m  \x1b[1;35m0 .. 2, NaN in 1 of 16\x1b[0m",
        "\x1b[36minfer\x1b[0m  no numbers",
    ]
    lines, _ = table(80, ("device", "usable"), [("cpu", "yes"), ("cuda", "no")])
    assert lines[1:] == ["\x1b[36mcpu\x1b[0m     \x1b[32myes\x1b[0m", "\x1b[36mcuda\x1b[0m    \x1b[31mno\x1b[0m"]
    lines, _ = table(12, ("layer", "kind"), [("n" * 9, "conv"), ("b", "conv")])
    assert lines[1:] == [f"\x1b[36m{'n' * 9}\x1b[0m", "       conv", "\x1b[36mb\x1b[0m      conv"]


def test_prose_is_broken_into_lines_where_the_terminal_is_narrow(table: Callable[..., tuple[list[str], str]]) -> None:
    rows = [("cpu", "yes", "always works here"), ("cuda", "no", "libcublas.so is missing")]
    lines, said = table(20, ("device", "usable", "why"), rows, prose=True)
    assert lines == [
        "device  usable",
        "  why",
        "cpu     yes",
        "  always works here",
        "cuda    no",
        "  libcublas.so is",
        "  missing",
    ]
    assert not said


def test_the_preview_is_the_overview_or_the_only_layer(
    onnxviz_command: Command,
    bundled_model: Path,
    cat: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(import_module("onnxviz.cli.view"), "colours", lambda stream: "256")
    monkeypatch.setattr("onnxviz.draw.preview.preview", lambda path, how: shown.append(path.name) or "")
    for selection in ("conv[0]", "conv[:2]"):
        done = onnxviz_command(
            "view", bundled_model, cat, "--layers", selection, "--show", "--no-html", "-o", tmp_path / "maps"
        )
        assert done.code == 0
    assert shown == ["000-stem_conv.png", "overview.png"]


def test_what_is_piped_in_has_the_scale_of_all_inputs(
    onnxviz_command: Command, doubling_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", np.full((1, 1, 2, 2), 3, np.float32))
    piped = io.BytesIO()
    np.save(piped, np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(piped.getvalue())))
    view = ("view", doubling_model, "-", tmp_path / "x.npy", "--layers", "all", "--same-scale", "--no-html")
    done = onnxviz_command(*view, "-o", tmp_path / "maps")
    assert done.code == 0, done.err
    for folder in ("000-stdin", "001-x"):
        with Image.open(next((tmp_path / "maps" / folder).glob("000-*.png"))) as picture:
            assert picture.text["Scale"] == "fixed: fixed scale 0 .. 6"


def test_layers_tells_which_of_two_things_a_name_means(onnxviz_command: Command, tmp_path: Path) -> None:
    text = "g (float[1, 2, 3, 3] x) => (float[1, 2, 3, 3] y) {[a] b = Relu(x) [b] a = Relu(b) y = Relu(a)}"
    model_of(tmp_path / "m.onnx", text)
    done = onnxviz_command("layers", tmp_path / "m.onnx", "--layers", "a")
    assert done.code == 0
    assert "`a` names a value and a node, which as a layer means `b`: the value is taken" in done.err


def test_letters_of_two_columns_are_aligned(table: Callable[..., tuple[list[str], str]]) -> None:
    wide = "\u7573\u307f\u8fbc\u307f"
    rows = [(wide, "Conv"), ("cafe\u0301", "Relu")]
    aligned = ["layer     op", f"{wide}  Conv", "cafe\u0301      Relu"]
    assert table(80, ("layer", "op"), rows)[0] == table(14, ("layer", "op"), rows)[0] == aligned
    assert table(13, ("layer", "op"), rows)[0] == ["layer  op", wide, "       Conv", "cafe\u0301   Relu"]


def test_a_layer_that_is_not_finite_is_named(onnxviz_command: Command, tmp_path: Path) -> None:
    """What begins in `scaled` is in `down` too."""
    text = """g (float[1,3,2,2] x) => (float[1,3,1,1] y) <float[1,3,1,1] big = {1, inf, nan}> {
        [same] a = Abs (x)
        [scaled] b = Mul (a, big)
        [down] y = GlobalMaxPool (b)
    }"""
    model = tmp_path / "m.onnx"
    proto = onnx.parser.parse_model('<ir_version: 8, opset_import: ["": 17]> ' + text.replace("inf, nan", "2, 3"))
    proto.graph.initializer[0].CopyFrom(
        onnx.numpy_helper.from_array(np.array([1, np.inf, np.nan], np.float32).reshape(1, 3, 1, 1), "big")
    )
    onnx.save(proto, model)
    np.save(tmp_path / "x.npy", np.arange(1, 13, dtype=np.float32).reshape(1, 3, 2, 2))
    out = tmp_path / "out"
    done = onnxviz_command("view", model, tmp_path / "x.npy", "--layers", "all,other", "--no-html", "-o", out)
    assert done.code == 0
    assert "first not finite: scaled, 4 NaN, 4 inf" in done.err.splitlines()
    rows = {line.split()[0]: line for line in done.out.splitlines()}
    assert "  1 .. 12  " in rows["same"] and "NaN" not in rows["same"]
    assert "  1 .. 4  " in rows["scaled"] and "  1 of 3  4 NaN, 4 inf  " in rows["scaled"]


def test_codes_and_how_many_lie_at_their_ends_stand_in_the_table(onnxviz_command: Command, tmp_path: Path) -> None:
    text = """g (float[1,1,2,4] x) => (float[1,1,2,4] y) <float s = {0.5}, uint8 z = {3}> {
        [plain] a = Abs (x)
        [q] q = QuantizeLinear (a, s, z)
        [codes] y = DequantizeLinear (q, s, z)
    }"""
    onnx.save(onnx.parser.parse_model('<ir_version: 8, opset_import: ["": 17]> ' + text), tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", np.array([0, 1, 2, 3, 4, 5, 126, 1000], np.float32).reshape(1, 1, 2, 4))
    command = ("view", tmp_path / "m.onnx", tmp_path / "x.npy", "--layers", "plain,codes", "--no-html", "-o")
    title, plain, codes = onnxviz_command(*command, tmp_path / "out").out.splitlines()
    assert re.split("  +", title)[-2:] == ["codes", "at their ends"]
    assert re.split("  +", codes)[-2:] == ["uint8 (q - 3) x 0.5", "0 % and 25 %"]
    assert plain.rstrip().endswith("plain.png")


def test_what_is_not_computed_is_named_and_the_others_drawn(onnxviz_command: Command, tmp_path: Path) -> None:
    text = """g (float[1,4,8] x) => (int64 n) {
        [relu] r = Relu (x)
        [split] q = SplitToSequence <axis=1> (r)
        [len] n = SequenceLength (q)
        three = Constant <value = int64 {3}> ()
        [less] c = Less (n, three)
        [branch] z = If (c) <
            then_branch = t () => (int64 p) { [few] p = Neg (n) },
            else_branch = f () => (int64 q) { [many] q = Abs (n) }
        >
    }"""
    model_of(tmp_path / "m.onnx", text)
    out = tmp_path / "out"
    layers = "relu,split,few,many"
    done = onnxviz_command("view", tmp_path / "m.onnx", "--random", "--layers", layers, "--no-html", "-o", out)
    reason = "it was not computed for this input: 'branch' took else_branch"
    few = "branch/then_branch/few"
    assert (done.code, f"not shown: '{few}': {reason}" in done.err.splitlines()) == (0, True)
    names = ["000-relu.png", "001-split.png", "002-branch_else_branch_many.png"]
    assert sorted(path.name for path in out.glob("0*.png")) == names
    document = json.loads((out / "view.json").read_text(encoding="utf-8"))
    assert document["not_shown"] == [{"name": few, "reason": reason}]
    assert [layer["steps"] for layer in document["runs"][0]["layers"]] == [
        None,
        {"first": 0, "last": 3, "total": 4},
        None,
    ]
    alone = onnxviz_command("view", tmp_path / "m.onnx", "--random", "--layers", "few", "-o", tmp_path / "no")
    assert (alone.code, alone.err.splitlines()[-1]) == (5, f"onnxviz: '{few}' cannot be shown: {reason}")


def test_the_path_that_all_layers_lie_in_stands_once(onnxviz_command: Command, tmp_path: Path) -> None:
    text = """g (float[1,4] x, bool k) => (float[1,4] y) {
        [branch] y = If (k) <
            then_branch = t () => (float[1,4] p) { [first] o = Relu (x) [second] p = Sigmoid (o) },
            else_branch = f () => (float[1,4] q) { [other] q = Tanh (x) }
        >
    }"""
    model = model_of(tmp_path / "m.onnx", text)
    done = onnxviz_command(
        "view", model.path, "--random", "k=1", "--layers", "act", "--no-html", "-o", tmp_path / "out"
    )
    rows = [line.split("  ")[0] for line in done.out.splitlines()]
    assert (done.code, rows) == (0, ["layer in branch/then_branch", "first", "second"])


@pytest.mark.parametrize("text", ["a-b", "", "5-", "-5", "7-3"])
def test_steps_that_cannot_be_read_are_refused(onnxviz_command: Command, tmp_path: Path, text: str) -> None:
    model = model_of(tmp_path / "m.onnx", "g (float[1,4] x) => (float[1,4] y) { y = Relu (x) }")
    done = onnxviz_command("view", model.path, "--random", f"--steps={text}", "-o", tmp_path / "out")
    assert (done.code, "steps" in done.err) == (2, True)


def test_memory_that_runs_out_is_one_line(
    onnxviz_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model asks onnxruntime for 4 TiB; numpy says that it has no memory in words of its own."""
    text = "g (float[1] x) => (float[n] y) <int64[1] size = {1099511627776}> { [big] y = Expand (x, size) }"
    model_of(tmp_path / "m.onnx", text)
    done = onnxviz_command("view", tmp_path / "m.onnx", "--random", "--layers", "big", "-o", tmp_path / "out")
    assert done.code == 5
    assert done.err.splitlines()[-1].startswith("onnxviz: memory ran out while onnxruntime tried to run the model")
    assert not (tmp_path / "out").exists()

    def full(*arguments: object, **options: object) -> None:
        raise MemoryError("Unable to allocate 2.00 PiB")

    monkeypatch.setattr("onnxviz.viewing.view.view", full)
    done = onnxviz_command("view", tmp_path / "m.onnx", "--random")
    assert done.code == 5
    assert done.err.startswith("onnxviz: memory ran out: Unable to allocate 2.00 PiB; feed something smaller")


@pytest.mark.parametrize("name", ["w", "s"])
def test_a_weight_is_a_weight_for_every_command(onnxviz_command: Command, tmp_path: Path, name: str) -> None:
    text = "g (float[1,1,2,2] x) => (float[1,1,2,2] y) <float[1,1,1,1] w = {2}> { [one] y = Conv (x, w) }"
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> {text}')
    values = onnx.numpy_helper.from_array(np.ones(1, np.float32), "s")
    indices = onnx.numpy_helper.from_array(np.zeros(1, np.int64), "s_indices")
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
    model = tmp_path / "m.onnx"
    onnx.save(proto, model)
    listed = onnxviz_command("layers", model, "--layers", name)
    viewed = onnxviz_command("view", model, "--random", "--layers", name, "-o", tmp_path / "out")
    assert (listed.code, viewed.code) == (3, 3)
    for done in (listed, viewed):
        assert f"onnxviz: '{name}' is a weight of the model" in done.err
    assert onnxviz_command("expose", model, "--layers", name, "-o", tmp_path / "e.onnx").code == 0


def broken_model(folder: Path) -> tuple[Path, Path]:
    """Return a model whose second channel is NaN where its input is negative, and an input with one such value."""
    text = """g (float[1,1,2,2] x) => (float[1,2,2,2] y) <float[2,1,1,1] w = {1, 1}> {
        [conv] a = Conv (x, w)
        [root] y = Sqrt (a)
    }"""
    onnx.save(onnx.parser.parse_model('<ir_version: 8, opset_import: ["": 17]> ' + text), folder / "m.onnx")
    np.save(folder / "x.npy", np.array([[[[1, 4], [9, -1]]]], np.float32))
    return folder / "m.onnx", folder / "x.npy"


def test_fail_on_ends_with_7_after_all_is_written(onnxviz_command: Command, tmp_path: Path) -> None:
    model, array = broken_model(tmp_path)
    words = ("view", model, array, "--layers", "conv,root", "-o", tmp_path / "out", "--fail-on", "nan=0.2,dead=0.5")
    done = onnxviz_command(*words)
    assert done.code == 7
    assert "onnxviz: --fail-on: root: 2 of 8 values NaN (at most 20 %)" in done.err.splitlines()
    assert "first not finite: root, 2 NaN" in done.err.splitlines()
    assert {"view.json", "report.html", "overview.png"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert onnxviz_command(*words[:-1], "nan=0.25", "--force").code == 0
    done = onnxviz_command(*words, "--json", "--force")
    assert done.code == 7
    assert json.loads(done.out)["health"][1]["nan"] == 2


def test_fail_on_is_read_before_anything_is_done(onnxviz_command: Command, tmp_path: Path) -> None:
    done = onnxviz_command("view", tmp_path / "none.onnx", "--fail-on", "dead=two", "-o", tmp_path / "out")
    assert done.code == 2
    assert "such as dead=0.5, not 'dead=two'" in done.err
    assert not (tmp_path / "out").exists()


def test_of_several_inputs_a_table_says_what_is_not_well_in_all(onnxviz_command: Command, tmp_path: Path) -> None:
    model, array = broken_model(tmp_path)
    np.save(tmp_path / "y.npy", np.full((1, 1, 2, 2), 4, np.float32))
    done = onnxviz_command("view", model, array, tmp_path / "y.npy", "--layers", "conv,root", "-o", tmp_path / "out")
    assert done.code == 0
    table = done.out[done.out.index("layer, over 2 inputs") :].splitlines()
    assert table[1].split("  ")[-1] == "2 NaN"
    assert len(table) == 2
