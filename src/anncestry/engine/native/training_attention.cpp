// softmax(Q K^T / sqrt(d)) V with dropout of the weights, and its gradients, one head of one sequence at a time:
// scores live in the cache, a block of queries after the other, and are computed again on the way back. What a
// query cannot see in a causal mask is not computed. Inside all is float32, laid out for products of registers.
#include "kernels.h"
#include "random_bits.h"
#include <algorithm>
#include <vector>

#ifdef __AVX512F__
static const int LANES = 16, TALL = 6, WIDE = 4; // 24 of 32 registers hold sums
#else
static const int LANES = 8, TALL = 6, WIDE = 2; // 12 of 16
#endif
static const int PANEL = 64, BLOCK = 24;
typedef float lanes __attribute__((vector_size(LANES * 4), aligned(4)));

// ROWS x (COLUMNS * 16) of C (+)= A B over `depth`; A is anyhow strided, rows of B and C are dense.
template <int ROWS, int COLUMNS>
static inline void tile(const float *a, int64_t a_row, int64_t a_column, const float *b, int64_t b_row, float *c,
                        int64_t c_row, int64_t depth, bool more) {
    lanes sums[ROWS][COLUMNS];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) sums[i][j] = more ? *(const lanes *)(c + i * c_row + j * LANES) : lanes{};
    for (int64_t k = 0; k < depth; k++) {
        lanes of_b[COLUMNS];
        for (int j = 0; j < COLUMNS; j++) of_b[j] = *(const lanes *)(b + k * b_row + j * LANES);
        for (int i = 0; i < ROWS; i++) {
            float of_a = a[i * a_row + k * a_column];
            for (int j = 0; j < COLUMNS; j++) sums[i][j] += of_a * of_b[j];
        }
    }
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) *(lanes *)(c + i * c_row + j * LANES) = sums[i][j];
}

template <int COLUMNS>
static void column_of_tiles(const float *a, int64_t a_row, int64_t a_column, const float *b, int64_t b_row, float *c,
                            int64_t c_row, int64_t rows, int64_t depth, bool more) {
    int64_t row = 0;
    for (; row + TALL <= rows; row += TALL)
        tile<TALL, COLUMNS>(a + row * a_row, a_row, a_column, b, b_row, c + row * c_row, c_row, depth, more);
    for (; row + 2 <= rows; row += 2)
        tile<2, COLUMNS>(a + row * a_row, a_row, a_column, b, b_row, c + row * c_row, c_row, depth, more);
    for (; row < rows; row++)
        tile<1, COLUMNS>(a + row * a_row, a_row, a_column, b, b_row, c + row * c_row, c_row, depth, more);
}

// C (+)= A B of `rows` x `columns` (a multiple of 16).
static void product(const float *a, int64_t a_row, int64_t a_column, const float *b, int64_t b_row, float *c,
                    int64_t c_row, int64_t rows, int64_t columns, int64_t depth, bool more = false) {
    int64_t j = 0;
    for (; j + WIDE * LANES <= columns; j += WIDE * LANES)
        column_of_tiles<WIDE>(a, a_row, a_column, b + j, b_row, c + j, c_row, rows, depth, more);
    for (; j < columns; j += LANES)
        column_of_tiles<1>(a, a_row, a_column, b + j, b_row, c + j, c_row, rows, depth, more);
}

// Where a tensor (B, h, T, d) begins in each sequence, head and row.
struct Strides {
    int64_t batch, head, row;
};

struct Sizes {
    int64_t batch, heads, queries, keys, size, causal, visible_batch, visible_row, smallest, low, high, threads;
    Strides q, k, v, out, d_out;
};

template <class T> static void unpack(const T *from, Strides s, int64_t rows, int64_t size, float *to) {
    for (int64_t row = 0; row < rows; row++)
#pragma omp simd
        for (int64_t i = 0; i < size; i++) to[row * size + i] = widen(from[row * s.row + i]);
}

template <class T> static void pack(const float *from, Strides s, int64_t rows, int64_t size, T *to) {
    for (int64_t row = 0; row < rows; row++)
#pragma omp simd
        for (int64_t i = 0; i < size; i++) put(to + row * s.row + i, from[row * size + i]);
}

// (rows, size) to panels of 64 rows, each (size, 64): what the scores' products read; zeros behind the last row.
static void transpose(const float *from, int64_t rows, int64_t size, float *to) {
    for (int64_t row = 0; row < (rows + PANEL - 1) / PANEL * PANEL; row++)
        for (int64_t i = 0; i < size; i++)
            to[(row / PANEL * size + i) * PANEL + row % PANEL] = row < rows ? from[row * size + i] : 0.0f;
}

// Scores of a block of queries against the first `keys` keys (rounded up to 16).
static void scores_of(const float *queries, const float *panels, int64_t rows, int64_t keys, int64_t size, float *to,
                      int64_t to_row) {
    for (int64_t first = 0; first < keys; first += PANEL) {
        int64_t columns = std::min<int64_t>(PANEL, (keys - first + LANES - 1) / LANES * LANES);
        product(queries, size, 1, panels + first * size, PANEL, to + first, to_row, rows, columns, size);
    }
}

// Minus infinity where a key cannot be seen, for one query; keys from `seen` on are not looked at.
static void hide(float *scores, const uint8_t *visible, int64_t seen) {
    if (visible)
        for (int64_t i = 0; i < seen; i++)
            if (!visible[i]) scores[i] = -INFINITY;
}

static float largest_of(const float *scores, int64_t seen) {
    float tops[LANES], largest = -INFINITY;
    std::fill(tops, tops + LANES, -INFINITY);
    int64_t i = 0;
    for (; i + LANES <= seen; i += LANES)
#pragma omp simd
        for (int j = 0; j < LANES; j++) tops[j] = scores[i + j] > tops[j] ? scores[i + j] : tops[j];
    for (; i < seen; i++) largest = scores[i] > largest ? scores[i] : largest;
    for (int j = 0; j < LANES; j++) largest = tops[j] > largest ? tops[j] : largest;
    return largest;
}

// The passes over rows are functions of values: what a lambda captures might lie where they write.
static float exponentials(float *w, int64_t seen, float largest, float scale) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < seen; i++) {
        w[i] = fast_exp((w[i] - largest) * scale);
        total += w[i];
    }
    return total;
}

static void multiply(float *w, const float *mask, float share, int64_t seen) {
#pragma omp simd
    for (int64_t i = 0; i < seen; i++) w[i] *= mask[i] * share;
}

static float dot(const float *a, const float *b, int64_t size) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < size; i++) total += a[i] * b[i];
    return total;
}

// From scores and the gradients of dropped weights to dropped weights and the gradients of scores.
static void slopes_of(float *w, float *slope, const float *mask, int64_t seen, float scale, float norm, float mean) {
#pragma omp simd
    for (int64_t i = 0; i < seen; i++) {
        float weight = fast_exp(w[i] * scale - norm);
        slope[i] = weight * (slope[i] * mask[i] - mean) * scale;
        w[i] = weight * mask[i];
    }
}

// 1 / (1 - p) or 0 for each weight of a row, as dropout.cpp has them for all weights in one tensor.
static void mask_row(float *mask, int64_t row, int64_t keys, int64_t seen, const Sizes &s, float kept) {
    int64_t begin = row * keys;
    uint32_t pair = uint32_t(begin / 2);
    for (int64_t first = 0; first < seen; first += 256) {
        uint32_t bits[136];
        int16_t halves[272];
#pragma omp simd
        for (int i = 0; i < 136; i++) bits[i] = random_bits(pair + uint32_t(first / 2 + i), s.low, s.high);
        std::memcpy(halves, bits, sizeof bits);
        const int16_t *mine = halves + begin % 2;
        int64_t size = std::min<int64_t>(256, seen - first);
#pragma omp simd
        for (int64_t i = 0; i < size; i++) mask[first + i] = int32_t(mine[i]) >= int32_t(s.smallest) ? kept : 0.0f;
    }
}

static inline int64_t seen_by(const Sizes &s, int64_t query) {
    return s.causal ? std::min(query + 1, s.keys) : s.keys;
}

template <class T>
static void forward(const T *q, const T *k, const T *v, const uint8_t *visible, T *out, float *norms, const Sizes &s,
                    float scale, float kept) {
    share_out(s.batch * s.heads, s.threads, [&](int64_t first, int64_t last) {
        int64_t d = s.size, wide = (s.keys + PANEL - 1) / PANEL * PANEL;
        std::vector<float> queries(s.queries * d), keys(s.keys * d), values(s.keys * d), panels(wide * d);
        std::vector<float> weights(BLOCK * wide), mask(wide, 1.0f), found(BLOCK * d);
        for (int64_t item = first; item < last; item++) {
            int64_t b = item / s.heads, h = item % s.heads;
            unpack(q + b * s.q.batch + h * s.q.head, s.q, s.queries, d, queries.data());
            unpack(k + b * s.k.batch + h * s.k.head, s.k, s.keys, d, keys.data());
            unpack(v + b * s.v.batch + h * s.v.head, s.v, s.keys, d, values.data());
            transpose(keys.data(), s.keys, d, panels.data());
            for (int64_t begin = 0; begin < s.queries; begin += BLOCK) {
                int64_t rows = std::min<int64_t>(BLOCK, s.queries - begin), all = seen_by(s, begin + rows - 1);
                scores_of(queries.data() + begin * d, panels.data(), rows, all, d, weights.data(), wide);
                for (int64_t i = 0; i < rows; i++) {
                    int64_t row = begin + i, seen = seen_by(s, row);
                    float *w = weights.data() + i * wide;
                    hide(w, visible ? visible + b * s.visible_batch + row * s.visible_row : nullptr, seen);
                    float largest = largest_of(w, seen);
                    float total = exponentials(w, seen, largest, scale), share = 1 / total;
                    norms[item * s.queries + row] = largest * scale + std::log(total);
                    if (s.smallest > -32768) mask_row(mask.data(), item * s.queries + row, s.keys, seen, s, kept);
                    multiply(w, mask.data(), share, seen);
                    for (int64_t j = seen; j < all; j++) w[j] = 0;
                }
                product(weights.data(), wide, 1, values.data(), d, found.data(), d, rows, d, all);
                pack(found.data(), s.out, rows, d, out + b * s.out.batch + h * s.out.head + begin * s.out.row);
            }
        }
    });
}

// of_* are laid out like `out`.
template <class T>
static void backward(const T *q, const T *k, const T *v, const uint8_t *visible, const T *out, const float *norms,
                     const T *d_out, T *of_q, T *of_k, T *of_v, const Sizes &s, Strides of_keys, float scale,
                     float kept) {
    share_out(s.batch * s.heads, s.threads, [&](int64_t first, int64_t last) {
        int64_t d = s.size, wide = (s.keys + PANEL - 1) / PANEL * PANEL;
        std::vector<float> queries(s.queries * d), keys(s.keys * d), values(s.keys * d), above(s.queries * d);
        std::vector<float> results(s.queries * d), key_panels(wide * d), value_panels(wide * d), mask(wide, 1.0f);
        std::vector<float> weights(BLOCK * wide), slopes(BLOCK * wide);
        std::vector<float> d_queries(s.queries * d), d_keys(s.keys * d), d_values(s.keys * d);
        for (int64_t item = first; item < last; item++) {
            int64_t b = item / s.heads, h = item % s.heads;
            unpack(q + b * s.q.batch + h * s.q.head, s.q, s.queries, d, queries.data());
            unpack(k + b * s.k.batch + h * s.k.head, s.k, s.keys, d, keys.data());
            unpack(v + b * s.v.batch + h * s.v.head, s.v, s.keys, d, values.data());
            unpack(d_out + b * s.d_out.batch + h * s.d_out.head, s.d_out, s.queries, d, above.data());
            unpack(out + b * s.out.batch + h * s.out.head, s.out, s.queries, d, results.data());
            transpose(keys.data(), s.keys, d, key_panels.data());
            transpose(values.data(), s.keys, d, value_panels.data());
            std::fill(d_keys.begin(), d_keys.end(), 0.0f);
            std::fill(d_values.begin(), d_values.end(), 0.0f);
            for (int64_t begin = 0; begin < s.queries; begin += BLOCK) {
                int64_t rows = std::min<int64_t>(BLOCK, s.queries - begin), all = seen_by(s, begin + rows - 1);
                scores_of(queries.data() + begin * d, key_panels.data(), rows, all, d, weights.data(), wide);
                scores_of(above.data() + begin * d, value_panels.data(), rows, all, d, slopes.data(), wide);
                for (int64_t i = 0; i < rows; i++) {
                    int64_t row = begin + i, seen = seen_by(s, row);
                    float *w = weights.data() + i * wide, *slope = slopes.data() + i * wide;
                    hide(w, visible ? visible + b * s.visible_batch + row * s.visible_row : nullptr, seen);
                    float mean = dot(above.data() + row * d, results.data() + row * d, d);
                    if (s.smallest > -32768) mask_row(mask.data(), item * s.queries + row, s.keys, seen, s, kept);
                    float norm = norms[item * s.queries + row];
                    slopes_of(w, slope, mask.data(), seen, scale, norm, mean);
                    for (int64_t j = seen; j < all; j++) w[j] = slope[j] = 0;
                }
                const float *of_block = above.data() + begin * d, *asked = queries.data() + begin * d;
                product(slopes.data(), wide, 1, keys.data(), d, d_queries.data() + begin * d, d, rows, d, all);
                product(slopes.data(), 1, wide, asked, d, d_keys.data(), d, all, d, rows, true);
                product(weights.data(), 1, wide, of_block, d, d_values.data(), d, all, d, rows, true);
            }
            pack(d_queries.data(), s.out, s.queries, d, of_q + b * s.out.batch + h * s.out.head);
            pack(d_keys.data(), of_keys, s.keys, d, of_k + b * of_keys.batch + h * of_keys.head);
            pack(d_values.data(), of_keys, s.keys, d, of_v + b * of_keys.batch + h * of_keys.head);
        }
    });
}

#define OF_TYPE(NAME, T)                                                                                              \
    KERNEL void attention_forward_##NAME(const T *q, const T *k, const T *v, const uint8_t *visible, T *out,          \
                                         float *norms, const Sizes *s, float scale, float kept) {                     \
        forward(q, k, v, visible, out, norms, *s, scale, kept);                                                       \
    }                                                                                                                 \
    KERNEL void attention_backward_##NAME(const T *q, const T *k, const T *v, const uint8_t *visible, const T *out,   \
                                          const float *norms, const T *d_out, T *of_q, T *of_k, T *of_v,              \
                                          const Sizes *s, const Strides *of_keys, float scale, float kept) {          \
        backward(q, k, v, visible, out, norms, d_out, of_q, of_k, of_v, *s, *of_keys, scale, kept);                   \
    }

OF_TYPE(float, float)
OF_TYPE(bfloat16, bf16)
