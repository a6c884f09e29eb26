/* Numbers as JSON writes and reads them.
 *
 * Writing: the shortest decimal that reads back as the same double, after Raffaello Giulietti, "The
 * Schubfach way to render doubles" (2020); where it has an exponent and where a point, as orjson
 * does. The powers of ten are the caller's (`powers_of_ten.py` makes them).
 * Reading: what 53 bits and an exact power of ten hold is exact by one operation (William Clinger,
 * "How to read floating point numbers accurately", 1990); all else is left to strtod.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define POWER_MIN (-292)
#define SIGNIFICANT_DIGITS 19
#define DIGITS_MAX 17
#define POINT_MAX 16
#define POINT_MIN (-5)

typedef struct {
  uint64_t high, low;
} power;

typedef unsigned __int128 wide;

static uint64_t round_to_odd(power g, uint64_t c) {
  const wide y = (wide)g.high * c + (uint64_t)(((wide)g.low * c) >> 64);
  return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

static int32_t floor_log2_of_power(int32_t e) { return (e * 1741647) >> 19; }

/* Digits and exponent of a positive, finite double. */
static uint64_t shortest(const power *powers, uint64_t bits, int32_t *exponent) {
  const uint64_t fraction = bits & ((1ULL << 52) - 1);
  const int32_t biased = (int32_t)(bits >> 52);
  const uint64_t c = biased ? fraction | 1ULL << 52 : fraction;
  const int32_t q = (biased ? biased : 1) - 1075;
  if (biased && -q >= 0 && -q < 53 && (c & ((1ULL << -q) - 1)) == 0) {
    *exponent = 0;
    return c >> -q;
  }
  const uint64_t open = c & 1; /* the ends of an odd number's interval aren't its own */
  const int nearer_below = fraction == 0 && biased > 1;
  const int32_t k = (q * 1262611 - (nearer_below ? 524031 : 0)) >> 22;
  const int32_t h = q + floor_log2_of_power(-k) + 1;
  const power g = powers[-k - POWER_MIN];
  const uint64_t lower = round_to_odd(g, (4 * c - 2 + (uint64_t)nearer_below) << h) + open;
  const uint64_t middle = round_to_odd(g, (4 * c) << h);
  const uint64_t upper = round_to_odd(g, (4 * c + 2) << h) - open;
  const uint64_t s = middle / 4;
  if (s >= 10) {
    const uint64_t tens = s / 10;
    const int below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
    if (below != above) {
      *exponent = k + 1;
      return tens + (uint64_t)above;
    }
  }
  *exponent = k;
  const int below = lower <= 4 * s, above = 4 * s + 4 <= upper;
  if (below != above)
    return s + (uint64_t)above;
  const uint64_t half = 4 * s + 2;
  return s + (middle > half || (middle == half && (s & 1)));
}

static char *written_integer(char *to, uint64_t value) {
  char digits[20];
  int n = 0;
  do
    digits[n++] = (char)('0' + value % 10);
  while (value /= 10);
  while (n)
    *to++ = digits[--n];
  return to;
}

/* Writes a double, at most 25 characters; the place after it. What is no number is `null`. */
char *serinus_write_double(const void *powers, char *to, double value) {
  if (!isfinite(value)) {
    memcpy(to, "null", 4);
    return to + 4;
  }
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (bits >> 63)
    *to++ = '-';
  bits &= ~(1ULL << 63);
  if (bits == 0) {
    memcpy(to, "0.0", 3);
    return to + 3;
  }
  int32_t exponent;
  uint64_t digits = shortest(powers, bits, &exponent);
  while (digits % 10 == 0) {
    digits /= 10;
    exponent++;
  }
  char text[20];
  const int n = (int)(written_integer(text, digits) - text);
  const int point = n + exponent;
  if (exponent >= 0 && point <= POINT_MAX) {
    memcpy(to, text, (size_t)n);
    memset(to + n, '0', (size_t)exponent);
    memcpy(to + point, ".0", 2);
    return to + point + 2;
  }
  if (point > 0 && point <= POINT_MAX) {
    memcpy(to, text, (size_t)point);
    to[point] = '.';
    memcpy(to + point + 1, text + point, (size_t)(n - point));
    return to + n + 1;
  }
  if (point > POINT_MIN && point <= 0) {
    memcpy(to, "0.", 2);
    memset(to + 2, '0', (size_t)-point);
    memcpy(to + 2 - point, text, (size_t)n);
    return to + 2 - point + n;
  }
  *to++ = text[0];
  if (n > 1) {
    *to++ = '.';
    memcpy(to, text + 1, (size_t)(n - 1));
    to += n - 1;
  }
  *to++ = 'e';
  *to++ = point - 1 < 0 ? '-' : '+';
  return written_integer(to, (uint64_t)abs(point - 1));
}

/* Writes whole numbers from 0 on; the place after it. */
char *serinus_write_integer(char *to, uint64_t value) { return written_integer(to, value); }

static int is_digit(char c) { return c >= '0' && c <= '9'; }

/* Reads a number of JSON; the place after it, or NULL: leave it to somebody else.
 *
 * The text ends with a NUL somewhere. `is_whole`: it has neither point nor exponent.
 */
const char *serinus_read_number(const char *from, double *value, int32_t *is_whole) {
  static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const char *p = from;
  const int negative = *p == '-';
  p += negative;
  if (!is_digit(*p) || (*p == '0' && is_digit(p[1])))
    return NULL;
  uint64_t digits = 0;
  int32_t n = 0, exponent = 0;
  for (; is_digit(*p); p++, n += digits != 0)
    if (n < SIGNIFICANT_DIGITS)
      digits = digits * 10 + (uint64_t)(*p - '0');
  *is_whole = 1;
  if (*p == '.') {
    const char *const point = ++p;
    for (; is_digit(*p); p++, n += digits != 0)
      if (n < SIGNIFICANT_DIGITS)
        digits = digits * 10 + (uint64_t)(*p - '0');
    if (p == point)
      return NULL;
    exponent = -(int32_t)(p - point);
    *is_whole = 0;
  }
  if (*p == 'e' || *p == 'E') {
    p++;
    const int less = *p == '-';
    p += *p == '-' || *p == '+';
    if (!is_digit(*p))
      return NULL;
    int32_t told = 0;
    for (; is_digit(*p); p++)
      if (told < 10000)
        told = told * 10 + (*p - '0');
    exponent += less ? -told : told;
    *is_whole = 0;
  }
  if (*is_whole && negative && digits == 0)
    return NULL; /* -0 is the whole number 0 */
  double found;
  if (n < SIGNIFICANT_DIGITS && digits <= 1ULL << 53 && exponent >= -22 && exponent <= 22) {
    found = (double)digits;
    found = exponent < 0 ? found / exact[-exponent] : found * exact[exponent];
    found = negative ? -found : found;
  } else {
    char *end;
    found = strtod(from, &end);
    if (end != p)
      return NULL; /* another locale's point */
  }
  if (!isfinite(found))
    return NULL;
  *value = found;
  return p;
}
