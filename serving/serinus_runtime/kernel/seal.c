/* HMAC-SHA256 (FIPS 180-4, RFC 2104) and base64url without padding (RFC 4648), for prediction ids.
 *
 * A process keeps the two states that the key leads to; sealing is hashing on from them.
 */
#include <stdint.h>
#include <string.h>

#define BLOCK 64
#define DIGEST 32

typedef struct {
  uint32_t inner[8], outer[8];
} seal;

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
static const uint32_t START[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static uint32_t turned(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void compress(uint32_t state[8], const uint8_t *block) {
  uint32_t w[64];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
           (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; i++)
    w[i] = w[i - 16] + (turned(w[i - 15], 7) ^ turned(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
           (turned(w[i - 2], 17) ^ turned(w[i - 2], 19) ^ w[i - 2] >> 10);
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    const uint32_t one = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) +
                         K[i] + w[i];
    const uint32_t two =
        (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

/* Hashes `size` bytes on from a state that has taken one block, to its end. */
static void finish(const uint32_t from[8], const uint8_t *data, size_t size, uint8_t digest[DIGEST]) {
  uint32_t state[8];
  uint8_t last[2 * BLOCK] = {0};
  memcpy(state, from, sizeof state);
  const uint64_t bits = 8 * ((uint64_t)BLOCK + size);
  for (; size >= BLOCK; data += BLOCK, size -= BLOCK)
    compress(state, data);
  memcpy(last, data, size);
  last[size] = 0x80;
  const size_t whole = size < BLOCK - 8 ? BLOCK : 2 * BLOCK;
  for (int i = 0; i < 8; i++)
    last[whole - 1 - (size_t)i] = (uint8_t)(bits >> 8 * i);
  for (size_t done = 0; done < whole; done += BLOCK)
    compress(state, last + done);
  for (int i = 0; i < DIGEST; i++)
    digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

/* Makes the states of a key of at most 64 bytes. */
void serinus_seal_init(void *states, const uint8_t *key, int64_t size) {
  seal *const s = states;
  uint8_t block[BLOCK];
  for (int outer = 0; outer < 2; outer++) {
    uint32_t *const state = outer ? s->outer : s->inner;
    memcpy(state, START, sizeof START);
    for (int i = 0; i < BLOCK; i++)
      block[i] = (uint8_t)((i < size ? key[i] : 0) ^ (outer ? 0x5c : 0x36));
    compress(state, block);
  }
}

/* The HMAC of `size` bytes. */
void serinus_sealed(const void *states, const uint8_t *data, int64_t size, uint8_t *digest) {
  const seal *const s = states;
  uint8_t inner[DIGEST];
  finish(s->inner, data, (size_t)size, inner);
  finish(s->outer, inner, DIGEST, digest);
}

/* Writes `size` bytes as base64url without padding; the place after it. */
char *serinus_write_base64(char *to, const uint8_t *data, int64_t size) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (; size > 0; data += 3, size -= 3) {
    const uint32_t three = (uint32_t)data[0] << 16 | (size > 1 ? (uint32_t)data[1] << 8 : 0) |
                           (size > 2 ? data[2] : 0);
    *to++ = letters[three >> 18];
    *to++ = letters[three >> 12 & 63];
    if (size > 1)
      *to++ = letters[three >> 6 & 63];
    if (size > 2)
      *to++ = letters[three & 63];
  }
  return to;
}
