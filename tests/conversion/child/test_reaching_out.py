"""Every operator that TensorFlow has is judged: what models compute with passes, what reaches outside does not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from onnxviz.conversion.child_process import SCRIPT

DANGEROUS = """
    ReadFile WriteFile MatchingFiles Save SaveV2 SaveSlices MergeV2Checkpoints Restore RestoreV2 RestoreSlice
    DTensorRestoreV2 DistributedSave DumpTensor CalibrationStatisticsSaver ImmutableConst RecordInput Skipgram
    PyFunc PyFuncStateless EagerPyFunc GeneratorDataset
    TextLineReader TFRecordReaderV2 FixedLengthRecordReader WholeFileReaderV2 LMDBReader IdentityReaderV2
    TextLineDataset TFRecordDataset TFRecordDatasetV2 FixedLengthRecordDataset LMDBDataset SqlDataset CSVDataset
    CSVDatasetV2 ExperimentalCSVDataset ExperimentalLMDBDataset ExperimentalSqlDataset ExperimentalMatchingFilesDataset
    SaveDataset SaveDatasetV2 LoadDataset CacheDataset CacheDatasetV2 SnapshotDataset SnapshotDatasetV2
    SnapshotDatasetReader SnapshotNestedDatasetReader SnapshotChunkDataset ListSnapshotChunksDataset
    DatasetToTFRecord ExperimentalDatasetToTFRecord RegisterDataset RegisterDatasetV2 DatasetFromGraph
    DataServiceDataset DataServiceDatasetV4 RangeDataset OneShotIterator MapDataset
    CreateSummaryFileWriter CreateSummaryDbWriter WriteSummary WriteGraphSummary WriteImageSummary
    DebugIdentity DebugIdentityV2 DebugIdentityV3 DebugNanCount DebugNumericSummary Copy CopyHost
    DecodeProtoV2 EncodeProto InitializeTableFromTextFile InitializeTableFromTextFileV2 InitializeTableFromDataset
    GenerateVocabRemapping LoadAndRemapMatrix FileSystemSetConfiguration
    RemoteCall RpcCall RpcClient RpcServer Send Recv _Send _Recv CollectiveInitializeCommunicator
    ConfigureDistributedTPU
    XlaCustomCall XlaCustomCallV2 XlaCallModule XlaLaunch XlaLaunchV2 Abort
""".split()
USUAL = """
    Const Placeholder Identity NoOp Conv2D Conv2DBackpropInput Conv3D DepthwiseConv2dNative FusedBatchNormV3 MatMul
    BatchMatMulV2 Einsum Relu Softmax Erfc MaxPool AvgPool ConcatV2 ResizeBilinear ResourceGather GatherV2 Where TopKV2
    VarHandleOp ReadVariableOp AssignVariableOp VariableV2 Assign HashTableV2 LookupTableFindV2 InitializeTableV2
    RandomUniform RandomStandardNormal StatelessRandomUniformV2 Assert If While Case StatelessWhile PartitionedCall
    StatefulPartitionedCall Enter Exit Switch Merge NextIteration TensorListReserve TensorListStack TensorArrayV3
    TensorArrayReadV3 CudnnRNNV3 DecodeJpeg NonMaxSuppressionV3 ShardedFilename StringJoin CheckNumerics PrintV2
""".split()
SOUNDS_DANGEROUS = re.compile(
    "Dataset|Iterator|File(?!name|spec)|Save|Dump|Snapshot.+|Rpc|Send|Recv|PyFunc|SummaryWriter"
)


@pytest.fixture(scope="module")
def operators(in_tensorflow: Callable[..., str]) -> dict[str, dict[str, bool]]:
    table: dict[str, dict[str, bool]] = json.loads(
        in_tensorflow(Path(__file__).with_name("operators.py"), SCRIPT.parent).splitlines()[-1]
    )
    assert len(table) > 1500
    return table


def test_what_reaches_outside_is_refused(operators: dict[str, dict[str, bool]]) -> None:
    known = [name for name in DANGEROUS if name in operators]
    assert len(known) > 90
    assert [name for name in known if operators[name]["passes"]] == []


def test_what_models_compute_with_passes(operators: dict[str, dict[str, bool]]) -> None:
    assert [name for name in USUAL if not operators[name]["passes"]] == []


def test_nothing_that_passes_sounds_dangerous(operators: dict[str, dict[str, bool]]) -> None:
    passing = [name for name, judged in operators.items() if judged["passes"]]
    assert [name for name in passing if SOUNDS_DANGEROUS.search(name)] == []


def test_of_those_with_a_state_few_pass(operators: dict[str, dict[str, bool]]) -> None:
    """What a later TensorFlow brings is refused until it is listed."""
    stateful = [name for name, judged in operators.items() if judged["stateful"] and judged["passes"]]
    groups = "Variable Resource Table Random Tensor Stack Stateful Rng Cudnn CheckNumerics Sample Normal Print".split()
    rest = [name for name in stateful if not any(group in name for group in groups)]
    assert sorted(rest) == [
        "Assert",
        "Case",
        "DeviceIndex",
        "DisableCopyOnRead",
        "Empty",
        "GuaranteeConst",
        "If",
        "Multinomial",
        "NonDeterministicInts",
        "VarHandleOp",
        "VarIsInitializedOp",
        "While",
    ]
