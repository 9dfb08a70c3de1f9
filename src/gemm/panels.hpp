#pragma once
// Inside of gemm: what Panels hold, and the primitives of oneDNN that read them.
#include <dnnl.hpp>
#include <memory>

#include "gemm/gemm.hpp"
#include "gemm/int8.hpp"

namespace jikji::gemm {

/// How weights of one shape lie in memory: the same for every number of rows that they meet.
struct Layout {
    dnnl::memory::desc desc;
    bool tiled = false;  // [n/64][k/2][64][2] bf16, both padded with zeros: ours to fill directly
};

struct Panels::Data {
    int n = 0;
    int k = 0;
    Precision precision = Precision::kF32;
    Layout layout;
    dnnl::memory memory;
    Bytes bytes;  // of kInt8, which has neither layout nor memory
};

const dnnl::engine& cpu_engine();
dnnl::memory::data_type data_type(Precision precision);
/// Memory for a matrix of this shape, and what fills it.
std::unique_ptr<Panels::Data> make_data(int n, int k, Precision precision);
void fill(Panels::Data& data, const Source& source, int threads);

}  // namespace jikji::gemm
