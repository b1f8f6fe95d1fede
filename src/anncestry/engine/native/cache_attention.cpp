// Attention of one query, or the few of a beam, to the keys and values of a cache, without copying it.
#include "kernels.h"
#include <vector>

// As many numbers as a register holds.
#ifdef __AVX512F__
constexpr int LANES = 16;
#else
constexpr int LANES = 8;
#endif
typedef float many __attribute__((vector_size(4 * LANES)));
typedef uint32_t many_bits __attribute__((vector_size(4 * LANES)));
typedef uint16_t many_halves __attribute__((vector_size(2 * LANES)));

static inline many load(const float *from) {
    many wide;
    std::memcpy(&wide, from, sizeof wide);
    return wide;
}

static inline many load(const bf16 *from) {
    many_halves halves;
    std::memcpy(&halves, from, sizeof halves);
    many_bits bits = __builtin_convertvector(halves, many_bits) << 16;
    return (many)bits;
}

static inline float sum(many x) {
    typedef float few __attribute__((vector_size(16)));
    few quarters[LANES / 4];
    std::memcpy(quarters, &x, sizeof x);
    for (int i = 1; i < LANES / 4; i++) quarters[0] += quarters[i];
    return (quarters[0][0] + quarters[0][2]) + (quarters[0][1] + quarters[0][3]);
}

// One query of one head, of `size` features, which the compiler knows. Each key and value is read once, in order.
template <int size, class Q, class K>
static void attend(const Q *query, const K *keys, const K *values, const int32_t *seen, int64_t count,
                   int64_t position, float *weights, Q *out) {
    constexpr int parts = size / LANES;
    float largest = -INFINITY, total = 0, scale = 1.0f / std::sqrt(float(size));
    many asked[parts], found[parts], other[parts];
    for (int i = 0; i < parts; i++) asked[i] = load(query + LANES * i) * scale, found[i] = other[i] = many{};
    for (int64_t j = 0; j < count; j++) {
        const K *key = keys + (seen ? seen[j] : j) * position;
        many products = asked[0] * load(key);
        for (int i = 1; i < parts; i++) products += asked[i] * load(key + LANES * i);
        weights[j] = sum(products);
    }
#pragma omp simd reduction(max : largest)
    for (int64_t j = 0; j < count; j++) largest = weights[j] > largest ? weights[j] : largest;
#pragma omp simd reduction(+ : total)
    for (int64_t j = 0; j < count; j++) {
        weights[j] = fast_exp(weights[j] - largest);
        total += weights[j];
    }
    int64_t j = 0;
    for (; j + 1 < count; j += 2) { // two sums, so that none waits for itself
        const K *value = values + (seen ? seen[j] : j) * position;
        const K *next = values + (seen ? seen[j + 1] : j + 1) * position;
        for (int i = 0; i < parts; i++) {
            found[i] += weights[j] * load(value + LANES * i);
            other[i] += weights[j + 1] * load(next + LANES * i);
        }
    }
    if (j < count) {
        const K *value = values + (seen ? seen[j] : j) * position;
        for (int i = 0; i < parts; i++) found[i] += weights[j] * load(value + LANES * i);
    }
    for (int i = 0; i < parts; i++) found[i] += other[i];
    float features[size];
    std::memcpy(features, found, sizeof features);
    for (int i = 0; i < size; i++) put(out + i, features[i] / total);
}

// query, new_key, new_value: of each token one row, `row` numbers apart, with the features of all heads side by
// side. keys, values: (sources, heads, positions, size) with these distances. marks: what each query sees, or null
// for all. The newest positions are written first, where there are new ones. out: (sources, queries, heads, size).
template <int size, class Q, class K>
static void cache_attention(const Q *query, const Q *new_key, const Q *new_value, int64_t row, K *keys, K *values,
                            int64_t source, int64_t head, int64_t position, const bool *marks, int64_t mark_source,
                            int64_t mark_query, Q *out, int64_t sources, int64_t heads, int64_t queries,
                            int64_t positions, int64_t threads) {
    share_out(sources * heads, threads, [&](int64_t first, int64_t last) {
        std::vector<float> weights(positions);
        std::vector<int32_t> seen(marks ? positions : 0);
        for (int64_t item = first; item < last; item++) {
            int64_t n = item / heads, h = item % heads;
            K *mine = keys + n * source + h * head, *worth = values + n * source + h * head;
            for (int64_t t = 0; new_key && t < queries; t++) {
                int64_t from = (n * queries + t) * row + h * size, to = (positions - queries + t) * position;
                for (int64_t i = 0; i < size; i++) put(mine + to + i, widen(new_key[from + i]));
                for (int64_t i = 0; i < size; i++) put(worth + to + i, widen(new_value[from + i]));
            }
            for (int64_t t = 0; t < queries; t++) {
                int64_t token = n * queries + t, count = positions;
                if (marks) {
                    const bool *mark = marks + n * mark_source + t * mark_query;
                    count = 0;
                    for (int64_t p = 0; p < positions; p++) seen[count] = int32_t(p), count += mark[p];
                }
                attend<size>(query + token * row + h * size, mine, worth, marks ? seen.data() : nullptr, count,
                             position, weights.data(), out + (token * heads + h) * size);
            }
        }
    });
}

// Heads of other sizes are left to the plain twin.
#define CACHE_ATTENTION(NAME, Q, K)                                                                                 \
    KERNEL void NAME(const Q *query, const Q *new_key, const Q *new_value, int64_t row, K *keys, K *values,         \
                     int64_t source, int64_t head, int64_t position, const bool *marks, int64_t mark_source,        \
                     int64_t mark_query, Q *out, int64_t sources, int64_t heads, int64_t queries,                   \
                     int64_t positions, int64_t size, int64_t threads) {                                            \
        auto run = size == 16   ? cache_attention<16, Q, K>                                                         \
                   : size == 32 ? cache_attention<32, Q, K>                                                         \
                   : size == 64 ? cache_attention<64, Q, K>                                                         \
                                : cache_attention<128, Q, K>;                                                       \
        run(query, new_key, new_value, row, keys, values, source, head, position, marks, mark_source, mark_query,   \
            out, sources, heads, queries, positions, threads);                                                      \
    }
CACHE_ATTENTION(cache_attention_float, float, float)
CACHE_ATTENTION(cache_attention_bfloat16, bf16, bf16)
CACHE_ATTENTION(cache_attention_float_bfloat16, float, bf16)
