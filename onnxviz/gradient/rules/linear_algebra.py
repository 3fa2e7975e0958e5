"""Products of matrices. Of `y = a b` the gradient to a is `g b^T`, that to b `a^T g`."""

from __future__ import annotations

from onnxviz.gradient.emit import Signal
from onnxviz.gradient.registry import Adjoint, Gradients, rule


@rule("Gemm")
def _gemm(at: Adjoint) -> Gradients:
    """By Gemm with its flags turned round: large weights are never transposed."""
    g, alpha = at.g, float(at.node.attribute("alpha", 1.0))
    left, right = at.node.integer("transA", 0), at.node.integer("transB", 0)
    found: list[Signal | None] = [None, None, None]
    if at.wants(0):
        found[0] = _times_weights(at, g, 1, right) if not left else None
        if left:
            found[0] = at.emit.op("Gemm", at.x(1), g, transA=right, transB=1)
        found[0] = _scaled(found[0], alpha)
    if at.wants(1):
        sides = (g, at.x()) if right else (at.x(), g)
        turned = {"transA": 1, "transB": left} if right else {"transA": 1 - left}
        found[1] = _scaled(at.emit.op("Gemm", *sides, **turned), alpha)
    if at.wants(2):
        found[2] = at.fitted(_scaled(g, float(at.node.attribute("beta", 1.0))), 2)
    return found


def _scaled(signal: Signal | None, factor: float) -> Signal:
    assert signal is not None
    return signal if factor == 1 else signal * factor


def _times_weights(at: Adjoint, g: Signal, place: int, transposed: int) -> Signal:
    """Return `g` times the transpose of a Gemm's right side.

    Where that is int8 weights with a scale for each output, the scales go to the gradient: it is cheaper, and OpenVINO
    is wrong by 35 % of the greatest value where weights are scaled along the axis that is summed.
    """
    found = at.emit.scaled_codes(at.node.inputs[place])
    if found is not None and found.axis == 1 - transposed:
        return at.emit.op("Gemm", g * found.scale, found.codes, transB=1 - transposed)
    return at.emit.op("Gemm", g, at.x(place), transB=1 - transposed)


@rule("MatMul")
def _mat_mul(at: Adjoint) -> Gradients:
    """Vectors become matrices of one row or column; batches that were broadcast are summed."""
    ranks = at.rank(0), at.rank(1)
    g, a, b = at.g, at.x(0), at.x(1)
    if ranks[0] == 1:
        a, g = a.unsqueeze([0]), g.unsqueeze([-2 if ranks[1] > 1 else -1])
    if ranks[1] == 1:
        b, g = b.unsqueeze([1]), g.unsqueeze([-1])
    left, right = max(ranks[0], 2), max(ranks[1], 2)
    return [
        _summed_batches(at, at.emit.op("MatMul", g, swapped(b, right)), 0) if at.wants(0) else None,
        _summed_batches(at, at.emit.op("MatMul", swapped(a, left), g), 1) if at.wants(1) else None,
    ]


def swapped(matrix: Signal, rank: int) -> Signal:
    """Return matrices with their last two axes swapped."""
    return matrix.transpose([*range(rank - 2), rank - 1, rank - 2])


def _summed_batches(at: Adjoint, gradient: Signal, place: int) -> Signal:
    """Return the gradient of an operand, summed over the batches along which it was repeated."""
    own, other = at.shape(place), at.shape(1 - place)
    rank = max(len(own), len(other), 2)
    if len(own) <= 2:
        summed = gradient.total(list(range(rank - 2)), keep=False)
        return at.like(summed, place) if len(own) == 1 else summed
    batches, others = own[:-2], other[:-2]
    lead = len(batches) - len(others)
    if lead >= 0 and all((a == b and a is not None) or b == 1 for a, b in zip(batches[lead:], others, strict=True)):
        return gradient
    made, narrow = gradient.sizes(), at.sizes(place)
    return at.emit.summed_to(gradient, made, narrow)


@rule("FusedMatMul")
def _fused_mat_mul(at: Adjoint) -> Gradients:
    """MatMul of sides that may be transposed, times alpha."""
    if at.node.integer("transBatchA", 0) or at.node.integer("transBatchB", 0) or min(at.rank(0), at.rank(1)) < 2:
        at.refuse("its batches are turned round, or a side is a vector")
    ranks = at.rank(0), at.rank(1)
    left, right = at.node.integer("transA", 0), at.node.integer("transB", 0)
    a, b = (swapped(at.x(k), ranks[k]) if flag else at.x(k) for k, flag in enumerate((left, right)))
    g = _scaled(at.g, float(at.node.attribute("alpha", 1.0)))
    found: list[Signal | None] = [None, None]
    for place, flag in ((0, left), (1, right)):
        if at.wants(place):
            product = at.emit.op("MatMul", *((g, swapped(b, ranks[1])) if place == 0 else (swapped(a, ranks[0]), g)))
            turned = swapped(product, max(ranks)) if flag else product
            found[place] = _summed_batches(at, turned, place)
    return found


@rule("Einsum")
def _einsum(at: Adjoint) -> Gradients:
    """The gradient of an operand is the Einsum of the result's gradient and the other operands, onto its letters."""
    operands, _, result = at.node.text("equation", "").replace(" ", "").partition("->")
    terms = operands.split(",")
    if "..." in operands or (not result and "->" not in at.node.text("equation", "")):
        at.refuse("its equation leaves axes or the result open")
    if any(len(set(term)) < len(term) for term in terms):
        at.refuse("its equation names an axis of an operand twice")
    found: list[Signal | None] = []
    for place, term in enumerate(terms):
        if not at.wants(place):
            found.append(None)
            continue
        others = [(each, at.x(k)) for k, each in enumerate(terms) if k != place]
        found.append(_onto(at, place, term, [(result, at.g), *others]))
    return found


def _onto(at: Adjoint, place: int, term: str, factors: list[tuple[str, Signal]]) -> Signal:
    """Return a product of factors laid onto the letters of an operand; letters that no factor has are repeated."""
    present = {letter for letters, _ in factors for letter in letters}
    kept = "".join(letter for letter in term if letter in present)
    equation = f"{','.join(letters for letters, _ in factors)}->{kept}"
    product = at.emit.op("Einsum", *(signal for _, signal in factors), equation=equation)
    if kept == term:
        return product
    absent = [axis for axis, letter in enumerate(term) if letter not in present]
    return at.emit.op("Expand", product.unsqueeze(absent), at.sizes(place))


@rule("Det")
def _det(at: Adjoint) -> Gradients:
    """det(x) * x^-T; ONNX has no inverse, so the cofactors of 2 x 2 and 3 x 3 matrices are written out."""
    shape = at.shape()
    if shape[-1] not in (1, 2, 3):
        at.refuse("the determinant of matrices above 3 x 3 needs an inverse, which ONNX does not have")
    rank, size = len(shape), int(shape[-1])
    g = at.g.unsqueeze([-1, -2]) if rank > 2 else at.g.reshape([1, 1])
    cells = {
        (i, j): at.x().slice(i, i + 1, rank - 2).slice(j, j + 1, rank - 1) for i in range(size) for j in range(size)
    }
    rows = [at.emit.concat([_cofactor(cells, size, i, j, g) for j in range(size)], axis=rank - 1) for i in range(size)]
    return g * at.emit.concat(rows, axis=rank - 2)


def _cofactor(cells: dict[tuple[int, int], Signal], size: int, i: int, j: int, g: Signal) -> Signal:
    rows = [row for row in range(size) if row != i]
    columns = [column for column in range(size) if column != j]
    if size == 1:
        return cells[0, 0] * 0.0 + 1.0
    if size == 2:
        minor = cells[rows[0], columns[0]]
    else:
        (a, b), (c, d) = rows, columns
        minor = cells[a, c] * cells[b, d] - cells[a, d] * cells[b, c]
    return -minor if (i + j) % 2 else minor
