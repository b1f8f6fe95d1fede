// f(x W^T + b) in 8-bit integers: rows are rounded on the way in, and all that follows happens on the way out.
#include "activations.h"
#ifdef __AVX512VNNI__
#include <immintrin.h>

namespace {
constexpr int64_t BLOCK = 64;         // columns of a block: four registers of 16 sums
constexpr int64_t TILE = 6;           // rows of a tile: 24 sums, 4 registers of weights and 1 of x are 29 of 32
constexpr int64_t PANEL = 320 << 10;  // bytes of rounded rows that stay in the cache beside a block of weights

struct Rounding {
    float step;    // between two integers
    int32_t zero;  // the integer that stands for 0
};

// A row as integers of 0 to 255, from its least number (or 0) to its largest: what a GELU leaves is hardly ever
// negative, and would use half of them with one sign.
template <class T> Rounding round_row(const T *x, uint8_t *to, int64_t width, int64_t padded) {
    uint32_t most = 0;  // as bits, where what is no number is larger than any
    float low = 0, high = 0;
#pragma omp simd reduction(max : most, high) reduction(min : low)
    for (int64_t i = 0; i < width; i++) {
        float wide = widen(x[i]);
        uint32_t bits;
        std::memcpy(&bits, &wide, 4);
        bits &= 0x7FFFFFFF;
        most = bits > most ? bits : most;
        low = wide < low ? wide : low;
        high = wide > high ? wide : high;
    }
    float range = high - low;
    if (range < 1e-30f) range = 1e-30f;
    if (most > 0x7F800000) std::memcpy(&range, &most, 4);
    float steps = 1.0f / range * 255.0f;
    int32_t zero = int32_t(std::nearbyint(-low * steps));
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
        int32_t integer = int32_t(std::nearbyint(widen(x[i]) * steps)) + zero;
        to[i] = uint8_t(integer > 255 ? 255 : integer);
    }
    std::memset(to + width, 0, padded - width);
    return {range / 255.0f, zero};
}

// The sums of R rows and one block of columns; what stands for 0 is taken out of them at the start.
template <int R> void multiply(const uint8_t *x, const int8_t *weight, int64_t padded, const int32_t *totals,
                               const Rounding *rounding, int32_t (*sums)[BLOCK]) {
    __m512i sum[R][4];
#pragma GCC unroll 8
    for (int j = 0; j < 4; j++)
#pragma GCC unroll 8
        for (int r = 0; r < R; r++)
            sum[r][j] = _mm512_mullo_epi32(_mm512_set1_epi32(-rounding[r].zero), _mm512_loadu_si512(totals + 16 * j));
    for (int64_t k = 0; k < padded; k += 4, weight += 4 * BLOCK) {
        __m512i w[4];
#pragma GCC unroll 8
        for (int j = 0; j < 4; j++) w[j] = _mm512_loadu_si512(weight + 64 * j);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            int32_t four;
            std::memcpy(&four, x + r * padded + k, 4);
            __m512i same = _mm512_set1_epi32(four);
#pragma GCC unroll 8
            for (int j = 0; j < 4; j++) sum[r][j] = _mm512_dpbusd_epi32(sum[r][j], same, w[j]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 8
        for (int j = 0; j < 4; j++) _mm512_storeu_si512(sums[r] + 16 * j, sum[r][j]);
}

template <Activation f, class T>
void finish(const int32_t *sums, float scale, const float *scales, const T *bias, T *out, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        put(out + i, activate<f>(float(sums[i]) * (scale * scales[i]) + (bias ? widen(bias[i]) : 0.0f)));
}

template <class T> struct Product {
    const T *x;
    const int8_t *blocks;  // (K / 64, D / 4, 64, 4), both rounded up
    const float *scales;   // of the columns
    const int32_t *totals; // of the columns' integers
    const T *bias;
    T *out;
    int64_t width, columns, activation;

    // Rows first to last and blocks of columns `left` to `right`.
    void part(int64_t first, int64_t last, int64_t left, int64_t right) const {
        alignas(64) uint8_t panel[PANEL];
        alignas(64) int32_t sums[TILE][BLOCK];
        int64_t padded = (width + 3) / 4 * 4, fit = PANEL / padded;
        Rounding roundings[PANEL / 64];
        if (fit > PANEL / 64) fit = PANEL / 64;
        for (int64_t top = first; top < last; top += fit) {
            int64_t rows = last - top < fit ? last - top : fit;
            for (int64_t r = 0; r < rows; r++)
                roundings[r] = round_row(x + (top + r) * width, panel + r * padded, width, padded);
            int64_t tiles = (rows + TILE - 1) / TILE;
            for (int64_t block = left; block < right; block++)
                for (int64_t t = 0; t < tiles; t++) {
                    int64_t from = rows * t / tiles, to = rows * (t + 1) / tiles;
                    const uint8_t *these = panel + from * padded;
                    const int8_t *weight = blocks + block * BLOCK * padded;
                    const int32_t *begin = totals + block * BLOCK;
                    const Rounding *rounding = roundings + from;
                    switch (to - from) {
                    case 1: multiply<1>(these, weight, padded, begin, rounding, sums); break;
                    case 2: multiply<2>(these, weight, padded, begin, rounding, sums); break;
                    case 3: multiply<3>(these, weight, padded, begin, rounding, sums); break;
                    case 4: multiply<4>(these, weight, padded, begin, rounding, sums); break;
                    case 5: multiply<5>(these, weight, padded, begin, rounding, sums); break;
                    default: multiply<6>(these, weight, padded, begin, rounding, sums);
                    }
                    for (int64_t r = from; r < to; r++) put_row(sums[r - from], roundings[r].step, top + r, block);
                }
        }
    }

    void put_row(const int32_t *sums, float scale, int64_t row, int64_t block) const {
        int64_t column = block * BLOCK, count = columns - column < BLOCK ? columns - column : BLOCK;
        const T *added = bias ? bias + column : nullptr;
        T *to = out + row * columns + column;
        with_activation(activation, [&](auto f) {
            finish<decltype(f)::value>(sums, scale, scales + column, added, to, count);
        });
    }

    // Few rows: the columns are shared out, and each thread rounds the rows for itself. Many: the rows are.
    void all(int64_t rows, int64_t threads) const {
        int64_t count = (columns + BLOCK - 1) / BLOCK;
        if (rows < 8 * TILE)
            share_out(count, threads, [&](int64_t left, int64_t right) { part(0, rows, left, right); });
        else
            share_out(rows, threads, [&](int64_t first, int64_t last) { part(first, last, 0, count); });
    }
};
}  // namespace

#define INT8_LINEAR(name, T)                                                                                 \
    KERNEL void name(const T *x, const int8_t *blocks, const float *scales, const int32_t *totals,           \
                     const T *bias, T *out, int64_t rows, int64_t width, int64_t columns, int64_t activation, \
                     int64_t threads) {                                                                      \
        Product<T>{x, blocks, scales, totals, bias, out, width, columns, activation}.all(rows, threads);      \
    }

INT8_LINEAR(int8_linear_float, float)
INT8_LINEAR(int8_linear_bfloat16, bf16)
#endif
