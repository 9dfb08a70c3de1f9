#pragma once
// Hybrid search over one collection: exact vectors joined with keywords by reciprocal rank fusion
// (Cormack, Clarke, Büttcher 2009).
#include "knowledge/passage.hpp"
