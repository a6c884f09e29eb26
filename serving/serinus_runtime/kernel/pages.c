/* What a column of a file costs most: to find its different values, and to write small numbers. */
#include <stdint.h>
#include <string.h>

#define DISTINCT_MAX 4096
#define SLOT_BITS 13 /* twice as many as there are values at most */
#define SLOTS (1 << SLOT_BITS)

/* Different values of `n`, by their bits and in the order in which they come first, and for each
 * value which of them it is; how many there are, or -1 where they are more than `distinct_max`.
 */
int64_t serinus_distinct(const uint64_t *values, int64_t n, int64_t distinct_max,
                         uint64_t *distinct, int32_t *codes) {
  int16_t slots[SLOTS]; /* 1 more than the code of what is there; 0: nothing is */
  int64_t found = 0;
  if (distinct_max > DISTINCT_MAX)
    distinct_max = DISTINCT_MAX;
  memset(slots, 0, sizeof slots);
  for (int64_t i = 0; i < n; i++) {
    const uint64_t value = values[i];
    uint32_t slot = (uint32_t)(value * 0x9e3779b97f4a7c15 >> (64 - SLOT_BITS));
    while (slots[slot] != 0 && distinct[slots[slot] - 1] != value)
      slot = (slot + 1) % SLOTS;
    if (slots[slot] == 0) {
      if (found == distinct_max)
        return -1;
      distinct[found++] = value;
      slots[slot] = (int16_t)found;
    }
    codes[i] = slots[slot] - 1;
  }
  return found;
}

static uint8_t *put_bytes(uint8_t *to, uint64_t bits, int32_t n) {
  for (int32_t i = 0; i < n; i++)
    to[i] = (uint8_t)(bits >> 8 * i);
  return to + n;
}

/* Writes `n` numbers, each of `value_bytes` bytes (1 to 4), as runs of so many rows (1 or more); at
 * most 5 bytes more for each. Returns how many bytes.
 */
int64_t serinus_put_runs(const int32_t *numbers, const int32_t *rows_each, int64_t n,
                         int32_t value_bytes, uint8_t *to) {
  const uint8_t *const start = to;
  for (int64_t i = 0; i < n; i++) {
    uint32_t twice = (uint32_t)rows_each[i] << 1;
    for (; twice > 0x7f; twice >>= 7)
      *to++ = (uint8_t)(twice | 0x80);
    *to++ = (uint8_t)twice;
    to = put_bytes(to, (uint32_t)numbers[i], value_bytes);
  }
  return to - start;
}

/* Writes `n` numbers of `width` bits each (1 to 32), the lowest bits first, and zeros up to a whole
 * group of eight numbers.
 */
void serinus_pack_bits(const int32_t *numbers, int64_t n, int32_t width, uint8_t *to) {
  const uint8_t *const end = to + (n + 7) / 8 * width;
  uint64_t bits = 0;
  int32_t held = 0;
  for (int64_t i = 0; i < n; i++) {
    bits |= (uint64_t)(uint32_t)numbers[i] << held;
    held += width;
    if (held >= 32) {
      to = put_bytes(to, bits, 4);
      bits >>= 32;
      held -= 32;
    }
  }
  to = put_bytes(to, bits, (held + 7) / 8);
  memset(to, 0, (size_t)(end - to));
}
