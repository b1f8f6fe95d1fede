// f(x W^T + b) in 8-bit integers: rows are rounded on the way in, and all that follows happens on the way out.
#include "activations.h"
#ifdef __AVX512VNNI__
#include <immintrin.h>

namespace {
constexpr int64_t BLOCK = 64;         // columns of a block: four registers of 16 sums
constexpr int64_t TILE = 6;           // rows of a tile: 24 sums, 4 registers of weights and 1 of x are 29 of 32
constexpr int64_t PANEL = 320 << 10;  // bytes of rounded rows that stay in the cache beside a block of weights

// A row with one scale; 0 becomes 128, as the instruction wants one factor without a sign.
template <class T> float round_row(const T *x, uint8_t *to, int64_t width, int64_t padded) {
    uint32_t most = 0;  // as bits, where what is no number is larger than any
#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < width; i++) {
        float wide = widen(x[i]);
        uint32_t bits;
        std::memcpy(&bits, &wide, 4);
        bits &= 0x7FFFFFFF;
        most = bits > most ? bits : most;
    }
    float largest;
    std::memcpy(&largest, &most, 4);
    if (largest < 1e-30f) largest = 1e-30f;
    float steps = 1.0f / largest * 127.0f;
#pragma omp simd
    for (int64_t i = 0; i < width; i++) to[i] = uint8_t(int32_t(std::nearbyint(widen(x[i]) * steps)) + 128);
    std::memset(to + width, 128, padded - width);
    return largest / 127.0f;
}

// The sums of R rows and one block of columns.
template <int R> void multiply(const uint8_t *x, const int8_t *weight, int64_t padded, const int32_t *start,
                               int32_t (*sums)[BLOCK]) {
    __m512i sum[R][4];
#pragma GCC unroll 8
    for (int j = 0; j < 4; j++)
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) sum[r][j] = _mm512_loadu_si512(start + 16 * j);
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
    const int32_t *start;  // what takes the 128 out of the sums again
    const T *bias;
    T *out;
    int64_t width, columns, activation;

    // Rows first to last and blocks of columns `left` to `right`.
    void part(int64_t first, int64_t last, int64_t left, int64_t right) const {
        alignas(64) uint8_t panel[PANEL];
        alignas(64) int32_t sums[TILE][BLOCK];
        int64_t padded = (width + 3) / 4 * 4, fit = PANEL / padded;
        float row_scales[PANEL / 64];
        if (fit > PANEL / 64) fit = PANEL / 64;
        for (int64_t top = first; top < last; top += fit) {
            int64_t rows = last - top < fit ? last - top : fit;
            for (int64_t r = 0; r < rows; r++)
                row_scales[r] = round_row(x + (top + r) * width, panel + r * padded, width, padded);
            int64_t tiles = (rows + TILE - 1) / TILE;
            for (int64_t block = left; block < right; block++)
                for (int64_t t = 0; t < tiles; t++) {
                    int64_t from = rows * t / tiles, to = rows * (t + 1) / tiles;
                    const uint8_t *these = panel + from * padded;
                    const int8_t *weight = blocks + block * BLOCK * padded;
                    const int32_t *begin = start + block * BLOCK;
                    switch (to - from) {
                    case 1: multiply<1>(these, weight, padded, begin, sums); break;
                    case 2: multiply<2>(these, weight, padded, begin, sums); break;
                    case 3: multiply<3>(these, weight, padded, begin, sums); break;
                    case 4: multiply<4>(these, weight, padded, begin, sums); break;
                    case 5: multiply<5>(these, weight, padded, begin, sums); break;
                    default: multiply<6>(these, weight, padded, begin, sums);
                    }
                    for (int64_t r = from; r < to; r++) put_row(sums[r - from], row_scales[r], top + r, block);
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
    KERNEL void name(const T *x, const int8_t *blocks, const float *scales, const int32_t *start,            \
                     const T *bias, T *out, int64_t rows, int64_t width, int64_t columns, int64_t activation, \
                     int64_t threads) {                                                                      \
        Product<T>{x, blocks, scales, start, bias, out, width, columns, activation}.all(rows, threads);      \
    }

INT8_LINEAR(int8_linear_float, float)
INT8_LINEAR(int8_linear_bfloat16, bf16)
#endif
