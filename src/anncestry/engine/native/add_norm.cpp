// LN(x + residual) in one pass over each row.
#include "kernels.h"

template <class T>
static void add_norm(const T *x, const T *residual, const T *gain, const T *shift, T *out, int64_t rows,
                     int64_t width, float epsilon, int64_t threads) {
    share_out(rows, threads, [&](int64_t first, int64_t last) {
        float sum[4096];
        for (int64_t row = first; row < last; row++) {
            const T *a = x + row * width, *b = residual + row * width;
            T *to = out + row * width;
            float total = 0, squares = 0;
#pragma omp simd reduction(+ : total)
            for (int64_t i = 0; i < width; i++) {
                float s = widen(a[i]) + widen(b[i]);
                sum[i] = s;
                total += s;
            }
            float mean = total / width;
#pragma omp simd reduction(+ : squares)
            for (int64_t i = 0; i < width; i++) squares += (sum[i] - mean) * (sum[i] - mean);
            float inverse = 1.0f / std::sqrt(squares / width + epsilon);
#pragma omp simd
            for (int64_t i = 0; i < width; i++)
                put(to + i, (sum[i] - mean) * inverse * widen(gain[i]) + widen(shift[i]));
        }
    });
}

KERNEL void add_norm_float(const float *x, const float *residual, const float *gain, const float *shift,
                           float *out, int64_t rows, int64_t width, float epsilon, int64_t threads) {
    add_norm(x, residual, gain, shift, out, rows, width, epsilon, threads);
}

KERNEL void add_norm_bfloat16(const bf16 *x, const bf16 *residual, const bf16 *gain, const bf16 *shift,
                              bf16 *out, int64_t rows, int64_t width, float epsilon, int64_t threads) {
    add_norm(x, residual, gain, shift, out, rows, width, epsilon, threads);
}
