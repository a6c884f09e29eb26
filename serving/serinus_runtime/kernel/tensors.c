/* Answers a usual prediction request, tensors or rows: from its JSON to the JSON of the answer.
 *
 * What is usual is a small part of what may be sent: plain tensors, values that the model takes as
 * they are, nothing to refuse, to flag or to explain. At anything else this gives up before it has
 * left a trace, and the server's own way, in Python, answers the request from its first byte. So
 * there is one place that says what is wrong with a request, and it isn't here.
 *
 * The text of a request ends with a NUL, which no valid text contains: no reader runs past it.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { FLOAT, SINGLE, WHOLE, BOOLEAN, TEXT };
enum { BINS_OF_CLASSES, BINS_OF_TENTHS, BINS_OF_POWERS };
enum { MODEL, ID, REVISION, FIRST_DATA, SECOND, SECOND_DATA, SECOND_WIDTH, END, FRAGMENTS };

#define RANK_MAX 2
#define POWER_LOW (-10)
#define POWER_HIGH 20
#define TENTHS 10
#define EXACT_MAX 9007199254740992.0
#define SEALED_ROWS 16
#define SEALED_CLASSES 32
#define ID_HEADER 24
#define SEAL_BYTES 16
#define NUMBER_CHARACTERS 26
#define FORM_OF_TENSORS 0 /* in the log */

typedef struct {
  int64_t name, first_text;  /* places in `texts` */
  double type_low, type_high, low, high;
  int32_t kind, nullable, n_texts, reserved;
} column;

typedef struct {
  int64_t begin, size; /* in `letters` */
  double code;
} text;

typedef struct {
  const column *columns;
  const text *texts;
  const char *letters;
  const void *plan, *powers, *seal;
  void *gathering; /* what is logged; NULL: nothing is */
  const text *fragments, *labels, *datatypes;
  const int32_t *places;
  double *rows, *answers;
  int32_t *decided, *bins;
  uint8_t *seen;
  char *out;
  int64_t n_columns, cells_max, answers_max, out_max, rows_max;
  int64_t n_rows, id_begin, id_size, at_ms; /* of the last answer */
  double threshold;
  uint8_t revision[5], tag[4];
  int32_t width, classes, told_width, bins_kind, n_datatypes;
} answering;

/* How rows are asked for, under one of `words`, and how they are answered.
 *
 * Texts are places in `letters`; the code of a word says whether rows may be lists there. A row is answered by its prediction, between `VALUE` and what
 * follows it: its probability, if `tells_probability`, and those of all classes, behind `keys`. */
enum { ROWS, VALUE, PROBABILITY, PROBABILITIES, ROW_END, ROWS_ID, ROWS_END, ROW_FRAGMENTS };

typedef struct {
  const text *words, *fragments, *keys;
  const char *letters;
  int64_t row_size_max;
  int32_t n_words, n_keys, tells_probability;
} row_form;

int32_t serinus_plan_answers(const void *plan, const double *rows, int64_t n_rows, double *out);
const char *serinus_read_number(const char *from, double *value, int32_t *is_whole);
char *serinus_write_double(const void *powers, char *to, double value);
char *serinus_write_integer(char *to, uint64_t value);
void serinus_sealed(const void *states, const uint8_t *data, int64_t size, uint8_t *digest);
char *serinus_write_base64(char *to, const uint8_t *data, int64_t size);
int32_t serinus_gather(void *into, int32_t form, const char *id, int64_t id_size, int64_t at_ms,
                       int64_t n_rows, const double *rows, const double *answers,
                       const int32_t *decided);

typedef struct {
  const char *at;
  int64_t size;
} slice;

static const char *space(const char *p) {
  while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
    p++;
  return p;
}

/* Behind the character that is to come, and the white space after it; NULL where another comes. */
static const char *past(const char *p, char wanted) {
  p = space(p);
  return *p == wanted ? space(p + 1) : NULL;
}

/* A text of printable ASCII that is written as it is; the place after it. */
static const char *read_text(const char *p, slice *found) {
  if (*p != '"')
    return NULL;
  found->at = ++p;
  while (*p >= ' ' && *p < 0x7f && *p != '"' && *p != '\\')
    p++;
  found->size = p - found->at;
  return *p == '"' ? p + 1 : NULL;
}

static int is(slice one, const char *letters) {
  return one.size == (int64_t)strlen(letters) && memcmp(one.at, letters, (size_t)one.size) == 0;
}

static int is_text(const answering *a, slice one, const text *other) {
  return one.size == other->size &&
         memcmp(one.at, a->letters + other->begin, (size_t)one.size) == 0;
}

/* Code of a category, or -1. The texts are in the order of their bytes. */
static double code_of(const answering *a, const column *c, slice value) {
  const text *low = a->texts + c->first_text, *high = low + c->n_texts;
  while (low < high) {
    const text *const middle = low + (high - low) / 2;
    const size_t common = (size_t)(value.size < middle->size ? value.size : middle->size);
    int order = memcmp(value.at, a->letters + middle->begin, common);
    if (order == 0)
      order = (value.size > middle->size) - (value.size < middle->size);
    if (order == 0)
      return middle->code;
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return -1.0;
}

/* Reads the value of a column and encodes it; the place after it. */
static const char *read_value(const answering *a, const column *c, const char *p, double *code) {
  if (*p == 'n') {
    *code = NAN;
    return c->nullable && strncmp(p, "null", 4) == 0 ? p + 4 : NULL;
  }
  if (c->kind == TEXT) {
    slice value;
    p = read_text(p, &value);
    if (p == NULL)
      return NULL;
    *code = code_of(a, c, value);
    return *code >= 0.0 ? p : NULL;
  }
  if (c->kind == BOOLEAN) {
    *code = *p == 't';
    if (strncmp(p, "true", 4) == 0)
      return p + 4;
    return strncmp(p, "false", 5) == 0 ? p + 5 : NULL;
  }
  int32_t is_whole;
  double value;
  p = serinus_read_number(p, &value, &is_whole);
  if (p == NULL || !(c->type_low <= value && value <= c->type_high))
    return NULL;
  if (c->kind == WHOLE && !(is_whole && fabs(value) <= EXACT_MAX))
    return NULL;
  if (c->kind == SINGLE)
    value = (double)(float)value;
  *code = value;
  return c->low <= value && value <= c->high ? p : NULL;
}

/* Reads `n_rows` times `width` values from column `first` on, flat or row by row. */
static const char *read_data(const answering *a, const char *p, int64_t n_rows, int64_t first,
                             int64_t width, int32_t rank) {
  p = past(p, '[');
  if (p == NULL)
    return NULL;
  const int nested = *p == '[';
  if (nested && rank != RANK_MAX)
    return NULL;
  for (int64_t i = 0; i < n_rows; i++) {
    if (i > 0 && (p = past(p, ',')) == NULL)
      return NULL;
    if (nested && (p = past(p, '[')) == NULL)
      return NULL;
    for (int64_t j = first; j < first + width; j++) {
      if (j > first && (p = past(p, ',')) == NULL)
        return NULL;
      p = read_value(a, a->columns + j, p, a->rows + i * a->n_columns + j);
      if (p == NULL)
        return NULL;
    }
    if (nested && (p = past(p, ']')) == NULL)
      return NULL;
  }
  return past(p, ']');
}

static const char *read_shape(const char *p, int64_t shape[RANK_MAX], int32_t *rank) {
  p = past(p, '[');
  for (*rank = 0; p != NULL && *rank < RANK_MAX;) {
    double size;
    int32_t is_whole;
    p = serinus_read_number(p, &size, &is_whole);
    if (p == NULL || !is_whole || !(size >= 1.0 && size < 2147483648.0))
      return NULL;
    shape[(*rank)++] = (int64_t)size;
    p = space(p);
    if (*p != ',')
      return past(p, ']');
    p = space(p + 1);
  }
  return NULL;
}

/* Reads a tensor, whose data comes last, into the columns that it is for. */
static const char *read_tensor(answering *a, const char *p, int is_first) {
  slice name = {0}, datatype = {0}, key;
  int64_t shape[RANK_MAX] = {0, 1};
  int32_t rank = 0;
  p = past(p, '{');
  for (;;) {
    if (p == NULL || (p = read_text(p, &key)) == NULL || (p = past(p, ':')) == NULL)
      return NULL;
    if (is(key, "name") && name.at == NULL)
      p = read_text(p, &name);
    else if (is(key, "datatype") && datatype.at == NULL)
      p = read_text(p, &datatype);
    else if (is(key, "shape") && rank == 0)
      p = read_shape(p, shape, &rank);
    else if (is(key, "data"))
      break;
    else
      return NULL;
    if (p == NULL || (p = past(p, ',')) == NULL)
      return NULL;
  }
  if (name.at == NULL || datatype.at == NULL || rank == 0)
    return NULL;
  int32_t known = 0;
  while (known < a->n_datatypes && !is_text(a, datatype, a->datatypes + known))
    known++;
  if (known == a->n_datatypes || (a->n_rows != 0 && shape[0] != a->n_rows) ||
      shape[0] > a->rows_max)
    return NULL;
  a->n_rows = shape[0];
  if (a->n_rows * a->n_columns > a->cells_max || a->n_rows * a->width > a->answers_max)
    return NULL;
  const int is_matrix = rank == RANK_MAX && is_first && a->n_columns > 1 && shape[1] > 1;
  if (shape[1] != (is_matrix ? a->n_columns : 1))
    return NULL;
  int64_t first = 0;
  if (is_matrix) {
    memset(a->seen, 1, (size_t)a->n_columns);
  } else {
    while (first < a->n_columns && !is_text(a, name, a->texts + a->columns[first].name))
      first++;
    if (first == a->n_columns || a->seen[first]++)
      return NULL;
  }
  p = read_data(a, p, a->n_rows, first, is_matrix ? a->n_columns : 1, rank);
  return p == NULL ? NULL : past(p, '}');
}

static const char *read_tensors(answering *a, const char *p) {
  a->n_rows = 0;
  memset(a->seen, 0, (size_t)a->n_columns);
  p = past(p, '[');
  for (int64_t i = 0; p != NULL; i++) {
    p = read_tensor(a, p, i == 0);
    if (p == NULL)
      return NULL;
    if (*p == ',') {
      p = space(p + 1);
      continue;
    }
    for (int64_t j = 0; j < a->n_columns; j++)
      if (!a->seen[j])
        return NULL;
    return past(p, ']');
  }
  return NULL;
}

/* Reads a whole request; 1, or 0 where it isn't one of the usual ones. */
static int read_request(answering *a, const char *p, const char *end, slice *id) {
  slice key;
  int has_inputs = 0;
  p = past(p, '{');
  for (;;) {
    if (p == NULL || (p = read_text(p, &key)) == NULL || (p = past(p, ':')) == NULL)
      return 0;
    if (is(key, "inputs") && !has_inputs++)
      p = read_tensors(a, p);
    else if (is(key, "id") && id->at == NULL)
      p = read_text(p, id);
    else
      return 0;
    if (p == NULL)
      return 0;
    p = space(p);
    if (*p != ',')
      break;
    p = space(p + 1);
  }
  return has_inputs && (p = past(p, '}')) != NULL && p == end;
}

/* What follows from the answers; 0 where one is no number. */
static int decide(answering *a) {
  for (int64_t i = 0; i < a->n_rows * a->width; i++)
    if (!isfinite(a->answers[i]))
      return 0;
  for (int64_t i = 0; a->classes > 0 && i < a->n_rows; i++) {
    const double *const answer = a->answers + i * a->width;
    int32_t best = 0;
    if (a->classes == 2 && !isnan(a->threshold))
      best = answer[1] >= a->threshold;
    else
      for (int32_t k = 1; k < a->width; k++)
        best = answer[k] > answer[best] ? k : best;
    a->decided[i] = best;
  }
  return 1;
}

static int32_t power_of(double value) {
  int exponent;
  frexp(value, &exponent);
  exponent--;
  const int32_t middle = POWER_HIGH - POWER_LOW + 1;
  if (value == 0.0 || exponent < POWER_LOW)
    return middle;
  const int32_t reached = (exponent < POWER_HIGH ? exponent : POWER_HIGH) - POWER_LOW + 1;
  return value > 0.0 ? middle + reached : middle - reached;
}

static int32_t tenth_of(double probability) {
  if (!(probability > 0.0))
    return 0;
  const double tenths = probability * TENTHS;
  return (int32_t)(tenths < TENTHS - 1 ? tenths : TENTHS - 1);
}

static void bin(answering *a) {
  for (int64_t i = 0; i < a->n_rows; i++) {
    const double *const answer = a->answers + i * a->width;
    if (a->bins_kind == BINS_OF_CLASSES)
      a->bins[i] = a->places[a->decided[i]];
    else
      a->bins[i] = a->bins_kind == BINS_OF_TENTHS ? tenth_of(answer[1]) : power_of(answer[0]);
  }
}

static uint8_t *put(uint8_t *to, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; i--)
    *to++ = (uint8_t)(value >> 8 * i);
  return to;
}

static uint8_t *put_single(uint8_t *to, double value) {
  const float single = (float)value;
  uint32_t bits;
  memcpy(&bits, &single, sizeof bits);
  return put(to, bits, 4);
}

static uint8_t *put_double(uint8_t *to, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return put(to, bits, 8);
}

/* Writes the prediction id, as server/prediction_id.py describes it; the place after it. */
static char *write_id(const answering *a, char *to, int64_t now_ms, uint32_t number) {
  uint8_t content[ID_HEADER + SEALED_ROWS * (2 + 4 * SEALED_CLASSES) + 32];
  const int is_sealed = a->n_rows <= SEALED_ROWS && a->classes <= SEALED_CLASSES;
  uint8_t *p = put(content, 1, 1);
  memcpy(p, a->revision, 5);
  p = put(p + 5, (uint64_t)now_ms, 6);
  memcpy(p, a->tag, 4);
  p = put(p + 4, number, 4);
  p = put(p, is_sealed ? (a->classes > 0 ? 1 : 2) : 0, 1);
  p = put(p, (uint64_t)(a->n_rows < 255 ? a->n_rows : 255), 1);
  p = put(p, is_sealed ? (uint64_t)a->told_width : 0, 2);
  if (is_sealed && a->classes > 0) {
    for (int64_t i = 0; i < a->n_rows; i++)
      p = put(p, (uint64_t)a->decided[i], 2);
    for (int64_t i = 0; i < a->n_rows; i++)
      for (int32_t k = a->classes == 2; k < a->width; k++)
        p = put_single(p, a->answers[i * a->width + k]);
  } else if (is_sealed) {
    for (int64_t i = 0; i < a->n_rows; i++)
      p = put_double(p, a->answers[i]);
  }
  const int64_t size = p - content;
  uint8_t digest[32];
  serinus_sealed(a->seal, content, size, digest);
  memcpy(p, digest, SEAL_BYTES);
  return serinus_write_base64(to, content, size + SEAL_BYTES);
}

static char *write_text(const answering *a, char *to, const text *one) {
  memcpy(to, a->letters + one->begin, (size_t)one->size);
  return to + one->size;
}

static char *write_answer(answering *a, char *to, slice id, int64_t now_ms, uint32_t number) {
  char made[4 * (ID_HEADER + SEALED_ROWS * (2 + 4 * SEALED_CLASSES) + 32) / 3 + 4];
  const slice sealed = {made, write_id(a, made, now_ms, number) - made};
  const slice given = id.at == NULL ? sealed : id;
  to = write_text(a, to, a->fragments + MODEL);
  memcpy(to, given.at, (size_t)given.size);
  to = write_text(a, to + given.size, a->fragments + ID);
  memcpy(to, sealed.at, (size_t)sealed.size);
  a->id_begin = to - a->out;
  a->id_size = sealed.size;
  to = write_text(a, to + sealed.size, a->fragments + REVISION);
  to = serinus_write_integer(to, (uint64_t)a->n_rows);
  to = write_text(a, to, a->fragments + FIRST_DATA);
  for (int64_t i = 0; i < a->n_rows; i++) {
    if (i > 0)
      *to++ = ',';
    to = a->classes > 0 ? write_text(a, to, a->labels + a->decided[i])
                        : serinus_write_double(a->powers, to, a->answers[i]);
  }
  if (a->classes > 0) {
    to = write_text(a, to, a->fragments + SECOND);
    to = serinus_write_integer(to, (uint64_t)a->n_rows);
    to = write_text(a, to, a->fragments + SECOND_WIDTH);
    to = write_text(a, to, a->fragments + SECOND_DATA);
    for (int64_t i = 0; i < a->n_rows; i++)
      for (int32_t k = a->classes == 2; k < a->width; k++) {
        to = serinus_write_double(a->powers, to, a->answers[i * a->width + k]);
        *to++ = ',';
      }
    to--;
  }
  return write_text(a, to, a->fragments + END);
}

/* Rows */

static int64_t column_of(const answering *a, slice name, int64_t likely) {
  if (likely < a->n_columns && is_text(a, name, a->texts + a->columns[likely].name))
    return likely;
  for (int64_t j = 0; j < a->n_columns; j++)
    if (is_text(a, name, a->texts + a->columns[j].name))
      return j;
  return -1;
}

/* Reads an object of names and values; what isn't there is missing. */
static const char *read_object(answering *a, const char *p, double *row) {
  slice name;
  int64_t found = 0, likely = 0;
  memset(a->seen, 0, (size_t)a->n_columns);
  p = past(p, '{');
  for (;;) {
    if (p == NULL || (p = read_text(p, &name)) == NULL || (p = past(p, ':')) == NULL)
      return NULL;
    const int64_t j = column_of(a, name, likely);
    if (j < 0 || a->seen[j]++ || (p = read_value(a, a->columns + j, p, row + j)) == NULL)
      return NULL;
    found++;
    likely = j + 1;
    p = space(p);
    if (*p != ',')
      break;
    p = space(p + 1);
  }
  for (int64_t j = 0; found < a->n_columns && j < a->n_columns; j++) {
    if (a->seen[j])
      continue;
    if (!a->columns[j].nullable)
      return NULL;
    row[j] = NAN;
    found++;
  }
  return past(p, '}');
}

static const char *read_list(answering *a, const char *p, double *row) {
  p = past(p, '[');
  for (int64_t j = 0; p != NULL && j < a->n_columns; j++)
    if ((j > 0 && (p = past(p, ',')) == NULL) ||
        (p = read_value(a, a->columns + j, p, row + j)) == NULL)
      return NULL;
  return p == NULL ? NULL : past(p, ']');
}

static const char *read_rows(answering *a, const char *p, int takes_lists) {
  a->n_rows = 0;
  p = past(p, '[');
  const int are_lists = p != NULL && *p == '[';
  if (p == NULL || (are_lists && !takes_lists))
    return NULL;
  for (;;) {
    const int64_t n = a->n_rows + 1;
    double *const row = a->rows + a->n_rows * a->n_columns;
    if (n > a->rows_max || n * a->n_columns > a->cells_max || n * a->width > a->answers_max)
      return NULL;
    p = are_lists ? read_list(a, p, row) : read_object(a, p, row);
    if (p == NULL)
      return NULL;
    a->n_rows = n;
    if (*p != ',')
      return past(p, ']');
    p = space(p + 1);
  }
}

/* Reads a whole request for rows; 1, or 0 where it isn't one of the usual ones. */
static int read_rows_request(answering *a, const row_form *f, const char *p, const char *end) {
  slice word;
  int32_t known = 0;
  p = past(p, '{');
  if (p == NULL || (p = read_text(p, &word)) == NULL || (p = past(p, ':')) == NULL)
    return 0;
  while (known < f->n_words &&
         (word.size != f->words[known].size ||
          memcmp(word.at, f->letters + f->words[known].begin, (size_t)word.size) != 0))
    known++;
  return known < f->n_words && (p = read_rows(a, p, f->words[known].code != 0.0)) != NULL &&
         (p = past(p, '}')) != NULL && p == end;
}

static char *write_part(const row_form *f, char *to, const text *one) {
  memcpy(to, f->letters + one->begin, (size_t)one->size);
  return to + one->size;
}

static char *write_row(const answering *a, const row_form *f, char *to, int64_t i) {
  const double *const answer = a->answers + i * a->width;
  to = write_part(f, to, f->fragments + VALUE);
  to = a->classes > 0 ? write_text(a, to, a->labels + a->decided[i])
                      : serinus_write_double(a->powers, to, answer[0]);
  if (f->tells_probability) {
    to = write_part(f, to, f->fragments + PROBABILITY);
    to = serinus_write_double(a->powers, to, answer[a->classes == 2 ? 1 : a->decided[i]]);
    to = write_part(f, to, f->fragments + PROBABILITIES);
    for (int32_t k = 0; k < f->n_keys; k++) {
      to = write_part(f, to, f->keys + k);
      to = serinus_write_double(a->powers, to, answer[k]);
    }
  }
  return write_part(f, to, f->fragments + ROW_END);
}

static char *write_predictions(answering *a, const row_form *f, char *to, int64_t now_ms,
                               uint32_t number) {
  to = write_part(f, to, f->fragments + ROWS);
  for (int64_t i = 0; i < a->n_rows; i++) {
    if (i > 0)
      *to++ = ',';
    to = write_row(a, f, to, i);
  }
  to = write_part(f, to, f->fragments + ROWS_ID);
  a->id_begin = to - a->out;
  to = write_id(a, to, now_ms, number);
  a->id_size = to - a->out - a->id_begin;
  return write_part(f, to, f->fragments + ROWS_END);
}

static int64_t predictions_size_max(const answering *a, const row_form *f) {
  int64_t size = 4 * (ID_HEADER + SEALED_ROWS * (2 + 4 * SEALED_CLASSES) + 32);
  for (int32_t i = 0; i < ROW_FRAGMENTS; i++)
    size += f->fragments[i].size;
  return size + 64 + a->n_rows * f->row_size_max;
}

/* What is read of a request that isn't answered is nothing to be logged. */
static int64_t not_answered(answering *a) {
  a->n_rows = 0;
  return 0;
}

/* As `serinus_tensors_answer`, for rows. */
int64_t serinus_rows_answer(answering *a, const row_form *f, const char *request, int64_t size,
                            int64_t now_ms, uint32_t number) {
  if (!read_rows_request(a, f, request, request + size) ||
      predictions_size_max(a, f) > a->out_max)
    return not_answered(a);
  if (serinus_plan_answers(a->plan, a->rows, a->n_rows, a->answers) || !decide(a))
    return not_answered(a);
  bin(a);
  a->at_ms = now_ms;
  return write_predictions(a, f, a->out, now_ms, number) - a->out;
}

/* Tensors */

static int64_t answer_size_max(const answering *a, slice id) {
  int64_t size = id.size + 4 * (ID_HEADER + SEALED_ROWS * (2 + 4 * SEALED_CLASSES) + 32);
  for (int32_t i = 0; i < FRAGMENTS; i++)
    size += a->fragments[i].size;
  int64_t label = NUMBER_CHARACTERS;
  for (int32_t k = 0; k < a->classes; k++)
    label = a->labels[k].size > label ? a->labels[k].size : label;
  return size + 64 + a->n_rows * (label + 1 + a->width * NUMBER_CHARACTERS);
}

/* Bytes of the answer in `out` to a request of `size` bytes; 0: somebody else is to answer it. */
int64_t serinus_tensors_answer(answering *a, const char *request, int64_t size, int64_t now_ms,
                               uint32_t number) {
  slice id = {0};
  if (!read_request(a, request, request + size, &id) || answer_size_max(a, id) > a->out_max)
    return not_answered(a);
  if (serinus_plan_answers(a->plan, a->rows, a->n_rows, a->answers) || !decide(a))
    return not_answered(a);
  bin(a);
  a->at_ms = now_ms;
  return write_answer(a, a->out, id, now_ms, number) - a->out;
}

/* Gathers the last answer for the log, with the number of its form; 0 where there is no room. */
int32_t serinus_tensors_log(const answering *a, int32_t form) {
  return serinus_gather(a->gathering, form, a->out + a->id_begin, a->id_size, a->at_ms, a->n_rows,
                        a->rows, a->answers, a->decided);
}

/* Answers and gathers in one; the bytes below 0 where there was no room to gather. */
int64_t serinus_tensors_answer_and_log(answering *a, const char *request, int64_t size,
                                       int64_t now_ms, uint32_t number) {
  const int64_t answered = serinus_tensors_answer(a, request, size, now_ms, number);
  return answered > 0 && !serinus_tensors_log(a, FORM_OF_TENSORS) ? -answered : answered;
}
