// The bottleneck layers of a dense block (bounds, 1x1 kernels, ReLU, 3x3 kernels) layer after layer in one call, and
// the transition behind them (bounds, averages, 1x1 kernels).
//
// Maps are rows of a matrix, one for each position. Both convolutions are products of rows with kernels; what the
// bounds leave and what the 1x1 kernels give stays in the cache. Images have a rim of zeros there, so that what a
// 3x3 kernel reads is three runs of 3 P numbers: there is no matrix of patches.
#include "products.h"

constexpr int64_t BLOCK = 8 * 14;  // positions whose bounded maps are held at a time

// What is no number stays none.
static inline float within(float x, float low, float high) {
    float bounded = x < low ? low : x;
    return bounded > high ? high : bounded;
}

// X (images, height, width, columns): of each position the first `read` maps are there, the others are written.
// weights, for each layer that reads m maps: low (m), high (m), bias (P), 1x1 kernels (P / 16, m, 16), 3x3 kernels
// (up(k, 16), 9 P, 16), with P a multiple of 16. room: images * (height + 2) * (width + 2) * P zeros.
KERNEL void bottlenecks(float *X, const float *weights, float *room, int64_t images, int64_t height,
                        int64_t width, int64_t columns, int64_t read, int64_t growth, int64_t P, int64_t threads) {
    const int64_t positions = images * height * width, lines = images * height, groups = up(growth, GROUP);
    const int64_t wide = width + 2;  // of a line with its rim
    auto work = [&](int64_t me, int64_t all) {
        const Part mine = even({0, positions}, all, me), my_lines = even({0, lines}, all, me);
        std::unique_ptr<float[]> held(new float[BLOCK * columns]);
        const float *next = weights;
        for (int64_t m = read; m < columns; m += growth) {
            const float *low = next, *high = low + m, *bias = high + m, *narrow = bias + P;
            const float *spread = narrow + m * P;
            next = spread + groups * GROUP * 9 * P;
            const int64_t blocks = up(mine.last - mine.first, BLOCK);
            for (int64_t b = 0; b < blocks; b++) {
                Part block = even(mine, blocks, b);
                for (int64_t p = block.first; p < block.last; p++) {
                    const float *x = X + p * columns;
                    float *t = held.get() + (p - block.first) * m;
#pragma omp simd
                    for (int64_t c = 0; c < m; c++) t[c] = within(x[c], low[c], high[c]);
                }
                product(block.last - block.first, held.get(), m, 1, 0, m, narrow, P / GROUP, spread,
                        [&](int64_t row, int64_t c, int64_t count, const float *sums) {
                            int64_t p = block.first + row, line = p / width, image = line / height;
                            float *h = room + ((line + 2 * image + 1) * wide + p % width + 1) * P + c;
#pragma omp simd
                            for (int64_t i = 0; i < count; i++) {
                                float sum = sums[i] + bias[c + i];
                                h[i] = sum < 0 ? 0 : sum;
                            }
                        });
            }
#pragma omp barrier
            for (int64_t line = my_lines.first; line < my_lines.last; line++) {
                const float *h = room + (line + 2 * (line / height)) * wide * P;
                float *y = X + line * width * columns + m;
                product(width, h, P, 3, wide * P, 3 * P, spread, groups, next + 2 * (m + growth) + P,
                        [&](int64_t row, int64_t c, int64_t count, const float *sums) {
                            std::memcpy(y + row * columns + c, sums, 4 * std::min(count, growth - c));
                        });
            }
#pragma omp barrier
        }
    };
    if (threads <= 1) return work(0, 1);
#pragma omp parallel num_threads(int(threads))
    work(omp_get_thread_num(), omp_get_num_threads());
}

// out (images, up(height, 2), up(width, 2), K): the 1x1 kernels for the averages over 2 x 2 positions (fewer at the
// edges) of X (images, height, width, m), bounded. weights: low (m), high (m), bias and kernels (up(K, 16), m, 16).
KERNEL void transition(const float *X, const float *weights, float *out, int64_t images, int64_t height,
                       int64_t width, int64_t m, int64_t K, int64_t threads) {
    const int64_t lines = up(height, 2), across = up(width, 2), groups = up(K, GROUP);
    const float *low = weights, *high = low + m, *bias = high + m, *kernels = bias + groups * GROUP;
    share_out(images * lines * across, threads, [&](int64_t first, int64_t last) {
        std::unique_ptr<float[]> held(new float[BLOCK * m]);
        const int64_t blocks = up(last - first, BLOCK);
        for (int64_t b = 0; b < blocks; b++) {
            Part block = even({first, last}, blocks, b);
            for (int64_t p = block.first; p < block.last; p++) {
                const int64_t image = p / (lines * across), y = p / across % lines * 2, x = p % across * 2;
                const int64_t down = y + 1 < height ? width * m : 0, right = x + 1 < width ? m : 0;
                const float *from = X + ((image * height + y) * width + x) * m;
                float *t = held.get() + (p - block.first) * m;
#pragma omp simd
                for (int64_t c = 0; c < m; c++)  // at an edge the same number twice: their average is it
                    t[c] = 0.25f * (within(from[c], low[c], high[c]) + within(from[c + right], low[c], high[c]) +
                                    within(from[c + down], low[c], high[c]) +
                                    within(from[c + down + right], low[c], high[c]));
            }
            product(block.last - block.first, held.get(), m, 1, 0, m, kernels, groups, kernels,
                    [&](int64_t row, int64_t c, int64_t count, const float *sums) {
                        float *y = out + (block.first + row) * K + c;
                        for (int64_t i = 0; i < std::min(count, K - c); i++) y[i] = sums[i] + bias[c + i];
                    });
        }
    });
}
