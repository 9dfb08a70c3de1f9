#pragma once
// The frozen weights as products read them: n_out x n_in without gaps, used as they lie and as
// their transpose. Those that fit are kept; the rest are made anew, some rows at a time.
// Threads: one caller at a time.
#include <cstdint>
#include <functional>
#include <vector>

#include "training/base_model.hpp"
#include "training/buffers.hpp"

namespace jikji::training {

/// Weights that have their input in common lie one below the other, for one product.
enum class Joined { kQkv, kOut, kGateUp, kDown };
inline constexpr int kJoined = 4;

class Weights {
public:
    /// Keeps what fits into `bytes_most`, in the order in which layers use them, the head first.
    Weights(const BaseModel& base, gemm::Precision precision, std::uint64_t bytes_most,
            int threads);

    /// Bytes of all of them.
    static std::uint64_t bytes_of_all(const Shape& shape, gemm::Precision precision);
    std::uint64_t bytes_kept() const { return bytes_kept_; }
    bool head_is_kept() const { return head_.kept; }

    int rows(int layer, Joined which) const { return matrix(layer, which).rows; }
    int columns(int layer, Joined which) const { return matrix(layer, which).columns; }

    /// y (m x rows) = x · Wᵀ
    void forward(int layer, Joined which, const Factors& x, int m, float* y);
    /// dx (m x columns) = dy · W
    void backward(int layer, Joined which, const Factors& dy, int m, float* dx);

    /// Rows first..first+count-1 of the head; valid until the next call.
    Factors head_rows(int first, int count);

private:
    struct Matrix {
        std::vector<FrozenMatrix> parts;
        int rows = 0;
        int columns = 0;
        bool kept = false;
        FactorBuffer memory;
    };
    using Visit = std::function<void(int first, int count, const Factors& rows)>;
    const Matrix& matrix(int layer, Joined which) const {
        return layers_[static_cast<std::size_t>(layer) * kJoined + static_cast<std::size_t>(which)];
    }
    Matrix& matrix(int layer, Joined which) {
        return layers_[static_cast<std::size_t>(layer) * kJoined + static_cast<std::size_t>(which)];
    }
    void keep(Matrix& matrix, std::uint64_t bytes_most);
    Factors kept_rows(Matrix& matrix, int first) const;
    void read(const Matrix& from, int first, int count, const Factors& to) const;
    void visit(Matrix& matrix, const Visit& visit);

    gemm::Precision precision_;
    int threads_;
    std::uint64_t bytes_kept_ = 0;
    Matrix head_;
    std::vector<Matrix> layers_;
    FactorBuffer slab_;
};

}  // namespace jikji::training
