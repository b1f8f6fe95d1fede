// f(x W^T + b) for few rows of x: each weight is read once, where it lies, at the speed of the memory.
#include "activations.h"

namespace {
#ifdef __AVX512F__
constexpr int WIDE = 16, SUMS = 24;  // numbers of a register; registers for sums, of 32
#else
constexpr int WIDE = 8, SUMS = 12;  // of 16
#endif
constexpr int TILE = 8;              // rows of x that are computed together
constexpr int64_t BLOCK = 64;        // columns after which bias and activation are applied

typedef float Floats __attribute__((vector_size(WIDE * 4)));
typedef uint32_t Bits __attribute__((vector_size(WIDE * 4)));
typedef uint16_t Halves __attribute__((vector_size(WIDE * 2)));

inline Floats load(const float *from) {
    Floats found;
    std::memcpy(&found, from, sizeof found);
    return found;
}

inline Floats load(const bf16 *from) {
    Halves halves;
    std::memcpy(&halves, from, sizeof halves);
    return (Floats)(__builtin_convertvector(halves, Bits) << 16);
}

inline float total(Floats x) {
    float parts[WIDE];
    std::memcpy(parts, &x, sizeof parts);
    for (int half = WIDE / 2; half; half /= 2)
        for (int i = 0; i < half; i++) parts[i] += parts[i + half];
    return parts[0];
}

// The products of R rows with C rows of the weight, into sums[row][column].
template <int R, int C, class T>
void multiply(const float *x, const T *weight, int64_t width, float (*sums)[BLOCK], int64_t column) {
    Floats sum[R][C] = {};
    int64_t k = 0;
    for (; k + WIDE <= width; k += WIDE) {
        Floats w[C];
#pragma GCC unroll 8
        for (int c = 0; c < C; c++) {
            w[c] = load(weight + c * width + k);
            __builtin_prefetch(weight + (C + c) * width + k);  // comes next; the processor would wait for it
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            Floats v = load(x + r * width + k);
#pragma GCC unroll 8
            for (int c = 0; c < C; c++) sum[r][c] += v * w[c];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 8
        for (int c = 0; c < C; c++) {
            float all = total(sum[r][c]);
            for (int64_t i = k; i < width; i++) all += x[r * width + i] * widen(weight[c * width + i]);
            sums[r][column + c] = all;
        }
}

// R rows and `count` columns.
template <int R, class T>
void block(const float *x, const T *weight, int64_t width, float (*sums)[BLOCK], int64_t count) {
    constexpr int C = SUMS / R < 1 ? 1 : (SUMS / R > 4 ? 4 : SUMS / R);
    int64_t column = 0;
    for (; column + C <= count; column += C) multiply<R, C>(x, weight + column * width, width, sums, column);
    for (; column < count; column++) multiply<R, 1>(x, weight + column * width, width, sums, column);
}

template <class T>
void few_rows(const float *x, const T *weight, const T *bias, T *out, int64_t rows, int64_t width,
              int64_t columns, int64_t activation, int64_t threads) {
    share_out((columns + BLOCK - 1) / BLOCK, threads, [&](int64_t left, int64_t right) {
        float sums[TILE][BLOCK];
        int64_t tiles = (rows + TILE - 1) / TILE;
        for (int64_t column = left * BLOCK; column < right * BLOCK && column < columns; column += BLOCK)
            for (int64_t t = 0; t < tiles; t++) {
                int64_t first = rows * t / tiles, last = rows * (t + 1) / tiles;
                int64_t count = columns - column < BLOCK ? columns - column : BLOCK;
                const float *these = x + first * width;
                const T *w = weight + column * width;
                switch (last - first) {
                case 1: block<1>(these, w, width, sums, count); break;
                case 2: block<2>(these, w, width, sums, count); break;
                case 3: block<3>(these, w, width, sums, count); break;
                case 4: block<4>(these, w, width, sums, count); break;
                case 5: block<5>(these, w, width, sums, count); break;
                case 6: block<6>(these, w, width, sums, count); break;
                case 7: block<7>(these, w, width, sums, count); break;
                default: block<8>(these, w, width, sums, count);
                }
                for (int64_t r = first; r < last; r++)
                    with_activation(activation, [&](auto f) {
                        const float *sum = sums[r - first];
                        T *to = out + r * columns + column;
#pragma omp simd
                        for (int64_t i = 0; i < count; i++) {
                            float x = sum[i] + (bias ? widen(bias[column + i]) : 0.0f);
                            put(to + i, activate<decltype(f)::value>(x));
                        }
                    });
            }
    });
}
}  // namespace

KERNEL void few_rows_float(const float *x, const float *weight, const float *bias, float *out, int64_t rows,
                           int64_t width, int64_t columns, int64_t activation, int64_t threads) {
    few_rows(x, weight, bias, out, rows, width, columns, activation, threads);
}

// x is float32 already: it is small, and read again and again.
KERNEL void few_rows_bfloat16(const float *x, const bf16 *weight, const bf16 *bias, bf16 *out, int64_t rows,
                              int64_t width, int64_t columns, int64_t activation, int64_t threads) {
    few_rows(x, weight, bias, out, rows, width, columns, activation, threads);
}
