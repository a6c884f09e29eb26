"""What each column adds to a forest's raw output: exact TreeSHAP, path-dependent.

The contribution of a column is its Shapley value in the game whose players are the columns and in
which a set of columns is worth what the forest expects of a row of which only they are known. Where
an unknown column is asked, both ways are taken, by the share of the training rows that went there.

For one leaf of value v, each column on its path has z, the product of these shares over its nodes,
and o, 1 where the row itself goes that way at all of them, else 0. Its Shapley value is

    v (o_i - z_i) * integral over t in [0, 1] of product over j != i of (z_j (1 - t) + o_j t)

a polynomial in t, which Gauss points integrate exactly. What is summed over the leaves below a node
is shared by all of them: one walk of a tree, in C or, for all rows at once, in NumPy.

References
----------
Lundberg et al. (2020), "From local explanations to global understanding with explainable AI for
trees"; Bifet, Read and Xu (2022), "Linear TreeShap".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.forest import FloatArray, Forest, IntArray
from serinus_runtime.kernel.contribution_kernel import ContributionKernel, contribution_kernel

DEPTH_MAX = 400
"""Deeper trees aren't explained: the walk goes as deep on the stack."""

Sums: TypeAlias = FloatArray
"""(n_rows, n_points, width): leaves below a node, each times its path's product at each point."""


@dataclass(frozen=True, slots=True, eq=False)
class TreeContributions:
    """Explains one forest. `cover` is the weight of the training rows at each node, (nodes,)."""

    forest: Forest
    cover: FloatArray
    column: IntArray = field(init=False, repr=False)
    share: FloatArray = field(init=False, repr=False)
    points: FloatArray = field(init=False, repr=False)
    weights: FloatArray = field(init=False, repr=False)
    base: FloatArray = field(init=False, repr=False)
    """(n_outputs,): what the forest expects of a row of which nothing is known."""
    _kernel: ContributionKernel | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        forest = self.forest
        _check_trees(forest, self.cover)
        columns_on_a_path = max(1, min(forest.depth, forest.n_features))
        points, weights = np.polynomial.legendre.leggauss((columns_on_a_path + 1) // 2)
        made = {
            "column": _asked_columns(forest),
            "share": _shares(forest, self.cover),
            "points": (points + 1.0) / 2.0,
            "weights": weights / 2.0,
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "base", self._expected())
        object.__setattr__(self, "_kernel", contribution_kernel(self))

    def of(self, rows: FloatArray) -> FloatArray:
        """Contributions (n_rows, n_columns, n_outputs) of rows (n_rows, n_columns).

        With `base` they sum to `forest.raw(rows)`.
        """
        extended = self.forest.extended(rows)
        if self._kernel is None:
            return self._scaled(self.in_numpy(extended))
        return self._scaled(self._kernel.contributions(extended))

    def in_numpy(self, extended: FloatArray) -> FloatArray:
        """Sums over the trees of extended rows, where the C library wasn't built."""
        forest = self.forest
        out = np.zeros((len(extended), forest.n_features, forest.n_outputs))
        of_output = len(forest.roots) if forest.is_mean else len(forest.roots) // forest.n_outputs
        for tree, root in enumerate(forest.roots.tolist()):
            first = tree // of_output
            of_tree = out[:, :, first : first + forest.value.shape[1]]
            _Walk(self, extended, of_tree).from_root(root)
        return out

    def _scaled(self, sums: FloatArray) -> FloatArray:
        return sums / len(self.forest.roots) if self.forest.is_mean else sums

    def _expected(self) -> FloatArray:
        """The forest's outputs with nothing known: leaves by the share of rows that reach them."""
        forest = self.forest
        reached = np.zeros(len(forest.feature))
        reached[forest.roots] = 1.0
        level = forest.roots
        for _ in range(forest.depth):
            level = level[self.column[level] >= 0]
            for side in (0, 1):
                child = forest.left[level] + side
                reached[child] = reached[level] * self.share[child]
            level = np.concatenate([forest.left[level], forest.left[level] + 1])
        _require_trees(not (self.column[level] >= 0).any())
        leaves = np.where(self.column[:, np.newaxis] < 0, forest.value, 0.0)
        if forest.is_mean:
            mean: FloatArray = reached @ leaves / len(forest.roots)
            return mean
        trees = np.searchsorted(forest.roots, np.arange(len(reached)), side="right") - 1
        output = trees // (len(forest.roots) // forest.n_outputs)
        sums = np.bincount(output, reached * leaves[:, 0], minlength=forest.n_outputs)
        expected: FloatArray = forest.baseline + sums
        return expected


def _asked_columns(forest: Forest) -> IntArray:
    """The column that each node asks; -1 at a leaf, which is its own child."""
    n = forest.n_features
    asked = forest.feature
    column = np.where(asked < n, asked, asked - n)
    if len(forest.category_feature):
        split = np.clip(asked - (2 * n + 1), 0, len(forest.category_feature) - 1)
        column = np.where(asked > 2 * n, forest.category_feature[split], column)
    is_leaf = forest.left == np.arange(len(forest.left))
    return np.where(is_leaf | (asked == 2 * n), -1, column).astype(np.int32)


def _shares(forest: Forest, cover: FloatArray) -> FloatArray:
    """The share of the training rows of its parent that each node got; 1 at a root."""
    share = np.ones(len(cover))
    first = forest.left[_asked_columns(forest) >= 0]
    both = cover[first] + cover[first + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        for side in (0, 1):
            share[first + side] = np.where(both > 0, cover[first + side] / both, 0.5)
    return share


def _check_trees(forest: Forest, cover: FloatArray) -> None:
    """Refuse what isn't a table of trees: a walk down all branches of a cycle has no end."""
    inner = forest.left[_asked_columns(forest) >= 0]
    parents = np.bincount(
        np.concatenate([inner, inner + 1, forest.roots]), minlength=len(forest.left)
    )
    _require_trees(
        forest.depth <= DEPTH_MAX
        and len(parents) == len(forest.left) == len(cover)
        and int(parents.max()) <= 1
        and bool(np.isfinite(cover).all() and (cover >= 0).all())
        and (forest.is_mean or bool((np.diff(forest.roots) > 0).all()))
    )


def _require_trees(fits: bool) -> None:  # noqa: FBT001  what fits is said by its name
    if not fits:
        raise FormatRefused("arrays.npz: the tables of the forest aren't trees that were trained")


@dataclass(slots=True, eq=False)
class _Walk:
    """One walk of a tree with all rows; `out` (n_rows, n_columns, width) is added to.

    `known` has z and o of each column on the path: a number, and one for each row.
    """

    of: TreeContributions
    extended: FloatArray
    out: FloatArray
    known: dict[int, tuple[float, FloatArray]] = field(default_factory=dict)

    def from_root(self, root: int) -> None:
        self._below(root, np.ones((len(self.extended), len(self.of.points))))

    def _below(self, node: int, product: FloatArray) -> Sums:
        forest, column = self.of.forest, int(self.of.column[node])
        if column < 0:
            leaf: Sums = product[:, :, np.newaxis] * forest.value[node]
            return leaf
        z, o = before = self.known.get(column, (1.0, np.ones(len(self.extended))))
        rest = product / self._factor(z, o)
        taken = self.extended[:, forest.feature[node]] > forest.threshold[node]
        sums: Sums = np.zeros((*product.shape, forest.value.shape[1]))
        for side in (0, 1):
            child = int(forest.left[node]) + side
            now = (z * float(self.of.share[child]), np.where(taken == side, o, 0.0))
            self.known[column] = now
            below = self._below(child, np.nan_to_num(rest * self._factor(*now), nan=0.0))
            self._credit(column, now, below, 1.0)
            self._credit(column, before, below, -1.0)
            sums += below
        self.known[column] = before
        return sums

    def _factor(self, z: float, o: FloatArray) -> FloatArray:
        return z * (1.0 - self.of.points) + o[:, np.newaxis] * self.of.points

    def _credit(self, column: int, own: tuple[float, FloatArray], sums: Sums, sign: float) -> None:
        z, o = own
        factor = self._factor(z, o)
        rate = np.divide(self.of.weights, factor, out=np.zeros_like(factor), where=factor != 0.0)
        self.out[:, column] += sign * (o - z)[:, np.newaxis] * np.einsum("rp,rpk->rk", rate, sums)
