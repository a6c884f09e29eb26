/* Packs the trees of a forest, as artifact/forest.py describes them, and walks them.
 *
 * A packed node is 8 bytes, or 16 where that isn't enough. Siblings are neighbours, so each step is
 * the same: at += step + (x[feature] > threshold). A leaf stays where it is: its step is 0, and it
 * asks a cell that is NaN, which isn't greater than anything; in place of a threshold it has the
 * number of its value. Below a node first comes what is below its larger child, so that a walk
 * mostly goes on in the cache line where it is. Equal values that come again soon are kept once.
 *
 * Where a model rounds its inputs to 32 bits, thresholds are rounded too, down. If t is the largest
 * float that isn't above T, then x > t says the same as x > T of each float x: what is above T is
 * above t, and a float above t can't be one of those that aren't above T.
 *
 * Many walks go on at once, of many rows down one tree or of one row down many, without a branch in
 * them: while one waits for memory the others compute. Every few steps those that ended leave.
 *
 * Sums are taken in the order of the trees, one addition after the other in double precision, as
 * scikit-learn does: the answers have the same bits. Compile without -ffast-math.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define WALKS 64       /* that go on at once: rows times trees */
#define LANES 8        /* of them, side by side */
#define CATEGORIES 257 /* the last one: missing, negative or not known */
#define RECENT_BITS 10 /* of hashes of values, among which an equal one is looked for */

/* What has an `is_wide` is there twice, once for each kind of node: it is a constant. */
#define FOR_BOTH static inline __attribute__((always_inline))

typedef struct {
  union {
    float threshold;
    uint32_t value; /* of a leaf */
  };
  uint16_t feature, step;
} narrow;

typedef struct {
  union {
    double threshold;
    uint32_t value;
  };
  uint32_t feature, step;
} wide;

typedef struct {
  const void *nodes;               /* narrow or wide */
  const double *values;            /* (values, outputs if is_mean, else 1) */
  const int32_t *roots;            /* (trees): places in nodes */
  const double *baseline;          /* (outputs) */
  const int32_t *category_feature; /* (splits) */
  const uint8_t *category_second;  /* (splits, CATEGORIES) */
  int64_t trees, features, splits, outputs;
  int32_t steps; /* that walks go on until it is asked which of them have ended */
  int32_t is_mean, single_precision, is_wide;
} forest;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- The walk ---- */

FOR_BOTH const char *below(const char *at, const char *row, int is_wide) {
  if (is_wide) {
    const wide *const node = (const wide *)at;
    const double x = ((const double *)row)[node->feature];
    return (const char *)(node + node->step + (x > node->threshold));
  }
  const narrow *const node = (const narrow *)at;
  const float x = ((const float *)row)[node->feature];
  return (const char *)(node + node->step + (x > node->threshold));
}

FOR_BOTH int is_leaf(const char *at, int is_wide) {
  return is_wide ? ((const wide *)at)->step == 0 : ((const narrow *)at)->step == 0;
}

FOR_BOTH uint32_t value_of(const char *leaf, int is_wide) {
  return is_wide ? ((const wide *)leaf)->value : ((const narrow *)leaf)->value;
}

/* `n` walks, each from at[i] over rows[i], to their leaves. */
FOR_BOTH void walk(const char **at, const char *const *rows, int n, int steps, int is_wide) {
  uint8_t going[WALKS];
  for (int i = 0; i < n; i++)
    going[i] = (uint8_t)i;
  while (n > 0) {
    int i = 0, kept = 0;
    for (; i + LANES <= n; i += LANES) {
      const char *now[LANES], *row[LANES];
      uint8_t walks[LANES];
      memcpy(walks, going + i, sizeof walks);
      for (int lane = 0; lane < LANES; lane++) {
        now[lane] = at[walks[lane]];
        row[lane] = rows[walks[lane]];
      }
      for (int step = 0; step < steps; step++)
        for (int lane = 0; lane < LANES; lane++)
          now[lane] = below(now[lane], row[lane], is_wide);
      for (int lane = 0; lane < LANES; lane++) {
        at[walks[lane]] = now[lane];
        going[kept] = walks[lane];
        kept += !is_leaf(now[lane], is_wide);
      }
    }
    for (; i < n; i++) {
      const uint8_t one = going[i];
      for (int step = 0; step < steps; step++)
        at[one] = below(at[one], rows[one], is_wide);
      going[kept] = one;
      kept += !is_leaf(at[one], is_wide);
    }
    n = kept;
  }
}

FOR_BOTH void set(char *row, int64_t cell, double x, int is_wide) {
  if (is_wide)
    ((double *)row)[cell] = x;
  else
    ((float *)row)[cell] = (float)x;
}

/* [x, -x, NaN, answers of categorical splits] of one row. */
FOR_BOTH void extend(const forest *f, const double *row, char *extended, int is_wide) {
  const int64_t n = f->features;
  for (int64_t j = 0; j < n; j++) {
    const double x = f->single_precision ? (double)(float)row[j] : row[j];
    set(extended, j, x, is_wide);
    set(extended, n + j, -x, is_wide);
  }
  set(extended, 2 * n, NAN, is_wide);
  for (int64_t j = 0; j < f->splits; j++) {
    const double cell = row[f->category_feature[j]];
    const double x = f->single_precision ? (double)(float)cell : cell;
    const int64_t code = x >= 0.0 && x < CATEGORIES - 1 ? (int64_t)x : CATEGORIES - 1;
    set(extended, 2 * n + 1 + j, f->category_second[j * CATEGORIES + code], is_wide);
  }
}

/* Adds the leaves of `n` rows in one tree. */
FOR_BOTH void add(const forest *f, const char *const *leaves, int64_t n, double *out, int is_wide) {
  const int64_t outputs = f->outputs, width = f->is_mean ? outputs : 1;
  for (int64_t i = 0; i < n; i++) {
    const double *const value = f->values + value_of(leaves[i], is_wide) * width;
    for (int64_t k = 0; k < width; k++)
      out[i * outputs + k] += value[k];
  }
}

/* At most WALKS rows: down as many trees at once as then have a walk. */
FOR_BOTH void some_rows(const forest *f, const double *rows, int64_t n, char *scratch, double *out,
                        int is_wide) {
  const int64_t outputs = f->outputs, width = 2 * f->features + 1 + f->splits;
  const int64_t row_size = width * (int64_t)(is_wide ? sizeof(double) : sizeof(float));
  const int64_t node_size = is_wide ? sizeof(wide) : sizeof(narrow);
  const int64_t at_once = smaller(WALKS / n, f->trees);
  const char *at[WALKS], *of_walk[WALKS];
  for (int64_t i = 0; i < n; i++) {
    char *const row = scratch + i * row_size;
    extend(f, rows + i * f->features, row, is_wide);
    for (int64_t walks = i; walks < at_once * n; walks += n)
      of_walk[walks] = row;
    for (int64_t k = 0; k < outputs; k++)
      out[i * outputs + k] = f->is_mean ? -0.0 : f->baseline[k]; /* -0 + x is x, also of a 0 */
  }
  const int64_t of_output = f->is_mean ? f->trees : f->trees / outputs;
  double *to = out;
  for (int64_t first = 0, same_output = of_output; first < f->trees; first += at_once) {
    const int64_t trees = smaller(at_once, f->trees - first);
    for (int64_t tree = 0, walks = 0; tree < trees; tree++)
      for (int64_t i = 0; i < n; i++)
        at[walks++] = (const char *)f->nodes + f->roots[first + tree] * node_size;
    walk(at, of_walk, (int)(trees * n), f->steps, is_wide);
    for (int64_t tree = 0; tree < trees; tree++, same_output--) {
      if (same_output == 0) {
        same_output = of_output;
        to++;
      }
      add(f, at + tree * n, n, to, is_wide);
    }
  }
  if (f->is_mean)
    for (int64_t cell = 0; cell < n * outputs; cell++)
      out[cell] /= (double)f->trees;
}

/* Raw outputs (n_rows, outputs) of rows (n_rows, features). `scratch` has room for WALKS extended
 * rows, or for `n_rows` if they are fewer: 2 * features + 1 + splits cells each, doubles of wide nodes
 * and floats of narrow ones. */
void serinus_forest_raw(const forest *f, const double *rows, int64_t n_rows, double *scratch,
                        double *out) {
  for (int64_t done = 0; done < n_rows; done += WALKS) {
    const int64_t n = smaller(WALKS, n_rows - done);
    if (f->is_wide)
      some_rows(f, rows + done * f->features, n, (char *)scratch, out + done * f->outputs, 1);
    else
      some_rows(f, rows + done * f->features, n, (char *)scratch, out + done * f->outputs, 0);
  }
}

/* ---- The packing ---- */

typedef struct {
  const double *threshold, *value; /* (nodes), (nodes, width) */
  const int32_t *feature, *left;   /* (nodes) */
  const int32_t *roots;            /* (trees) */
  int64_t count, trees, width, constant, depth;
} tables;

/* What is made: `nodes` has room for one more than there are of each tree, `values` for those of all
 * nodes. */
typedef struct {
  void *nodes;
  double *values;
  int32_t *roots; /* (trees) */
  int64_t value_count;
} packed;

/* Where one tree stands in the tables, and what is made out about its nodes. */
typedef struct {
  int64_t first, end;
  int32_t *size;         /* nodes below each, itself too */
  int32_t *place, *rest; /* where each goes, and what is below it; from the root's place */
} tree;

/* Whether these are the nodes of one tree, level by level, as deep as told: the children of the
 * first node that asks, then those of the second. Each but the root is somebody's child. */
static int is_tree(const tables *t, const tree *one) {
  int64_t next = one->first + 1, level_end = next, depth = 0;
  for (int64_t i = one->first; i < one->end; i++) {
    if (i >= next)
      return 0;
    if (i == level_end) {
      depth++;
      level_end = next;
    }
    if (t->feature[i] == t->constant) {
      if (t->left[i] != i || 0.0 > t->threshold[i])
        return 0;
    } else {
      if (t->left[i] != next)
        return 0;
      next += 2;
    }
  }
  return next == one->end && depth <= t->depth;
}

static void measure(const tables *t, const tree *one) {
  const int64_t first = one->first;
  for (int64_t i = one->end - 1; i >= first; i--) {
    const int64_t left = t->left[i];
    one->size[i - first] =
        left == i ? 1 : 1 + one->size[left - first] + one->size[left + 1 - first];
  }
}

/* The number of a value, which is kept if it isn't yet. */
static uint32_t number(const tables *t, packed *p, const double *value, uint32_t *recent) {
  const size_t bytes = (size_t)t->width * sizeof *value;
  uint64_t hash = 0;
  for (int64_t k = 0; k < t->width; k++) {
    uint64_t bits;
    memcpy(&bits, value + k, sizeof bits);
    hash = (hash ^ bits) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
  }
  uint32_t *const known = recent + (hash >> (64 - RECENT_BITS));
  if (*known >= p->value_count || memcmp(p->values + *known * t->width, value, bytes) != 0) {
    memcpy(p->values + p->value_count * t->width, value, bytes);
    *known = (uint32_t)p->value_count++;
  }
  return *known;
}

/* The largest float that isn't above T. */
static float rounded_down(double T) {
  const float t = (float)T;
  return (double)t > T ? nextafterf(t, -INFINITY) : t;
}

/* Writes the nodes of a tree to their places, which follow `root`; 0 where they don't fit. */
FOR_BOTH int place(const tables *t, packed *p, const tree *one, int64_t root, uint32_t *recent,
                   int is_wide) {
  const uint32_t constant = (uint32_t)t->constant;
  wide *const wides = (wide *)p->nodes + root;
  narrow *const narrows = (narrow *)p->nodes + root;
  /* A root's neighbour is nobody: so siblings are never in two cache lines. */
  if (is_wide)
    wides[1] = (wide){.feature = constant};
  else
    narrows[1] = (narrow){.feature = (uint16_t)constant};
  one->place[0] = 0;
  one->rest[0] = 2;
  for (int64_t i = 0; i < one->end - one->first; i++) {
    const int64_t from = one->first + i, left = t->left[from] - one->first;
    const int32_t to = one->place[i], rest = one->rest[i];
    if (left == i) {
      const uint32_t value = number(t, p, t->value + from * t->width, recent);
      if (is_wide)
        wides[to] = (wide){.value = value, .feature = constant};
      else
        narrows[to] = (narrow){.value = value, .feature = (uint16_t)constant};
      continue;
    }
    const int32_t larger = one->size[left + 1] > one->size[left];
    one->place[left] = rest;
    one->place[left + 1] = rest + 1;
    one->rest[left + larger] = rest + 2;
    one->rest[left + !larger] = rest + 1 + one->size[left + larger];
    const uint32_t step = (uint32_t)(rest - to), feature = (uint32_t)t->feature[from];
    if (is_wide)
      wides[to] = (wide){{t->threshold[from]}, feature, step};
    else if (step <= UINT16_MAX)
      narrows[to] =
          (narrow){{rounded_down(t->threshold[from])}, (uint16_t)feature, (uint16_t)step};
    else
      return 0;
  }
  return 1;
}

/* Packs all trees; 0 where the tables aren't trees, one after the other, or their nodes don't fit
 * into those of that kind. `scratch` has room for 3 * count numbers. */
int32_t serinus_forest_pack(const tables *t, packed *p, int32_t is_wide, int32_t *scratch) {
  uint32_t recent[1 << RECENT_BITS];
  memset(recent, 0xff, sizeof recent);
  p->value_count = 0;
  tree one = {0, 0, scratch, scratch + t->count, scratch + 2 * t->count};
  for (int64_t k = 0; k < t->trees; k++) {
    const int64_t root = one.end + k;
    one.first = one.end;
    one.end = k + 1 < t->trees ? t->roots[k + 1] : t->count;
    if (t->roots[k] != one.first || one.end <= one.first || !is_tree(t, &one))
      return 0;
    measure(t, &one);
    p->roots[k] = (int32_t)root;
    if (!(is_wide ? place(t, p, &one, root, recent, 1) : place(t, p, &one, root, recent, 0)))
      return 0;
  }
  return 1;
}
