// A layer of LSTM over whole sequences in one call: what comes from the inputs as one product, then step after step,
// on all threads, each with some of the units and a barrier behind each step.
#include "products.h"

constexpr int64_t GATES = 4 * GROUP;  // sums of the i, f, g, o of 16 units lie together

// sigmoid(x) tanh(y), given exp(-x) and exp(-2 y), with one division. y is bounded, where tanh is -1 already: a product
// of two large numbers in the denominator would be infinite, and the result 0.
static inline float sigmoid_tanh(float x, float y) {
    y = y > 1e9f ? 1e9f : y;
    return (1 - y) / ((1 + x) * (1 + y));
}

// x (B, T, D), y (B, T, H), h and c (B, H), all dense: the state before, and after it. ih (U, 4, D, 16), hh
// (U, 4, H, 16) and bias (U, 4, 16) for U = up(H, 16) groups of units, what is beyond H being 0.
// room: B T U 64 numbers for what comes from the inputs, 2 B (H + 16) for h, B U 16 for c.
KERNEL void lstm_layer(const float *x, const float *ih, const float *hh, const float *bias, float *h, float *c,
                       float *y, float *room, int64_t B, int64_t T, int64_t D, int64_t H, int64_t threads) {
    const int64_t U = up(H, GROUP), row = H + GROUP;  // apart: rows 4096 bytes apart would share a place in the cache
    float *projected = room, *both = projected + B * T * U * GATES, *cell = both + 2 * B * row;
    auto work = [&](int64_t me, int64_t all) {
        const Part inputs = even({0, B * T}, all, me), units = even({0, U}, all, me);
        product(inputs.last - inputs.first, x + inputs.first * D, D, 1, 0, D, ih, U * 4, hh + units.first * GATES * H,
                [&](int64_t n, int64_t at, int64_t count, const float *sums) {
                    float *to = projected + (inputs.first + n) * U * GATES + at;
                    for (int64_t i = 0; i < count; i++) to[i] = sums[i] + bias[at + i];
                });
        for (int64_t u = units.first; u < units.last; u++)
            for (int64_t b = 0; b < B; b++)
                for (int64_t i = 0; i < std::min<int64_t>(GROUP, H - u * GROUP); i++) {
                    both[b * row + u * GROUP + i] = h[b * H + u * GROUP + i];
                    cell[(b * U + u) * GROUP + i] = c[b * H + u * GROUP + i];
                }
        std::unique_ptr<float[]> sums(new float[B * GATES]);
#pragma omp barrier
        for (int64_t t = 0; t < T; t++) {
            const float *before = both + t % 2 * B * row;
            float *after = both + (t + 1) % 2 * B * row;
            for (int64_t k = units.first; k < units.last; k++) {
                // There and back again: the weights read last are in the cache still.
                const int64_t u = t % 2 ? units.first + units.last - 1 - k : k, then = t % 2 ? u - 1 : u + 1;
                const int64_t few = std::min<int64_t>(GROUP, H - u * GROUP);
                product(B, before, row, 1, 0, H, hh + u * GATES * H, 4,
                        hh + (then < units.first || then >= units.last ? u : then) * GATES * H,
                        [&](int64_t b, int64_t at, int64_t count, const float *found) {
                            std::memcpy(sums.get() + b * GATES + at, found, 4 * count);
                        });
                for (int64_t b = 0; b < B; b++) {
                    const float *given = projected + ((b * T + t) * U + u) * GATES, *found = sums.get() + b * GATES;
                    float *of = cell + (b * U + u) * GROUP, now[GROUP];
#pragma omp simd
                    for (int64_t i = 0; i < GROUP; i++) {
                        const float *of_i = given + i, *with = found + i;
                        float in = fast_exp(-of_i[0] - with[0]), keep = fast_exp(-of_i[GROUP] - with[GROUP]);
                        float fresh = fast_exp(-2 * (of_i[2 * GROUP] + with[2 * GROUP]));
                        float out = fast_exp(-of_i[3 * GROUP] - with[3 * GROUP]);
                        float held = of[i] / (1 + keep) + sigmoid_tanh(in, fresh);
                        of[i] = held;
                        now[i] = sigmoid_tanh(out, fast_exp(-2 * held));
                    }
                    std::memcpy(after + b * row + u * GROUP, now, 4 * few);
                    std::memcpy(y + (b * T + t) * H + u * GROUP, now, 4 * few);
                }
            }
#pragma omp barrier
        }
        for (int64_t u = units.first; u < units.last; u++)
            for (int64_t b = 0; b < B; b++)
                for (int64_t i = 0; i < std::min<int64_t>(GROUP, H - u * GROUP); i++) {
                    h[b * H + u * GROUP + i] = both[(T % 2 * B + b) * row + u * GROUP + i];
                    c[b * H + u * GROUP + i] = cell[(b * U + u) * GROUP + i];
                }
    };
    if (threads <= 1) return work(0, 1);
#pragma omp parallel num_threads(int(threads))
    work(omp_get_thread_num(), omp_get_num_threads());
}
