// The best continuations of a beam's hypotheses, from the logits: log-softmax and choice in one pass over them.
#include "kernels.h"
#include <vector>

constexpr int64_t CHUNK = 1024; // logits that stay in the first cache while they are read twice
constexpr int64_t BLOCK = 64;   // whose largest decides whether they are looked at one by one

struct Candidate {
    float value;
    int64_t parent, token;
};

// The best `most`, best first; of equal ones what came first stands first.
struct Best {
    std::vector<Candidate> found;
    size_t most;

    explicit Best(int64_t count) : most(size_t(count)) { found.reserve(most + 1); }
    float bar() const { return found.size() < most ? -INFINITY : found.back().value; }
    void offer(const Candidate &one) {
        if (!(one.value > bar())) return;
        size_t place = found.size();
        while (place && found[place - 1].value < one.value) place--;
        found.insert(found.begin() + place, one);
        if (found.size() > most) found.pop_back();
    }
};

// The logarithm of the sum of a row's exponentials, what is no number if one of them is none; `best` takes
// the largest logits that are not forbidden.
template <class T>
static double scan(const T *logits, int64_t size, const int64_t *forbidden, int64_t num_forbidden, Best &best) {
    float most = -INFINITY;
    double total = 0;
    for (int64_t start = 0; start < size; start += CHUNK) {
        int64_t end = start + CHUNK < size ? start + CHUNK : size;
        float here = most;
        for (int64_t first = start; first < end; first += BLOCK) {
            int64_t last = first + BLOCK < end ? first + BLOCK : end;
            float largest = -INFINITY;
#pragma omp simd reduction(max : largest)
            for (int64_t i = first; i < last; i++) {
                float x = widen(logits[i]);
                largest = x > largest ? x : largest;
            }
            here = largest > here ? largest : here;
            if (!(largest > best.bar())) continue;
            for (int64_t i = first; i < last; i++) {
                if (!(widen(logits[i]) > best.bar())) continue;
                bool allowed = true;
                for (int64_t j = 0; j < num_forbidden; j++) allowed &= forbidden[j] != i;
                if (allowed) best.offer({widen(logits[i]), 0, i});
            }
        }
        float shift = here == -INFINITY ? 0 : here, part = 0;
#pragma omp simd reduction(+ : part)
        for (int64_t i = start; i < end; i++) part += fast_exp(widen(logits[i]) - shift);
        total = total * (most == here ? 1.0 : std::exp(double(most) - here)) + part;
        most = here;
    }
    return most + std::log(total);
}

// logits (sources * beam, size), before (sources, beam); out: `count` of each source, filled up with minus infinity.
template <class T>
static void best_candidates(const T *logits, const float *before, const int64_t *forbidden, float *values,
                            int64_t *parents, int64_t *tokens, int64_t sources, int64_t beam, int64_t size,
                            int64_t num_forbidden, int64_t count, int64_t threads) {
    share_out(sources, threads, [&](int64_t first, int64_t last) {
        Best best(count), of_row(count);
        for (int64_t n = first; n < last; n++) {
            bool broken = false;
            best.found.clear();
            for (int64_t k = 0; k < beam; k++) {
                of_row.found.clear();
                double whole = scan(logits + (n * beam + k) * size, size, forbidden, num_forbidden, of_row);
                broken |= !std::isfinite(whole) || std::isnan(before[n * beam + k]);
                for (const Candidate &one : of_row.found)
                    best.offer({float(one.value - whole) + before[n * beam + k], k, one.token});
            }
            for (int64_t c = 0; c < count; c++) {
                bool there = c < int64_t(best.found.size());
                Candidate one = there ? best.found[c] : Candidate{-INFINITY, 0, 0};
                values[n * count + c] = broken ? NAN : one.value;
                parents[n * count + c] = one.parent;
                tokens[n * count + c] = one.token;
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
