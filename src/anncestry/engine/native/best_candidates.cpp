// The best continuations of a beam's hypotheses, from their logits: log-softmax and choice with one look at all.
#include "kernels.h"
#include <algorithm>
#include <vector>

constexpr int64_t CHUNK = 128; // logits, looked at one by one only where their largest is among the best

struct Candidate {
    float value;
    int64_t parent, place;
};

// The best `most`, best first; of equal ones what came first stands first.
struct Best {
    std::vector<Candidate> found;
    size_t most;

    explicit Best(int64_t count) : most(size_t(count)) { found.reserve(most + 1); }
    bool wants(float value) const { return value > (found.size() < most ? -INFINITY : found.back().value); }
    void take(float value, int64_t parent, int64_t place) {
        size_t before = found.size();
        while (before && found[before - 1].value < value) before--;
        found.insert(found.begin() + before, {value, parent, place});
        if (found.size() > most) found.pop_back();
    }
};

// The logarithm of the sum of a row's exponentials, which is no number if one of them is none, and the largest
// logit of each chunk.
template <class T> static double scan(const T *logits, int64_t size, float *maxima) {
    float most = -INFINITY;
    double total = 0;
    for (int64_t start = 0; start < size; start += CHUNK) {
        int64_t end = start + CHUNK < size ? start + CHUNK : size;
        float largest = -INFINITY, part = 0;
#pragma omp simd reduction(max : largest)
        for (int64_t i = start; i < end; i++) {
            float x = widen(logits[i]);
            largest = x > largest ? x : largest;
        }
        *maxima++ = largest;
        if (largest > most) {
            total *= std::exp(double(most) - largest);
            most = largest;
        }
        float shift = most == -INFINITY ? 0 : most;
#pragma omp simd reduction(+ : part)
        for (int64_t i = start; i < end; i++) part += fast_exp(widen(logits[i]) - shift);
        total += part;
    }
    return most + std::log(total);
}

static bool among(const int64_t *forbidden, int64_t count, int64_t token) {
    bool found = false;
    for (int64_t i = 0; i < count; i++) found |= forbidden[i] == token;
    return found;
}

// logits (sources * beam, size), before (sources, beam); out: `count` of each source, filled up with minus infinity.
// The best lie in the chunks whose largest are the best: only these are looked at again.
template <class T>
static void best_candidates(const T *logits, const float *before, const int64_t *forbidden, float *values,
                            int64_t *parents, int64_t *tokens, int64_t sources, int64_t beam, int64_t size,
                            int64_t num_forbidden, int64_t count, int64_t threads) {
    int64_t chunks = (size + CHUNK - 1) / CHUNK;
    share_out(sources, threads, [&](int64_t first, int64_t last) {
        std::vector<float> maxima(chunks);
        std::vector<double> whole(beam);
        Best of_chunks(count), best(count);
        for (int64_t n = first; n < last; n++) {
            const T *mine = logits + n * beam * size;
            const float *so_far = before + n * beam;
            bool broken = false;
            of_chunks.found.clear();
            best.found.clear();
            for (int64_t k = 0; k < beam; k++) {
                const T *row = mine + k * size;
                whole[k] = scan(row, size, maxima.data());
                broken |= !std::isfinite(whole[k]) || std::isnan(so_far[k]);
                for (int64_t j = 0; j < num_forbidden; j++) {
                    if (forbidden[j] < 0 || forbidden[j] >= size) continue;
                    int64_t chunk = forbidden[j] / CHUNK, end = std::min(size, (chunk + 1) * CHUNK);
                    maxima[chunk] = -INFINITY;
                    for (int64_t i = chunk * CHUNK; i < end; i++)
                        if (widen(row[i]) > maxima[chunk] && !among(forbidden, num_forbidden, i))
                            maxima[chunk] = widen(row[i]);
                }
                for (int64_t c = 0; c < chunks; c++) {
                    float value = float(maxima[c] - whole[k]) + so_far[k];
                    if (of_chunks.wants(value)) of_chunks.take(value, k, c);
                }
            }
            std::sort(of_chunks.found.begin(), of_chunks.found.end(), [](const Candidate &a, const Candidate &b) {
                return a.parent < b.parent || (a.parent == b.parent && a.place < b.place);
            });
            for (const Candidate &one : of_chunks.found) {
                int64_t k = one.parent, end = std::min(size, (one.place + 1) * CHUNK);
                for (int64_t i = one.place * CHUNK; i < end; i++) {
                    float value = float(widen(mine[k * size + i]) - whole[k]) + so_far[k];
                    if (best.wants(value) && !among(forbidden, num_forbidden, i)) best.take(value, k, i);
                }
            }
            for (int64_t c = 0; c < count; c++) {
                bool there = c < int64_t(best.found.size());
                Candidate one = there ? best.found[c] : Candidate{-INFINITY, 0, 0};
                values[n * count + c] = broken ? NAN : one.value;
                parents[n * count + c] = one.parent;
                tokens[n * count + c] = one.place;
            }
        }
    });
}

#define BEST_CANDIDATES(NAME, T)                                                                                   \
    KERNEL void NAME(const T *logits, const float *before, const int64_t *forbidden, float *values,                \
                     int64_t *parents, int64_t *tokens, int64_t sources, int64_t beam, int64_t size,               \
                     int64_t num_forbidden, int64_t count, int64_t threads) {                                      \
        best_candidates(logits, before, forbidden, values, parents, tokens, sources, beam, size, num_forbidden,    \
                        count, threads);                                                                           \
    }
BEST_CANDIDATES(best_candidates_float, float)
BEST_CANDIDATES(best_candidates_bfloat16, bf16)
