/* Gathers what is to be logged of usual requests, column by column, in chunks of fixed size.
 *
 * Whoever calls holds Python's lock: no request is added to a chunk while another thread takes it.
 */
#include <stdint.h>
#include <string.h>

#define PERCENT 100
#define LENGTH_BYTES 4

typedef struct {
  char *ids; /* each with its length before it, as Parquet has texts */
  int64_t *issued_at_ms;
  int32_t *row_counts, *percents, *forms;
  double *rows, *answers;
  int32_t *decided;
  int64_t ids_max, requests_max, rows_max;
  int64_t ids_size, n_requests, n_rows; /* that are there */
} chunk;

typedef struct {
  chunk *current; /* NULL: there is none */
  int64_t n_columns, width;
  int64_t taken_rows, unsampled_rows;
  int32_t percent, is_classification;
} gathering;

/* CRC-32 as zlib has it. */
static uint32_t crc32(const char *text, int64_t size) {
  static const uint32_t of_four_bits[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
      0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  uint32_t sum = 0xffffffff;
  for (int64_t i = 0; i < size; i++) {
    sum ^= (uint8_t)text[i];
    sum = sum >> 4 ^ of_four_bits[sum & 15];
    sum = sum >> 4 ^ of_four_bits[sum & 15];
  }
  return ~sum;
}

/* Whether a request is in the sample, as `is_sampled` in prediction_log/logged.py. */
static int is_sampled(const char *id, int64_t size, int32_t percent) {
  if (percent >= PERCENT)
    return 1;
  return (int64_t)((uint64_t)crc32(id, size) * PERCENT >> 32) < percent;
}

/* Adds a request to the chunk that is there, if it is in the sample; 0: it has no room. */
int32_t serinus_gather(void *into, int32_t form, const char *id, int64_t id_size, int64_t at_ms,
                       int64_t n_rows, const double *rows, const double *answers,
                       const int32_t *decided) {
  gathering *const g = into;
  if (!is_sampled(id, id_size, g->percent)) {
    g->unsampled_rows += n_rows;
    return 1;
  }
  chunk *const c = g->current;
  if (c == NULL || c->n_requests >= c->requests_max || n_rows > c->rows_max - c->n_rows ||
      id_size + LENGTH_BYTES > c->ids_max - c->ids_size)
    return 0;
  char *to = c->ids + c->ids_size;
  for (int i = 0; i < LENGTH_BYTES; i++)
    *to++ = (char)(id_size >> 8 * i);
  memcpy(to, id, (size_t)id_size);
  c->ids_size += LENGTH_BYTES + id_size;
  c->issued_at_ms[c->n_requests] = at_ms;
  c->row_counts[c->n_requests] = (int32_t)n_rows;
  c->percents[c->n_requests] = g->percent;
  c->forms[c->n_requests] = form;
  const int64_t inputs = g->n_columns, width = g->width;
  memcpy(c->rows + c->n_rows * inputs, rows, (size_t)(n_rows * inputs) * sizeof *rows);
  memcpy(c->answers + c->n_rows * width, answers, (size_t)(n_rows * width) * sizeof *answers);
  if (g->is_classification)
    memcpy(c->decided + c->n_rows, decided, (size_t)n_rows * sizeof *decided);
  c->n_requests++;
  c->n_rows += n_rows;
  g->taken_rows += n_rows;
  return 1;
}

/* Puts another chunk in the place of the one that is there, which is the caller's then. */
chunk *serinus_gathered(gathering *g, chunk *next) {
  chunk *const taken = g->current;
  g->current = next;
  return taken;
}
