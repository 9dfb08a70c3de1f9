#include <cmath>
#include <cstring>

#include "gemm/attention_run.hpp"

namespace jikji::gemm {
namespace {

// Of a query's keys, for one job. Fixed: the order of sums must not depend on the other queries.
constexpr int kPartKeys = 512;

constexpr std::int64_t kRowsOfOneThread = 600;  // 4 us of work

class Few {
public:
    Few(const AttentionTask& task, const AttentionKernels& kernels, AttentionSpace& space)
        : task_(task), kernels_(kernels), space_(space), group_(task.q.heads / task.k.heads) {
        const auto queries = static_cast<std::size_t>(task.q.rows);
        space.seen.resize(std::max(space.seen.size(), queries * task.k.rows));
        space.seen_count.resize(queries);
        space.biased.resize(queries);
        space.slopes.resize(static_cast<std::size_t>(task.q.heads));
        for (int head = 0; head < task.q.heads; ++head) {
            space.slopes[static_cast<std::size_t>(head)] =
                slope_of(task.max_bias, head, task.q.heads);
        }
    }

    void list_seen(int query) const;

    /// After every query was listed.
    int jobs() {
        int most = 0;
        for (const int count : space_.seen_count) most = std::max(most, parts_of(count));
        parts_ = most;
        const auto rows = static_cast<std::size_t>(task_.q.rows) * task_.q.heads;
        const std::size_t floats = rows * parts_ * (static_cast<std::size_t>(task_.v.dim) + 2);
        space_.parts.resize(std::max(space_.parts.size(), floats));
        return task_.q.rows * task_.k.heads * parts_;
    }
    /// Of k, in all heads.
    std::int64_t rows_to_read() const {
        std::int64_t sum = 0;
        for (const int count : space_.seen_count) sum += count;
        return sum * task_.k.heads;
    }
    void work(int job) const;
    void finish(int query, int head) const;

private:
    static int parts_of(int count) { return blocks_of(count, kPartKeys); }
    int count_of(int query) const { return space_.seen_count[static_cast<std::size_t>(query)]; }
    float* part_of(int query, int head, int part) const {
        const std::size_t row = static_cast<std::size_t>(query) * task_.q.heads + head;
        return space_.parts.data() + (row * parts_ + part) * (task_.v.dim + 2);
    }

    const AttentionTask& task_;
    const AttentionKernels& kernels_;
    AttentionSpace& space_;
    int group_;
    int parts_ = 0;
};

void Few::list_seen(int query) const {
    const int keys = task_.k.rows;
    int* out = space_.seen.data() + static_cast<std::size_t>(query) * keys;
    const std::uint16_t* mask =
        task_.mask ? task_.mask + static_cast<std::size_t>(query) * task_.mask_row : nullptr;
    int count = 0;
    bool biased = false;
    for (int key = 0; key < keys;) {
        std::uint64_t four = 0;  // most cells are other sequences'
        if (mask && key + 4 <= keys) std::memcpy(&four, mask + key, sizeof four);
        if (four == 0xFC00FC00FC00FC00u) {
            key += 4;
            continue;
        }
        for (const int end = std::min(key + 4, keys); key < end; ++key) {
            if (mask && mask[key] == kHiddenBits) continue;
            out[count++] = key;
            biased |= mask && (mask[key] & 0x7FFF) != 0;
        }
    }
    space_.seen_count[static_cast<std::size_t>(query)] = count;
    space_.biased[static_cast<std::size_t>(query)] = biased;
}

// A part of one query's keys, in all heads of a group: they share the rows of k and v.
void Few::work(int job) const {
    const int part = job % parts_;
    const int kv_head = job / parts_ % task_.k.heads;
    const int query = job / parts_ / task_.k.heads;
    if (part >= parts_of(count_of(query))) return;
    const auto start = [](const HeadRows& x, int head) {
        return static_cast<const std::byte*>(x.data) +
               static_cast<std::size_t>(head) * x.head_bytes;
    };
    const int first_head = kv_head * group_;
    const int first = part * kPartKeys;
    AttentionRows rows;
    rows.q = start(task_.q, first_head) + static_cast<std::size_t>(query) * task_.q.row_bytes;
    rows.q_bytes = task_.q.head_bytes;
    rows.heads = group_;
    rows.k = &task_.k;
    rows.k_first = start(task_.k, kv_head);
    rows.v = &task_.v;
    rows.v_first = start(task_.v, kv_head);
    rows.keys = space_.seen.data() + static_cast<std::size_t>(query) * task_.k.rows + first;
    rows.count = std::min(kPartKeys, count_of(query) - first);
    rows.scale = task_.scale;
    rows.softcap = task_.softcap;
    const bool biased = space_.biased[static_cast<std::size_t>(query)] != 0;
    rows.bias = biased ? task_.mask + static_cast<std::size_t>(query) * task_.mask_row : nullptr;
    rows.slopes = space_.slopes.data() + first_head;
    rows.out = part_of(query, first_head, part);
    rows.out_row = (task_.v.dim + 2) * parts_;
    kernels_.attend_rows(rows);
}

// Adds up the softmaxes of the parts, and a sink's share.
void Few::finish(int query, int head) const {
    const int dim = task_.v.dim;
    const int parts = parts_of(count_of(query));
    float top = task_.sinks ? task_.sinks[head] : kLogitFloor;
    for (int p = 0; p < parts; ++p) top = std::max(top, part_of(query, head, p)[dim]);
    float sum = task_.sinks ? std::exp(task_.sinks[head] - top) : 0.0f;
    float* out = task_.out + (static_cast<std::size_t>(query) * task_.q.heads + head) * dim;
    std::fill(out, out + dim, 0.0f);
    for (int p = 0; p < parts; ++p) {
        const float* part = part_of(query, head, p);
        const float weight = std::exp(part[dim] - top);
        sum += part[dim + 1] * weight;
        for (int d = 0; d < dim; ++d) out[d] += part[d] * weight;
    }
    const float whole = sum > 0 ? 1.0f / sum : 0.0f;
    for (int d = 0; d < dim; ++d) out[d] *= whole;
}

}  // namespace

void attend_few(const AttentionTask& task, const AttentionKernels& kernels, int threads,
                AttentionSpace& space) {
    Few few(task, kernels, space);
    // Waking a team costs some microseconds, too much for a short text's only query.
    const int listers = task.q.rows > 2 ? threads : 1;
#pragma omp parallel for num_threads(listers) schedule(static)
    for (int query = 0; query < task.q.rows; ++query) few.list_seen(query);
    const int jobs = few.jobs();  // may allocate, and so throw: not inside a team
    const int workers = few.rows_to_read() > kRowsOfOneThread ? threads : 1;
#pragma omp parallel num_threads(workers)
    {
#pragma omp for schedule(dynamic, 1)
        for (int job = 0; job < jobs; ++job) few.work(job);
#pragma omp for schedule(static)
        for (int i = 0; i < task.q.rows * task.q.heads; ++i) {
            few.finish(i / task.q.heads, i % task.q.heads);
        }
    }
}

}  // namespace jikji::gemm
