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

// Two registers of 2 LANES numbers that follow one another, in the order that costs least: float32 as they are,
// bfloat16 those at even places, then those at odd ones.
static inline void load_two(const float *from, many *to) { to[0] = load(from), to[1] = load(from + LANES); }

static inline void load_two(const bf16 *from, many *to) {
    many_bits pairs;
    std::memcpy(&pairs, from, sizeof pairs);
    to[0] = (many)(pairs << 16), to[1] = (many)(pairs & 0xFFFF0000u);
}

// The place of number i among 2 LANES in the order of `load_two`.
template <class K> static inline int place(int i) {
    int pair = i / (2 * LANES) * (2 * LANES), within = i % (2 * LANES);
    return sizeof(K) == 4 ? i : pair + within / 2 + within % 2 * LANES;
}

template <int parts, class K> static inline void load_all(const K *from, many *to) {
    if constexpr (parts % 2 == 0)
        for (int i = 0; i < parts; i += 2) load_two(from + LANES * i, to + i);
    else
        for (int i = 0; i < parts; i++) to[i] = load(from + LANES * i);
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
    constexpr bool in_order = parts % 2 != 0;
    float largest = -INFINITY, total = 0, scale = 1.0f / std::sqrt(float(size)), features[size];
    many asked[parts], found[parts], other[parts], read[parts], next[parts];
    for (int i = 0; i < size; i++) features[in_order ? i : place<K>(i)] = widen(query[i]) * scale;
    std::memcpy(asked, features, sizeof features);
    for (int i = 0; i < parts; i++) found[i] = other[i] = many{};
    for (int64_t j = 0; j < count; j++) {
        load_all<parts>(keys + (seen ? seen[j] : j) * position, read);
        many products = asked[0] * read[0];
        for (int i = 1; i < parts; i++) products += asked[i] * read[i];
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
    for (; j + 1 < count; j += 2) {  // two sums, so that none waits for itself
        load_all<parts>(values + (seen ? seen[j] : j) * position, read);
        load_all<parts>(values + (seen ? seen[j + 1] : j + 1) * position, next);
        for (int i = 0; i < parts; i++) {
            found[i] += weights[j] * read[i];
            other[i] += weights[j + 1] * next[i];
        }
    }
    if (j < count) {
        load_all<parts>(values + (seen ? seen[j] : j) * position, read);
        for (int i = 0; i < parts; i++) found[i] += weights[j] * read[i];
    }
    for (int i = 0; i < parts; i++) found[i] += other[i];
    std::memcpy(features, found, sizeof features);
    for (int i = 0; i < size; i++) put(out + i, features[in_order ? i : place<K>(i)] / total);
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
