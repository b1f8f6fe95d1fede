// Attention of texts that lie one behind the other: each row sees the rows of its own text, and nothing is
// padding. Queries stand in the lanes of a vector, so that the softmax over keys needs no sum across lanes and
// no mask at the end of a text.
#include "kernels.h"
#include <algorithm>
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

// sums[g] += scalars[g * step + i * stride] * vectors[i], two vectors wide: both products of attention.
template <int64_t G>
static inline void products(const float *scalars, int64_t step, int64_t stride, const float *vectors,
                            int64_t vector_step, int64_t count, Lanes (*sums)[2]) {
    Lanes kept[G][2] = {};
    for (int64_t i = 0; i < count; i++) {
        Lanes left = load(vectors + i * vector_step), right = load(vectors + i * vector_step + LANES);
        for (int64_t g = 0; g < G; g++) {
            float scalar = scalars[g * step + i * stride];
            kept[g][0] += scalar * left;
            kept[g][1] += scalar * right;
        }
    }
    for (int64_t g = 0; g < G; g++) sums[g][0] = kept[g][0], sums[g][1] = kept[g][1];
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

template <class T>
static void attend(const T *queries, const T *keys, const T *values, T *out, const int64_t *offsets,
                   int64_t texts, int64_t heads, int64_t size, int64_t query_row, int64_t key_row,
                   int64_t value_row, float scale, int64_t causal, int64_t threads) {
    const int64_t wide = (size + PAIR - 1) / PAIR * PAIR;
    share_out(heads * texts, threads, [&](int64_t first, int64_t last) {
        Rows<T> k, v;
        std::vector<Lanes> asked(size_t(size * 2)), scores;
        float *q = reinterpret_cast<float *>(asked.data());
        for (int64_t item = first; item < last; item++) {
            const int64_t head = item / texts, begin = offsets[item % texts];
            const int64_t length = offsets[item % texts + 1] - begin;
            if (length <= 0) continue;
            k.read(keys + begin * key_row + head * size, key_row, length, size, wide);
            v.read(values + begin * value_row + head * size, value_row, length, size, wide);
            if (int64_t(scores.size()) < length * 2) scores.resize(size_t(length * 2));
            float *s = reinterpret_cast<float *>(scores.data());
            for (int64_t start = 0; start < length; start += PAIR) {
                const int64_t count = std::min(PAIR, length - start), seen = causal ? start + count : length;
                const T *rows = queries + (begin + start) * query_row + head * size;
                for (int64_t lane = 0; lane < PAIR; lane++)
                    for (int64_t i = 0; i < size; i++)
                        q[i * PAIR + lane] = lane < count ? widen(rows[lane * query_row + i]) * scale : 0.0f;

                Lanes sums[GROUP][2], largest[2];
                largest[0] = largest[1] = Lanes{} - 3.0e38f;
                for (int64_t j = 0; j < seen;) {
                    const int64_t group = seen < GROUP ? 1 : GROUP;
                    j = std::min(j, seen - group); // the last group begins within the one before
                    if (group == GROUP) products<GROUP>(k.at + j * k.step, k.step, 1, q, PAIR, size, sums);
                    else products<1>(k.at + j * k.step, k.step, 1, q, PAIR, size, sums);
                    for (int64_t g = 0; g < group; g++, j++) {
                        float *here = s + j * PAIR;
                        std::memcpy(here, sums[g], sizeof sums[g]);
                        for (int64_t lane = 0; causal && lane < j - start; lane++) here[lane] = -3.0e38f;
                        for (int64_t half = 0; half < 2; half++) {
                            Lanes score = load(here + half * LANES);
                            largest[half] = score > largest[half] ? score : largest[half];
                        }
                    }
                }
                alignas(64) float top[PAIR], total[PAIR] = {};
                std::memcpy(top, largest, sizeof top);
                for (int64_t j = 0; j < seen; j++) {
                    float *here = s + j * PAIR;
#pragma omp simd
                    for (int64_t lane = 0; lane < PAIR; lane++) {
                        float weight = fast_exp(here[lane] - top[lane]);
                        here[lane] = weight;
                        total[lane] += weight;
                    }
                }
                for (int64_t lane = 0; lane < count; lane += GROUP)
                    for (int64_t at = 0; at < size; at += PAIR) {
                        products<GROUP>(s + lane, 1, PAIR, v.at + at, v.step, seen, sums);
                        for (int64_t g = 0; g < GROUP && lane + g < count; g++) {
                            T *to = out + ((begin + start + lane + g) * heads + head) * size + at;
                            const float *sum = reinterpret_cast<const float *>(sums[g]);
                            const float inverse = 1.0f / total[lane + g];
                            for (int64_t i = 0; i < std::min(PAIR, size - at); i++) put(to + i, sum[i] * inverse);
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
