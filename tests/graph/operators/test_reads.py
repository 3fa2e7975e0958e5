"""Every rule of an operator against perturbation: what an output element sees is what a change of the input changes.

A small graph around each operator is run once for each pixel that is changed. Of an answer that is `exact` or `whole
input` all pixels must match; an `upper bound` must hold all that are seen. The status expected is written down, so that
a rule that calls everything a bound does not pass.
"""

from __future__ import annotations

import functools

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser

from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.receptive_field import Status, receptive_fields
from onnxviz.graph.operators.region import Region, region
from onnxviz.graph.operators.table import OPERATORS
from onnxviz.graph.shapes import infer_types
from onnxviz.layout import TensorSpec

RULES = {op: known.reads for (domain, op), known in OPERATORS.items() if not domain and known.reads}
EXACT, BOUND, WHOLE = Status.EXACT, Status.UPPER_BOUND, Status.WHOLE_INPUT

CONSTANTS = {
    "w1": "float[1,2,1,1] w1 = {1,2}",
    "w3": "float[2,2,3,3] w3 = {" + ",".join(f"{1 + k % 5}" for k in range(36)) + "}",
    "d3": "float[2,1,3,3] d3 = {" + ",".join(f"{1 + k % 5}" for k in range(18)) + "}",
    "g2": "float[4,1,1,1] g2 = {1,2,3,4}",
    "t4": "float[2,1,4,4] t4 = {" + ",".join(f"{1 + k % 7}" for k in range(32)) + "}",
    "b2": "float[2] b2 = {1,2}",
    "one2": "float[2] one2 = {1,1}",
    "six": "float[6,6] six = {" + ",".join(f"{1 + (k * k) % 7}" for k in range(36)) + "}",
    "half": "float half = {0.5}",
    "z": "uint8 z = {0}",
    "hw": "int64[2] hw = {2,3}",
    "h": "int64[1] h = {2}",
    "c": "int64[1] c = {1}",
    "n1": "int64 n1 = {1}",
    "flat": "int64[3] flat = {0,2,-1}",
    "back": "int64[4] back = {0,2,6,6}",
    "parts": "int64[5] parts = {0,2,2,3,6}",
    "line": "float[2,2,3] line = {" + ",".join(f"{1 + k % 5}" for k in range(12)) + "}",
    "pads": "int64[8] pads = {0,0,1,0,0,0,2,1}",
    "crop": "int64[8] crop = {0,0,-1,0,0,0,2,0}",
    "from1": "int64[1] from1 = {1}",
    "end": "int64[1] end = {99}",
    "three": "int64[1] three = {3}",
    "e2": "float[2,1,1,1] e2 = {1,2}",
    "f4": "float[4,2,1,1] f4 = {1,2,3,4,5,6,7,8}",
    "w4": "float[1,4,1,1] w4 = {1,2,3,4}",
    "two": "int64[1] two = {2}",
    "pick": "int64[3] pick = {4,0,0}",
    "index": "int64 index = {3}",
    "times": "int64[4] times = {1,1,2,1}",
    "up": "float[4] up = {1,1,2,2}",
    "odd": "int64[4] odd = {1,2,9,4}",
    "shape": "int64[4] shape = {1,2,6,6}",
    "s2": "float[2] s2 = {0.5,0.25}",
    "lw": "float[1,12,6] lw = {" + ",".join(f"{0.01 * (1 + k % 9)}" for k in range(72)) + "}",
    "lr": "float[1,12,3] lr = {" + ",".join(f"{0.01 * (1 + k % 9)}" for k in range(36)) + "}",
}

X = "float[1,2,6,6] x"
FIRST = "f = Cast <to=7> (m) i = Unsqueeze (f, zero)"
MEAN = "m = ReduceMax <keepdims=0> (x) "

# The nodes that make y of x; the statuses that occur among all elements of y.
CASES: list[tuple[str, set[Status]]] = [
    ("y = Conv <pads=[1,1,1,1]> (x, w3)", {EXACT}),
    ("y = Conv <pads=[2,2,2,2], dilations=[2,2]> (x, w3)", {EXACT}),
    ('y = Conv <auto_pad="SAME_LOWER", strides=[2,2]> (x, w3)', {EXACT}),
    ("y = Conv <group=2, pads=[1,1,1,1]> (x, d3)", {EXACT}),
    ("v = GlobalAveragePool (x) q = Reshape (v, minus) y = Conv <group=2> (x, d3, q)", {WHOLE}),
    ("y = ConvTranspose <group=2, strides=[2,2], pads=[1,1,1,1]> (x, t4)", {EXACT}),
    ("y = ConvTranspose <group=2, strides=[3,3], output_shape=[17,18]> (x, t4)", {EXACT}),
    ('y = ConvTranspose <group=2, strides=[2,2], auto_pad="SAME_UPPER"> (x, t4)', {EXACT}),
    ('y = ConvTranspose <group=2, strides=[2,2], auto_pad="SAME_LOWER"> (x, t4)', {EXACT}),
    ("y = ConvTranspose <group=2, strides=[5,5], dilations=[2,2]> (x, t4)", {EXACT}),
    ("y = AveragePool <kernel_shape=[3,2], strides=[2,1], ceil_mode=1> (x)", {EXACT}),
    ("y = MaxPool <kernel_shape=[2,2], dilations=[2,1]> (x)", {EXACT}),
    ("y = LpPool <kernel_shape=[2,2]> (x)", {EXACT}),
    ("y = GlobalAveragePool (x)", {WHOLE}),
    ("y = ReduceMean (x, hw)", {WHOLE}),
    ("y = ReduceSum <keepdims=0> (x, h)", {EXACT}),
    ("y = ReduceMax (x)", {WHOLE}),
    ("y = Softmax <axis=2> (x)", {EXACT}),
    ("y = LayerNormalization <axis=-1> (x, half)", {EXACT}),
    ("y = InstanceNormalization (x, b2, b2)", {WHOLE}),
    ("y = GroupNormalization <num_groups=1> (x, one2, one2)", {WHOLE}),
    ("y = MeanVarianceNormalization <axes=[0,1,3]> (x)", {EXACT}),
    ("y = LpNormalization <axis=3> (x)", {EXACT}),
    ("y = LRN <size=3> (x)", {EXACT}),
    ("y = CumSum (x, n1)", {BOUND}),
    ("y = CumSum (x, index)", {BOUND}),
    ("y, i = TopK <axis=2> (x, two)", {EXACT}),
    ("y = BatchNormalization (x, b2, b2, b2, b2)", {EXACT}),
    ("v = GlobalMaxPool (x) p = Reshape (v, minus) y = BatchNormalization (x, p, b2, b2, b2)", {WHOLE}),
    ("e = ReduceMax <keepdims=0> (x, nhw) y = BatchNormalization (x, b2, e, b2, b2)", {WHOLE}),
    ("q, s, p = DynamicQuantizeLinear (x) y = DequantizeLinear (q, s, p)", {WHOLE}),
    ("e = ReduceMax <keepdims=0> (x, nhw) q = QuantizeLinear <axis=1> (x, e) y = DequantizeLinear <axis=1> (q, e)",
     {WHOLE}),
    ("t = Transpose <perm=[0,1,3,2]> (x) y = Conv (t, w3)", {EXACT}),
    ("r = ReduceMax (x, h) s = Squeeze (r, h) y = Unsqueeze (s, n1s)", {EXACT}),
    ("r = ReduceMax (x, nhw) y = Squeeze (r)", {WHOLE}),
    ("y = Reshape (x, flat)", {EXACT}),
    # three neighbours in a row, where the middle of a window can lie at the end of a line: no product of rows, columns
    ("a = Conv <group=2> (x, e2) r = Reshape (a, flat) y = Conv (r, line)", {EXACT, BOUND}),
    ("y = Reshape (x, parts)", {EXACT}),
    ("r = Reshape (x, parts) e = ReduceSum (r, lines) y = Relu (e)", {EXACT}),
    ("r = Reshape (x, flat) q = Neg (r) y = Reshape (q, back)", {EXACT}),
    ("y = Flatten <axis=2> (x)", {EXACT}),
    ("y = Slice (x, from1, end, h, two)", {EXACT}),
    ("y = Slice (x, minus, far, h, minus)", {EXACT}),
    ("y = Pad (x, pads)", {EXACT}),
    ('y = Pad <mode="reflect"> (x, pads)', {EXACT}),
    ('y = Pad <mode="edge"> (x, pads)', {EXACT}),
    ('y = Pad <mode="wrap"> (x, pads)', {EXACT}),
    ("y = Pad (x, crop)", {EXACT}),
    ("n = Neg (x) y = Concat <axis=2> (x, n)", {EXACT}),
    ("y = Concat <axis=1> (x, x)", {EXACT}),
    ("a = Conv <pads=[1,1,1,1]> (x, w3) j = Concat <axis=1> (x, a) u, y = Split <axis=1, num_outputs=2> (j)", {EXACT}),
    ("u, y = Split <axis=2, num_outputs=2> (x)", {EXACT}),
    ("y = Gather <axis=2> (x, pick)", {EXACT}),
    ("y = Gather <axis=3> (x, index)", {BOUND}),
    ("y = Tile (x, times)", {EXACT}),
    ("r = ReduceMax (x, h) y = Expand (r, shape)", {EXACT}),
    ("y = SpaceToDepth <blocksize=2> (x)", {BOUND}),
    ("s = SpaceToDepth <blocksize=2> (x) y = ReduceMax (s, c)", {EXACT}),
    ("s = SpaceToDepth <blocksize=2> (x) y = DepthToSpace <blocksize=2> (s)", {BOUND}),
    ("s = Concat <axis=1> (x, x) y = DepthToSpace <blocksize=2> (s)", {BOUND}),
    ("c4 = Conv (x, f4) y = DepthToSpace <blocksize=2> (c4)", {EXACT}),
    ("a = Conv <group=2> (x, g2) d = DepthToSpace <blocksize=2> (a) y = Relu (d)", {BOUND}),
    ("y = MatMul (x, six)", {EXACT}),
    ("y = MatMul (six, x)", {EXACT}),
    ("y = MatMul (x, x)", {BOUND}),
    ("t = Transpose <perm=[0,1,3,2]> (x) a = MatMul (x, t) p = Softmax (a) y = MatMul (p, x)", {WHOLE}),
    ("r = ReduceMax <keepdims=0> (x, nch) y = MatMul (x, r)", {WHOLE}),
    ("r = ReduceMax <keepdims=0> (x, nch) y = MatMul (r, x)", {WHOLE}),
    ("m = ReduceMax <keepdims=0> (x, nc) y = Gemm <transA=1> (m, six)", {EXACT}),
    ("m = ReduceMax <keepdims=0> (x, nc) y = Gemm <transB=1> (six, m, half)", {EXACT}),
    ("y = com.microsoft.FusedMatMul <transA=1> (x, six)", {EXACT}),
    ("y = com.microsoft.FusedMatMul <transB=1> (six, x)", {EXACT}),
    ('y = Resize <mode="linear"> (x, , up)', {EXACT}),
    ('y = Resize <mode="nearest"> (x, , up)', {EXACT}),
    ('y = Resize <mode="cubic"> (x, , up)', {EXACT}),
    ('y = Resize <mode="linear", coordinate_transformation_mode="align_corners"> (x, , , odd)', {BOUND}),
    ('y = Resize <mode="nearest", coordinate_transformation_mode="asymmetric"> (x, , , odd)', {BOUND}),
    ('y = Resize <mode="linear", antialias=1> (x, , , odd)', {BOUND}),
    ('y = LogSoftmax <axis=3> (x)', {EXACT}),
    ("y = Attention (x, x, x)", {WHOLE}),
    # the keys are constant: a row of the output sees its row of the query
    ("y = Attention (x, keys, keys)", {EXACT}),
    ("y = Attention (keys, x, keys)", {WHOLE}),
    ("y = Attention <is_causal=1> (x, keys, x)", {BOUND}),
    ("q = Reshape (x, rows) y = com.microsoft.MultiHeadAttention <num_heads=2> (q, kr, kr)", {BOUND}),
    ("q = Reshape (x, rows) y = com.microsoft.MultiHeadAttention <num_heads=2> (kr, q, q)", {BOUND}),
    ("q = Reshape (x, rows) y = com.microsoft.SkipLayerNormalization (q, q, s6)", {EXACT}),
    ("q = Reshape (x, rows) a, b, d, y = com.microsoft.SkipSimplifiedLayerNormalization (q, q, s6)", {EXACT}),
    ("q = Reshape (x, rows) y = com.microsoft.Attention <num_heads=2> (q, qkv, bias)", {WHOLE}),
    ("y = RMSNormalization <axis=-1> (x, one)", {EXACT}),
    ("q = QuantizeLinear (x, sc, z) y = ConvInteger <pads=[1,0,0,1]> (q, u3, z, z)", {EXACT}),
    ("q = QuantizeLinear (x, sc, z) y = QLinearConv <pads=[1,0,0,1]> (q, sc, z, u3, sc, z, sc, z)", {EXACT}),
    ("q = QuantizeLinear (x, sc, z) y = com.microsoft.QLinearAveragePool <kernel_shape=[2,2]> (q, sc, z, sc, z)",
     {EXACT}),
    ("q = QuantizeLinear (x, sc, z) y = com.microsoft.QLinearAveragePool <kernel_shape=[2,2], channels_last=1> "
     "(q, sc, z, sc, z)", {BOUND}),
    ("q = QuantizeLinear (x, sc, z) y = com.microsoft.QLinearGlobalAveragePool (q, sc, z, sc, z)", {WHOLE}),
    ("q = QuantizeLinear (x, sc, z) y = com.microsoft.QLinearConcat <axis=2> (sc, z, q, sc, z, q, sc, z)", {EXACT}),
    ("q = QuantizeLinear (x, sc, z) y = MatMulInteger (q, whole, z, z)", {EXACT}),
    ("q = QuantizeLinear (x, sc, z) y = QLinearMatMul (q, sc, z, whole, sc, z, sc, z)", {EXACT}),
    ("m = ReduceMax <keepdims=0> (x, nc) "
     "y = com.microsoft.FusedGemm <transA=1, activation=\"Relu\"> (m, six)", {EXACT}),
    ("m = ReduceMax <keepdims=0> (x, nc) q = QuantizeLinear (m, sc, z) "
     "y = com.microsoft.QGemm (q, sc, z, whole, sc, z)", {EXACT}),
    ("q = QuantizeLinear (x, sc, z) y = com.microsoft.MatMulIntegerToFloat (q, whole, sc, sc, z, z)", {EXACT}),
    ("y = com.microsoft.DynamicQuantizeMatMul (x, whole, sc, z)", {WHOLE}),
    # an index that comes from the input itself: which part is read is not known
    ("m = ReduceMax <keepdims=0> (x) f = Cast <to=7> (m) k = Mod (f, two) e = Add (k, three) y = Slice (x, k, e, h)",
     {BOUND}),
    ("m = ReduceMax <keepdims=0> (x, hwc) f = Cast <to=7> (m) k = Mod (f, two) y = Gather <axis=2> (x, k)", {WHOLE}),
    # steps are rows and their channels the columns: a row sees itself and what came before
    ("s = Reshape (x, steps) y, e, f = LSTM <hidden_size=3> (s, lw, lr)", {BOUND}),
    ('y = Einsum <equation="nchw->nwc"> (x)', {EXACT}),
    ('y = Einsum <equation="nchw,nckw->nhk"> (x, keys)', {EXACT}),
    ('y = Einsum <equation="nchw,nckw"> (x, keys)', {EXACT}),
    ('s = Reshape (x, steps) y, e, f = LSTM <hidden_size=3, direction="reverse"> (s, lw, lr)', {BOUND}),
    ("s = Reshape (x, steps) e, y = GRU <hidden_size=3> (s, gw, gr)", {WHOLE}),
    ("s = Reshape (x, steps) e, y = GRU <hidden_size=3> (s, gw, gr, , lens)", {BOUND}),
    ('s = Reshape (x, steps) e, y = RNN <hidden_size=3, direction="bidirectional"> (s, bw, br)', {WHOLE}),
    ('s = Reshape (x, steps) b = RNN <hidden_size=3, direction="bidirectional"> (s, bw, br) y = ReduceSum (b, c)',
     {WHOLE}),
    ("m = ReduceMax <keepdims=0> (x, c) s = Transpose <perm=[1,0,2]> (m) y = RNN <hidden_size=3> (s, rw, rr)", {BOUND}),
    # a state for each of six items, which every step of the item sees
    ("m = ReduceMax <keepdims=0> (x, c) i = Slice (m, zero, three, two) y = RNN <hidden_size=3> (six3, rw, rr, , , i)",
     {EXACT}),
    ("m = ReduceMax <keepdims=0> (x, c) i = Slice (m, zero, three, two) "
     "e, y = RNN <hidden_size=3> (six3, rw, rr, , , i)", {EXACT}),
    ('y = Einsum <equation="nchw->nwc"> (x)', {EXACT}),
    ('y = Einsum <equation="nchw, wv -> nchv"> (x, six)', {EXACT}),
    ('y = Einsum <equation="...hw,...hw->...hw"> (x, x)', {EXACT}),
    ('r = ReduceMax (x, h) y = Einsum <equation="nchw,nchw->hwc"> (x, r)', {EXACT}),
    ('m = ReduceMax <keepdims=0> (x, nc) y = Einsum <equation="ba"> (m)', {EXACT}),
    ('m = ReduceMax <keepdims=0> (x, nc) y = Einsum <equation="ii->i"> (m)', {BOUND}),
    ("r = Reshape (x, rows) y = com.microsoft.RotaryEmbedding (r, at, cos, cos)", {BOUND}),
    ("y = RotaryEmbedding (x, cos3, cos3)", {BOUND}),
    ("r = Reshape (x, nine8) "
     "y = com.microsoft.GroupQueryAttention <num_heads=1, kv_num_heads=1> (r, k8, k8, , , ends, all)", {BOUND}),
    ("r = Reshape (x, nine8) "
     "y = com.microsoft.GroupQueryAttention <num_heads=1, kv_num_heads=1> (k8, r, r, , , ends, all)", {BOUND}),
    ("y = GridSample (x, grid)", {BOUND}),
    ("m = ReduceMax <keepdims=0> (x, c) u = Unsqueeze (m, three) g = Concat <axis=3> (u, u) y = GridSample (x, g)",
     {BOUND}),
    ("m = ReduceSum <keepdims=0> (x, c) u = Unsqueeze (m, three) g = Concat <axis=3> (u, u) "
     "y = GridSample <padding_mode=\"border\"> (still, g)",
     {EXACT}),
    ("y = RoiAlign <output_height=2, output_width=2> (x, box, which)", {BOUND}),
    ("y = MaxRoiPool <pooled_shape=[2,2]> (x, region)", {BOUND}),
    ("p, i = MaxPool <kernel_shape=[2,2], strides=[2,2]> (x) y = MaxUnpool <kernel_shape=[2,2], strides=[2,2]> (p, i)",
     {BOUND}),
    ("s = Squeeze (x, zero) y = ReverseSequence <batch_axis=0, time_axis=1> (s, lens2)", {BOUND}),
    ("y = Compress <axis=3> (x, which6)", {BOUND}),
    ("y = GatherElements <axis=2> (x, place)", {BOUND}),
    ("y = GatherND <batch_dims=1> (x, spot)", {BOUND}),
    ("y = GatherND (x, corner)", {BOUND}),
    ("y = DeformConv <pads=[1,1,1,1]> (x, w3, shifts)", {BOUND}),
    ("m = Mul (x, sc) y = DeformConv (still, k1, m)", {EXACT}),
    ("y = Gather <axis=2> (x, odd_rows)", {EXACT}),
    ("y = Gather <axis=3> (x, back_columns)", {EXACT}),
    ("y = Gather <axis=2> (x, three)", {EXACT}),
    ("y = CastLike (half, x)", {EXACT}),
    ("y = Trilu (x)", {BOUND}),
    ("y = CenterCropPad <axes=[2]> (x, three)", {EXACT}),
    ("y = CenterCropPad <axes=[3]> (x, nine)", {EXACT}),
    ("y = CenterCropPad (x, odd)", {EXACT}),
    ("m = ReduceMax <keepdims=0> (x) f = Cast <to=7> (m) k = Mod (f, c) e = Add (k, three) "
     "y = CenterCropPad <axes=[2]> (x, e)", {BOUND}),
    ("y = ScatterElements <axis=2> (x, place, put)", {BOUND}),
    ("r = ReduceMax (x, hw) y = ScatterElements <axis=2> (x, place, r)", {BOUND}),
    ("y = ScatterND (x, point, set)", {BOUND}),
    ("a = Shape (x) y = ConstantOfShape (a)", {EXACT}),
    ("a = Conv <pads=[1,1,1,1]> (x, w3) y = own.Relu (a)", {BOUND}),
]  # fmt: skip
MORE = {
    "groups": "int64[5] groups = {1,2,2,6,6}", "four": "int64[4] four = {1,4,6,6}",
    "keys": "float[1,2,6,6] keys = {" + ",".join(f"{(1 + k * 7 % 11) / 10}" for k in range(72)) + "}",
    "kr": "float[1,12,6] kr = {" + ",".join(f"{(1 + k * 7 % 11) / 10}" for k in range(72)) + "}",
    "qkv": "float[6,18] qkv = {" + ",".join(f"{(k * 5 % 13) / 30}" for k in range(108)) + "}",
    "bias": "float[18] bias = {" + ",".join(["0.1"] * 18) + "}",
    "s6": "float[6] s6 = {1,2,3,4,5,6}",
    "u3": "uint8[1,2,2,2] u3 = {1,2,3,4,5,6,7,8}",
    "whole": "uint8[6,6] whole = {" + ",".join(f"{1 + (k * k) % 7}" for k in range(36)) + "}",
    "sc": "float sc = {0.05}", "one": "float[1] one = {1}", "rows": "int64[3] rows = {1,12,6}",
    "place": "int64[1,2,1,1] place = {3,1}", "put": "float[1,2,1,1] put = {7,8}",
    "point": "int64[1,4] point = {0,1,2,3}", "set": "float[1] set = {9}",
    "minus": "int64[1] minus = {-1}", "far": "int64[1] far = {-99}", "nhw": "int64[3] nhw = {0,2,3}",
    "nch": "int64[3] nch = {0,1,2}", "nc": "int64[2] nc = {0,1}", "hwc": "int64[3] hwc = {1,2,3}",
    "gw": "float[1,9,6] gw = {" + ",".join(f"{0.01 * (1 + k % 9)}" for k in range(54)) + "}",
    "gr": "float[1,9,3] gr = {" + ",".join(f"{0.01 * (1 + k % 9)}" for k in range(27)) + "}",
    "bw": "float[2,3,6] bw = {" + ",".join(f"{0.01 * (1 + k % 9)}" for k in range(36)) + "}",
    "br": "float[2,3,3] br = {" + ",".join(f"{0.01 * (1 + k % 9)}" for k in range(18)) + "}",
    "rw": "float[1,3,6] rw = {" + ",".join(f"{0.01 * (1 + k % 9)}" for k in range(18)) + "}",
    "rr": "float[1,3,3] rr = {" + ",".join(f"{0.01 * (1 + k % 9)}" for k in range(9)) + "}",
    "six3": "float[4,6,6] six3 = {" + ",".join(f"{0.01 * (1 + k % 9)}" for k in range(144)) + "}",
    "still": "float[1,2,6,6] still = {" + ",".join(f"{1 + k}" for k in range(72)) + "}",
    "k1": "float[2,2,1,1] k1 = {1,2,3,4}", "nine8": "int64[3] nine8 = {1,9,8}",
    "shifts": "float[1,18,6,6] shifts = {" + ",".join(f"{(k % 5 - 2) / 4}" for k in range(648)) + "}",
    "zero": "int64[1] zero = {0}", "nine": "int64[1] nine = {9}", "lens": "int32[1] lens = {7}",
    "odd_rows": "int64[3] odd_rows = {1,3,5}", "back_columns": "int64[3] back_columns = {-1,-2,-3}",
    "at": "int64[1,12] at = {0,1,2,3,4,5,6,7,8,9,10,11}", "ends": "int32[1] ends = {8}", "all": "int32[1] all = {9}",
    "cos": "float[12,3] cos = {" + ",".join(f"{(1 + k % 7) / 10}" for k in range(36)) + "}",
    "cos3": "float[1,6,3] cos3 = {" + ",".join(f"{(1 + k % 7) / 10}" for k in range(18)) + "}",
    "k8": "float[1,9,8] k8 = {" + ",".join(f"{(1 + k % 7) / 10}" for k in range(72)) + "}",
    "grid": "float[1,2,2,2] grid = {-0.5,-0.5,0.3,-0.4,-0.2,0.6,0.1,0.1}",
    "box": "float[1,4] box = {0.5,0.5,4.5,3.5}", "which": "int64[1] which = {0}",
    "region": "float[1,5] region = {0,1,1,4,4}", "lens2": "int64[2] lens2 = {4,6}",
    "which6": "bool[6] which6 = {0,1,1,0,1,0}", "spot": "int64[1,2,2] spot = {0,3,1,4}",
    "corner": "int64[2,3] corner = {0,1,2,0,0,5}",
    "n1s": "int64[1] n1s = {2}", "lines": "int64[1] lines = {3}", "steps": "int64[3] steps = {12,1,6}",
}  # fmt: skip
HEAD = '<ir_version: 10, opset_import: ["": 23, "com.microsoft": 1, "own": 1]>'
BEFORE_OPSET_22 = ("DeformConv", "RoiAlign", "MaxRoiPool")  # onnxruntime runs no later form of them
FUNCTION = '<domain: "own", opset_import: ["": 23]> Relu (a) => (b) { s = Softmax <axis=2> (a) b = Neg (s) }'


# onnxruntime 1.24, the newest for DirectML and OpenVINO, cannot run these.
JUDGED_SINCE_1_25 = {"y = LpNormalization <axis=3> (x)", 'y = Einsum <equation="nchw->nwc"> (x)'}
MADE_SINCE_1_25 = ("DeformConv", "GroupQueryAttention")
"""Operators that onnxruntime 1.24 lacks, or has with fewer outputs."""


def model_of(nodes: str) -> onnx.ModelProto:
    words = nodes.replace("(", " ").replace(")", " ").replace(",", " ").split()
    held = ", ".join(text for name, text in {**CONSTANTS, **MORE}.items() if name in words)
    opset = HEAD.replace("23", "21") if any(op in nodes for op in BEFORE_OPSET_22) else HEAD
    head = f"{opset} g ({X}) => (y)" + (f" <{held}>" if held else "")
    model = parser.parse_model(f"{head} {{ {nodes} }}\n{FUNCTION if 'own.' in nodes else ''}")
    del model.graph.output[:]
    model.graph.output.append(onnx.ValueInfoProto(name="y"))
    return model


def seen_by_change(model: onnx.ModelProto) -> np.ndarray:
    """Return (6, 6, *y): whether y moves when a pixel, in any channel, becomes very large or small."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    still = np.random.default_rng(3).uniform(1, 2, (1, 2, 6, 6)).astype(np.float32)
    (before,) = session.run(["y"], {"x": still})
    moved = np.zeros((6, 6, *before.shape), bool)
    for channel, row, column in np.ndindex(2, 6, 6):
        for value in (1e3, -5.0):
            image = still.copy()
            image[0, channel, row, column] = value
            moved[row, column] |= session.run(["y"], {"x": image})[0] != before
    return moved


@pytest.mark.parametrize(("nodes", "statuses"), CASES, ids=[nodes for nodes, _ in CASES])
def test_a_rule_is_what_a_change_changes(nodes: str, statuses: set[Status]) -> None:
    newer = nodes in JUDGED_SINCE_1_25 or any(op in nodes for op in MADE_SINCE_1_25)
    if newer and onnxruntime.__version__.startswith("1.24."):
        pytest.skip("onnxruntime 1.24 cannot run it")
    model = model_of(nodes)
    moved = seen_by_change(model)
    graph = Graph.from_proto(model)
    types = {**infer_types(graph), "y": TensorSpec("y", "float32", moved.shape[2:])}
    found = set()
    for position in np.ndindex(*moved.shape[2:]):
        seen = region(graph, types, "y", position)
        truth, product = moved[(..., *position)], functools.reduce(np.multiply.outer, seen.masks)
        assert not (truth & ~product).any(), (position, seen.status)
        if seen.status is not BOUND:
            assert np.array_equal(truth, product), (position, truth, product)
        found.add(seen.status)
    assert found == statuses


UNARY = """
    Abs Atan Asinh Cos Celu Elu Erf Exp Gelu HardSwish Identity LeakyRelu Log Mish Neg Reciprocal Selu Sigmoid Sin
    Softplus Softsign Sqrt Tanh ThresholdedRelu
""".split()
BINARY = "Add Div Max Mean Mul Pow Sub Sum".split()


@pytest.mark.parametrize("op", UNARY)
def test_operators_of_one_operand_read_their_own_position(op: str) -> None:
    model = model_of(f"y = {op} (x)")
    assert np.array_equal(seen_by_change(model)[:, :, 0, 1], np.eye(36, dtype=bool).reshape(6, 6, 6, 6))
    assert region_of(model, (0, 1, 2, 4)) == ([2], [4])


@pytest.mark.parametrize("op", BINARY)
def test_operators_of_two_operands_are_broadcast(op: str) -> None:
    model = model_of(f"r = ReduceMax (x, h) y = {op} (x, r)")
    expected = np.zeros((6, 6), bool)
    expected[:, 4] = True
    assert np.array_equal(seen_by_change(model)[:, :, 0, 1, 2, 4], expected)
    assert region_of(model, (0, 1, 2, 4)) == (list(range(6)), [4])


def region_of(model: onnx.ModelProto, position: tuple[int, ...]) -> tuple[list[int], ...]:
    graph = Graph.from_proto(model)
    seen: Region = region(graph, infer_types(graph), "y", position)
    assert seen.status is EXACT
    return tuple(np.flatnonzero(mask).tolist() for mask in seen.masks)


def test_every_rule_is_held_against_something() -> None:
    used = {node.op_type for nodes, _ in CASES for node in model_of(nodes).graph.node}
    plain = {op for op, rule in RULES.items() if rule in (RULES["Abs"], RULES["DFT"], RULES["Shape"])}
    assert set(RULES) - used - plain <= FORMS_OF_OTHERS


FORMS_OF_OTHERS = frozenset(
    {
        "CumProd",
        "DynamicQuantizeLSTM",
        "FusedConv",
        "GlobalLpPool",
        "Hardmax",
        "MatMulNBits",
        "QLinearSoftmax",
        "SimplifiedLayerNormalization",
        "TensorScatter",
        "Upsample",
    }
    | {op for op in RULES if op.startswith(("Reduce", "Arg"))}
)

FORWARD = [
    # of channels that see 1 and 3 pixels, those are taken that see 1: the field of both is a bound
    ("a = Conv <pads=[1,1,1,1]> (x, w3) j = Concat <axis=1> (x, a) y, u = Split <axis=1, num_outputs=2> (j)", 3, BOUND),
    ("a = Conv <pads=[1,1,1,1]> (x, w3) j = Concat <axis=1> (x, a) y = Conv (j, w4)", 3, EXACT),
    # each group sees a part of them, all groups together all
    ("a = Conv <pads=[1,1,1,1]> (x, w3) j = Concat <axis=1> (x, a) y = Conv <group=4> (j, g2)", 3, EXACT),
    ("a = Conv <pads=[1,1,1,1]> (x, w3) j = Concat <axis=1> (x, a) r = Reshape (j, groups) "
     "t = Transpose <perm=[0,2,1,3,4]> (r) y = Reshape (t, four)", 3, EXACT),
    ("a = Conv <pads=[1,1,1,1]> (x, w3) j = Concat <axis=1> (x, a) r = Reshape (j, groups) "
     "t = Gather <axis=1> (r, c) y = Reshape (t, shape)", 3, BOUND),
    ("y = SpaceToDepth <blocksize=2> (x)", 2, EXACT),
    ("s = SpaceToDepth <blocksize=2> (x) y = DepthToSpace <blocksize=2> (s)", 3, BOUND),
    # each output row comes from one input row: 1, though two rows share it
    ("y = Resize <mode=\"nearest\"> (x, , up)", 1, BOUND),
    ("y = ConvTranspose <group=2, strides=[3,3]> (x, t4)", 2, BOUND),
    ("s = Reshape (x, steps) y, e, f = LSTM <hidden_size=3> (s, lw, lr)", None, WHOLE),
    ("a = Conv <pads=[1,1,1,1]> (x, w3) y = own.Relu (a)", None, WHOLE),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "size", "status"), FORWARD)
def test_fields_without_borders_say_what_they_are(nodes: str, size: int | None, status: Status) -> None:
    graph = Graph.from_proto(model_of(f"k = MaxPool <kernel_shape=[1,1]> (x) {nodes}"))
    field = receptive_fields(graph, infer_types(graph))["y"]
    assert (field.size, field.status) == (None if size is None else (size, size), status)
    assert field.size is None or all(isinstance(side, int) for side in field.size)
