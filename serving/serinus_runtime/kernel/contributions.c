/* What each column adds to a forest's raw output: exact TreeSHAP, path-dependent, as
 * artifact/tree_contributions.py describes it.
 *
 * Along a path each column has z, the share of the training rows that went the same way at its
 * nodes, and o, whether the explained row did. With f(t) = z (1 - t) + o t, a leaf of value v gives
 * column i the integral over t in [0, 1] of v (o_i - z_i) times the product of the f_j of all other
 * columns. That is a polynomial, so a few Gauss points give it exactly, and no term cancels another.
 *
 * One walk of a tree multiplies down and sums up. Where a column comes again, what its former factor
 * would have given to the leaves below is taken off.
 */
#include <stdint.h>

typedef struct {
  const double *threshold; /* nodes */
  const double *value;     /* (nodes, width) */
  const double *share;     /* nodes: share of the parent's training rows */
  const double *points, *weights;
  const int32_t *feature, *left; /* nodes */
  const int32_t *column;         /* nodes: the column that is asked; -1 at a leaf */
  const int32_t *roots;
  int64_t trees, columns, extended_width, outputs, width, n_points, depth;
} forest;

typedef struct {
  const forest *f;
  const double *row; /* extended */
  double *z, *o;     /* columns */
  double *products;  /* (depth + 1, n_points) */
  double *sums;      /* (depth + 1, n_points, width) */
  double *out;       /* (columns, outputs), at the tree's first output */
} walk;

static double factor(double z, double o, double t) { return z * (1.0 - t) + o * t; }

/* Add `sign` (o - z) times the integral of the sums without the column's own factor. */
static void credit(const walk *w, int32_t column, double z, double o, const double *sums,
                   double sign) {
  const forest *const f = w->f;
  if (o == z)
    return;
  double *const out = w->out + column * f->outputs;
  for (int64_t p = 0; p < f->n_points; p++) {
    const double own = factor(z, o, f->points[p]);
    if (own == 0.0)
      continue;
    const double scale = sign * (o - z) * f->weights[p] / own;
    for (int64_t k = 0; k < f->width; k++)
      out[k] += scale * sums[p * f->width + k];
  }
}

static void visit(walk *w, int32_t node, int64_t level) {
  const forest *const f = w->f;
  const int64_t n = f->n_points, cells = n * f->width;
  const double *const product = w->products + level * n;
  double *const sums = w->sums + level * cells;
  const int32_t column = f->column[node];
  if (column < 0 || level == f->depth) {
    for (int64_t p = 0; p < n; p++)
      for (int64_t k = 0; k < f->width; k++)
        sums[p * f->width + k] = product[p] * f->value[node * f->width + k];
    return;
  }
  for (int64_t cell = 0; cell < cells; cell++)
    sums[cell] = 0.0;
  const double z = w->z[column], o = w->o[column];
  const int32_t taken = w->row[f->feature[node]] > f->threshold[node];
  for (int32_t side = 0; side < 2; side++) {
    const int32_t child = f->left[node] + side;
    const double child_z = z * f->share[child], child_o = side == taken ? o : 0.0;
    if (child_z == 0.0 && child_o == 0.0)
      continue;
    double *const below = w->products + (level + 1) * n;
    for (int64_t p = 0; p < n; p++) {
      const double t = f->points[p];
      below[p] = product[p] / factor(z, o, t) * factor(child_z, child_o, t);
    }
    w->z[column] = child_z;
    w->o[column] = child_o;
    visit(w, child, level + 1);
    const double *const of_child = w->sums + (level + 1) * cells;
    credit(w, column, child_z, child_o, of_child, 1.0);
    credit(w, column, z, o, of_child, -1.0);
    for (int64_t cell = 0; cell < cells; cell++)
      sums[cell] += of_child[cell];
  }
  w->z[column] = z;
  w->o[column] = o;
}

/* Contributions (n_rows, columns, outputs), added to `out`, of extended rows. `scratch` has room for
 * 2 * columns + (depth + 1) * n_points * (1 + width) doubles. */
void serinus_forest_contributions(const forest *f, const double *extended, int64_t n_rows,
                                  double *scratch, double *out) {
  walk w = {.f = f, .z = scratch, .o = scratch + f->columns};
  w.products = scratch + 2 * f->columns;
  w.sums = w.products + (f->depth + 1) * f->n_points;
  for (int64_t c = 0; c < 2 * f->columns; c++)
    scratch[c] = 1.0;
  for (int64_t p = 0; p < f->n_points; p++)
    w.products[p] = 1.0;
  const int64_t of_output = f->width == 1 ? f->trees / f->outputs : f->trees;
  for (int64_t row = 0; row < n_rows; row++) {
    w.row = extended + row * f->extended_width;
    for (int64_t tree = 0; tree < f->trees; tree++) {
      w.out = out + row * f->columns * f->outputs + tree / of_output;
      visit(&w, f->roots[tree], 0);
    }
  }
}
