// Products of rows with kernels, summed in registers for a tile of rows and 32 (or 16) columns at a time. The rows lie
// as they are; the kernels lie together for 16 columns: (groups, depth, 16).
#pragma once
#include "kernels.h"
#include <algorithm>
#include <memory>

#ifdef __AVX512F__
constexpr int LANES = 16, ROWS = 14, GROUPS = 2;  // 28 sums in 32 registers
#else
constexpr int LANES = 8, ROWS = 6, GROUPS = 1;  // 12 sums in 16 registers
#endif
constexpr int GROUP = 16;         // channels whose kernels lie together: (groups, depth, 16)
typedef float vec __attribute__((vector_size(LANES * 4)));
typedef vec anywhere __attribute__((aligned(4), may_alias));

// out (R, G * GROUP) = the sums over s and d < depth of a[r * stride + s * jump + d] * kernels[s * depth + d].
template <int R, int G>
static void tile(const float *a, int64_t stride, int64_t segments, int64_t jump, int64_t depth,
                 const float *kernels, const float *soon, float *out) {
    constexpr int VECTORS = G * GROUP / LANES, EACH = GROUP / LANES;
    const int64_t next = segments * depth * GROUP;
    vec sum[R][VECTORS] = {};
    for (int64_t s = 0; s < segments; s++) {
        const float *from = a + s * jump;
        for (int64_t d = 0; d < depth; d++, kernels += GROUP, soon += GROUP) {
            __builtin_prefetch(soon, 0, 2);
            vec b[VECTORS];
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; v++)
                b[v] = *(const anywhere *)(kernels + v / EACH * next + v % EACH * LANES);
#pragma GCC unroll 14
            for (int r = 0; r < R; r++)
#pragma GCC unroll 2
                for (int v = 0; v < VECTORS; v++) sum[r][v] += from[r * stride + d] * b[v];
        }
    }
#pragma GCC unroll 14
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; v++) *(anywhere *)(out + r * G * GROUP + v * LANES) = sum[r][v];
}

typedef void (*Tile)(const float *, int64_t, int64_t, int64_t, int64_t, const float *, const float *, float *);

template <int G> static Tile tile_of(int64_t rows) {
    static const Tile all[] = {tile<1, G>,  tile<2, G>,  tile<3, G>, tile<4, G>, tile<5, G>, tile<6, G>,
#ifdef __AVX512F__
                               tile<7, G>,  tile<8, G>,  tile<9, G>, tile<10, G>, tile<11, G>, tile<12, G>,
                               tile<13, G>, tile<14, G>
#endif
    };
    return all[rows - 1];
}

// A range of items.
struct Part {
    int64_t first, last;
};

// The i-th of n parts of a range that are as even as can be.
static Part even(Part range, int64_t n, int64_t i) {
    int64_t count = range.last - range.first;
    return {range.first + count * i / n, range.first + count * (i + 1) / n};
}

static int64_t up(int64_t count, int64_t size) { return (count + size - 1) / size; }

// put(row, column, count, sums) gets what rows of `a` make with the kernels, some columns of a row at a time. `after` is
// what will be read behind these kernels: on the way it is fetched into the cache, as each group's kernels are while
// the group before is at work (without that, waiting for them takes as long as the products of a few rows).
template <class Put>
static void product(int64_t rows, const float *a, int64_t stride, int64_t segments, int64_t jump, int64_t depth,
                    const float *kernels, int64_t groups, const float *after, Put put) {
    float sums[ROWS * GROUPS * GROUP];
    for (int64_t g = 0; g < groups; g += GROUPS) {
        const int64_t size = segments * depth * GROUP;
        const float *here = kernels + g * size, *next = g + GROUPS < groups ? here + GROUPS * size : after;
        const int64_t width = std::min<int64_t>(GROUPS, groups - g) * GROUP, tiles = up(rows, ROWS);
        for (int64_t i = 0; i < tiles; i++) {
            Part part = even({0, rows}, tiles, i);
            int64_t count = part.last - part.first;
            Tile compute = width == GROUP ? tile_of<1>(count) : tile_of<GROUPS>(count);
            compute(a + part.first * stride, stride, segments, jump, depth, here, next + i % GROUPS * size, sums);
            for (int64_t r = 0; r < count; r++) put(part.first + r, g * GROUP, width, sums + r * width);
        }
    }
}
