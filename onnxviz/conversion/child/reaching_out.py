"""Operators that reach files, Python or other machines: a graph is a program, and TensorFlow would run these.

The check comes first: importing a graph already computes what looks constant, loading a SavedModel runs its
initialisers, and both the folding of constants and the verification run the rest. An operator passes if it is known to
stay inside:

1. An operator without a state passes, unless it names something outside, or handles a variant; TensorFlow's own table
   of operators says so. Variants are mostly datasets, which read and write files; lists of tensors pass.
2. An operator with a state passes if `_INSIDE` lists it: variables, tables, random numbers, loops and branches.
3. Operators of checkpoints are in every SavedModel. They stay where only saving calls them, or restoring.

An operator that TensorFlow does not know, it refuses itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .exchange import Refusal
from .graph_def import GraphDef, MetaGraphDef, NodeDef, OpDef
from .graph_nodes import ancestors, called

_INSIDE = re.compile(
    "|".join(
        (
            # Variables, and what changes them in place.
            r"VarHandleOp|Variable(V2)?|VariableShape|VarIsInitializedOp|ReadVariableOp|Assign(Add|Sub)?VariableOp",
            r"TemporaryVariable|DestroyResourceOp|DisableCopyOnRead|Resource(Sparse)?Apply[A-Z]\w+",
            r"Resource(Gather(Nd)?|Scatter[A-Z]\w+|StridedSliceAssign|CountUpTo)",
            # Tables in memory; those filled from a file are not here.
            r"(Anonymous)?(Mutable|MutableDense)?HashTable(OfTensors)?(V2)?|InitializeTableV2",
            r"LookupTable(Find|Insert|Import|Export|Size|Remove)V2",
            # Random numbers.
            r"Random(Uniform(Int)?|StandardNormal|Gamma|Poisson(V2)?|Shuffle|Crop)|TruncatedNormal|Multinomial",
            r"Stateful(Uniform(Full)?(Int)?|StandardNormal(V2)?|TruncatedNormal|RandomBinomial)|Rng(ReadAnd)?Skip",
            r"ParameterizedTruncatedNormal|NonDeterministicInts|StatelessRandomGetAlg|SampleDistortedBoundingBox(V2)?",
            # Calls, loops and branches; what they call is checked as well.
            r"StatefulPartitionedCall|If|While|Case|DeviceIndex|TensorArray[A-Za-z]*(V[23])?|Stack(Push|Pop|Close)?V2",
            # Checks, and what only computes.
            r"Assert|CheckNumerics(V2)?|Print(V2)?|GuaranteeConst|Empty|CudnnRNN(Backprop)?(V[23])?",
        )
    )
)
_LISTS = re.compile(r"(Empty)?TensorList\w*|(Empty)?TensorMap\w*|Ragged\w+Variant\w*|CompositeTensorVariant\w+")
# Names of inputs and attributes: a file, an address, a part of memory, a function of the machine.
_OUTSIDE = re.compile(r"file|url|descriptor_source|memory_region|target_name")
# These reach outside, and no name shows it: patterns of files, Python, a debugger's copies, ending the process, other
# compilers.
_REACHING = frozenset(
    "MatchingFiles PyFuncStateless Copy CopyHost Abort XlaLaunchV2 TPUPartitionedCall MlirPassthroughOp".split()
)
_STREAMS = (b"", b"stderr", b"stdout", b"log(info)", b"log(warning)", b"log(error)")
RESTORING = frozenset("RestoreV2 Restore RestoreSlice".split())
_WRITERS = frozenset("SaveV2 Save SaveSlices MergeV2Checkpoints".split())
_SAVING = ("__inference__traced_save", "__inference_signature_wrapper_traced_save")


def stays_inside(definition: OpDef) -> bool:
    """Return whether an operator, given as TensorFlow defines it, cannot reach outside the model."""
    from tensorflow.core.framework import types_pb2

    if definition.is_stateful:
        return bool(_INSIDE.fullmatch(definition.name))
    given = [part.name for part in (*definition.input_arg, *definition.attr)]
    if definition.name in _REACHING or any(_OUTSIDE.search(name) for name in given):
        return False
    variants = (types_pb2.DT_VARIANT, types_pb2.DT_VARIANT_REF)
    handles_variant = any(part.type in variants for part in (*definition.input_arg, *definition.output_arg))
    return not handles_variant or bool(_LISTS.fullmatch(definition.name))


def check_graph(graph: GraphDef, passed: frozenset[str] = frozenset()) -> None:
    """Refuse a graph about to be run that may reach outside the model, its functions included.

    `passed` are operators that may be there all the same.

    Raises:
        Refusal: An operator may; the text names it and its place.
    """
    check_nodes([*graph.node, *(node for function in graph.library.function for node in function.node_def)], passed)


def check_nodes(nodes: Iterable[NodeDef], passed: frozenset[str] = frozenset()) -> None:
    """Refuse nodes as `check_graph` does.

    Raises:
        Refusal: One may reach outside the model; the text names it and its place.
    """
    from tensorflow.python.framework import op_def_registry

    known = dict.fromkeys(passed, True)
    for node in nodes:
        if node.op not in known:
            definition = op_def_registry.get(node.op)
            known[node.op] = definition is None or stays_inside(definition)
        if not known[node.op] or (node.op == "PrintV2" and node.attr["output_stream"].s not in _STREAMS):
            raise _refusal(node.op, node.name)


def check_saved_model(parts: Iterable[MetaGraphDef]) -> None:
    """Refuse a SavedModel, given as its meta graphs, whose loading or running may reach outside.

    Raises:
        Refusal: An operator may.
    """
    for part in parts:
        graph = part.graph_def
        check_graph(graph, RESTORING | _WRITERS)
        writers = _writing_functions(graph)
        for function in graph.library.function:
            if function.signature.name not in writers:
                for node in function.node_def:
                    if called(node) & writers:
                        raise _refusal("SaveV2", node.name)
        for name in _functions_for_loading(part):
            if name in writers:
                raise _refusal("SaveV2", name)
        # Loaders differ: TensorFlow 2's runs functions only, and takes over where there is one meta graph.
        _check_what_loading_runs(part, writers)


def _writing_functions(graph: GraphDef) -> set[str]:
    """Return the functions that write checkpoints, by themselves or by what they call."""
    functions = {function.signature.name: function for function in graph.library.function}
    writers = {name for name, function in functions.items() if any(node.op in _WRITERS for node in function.node_def)}
    # A function of another name that calls a writer does not belong to saving: `check_saved_model` refuses it.
    saving = {name: function for name, function in functions.items() if name.startswith(_SAVING)}
    while more := {
        name
        for name, function in saving.items()
        if name not in writers and any(called(node) & writers for node in function.node_def)
    }:
        writers |= more
    return writers


def _functions_for_loading(part: MetaGraphDef) -> Iterator[str]:
    """Give the functions that a TensorFlow 2 SavedModel offers as its own: its initialisers are among them."""
    objects = part.object_graph_def
    for node in objects.nodes:
        yield from node.function.concrete_functions
        if node.HasField("bare_concrete_function"):
            yield node.bare_concrete_function.concrete_function_name


def _check_what_loading_runs(part: MetaGraphDef, writers: set[str]) -> None:
    """Follow what TensorFlow 1's loader runs: the restore operator and the initialisers."""
    roots = [part.saver_def.restore_op_name]
    for key in ("saved_model_main_op", "legacy_init_op", "table_initializer"):
        roots.extend(part.collection_def[key].node_list.value)
    for name, signature in part.signature_def.items():
        if name.startswith("__saved_model"):
            roots.extend(info.name for info in signature.outputs.values())
    for node in ancestors(part.graph_def, roots).values():
        if node.op in _WRITERS or called(node) & writers:
            raise _refusal(node.op, node.name)


def _refusal(operator: str, place: str) -> Refusal:
    return Refusal(
        f"the graph holds {operator} at '{place}', which may reach outside the model when TensorFlow runs it\n"
        "if you trust whoever made it: onnxviz convert --trust"
    )
