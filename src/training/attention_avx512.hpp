// transpose() of attention_steps.hpp for AVX-512. Included as that one, before it.
namespace jikji::training {
namespace {

void transpose(const Cell* from, int rows, int columns, Cell* to) {
    for (int row = 0; row < rows; row += 16) {
        for (int column = 0; column < columns; column += 16) {
            const Cell* x = from + row * columns + column;
            __m512i r[16];
#pragma GCC unroll 16
            for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(x + i * columns);
            gemm::transpose_16x16(r);
#pragma GCC unroll 16
            for (int i = 0; i < 16; ++i) {
                _mm512_storeu_si512(to + (column + i) * rows + row, r[i]);
            }
        }
    }
}

}  // namespace
}  // namespace jikji::training
