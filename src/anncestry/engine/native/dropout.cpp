// Drop(x), or added + Drop(x), in one pass. Which numbers stay is a hash of the seed and of where a number
// stands: nothing is stored for the way back, and any number of threads finds the same.
#include "kernels.h"
#include "random_bits.h"

template <class T>
static void dropout(const T *x, const T *added, T *out, int64_t count, int64_t smallest, float scale, int64_t low,
                    int64_t high, int64_t threads) {
    const int64_t BLOCK = 512;
    share_out((count + BLOCK - 1) / BLOCK, threads, [&](int64_t first, int64_t last) {
        uint32_t bits[BLOCK / 2];
        int16_t halves[BLOCK];
        for (int64_t block = first; block < last; block++) {
            int64_t begin = block * BLOCK, size = count - begin < BLOCK ? count - begin : BLOCK;
            uint32_t pair = uint32_t(begin / 2);
#pragma omp simd
            for (int i = 0; i < BLOCK / 2; i++) bits[i] = random_bits(pair + uint32_t(i), low, high);
            std::memcpy(halves, bits, sizeof bits);
            const T *from = x + begin, *to_add = added ? added + begin : nullptr;
            T *to = out + begin;
#pragma omp simd
            for (int64_t i = 0; i < size; i++) {
                T scaled;
                put(&scaled, widen(from[i]) * scale);
                float kept = int32_t(halves[i]) >= int32_t(smallest) ? widen(scaled) : 0.0f;
                put(to + i, kept);
            }
            if (to_add) {
#pragma omp simd
                for (int64_t i = 0; i < size; i++) put(to + i, widen(to_add[i]) + widen(to[i]));
            }
        }
    });
}

KERNEL void dropout_float(const float *x, const float *added, float *out, int64_t count, int64_t smallest,
                          float scale, int64_t low, int64_t high, int64_t threads) {
    dropout(x, added, out, count, smallest, scale, low, high, threads);
}

KERNEL void dropout_bfloat16(const bf16 *x, const bf16 *added, bf16 *out, int64_t count, int64_t smallest,
                             float scale, int64_t low, int64_t high, int64_t threads) {
    dropout(x, added, out, count, smallest, scale, low, high, threads);
}
