/* Walks all trees of a forest, as artifact/forest.py describes them, and sums their leaves.
 *
 * The layout makes each step the same: node = left + (x[feature] > threshold), where a leaf is its
 * own left child and never answers "greater". So eight walks go on side by side without a branch,
 * and while one waits for memory the others compute.
 *
 * Sums are taken in the order of the trees, one addition after the other in double precision, as
 * scikit-learn does: the answers have the same bits. Compile without -ffast-math.
 */
#include <math.h>
#include <stdint.h>

#define LANES 8
#define LEAF_CHECK_STEPS 4
#define CATEGORIES 257 /* the last one: missing, negative or not known */

typedef struct {
  double threshold;
  int32_t feature;
  int32_t left;
} node;

typedef struct {
  const node *nodes;
  const double *values; /* (nodes, value_width) */
  const int32_t *roots;
  const double *baseline;           /* (outputs) */
  const int32_t *category_feature;  /* (splits) */
  const uint8_t *category_second;   /* (splits, CATEGORIES) */
  int64_t trees, features, splits, outputs, value_width;
  int32_t depth, is_mean, single_precision;
} forest;

/* [x, -x, 0, answers of categorical splits] of one row. */
static void extend(const forest *f, const double *row, double *extended) {
  const int64_t n = f->features;
  for (int64_t j = 0; j < n; j++) {
    const double x = f->single_precision ? (double)(float)row[j] : row[j];
    extended[j] = x;
    extended[n + j] = -x;
  }
  extended[2 * n] = 0.0;
  for (int64_t j = 0; j < f->splits; j++) {
    const double x = extended[f->category_feature[j]];
    const int64_t code = x >= 0.0 && x < CATEGORIES - 1 ? (int64_t)x : CATEGORIES - 1;
    extended[2 * n + 1 + j] = f->category_second[j * CATEGORIES + code];
  }
}

/* Eight walks: lane i from at[i], over rows[i], until all are at leaves. */
static void walk(const forest *f, const double *const rows[LANES], int32_t at[LANES]) {
  const node *const nodes = f->nodes;
  for (int32_t step = 0; step < f->depth; step += LEAF_CHECK_STEPS) {
    int32_t moved = 0;
    for (int again = 0; again < LEAF_CHECK_STEPS; again++) {
      moved = 0;
      for (int i = 0; i < LANES; i++) {
        const node *const one = nodes + at[i];
        const int32_t next = one->left + (rows[i][one->feature] > one->threshold);
        moved |= next ^ at[i];
        at[i] = next;
      }
    }
    if (!moved)
      return;
  }
}

static void start(const forest *f, double *out) {
  for (int64_t k = 0; k < f->outputs; k++)
    out[k] = f->is_mean ? -0.0 : f->baseline[k]; /* -0 + x is x, whatever the sign of x */
}

static void add(const forest *f, int64_t tree, int32_t leaf, double *out) {
  const double *const value = f->values + leaf * f->value_width;
  if (f->is_mean) {
    for (int64_t k = 0; k < f->outputs; k++)
      out[k] += value[k];
  } else {
    out[tree / (f->trees / f->outputs)] += value[0];
  }
}

static void finish(const forest *f, double *out) {
  if (f->is_mean)
    for (int64_t k = 0; k < f->outputs; k++)
      out[k] /= (double)f->trees;
}

/* One row: eight trees at once. */
static void one_row(const forest *f, const double *extended, double *out) {
  const double *rows[LANES];
  int32_t at[LANES];
  for (int i = 0; i < LANES; i++)
    rows[i] = extended;
  start(f, out);
  for (int64_t first = 0; first < f->trees; first += LANES) {
    const int64_t n = f->trees - first < LANES ? f->trees - first : LANES;
    for (int i = 0; i < LANES; i++)
      at[i] = f->roots[first + (i < n ? i : 0)];
    walk(f, rows, at);
    for (int64_t i = 0; i < n; i++)
      add(f, first + i, at[i], out);
  }
  finish(f, out);
}

/* Eight rows: one tree at a time. */
static void eight_rows(const forest *f, const double *extended, int64_t width, double *out) {
  const double *rows[LANES];
  int32_t at[LANES];
  for (int i = 0; i < LANES; i++) {
    rows[i] = extended + i * width;
    start(f, out + i * f->outputs);
  }
  for (int64_t tree = 0; tree < f->trees; tree++) {
    for (int i = 0; i < LANES; i++)
      at[i] = f->roots[tree];
    walk(f, rows, at);
    for (int i = 0; i < LANES; i++)
      add(f, tree, at[i], out + i * f->outputs);
  }
  for (int i = 0; i < LANES; i++)
    finish(f, out + i * f->outputs);
}

/* Raw outputs (n_rows, outputs) of rows (n_rows, features). `scratch` has room for eight extended
 * rows: 8 * (2 * features + 1 + splits) doubles. */
void serinus_forest_raw(const forest *f, const double *rows, int64_t n_rows, double *scratch,
                        double *out) {
  const int64_t width = 2 * f->features + 1 + f->splits;
  int64_t row = 0;
  for (; row + LANES <= n_rows; row += LANES) {
    for (int i = 0; i < LANES; i++)
      extend(f, rows + (row + i) * f->features, scratch + i * width);
    eight_rows(f, scratch, width, out + row * f->outputs);
  }
  for (; row < n_rows; row++) {
    extend(f, rows + row * f->features, scratch);
    one_row(f, scratch, out + row * f->outputs);
  }
}
