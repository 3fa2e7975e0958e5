"""Operators that reach files, Python or other machines: a graph is a program, and TensorFlow would run these.

Looking comes first, for loading a SavedModel already runs its initialisers, and both the folding of constants and the
verification run parts of the graph. Operators of checkpoints (SaveV2) are in every SavedModel, in functions that only
saving calls: there they stay, anywhere else they are refused too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .graph_nodes import node_of
from .report import Refusal

_REACHING = frozenset(
    (
        "ReadFile WriteFile MatchingFiles PyFunc PyFuncStateless EagerPyFunc TextLineReader TextLineReaderV2 "
        "TFRecordReader TFRecordReaderV2 FixedLengthRecordReader FixedLengthRecordReaderV2 WholeFileReader "
        "WholeFileReaderV2 LMDBReader TextLineDataset TFRecordDataset TFRecordDatasetV2 FixedLengthRecordDataset "
        "FixedLengthRecordDatasetV2 LMDBDataset SqlDataset SaveDataset SaveDatasetV2 LoadDataset CacheDataset "
        "CacheDatasetV2 SnapshotDataset SnapshotDatasetV2 DatasetToTFRecord DatasetToGraph DataServiceDataset "
        "DataServiceDatasetV2 DataServiceDatasetV3 DataServiceDatasetV4 CreateSummaryFileWriter CreateSummaryDbWriter "
        "WriteSummary WriteScalarSummary WriteGraphSummary WriteRawProtoSummary DebugIdentity DebugIdentityV2 "
        "DebugIdentityV3 DebugNanCount DebugNumericSummary DebugNumericSummaryV2 DecodeProtoV2 EncodeProto RemoteCall "
        "RpcCall RpcClient RpcServer GenerateVocabRemapping LoadAndRemapMatrix WriteAudioSummary WriteImageSummary "
        "WriteHistogramSummary CollectiveInitializeCommunicator Send Recv _Send _Recv ConfigureDistributedTPU"
    ).split()
)
_CHECKPOINT_WRITERS = frozenset("SaveV2 Save SaveSlices MergeV2Checkpoints".split())


def check_graph(graph: Any) -> None:
    """Refuse a graph about to be run that reaches outside the model, its functions included.

    Raises:
        Refusal: An operator does; it is named with its place.
    """
    _check(_all_nodes(graph), _REACHING | _CHECKPOINT_WRITERS)


def check_operator(operator: str, place: str) -> None:
    """Refuse one operator of another format's (TensorFlow Lite keeps TensorFlow's under their names).

    Raises:
        Refusal: It reaches outside the model.
    """
    if operator in _REACHING | _CHECKPOINT_WRITERS:
        raise _refusal(operator, place)


def check_saved_model(parts: Iterable[Any]) -> None:
    """Refuse a SavedModel, given as its meta graphs, whose loading or running would reach outside.

    Raises:
        Refusal: An operator would.
    """
    for part in parts:
        check_meta_graph(part)


def check_meta_graph(part: Any) -> None:
    """Refuse a meta graph whose restoring, initialising or running would reach outside.

    Raises:
        Refusal: An operator would.
    """
    graph = part.graph_def
    _check(_all_nodes(graph), _REACHING)
    writers = _writing_functions(graph)
    for function in graph.library.function:
        if function.signature.name not in writers:
            _check_calls(function.node_def, writers)
    for name in _functions_for_loading(part):
        if name in writers:
            raise _refusal("SaveV2", name)
    _check_what_loading_runs(part, writers)


def _check(nodes: Iterable[Any], refused: frozenset[str]) -> None:
    for node in nodes:
        if node.op in refused:
            raise _refusal(node.op, node.name)
        # Printing takes a file as its stream.
        if node.op == "PrintV2" and node.attr["output_stream"].s.startswith(b"file"):
            raise _refusal(node.op, node.name)


def _all_nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _writing_functions(graph: Any) -> set[str]:
    """Return the functions that write checkpoints, by themselves or by what they call."""
    functions = {function.signature.name: function for function in graph.library.function}
    writers = {
        name
        for name, function in functions.items()
        if any(node.op in _CHECKPOINT_WRITERS for node in function.node_def)
    }
    while True:
        # A function named otherwise that calls a writer is no part of saving, and is refused where it is met.
        more = {
            name
            for name, function in functions.items()
            if name not in writers
            and name.startswith(("__inference__traced_save", "__inference_signature_wrapper_traced_save"))
            and any(_called(node) & writers for node in function.node_def)
        }
        if not more:
            return writers
        writers |= more


def _check_calls(nodes: Iterable[Any], writers: set[str]) -> None:
    for node in nodes:
        called = _called(node) & writers
        if called:
            raise _refusal("SaveV2", node.name)


def _called(node: Any) -> set[str]:
    names = {node.op}
    for value in node.attr.values():
        if value.HasField("func"):
            names.add(value.func.name)
        names.update(function.name for function in value.list.func)
    return names


def _functions_for_loading(part: Any) -> Iterator[str]:
    """Give the functions that a TensorFlow 2 SavedModel offers as its own: its initialisers are among them."""
    objects = part.object_graph_def
    for node in objects.nodes:
        yield from node.function.concrete_functions
        if node.HasField("bare_concrete_function"):
            yield node.bare_concrete_function.concrete_function_name


def _check_what_loading_runs(part: Any, writers: set[str]) -> None:
    """Follow what TensorFlow 1's loader runs: the restore operator and the initialisers."""
    nodes = {node.name: node for node in part.graph_def.node}
    waiting = [node_of(part.saver_def.restore_op_name)] if part.saver_def.restore_op_name else []
    for key in ("saved_model_main_op", "legacy_init_op", "table_initializer"):
        waiting.extend(node_of(name) for name in part.collection_def[key].node_list.value)
    for name, signature in part.signature_def.items():
        if name.startswith("__saved_model"):
            waiting.extend(node_of(info.name) for info in signature.outputs.values())
    if part.object_graph_def.nodes:
        return  # a TensorFlow 2 loader restores by itself and runs functions only
    seen: set[str] = set()
    while waiting:
        node = nodes.get(waiting.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.op in _CHECKPOINT_WRITERS or _called(node) & writers:
            raise _refusal(node.op, node.name)
        waiting.extend(node_of(name) for name in node.input)


def _refusal(operator: str, place: str) -> Refusal:
    return Refusal(
        f"the graph holds {operator} at '{place}', which reaches outside the model when TensorFlow runs it\n"
        "if you trust whoever made it: onnxviz convert --trust"
    )
