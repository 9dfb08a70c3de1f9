#pragma once
// A process that computes in the background gives way to all others. Linux; elsewhere nothing.

namespace jikji::cli {

/// From now on this process gets only the time that nobody else wants, and is the first to go when
/// memory runs out.
void stand_back();

/// From now on this process is killed as soon as the thread that started it is gone.
void die_with_parent();

}  // namespace jikji::cli
