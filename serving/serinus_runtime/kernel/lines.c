/* Lines of the access log for requests that came before but for what varies: the time, how long it
 * took and how long the answer is.
 *
 * Whoever calls holds Python's lock: no line is added while another thread takes those there are.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <string.h>
#include <time.h>

#define SECOND_CHARACTERS 19 /* 2026-11-29T12:00:00 */
#define VARYING_MAX 160      /* what is written beside the texts that are given */

typedef struct {
  char *out;
  const void *powers;
  int64_t out_max;
  int64_t size, count; /* of the lines that are there */
  int64_t second;      /* since 1970, which `second_text` says */
  char second_text[SECOND_CHARACTERS + 1];
} lines;

typedef struct {
  const char *before, *after; /* what of a line is always the same for requests with one head */
  int64_t before_size, after_size;
} line_head;

char *serinus_write_double(const void *powers, char *to, double value);
char *serinus_write_integer(char *to, uint64_t value);

static char *put(char *to, const char *from, size_t size) {
  memcpy(to, from, size);
  return to + size;
}

/* Writes the time to the millisecond; NULL where there is none. */
static char *put_now(lines *l, char *to) {
  struct timespec now;
  struct tm parts;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0)
    return NULL;
  const int thousandths = (int)(now.tv_nsec / 1000000);
  if (l->second != now.tv_sec) {
    if (gmtime_r(&now.tv_sec, &parts) == NULL ||
        strftime(l->second_text, sizeof l->second_text, "%Y-%m-%dT%H:%M:%S", &parts) !=
            SECOND_CHARACTERS)
      return NULL;
    l->second = now.tv_sec;
  }
  to = put(to, l->second_text, SECOND_CHARACTERS);
  *to++ = '.';
  *to++ = (char)('0' + thousandths / 100);
  *to++ = (char)('0' + thousandths / 10 % 10);
  *to++ = (char)('0' + thousandths % 10);
  return put(to, "+00:00", 6);
}

/* Adds a line, of a request that is answered now; 0 where it doesn't fit.
 *
 * `client` is a text of JSON that ends with a NUL, `microseconds` what the request took. */
int32_t serinus_lines_add(lines *l, const line_head *head, const char *client,
                          int32_t microseconds, int32_t answer_bytes) {
  const size_t client_size = strlen(client);
  const int64_t texts = head->before_size + head->after_size + (int64_t)client_size;
  if (texts + VARYING_MAX > l->out_max - l->size || answer_bytes < 0)
    return 0;
  char *to = put(l->out + l->size, "{\"time\":\"", 9);
  to = put_now(l, to);
  if (to == NULL)
    return 0;
  to = put(to, "\",", 2);
  to = put(to, head->before, (size_t)head->before_size);
  to = put(to, ",\"duration_seconds\":", 20);
  to = serinus_write_double(l->powers, to, microseconds / 1e6);
  to = put(to, ",\"answer_bytes\":", 16);
  to = serinus_write_integer(to, (uint64_t)answer_bytes);
  to = put(to, ",\"client\":", 10);
  to = put(to, client, client_size);
  to = put(to, head->after, (size_t)head->after_size);
  to = put(to, "}\n", 2);
  l->size = to - l->out;
  l->count++;
  return 1;
}

/* Moves all lines to `to`, which has room for them; how many there were. */
int64_t serinus_lines_take(lines *l, char *to, int64_t *size) {
  const int64_t count = l->count;
  memcpy(to, l->out, (size_t)l->size);
  *size = l->size;
  l->size = l->count = 0;
  return count;
}
