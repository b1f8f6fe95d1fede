// Attention of texts that lie one behind the other: each row sees the rows of its own text, and nothing is
// padding. Queries stand in the lanes of vectors, so that the softmax over keys needs no sum across lanes and
// no mask at the end of a text.
#include "kernels.h"
#include <algorithm>
#include <immintrin.h>
#include <type_traits>
#include <vector>

#ifdef __AVX512F__
constexpr int64_t LANES = 16;
#else
constexpr int64_t LANES = 8;
#endif
constexpr int64_t PAIR = 2 * LANES, GROUP = LANES / 2; // PAIR x GROUP sums stay in registers

typedef float Lanes __attribute__((vector_size(LANES * 4)));

static inline Lanes load(const float *from) {
    Lanes found;
    std::memcpy(&found, from, sizeof found);
    return found;
}

// sums[g][v] = the sum over i of scalars[g * step + i * stride] times the v-th vector of row i: both products.
template <int64_t G, int64_t V>
static inline void products(const float *scalars, int64_t step, int64_t stride, const float *vectors,
                            int64_t vector_step, int64_t count, float (*sums)[PAIR]) {
    Lanes kept[G][V] = {};
    for (int64_t i = 0; i < count; i++) {
        Lanes row[V];
        for (int64_t v = 0; v < V; v++) row[v] = load(vectors + i * vector_step + v * LANES);
        for (int64_t g = 0; g < G; g++)
            for (int64_t v = 0; v < V; v++) kept[g][v] += scalars[g * step + i * stride] * row[v];
    }
    for (int64_t g = 0; g < G; g++) std::memcpy(sums[g], kept[g], sizeof kept[g]);
}

// Rows of a text as floats that are whole pairs of vectors wide: where they are, or copied.
template <class T> struct Rows {
    std::vector<Lanes> room;
    const float *at;
    int64_t step;

    void read(const T *from, int64_t row, int64_t count, int64_t size, int64_t wide) {
        if constexpr (std::is_same_v<T, float>) {
            at = from, step = row;
            if (size == wide) return;
        }
        room.resize(size_t(count * wide / LANES));
        float *to = reinterpret_cast<float *>(room.data());
        for (int64_t t = 0; t < count; t++) {
            for (int64_t i = 0; i < size; i++) to[t * wide + i] = widen(from[t * row + i]);
            std::fill(to + t * wide + size, to + (t + 1) * wide, 0.0f);
        }
        at = to, step = wide;
    }
};

// to[i * PAIR + lane] = from[lane * row + i], where four by four change places at once.
template <class T>
static inline void turn(const T *from, int64_t row, int64_t count, int64_t size, float *to) {
    int64_t lane = 0;
    if constexpr (std::is_same_v<T, float>)
        for (; lane + 4 <= count && size % 4 == 0; lane += 4)
            for (int64_t i = 0; i < size; i += 4) {
                const float *four = from + lane * row + i;
                __m128 a = _mm_loadu_ps(four), b = _mm_loadu_ps(four + row), c = _mm_loadu_ps(four + 2 * row),
                       d = _mm_loadu_ps(four + 3 * row);
                _MM_TRANSPOSE4_PS(a, b, c, d);
                float *there = to + i * PAIR + lane;
                _mm_storeu_ps(there, a), _mm_storeu_ps(there + PAIR, b);
                _mm_storeu_ps(there + 2 * PAIR, c), _mm_storeu_ps(there + 3 * PAIR, d);
            }
    for (; lane < count; lane++)
        for (int64_t i = 0; i < size; i++) to[i * PAIR + lane] = widen(from[lane * row + i]);
}

// The weights of `seen` keys for the queries in the lanes of V vectors, times what they sum up to.
template <int64_t V>
static inline void weigh(const float *keys, int64_t key_step, const float *q, int64_t size, int64_t seen,
                         int64_t hidden_from, float scale, float *weights, float *total) {
    float sums[GROUP][PAIR];
    Lanes most[V];
    for (int64_t v = 0; v < V; v++) most[v] = Lanes{} - 3.0e38f;
    for (int64_t j = 0; j < seen;) {
        const int64_t group = seen < GROUP ? 1 : GROUP;
        j = std::min(j, seen - group); // the last group begins within the one before
        const float *these = keys + j * key_step;
        if (group == 1) products<1, V>(these, key_step, 1, q, PAIR, size, sums);
        else products<GROUP, V>(these, key_step, 1, q, PAIR, size, sums);
        for (int64_t g = 0; g < group; g++, j++) {
            for (int64_t lane = 0; lane < j - hidden_from; lane++) sums[g][lane] = -3.0e38f;
            std::memcpy(weights + j * PAIR, sums[g], V * sizeof(Lanes));
            for (int64_t v = 0; v < V; v++) {
                Lanes score = load(sums[g] + v * LANES);
                most[v] = score > most[v] ? score : most[v];
            }
        }
    }
    float top[V * LANES];
    std::memcpy(top, most, sizeof top);
    std::fill(total, total + V * LANES, 0.0f);
    for (int64_t j = 0; j < seen; j++) {
        float *here = weights + j * PAIR;
#pragma omp simd
        for (int64_t lane = 0; lane < V * LANES; lane++) {
            float weight = fast_exp((here[lane] - top[lane]) * scale);
            here[lane] = weight;
            total[lane] += weight;
        }
    }
}

template <class T>
static void attend(const T *queries, const T *keys, const T *values, T *out, const int64_t *offsets,
                   int64_t texts, int64_t heads, int64_t size, int64_t query_row, int64_t key_row,
                   int64_t value_row, float scale, int64_t causal, int64_t threads) {
    const int64_t wide = (size + PAIR - 1) / PAIR * PAIR;
    share_out(heads, threads, [&](int64_t first, int64_t last) {
        Rows<T> k, v;
        std::vector<Lanes> asked(size_t(size * 2)), room;
        float *q = reinterpret_cast<float *>(asked.data()), total[PAIR], sums[GROUP][PAIR];
        for (int64_t item = 0; item < texts * (last - first); item++) { // the heads of a text are neighbours
            const int64_t text = item / (last - first), head = first + item % (last - first);
            const int64_t begin = offsets[text], length = offsets[text + 1] - begin;
            if (length <= 0) continue;
            k.read(keys + begin * key_row + head * size, key_row, length, size, wide);
            v.read(values + begin * value_row + head * size, value_row, length, size, wide);
            if (int64_t(room.size()) < length * 2) room.resize(size_t(length * 2));
            float *weights = reinterpret_cast<float *>(room.data());
            for (int64_t start = 0; start < length; start += PAIR) {
                const int64_t count = std::min(PAIR, length - start), seen = causal ? start + count : length;
                const int64_t hidden_from = causal ? start : length; // a key of the j-th row, from lane j - start
                turn(queries + (begin + start) * query_row + head * size, query_row, count, size, q);
                if (count > LANES) weigh<2>(k.at, k.step, q, size, seen, hidden_from, scale, weights, total);
                else weigh<1>(k.at, k.step, q, size, seen, hidden_from, scale, weights, total);
                for (int64_t lane = 0; lane < count; lane += GROUP)
                    for (int64_t at = 0; at < size; at += PAIR) {
                        products<GROUP, 2>(weights + lane, 1, PAIR, v.at + at, v.step, seen, sums);
                        T *to = out + ((begin + start + lane) * heads + head) * size + at;
                        for (int64_t g = 0; g < GROUP && lane + g < count; g++, to += heads * size) {
                            const float share = 1.0f / total[lane + g];
                            for (int64_t i = 0; i < std::min(PAIR, size - at); i++) put(to + i, sums[g][i] * share);
                        }
                    }
            }
        }
    });
}

#define PACKED_ATTENTION(name, T)                                                                             \
    KERNEL void name(const T *queries, const T *keys, const T *values, T *out, const int64_t *offsets,        \
                     int64_t texts, int64_t heads, int64_t size, int64_t query_row, int64_t key_row,          \
                     int64_t value_row, float scale, int64_t causal, int64_t threads) {                       \
        attend(queries, keys, values, out, offsets, texts, heads, size, query_row, key_row, value_row, scale, \
               causal, threads);                                                                              \
    }

PACKED_ATTENTION(packed_attention_float, float)
PACKED_ATTENTION(packed_attention_bfloat16, bf16)
