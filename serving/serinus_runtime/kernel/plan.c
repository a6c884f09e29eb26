/* Runs a whole plan, as artifact/plan.py describes it: column operations, a model, a link.
 *
 * Rows go through in chunks; within one, row by row through the operations. Each step writes to a
 * place of its own, so that none reads what it has overwritten. What a step does is what NumPy does
 * with a row, value by value; only sums of products and exponentials may end in another last bit.
 * Compile without -ffast-math.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_ROWS 64
#define STACK_CELLS 4096

enum { SELECT, CAST, IMPUTE, MISSING_INDICATOR, SCALE, ORDINAL, ONE_HOT, CONCATENATE };
enum { IDENTITY, SIGMOID, SIGMOID_OF_DOUBLE, SOFTMAX, EXP };

typedef struct {
  int32_t kind, n, width_in, width_out;
  int64_t integers, first, second; /* where its numbers begin, in the plan's pools */
} step;

typedef struct {
  const step *steps;
  const int32_t *integers;
  const double *numbers;
  const double *weights;   /* (width, outputs), NULL for a forest */
  const double *intercept; /* (outputs) */
  const void *forest;
  int64_t inputs, width, outputs, answers, room, forest_room; /* the last one: of each row */
  int32_t count, link;
} plan;

void serinus_forest_raw(const void *forest, const double *rows, int64_t n_rows, double *scratch,
                        double *out);

/* Place of a code in the look-up table of column j: a missing value has the last one. */
static int64_t slot(const int32_t *start, int64_t j, double code) {
  const int64_t last = start[j + 1] - 1;
  if (!(code >= 0.0 && code < (double)(last - start[j])))
    return last;
  return start[j] + (int64_t)code;
}

static void apply(const plan *p, const step *s, const double *x, double *y) {
  const int32_t *const integers = p->integers + s->integers;
  const double *const first = p->numbers + s->first;
  const double *const second = p->numbers + s->second;
  const int64_t width = s->width_in;
  switch (s->kind) {
  case SELECT:
    for (int64_t j = 0; j < s->n; j++)
      y[j] = x[integers[j]];
    break;
  case CAST:
    for (int64_t j = 0; j < width; j++)
      y[j] = (double)(float)x[j];
    break;
  case IMPUTE:
    for (int64_t j = 0; j < width; j++)
      y[j] = isnan(x[j]) ? first[j] : x[j];
    break;
  case MISSING_INDICATOR:
    memcpy(y, x, (size_t)width * sizeof *y);
    for (int64_t j = 0; j < s->n; j++)
      y[width + j] = isnan(x[integers[j]]) ? 1.0 : 0.0;
    break;
  case SCALE:
    for (int64_t j = 0; j < width; j++)
      y[j] = (x[j] - first[j]) / second[j];
    break;
  case ORDINAL:
    for (int64_t j = 0; j < width; j++)
      y[j] = first[slot(integers, j, x[j])];
    break;
  case ONE_HOT: {
    const int32_t *const position = integers + width + 1;
    memset(y, 0, (size_t)s->width_out * sizeof *y);
    for (int64_t j = 0; j < width; j++) {
      const int32_t at = position[slot(integers, j, x[j])];
      if (at >= 0)
        y[at] = 1.0;
    }
    break;
  }
  }
}

/* Takes one row through `count` steps, to y; the step after them. */
static const step *through(const plan *p, const step *s, int32_t count, const double *x,
                           int64_t width, double *y, double *room) {
  if (count == 0)
    memcpy(y, x, (size_t)width * sizeof *y);
  for (int32_t i = 0; i < count; i++) {
    const step *const now = s++;
    double *const to = i + 1 == count ? y : room;
    if (i + 1 < count)
      room += now->width_out;
    if (now->kind == CONCATENATE) {
      const int32_t *const branch = p->integers + now->integers; /* steps and width of each */
      double *part = to;
      for (int32_t k = 0; k < now->n; k++) {
        s = through(p, s, branch[2 * k], x, now->width_in, part, room);
        part += branch[2 * k + 1];
      }
    } else {
      apply(p, now, x, to);
    }
    x = to;
  }
  return s;
}

static void linear(const plan *p, const double *x, double *out) {
  for (int64_t k = 0; k < p->outputs; k++)
    out[k] = 0.0;
  for (int64_t j = 0; j < p->width; j++)
    for (int64_t k = 0; k < p->outputs; k++)
      out[k] += x[j] * p->weights[j * p->outputs + k];
  for (int64_t k = 0; k < p->outputs; k++)
    out[k] += p->intercept[k];
}

static void link_row(const plan *p, const double *raw, double *out) {
  switch (p->link) {
  case IDENTITY:
    memcpy(out, raw, (size_t)p->outputs * sizeof *out);
    break;
  case EXP:
    for (int64_t k = 0; k < p->outputs; k++)
      out[k] = exp(raw[k]);
    break;
  case SIGMOID:
  case SIGMOID_OF_DOUBLE:
    out[1] = 1.0 / (1.0 + exp(-(p->link == SIGMOID ? raw[0] : 2.0 * raw[0])));
    out[0] = 1.0 - out[1];
    break;
  case SOFTMAX: {
    double most = raw[0], sum = 0.0;
    for (int64_t k = 1; k < p->outputs; k++)
      most = raw[k] > most || isnan(raw[k]) ? raw[k] : most;
    for (int64_t k = 0; k < p->outputs; k++)
      sum += out[k] = exp(raw[k] - most);
    for (int64_t k = 0; k < p->outputs; k++)
      out[k] /= sum;
    break;
  }
  }
}

/* Answers (n_rows, answers) of rows (n_rows, inputs); 0, or -1 where there is no memory. */
int32_t serinus_plan_answers(const plan *p, const double *rows, int64_t n_rows, double *out) {
  const int64_t chunk = n_rows < CHUNK_ROWS ? n_rows : CHUNK_ROWS;
  const int64_t cells = chunk * (p->width + p->outputs + p->forest_room) + p->room;
  double stack[STACK_CELLS];
  double *const scratch = cells <= STACK_CELLS ? stack : malloc((size_t)cells * sizeof *scratch);
  if (scratch == NULL)
    return -1;
  double *const ready = scratch, *const raw = ready + chunk * p->width;
  double *const room = raw + chunk * p->outputs, *const forest_room = room + p->room;
  for (int64_t done = 0; done < n_rows; done += chunk) {
    const int64_t n = n_rows - done < chunk ? n_rows - done : chunk;
    for (int64_t i = 0; i < n; i++)
      through(p, p->steps, p->count, rows + (done + i) * p->inputs, p->inputs,
              ready + i * p->width, room);
    if (p->weights == NULL)
      serinus_forest_raw(p->forest, ready, n, forest_room, raw);
    else
      for (int64_t i = 0; i < n; i++)
        linear(p, ready + i * p->width, raw + i * p->outputs);
    for (int64_t i = 0; i < n; i++)
      link_row(p, raw + i * p->outputs, out + (done + i) * p->answers);
  }
  if (scratch != stack)
    free(scratch);
  return 0;
}
