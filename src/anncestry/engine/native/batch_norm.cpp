// Batch normalisation and the ReLU behind it, a x + b, over a matrix with a row for each position: statistics in one
// pass, the way forth in one, the way back in two.
//
// Sums down the columns are float32 over ROWS rows and float64 beyond.
#include "kernels.h"
#include <algorithm>
#include <memory>

constexpr int64_t ROWS = 64;

// each(row, first_sums, second_sums) adds to two float32 sums a column; done(column, first, second) gets them in float64.
template <class Each, class Done>
static void two_sums(int64_t rows, int64_t columns, int64_t threads, Each each, Done done) {
    threads = std::max<int64_t>(1, std::min(threads, rows / ROWS));
    std::unique_ptr<double[]> all(new double[threads * 2 * columns]());
    share_out(threads, threads, [&](int64_t first, int64_t last) {
        std::unique_ptr<float[]> some(new float[2 * columns]);
        for (int64_t part = first; part < last; part++) {
            double *total = all.get() + part * 2 * columns;
            const int64_t end = rows * (part + 1) / threads;
            for (int64_t row = rows * part / threads; row < end;) {
                std::fill_n(some.get(), 2 * columns, 0.0f);
                for (int64_t stop = std::min(row + ROWS, end); row < stop; row++)
                    each(row, some.get(), some.get() + columns);
                for (int64_t i = 0; i < 2 * columns; i++) total[i] += some[i];
            }
        }
    });
    for (int64_t c = 0; c < columns; c++) {
        double one = 0, other = 0;
        for (int64_t part = 0; part < threads; part++) {
            one += all[part * 2 * columns + c];
            other += all[(part * 2 + 1) * columns + c];
        }
        done(c, one, other);
    }
}

// The variance is that of the distances from the first row, so that a large mean costs no digits.
template <class T>
static void statistics(const T *x, int64_t stride, float *mean, float *variance, int64_t rows, int64_t columns,
                       int64_t threads) {
    two_sums(
        rows, columns, threads,
        [&](int64_t row, float *sum, float *squares) {
            const T *from = x + row * stride;
#pragma omp simd
            for (int64_t c = 0; c < columns; c++) {
                float distance = widen(from[c]) - widen(x[c]);
                sum[c] += distance;
                squares[c] += distance * distance;
            }
        },
        [&](int64_t c, double sum, double squares) {
            double shift = sum / rows;
            mean[c] = float(widen(x[c]) + shift);
            variance[c] = float(std::max(0.0, squares / rows - shift * shift));
        });
}

// out = ReLU(a x + b)
template <class T>
static void relu(const T *x, int64_t stride, const float *a, const float *b, T *out, int64_t rows, int64_t columns,
                 int64_t threads) {
    share_out(rows, threads, [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; row++) {
            const T *from = x + row * stride;
            T *to = out + row * columns;
#pragma omp simd
            for (int64_t c = 0; c < columns; c++) {
                float y = std::fma(widen(from[c]), a[c], b[c]);
                put(to + c, y < 0 ? 0 : y);
            }
        }
    });
}

// The gradient behind the ReLU, g where a x + b > 0: its sums and those of its products with x; `into` gets a g added.
template <class T>
static void relu_sums(const T *g, const T *x, int64_t stride, const float *a, const float *b, T *into,
                      int64_t into_stride, float *sums, float *products, int64_t rows, int64_t columns,
                      int64_t threads) {
    two_sums(
        rows, columns, threads,
        [&](int64_t row, float *sum, float *product) {
            const T *from = x + row * stride, *gradient = g + row * columns;
            T *to = into + row * into_stride;
            auto add = [&](bool written) {
#pragma omp simd
                for (int64_t c = 0; c < columns; c++) {
                    float value = widen(from[c]), back = widen(gradient[c]);
                    back = std::fma(value, a[c], b[c]) <= 0 ? 0 : back;
                    sum[c] += back;
                    product[c] += back * value;
                    if (written) put(to + c, widen(to[c]) + back * a[c]);
                }
            };
            into ? add(true) : add(false);
        },
        [&](int64_t c, double sum, double product) {
            sums[c] = float(sum);
            products[c] = float(product);
        });
}

// g = a g + slope x + level in place, with the g where a x + b > 0.
template <class T>
static void relu_back(T *g, const T *x, int64_t stride, const float *a, const float *b, const float *slope,
                      const float *level, int64_t rows, int64_t columns, int64_t threads) {
    share_out(rows, threads, [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; row++) {
            const T *from = x + row * stride;
            T *gradient = g + row * columns;
#pragma omp simd
            for (int64_t c = 0; c < columns; c++) {
                float value = widen(from[c]), back = widen(gradient[c]);
                back = std::fma(value, a[c], b[c]) <= 0 ? 0 : back;
                put(gradient + c, back * a[c] + (value * slope[c] + level[c]));
            }
        }
    });
}

#define OF_TYPE(T, NAME)                                                                                              \
    KERNEL void norm_statistics_##NAME(const T *x, int64_t stride, float *mean, float *variance, int64_t rows,        \
                                       int64_t columns, int64_t threads) {                                            \
        statistics(x, stride, mean, variance, rows, columns, threads);                                                \
    }                                                                                                                 \
    KERNEL void norm_relu_##NAME(const T *x, int64_t stride, const float *a, const float *b, T *out, int64_t rows,    \
                                 int64_t columns, int64_t threads) {                                                  \
        relu(x, stride, a, b, out, rows, columns, threads);                                                           \
    }                                                                                                                 \
    KERNEL void norm_relu_sums_##NAME(const T *g, const T *x, int64_t stride, const float *a, const float *b,         \
                                      T *into, int64_t into_stride, float *sums, float *products, int64_t rows,       \
                                      int64_t columns, int64_t threads) {                                             \
        relu_sums(g, x, stride, a, b, into, into_stride, sums, products, rows, columns, threads);                     \
    }                                                                                                                 \
    KERNEL void norm_relu_back_##NAME(T *g, const T *x, int64_t stride, const float *a, const float *b,               \
                                      const float *slope, const float *level, int64_t rows, int64_t columns,          \
                                      int64_t threads) {                                                              \
        relu_back(g, x, stride, a, b, slope, level, rows, columns, threads);                                          \
    }
OF_TYPE(float, float)
OF_TYPE(bf16, bfloat16)
