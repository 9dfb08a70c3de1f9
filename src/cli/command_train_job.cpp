// jikji train-job FOLDER: hidden, for the server and for benches.
#include "app/train_job.hpp"
#include "cli/commands.hpp"
#include "cli/say.hpp"
#include "cli/stand_back.hpp"
#include "cli/stop_signals.hpp"

namespace jikji::cli {

int train_job(const TrainJobOptions& options) {
    const StopSignals signals;  // before any other thread
    if (!options.foreground) {
        die_with_parent();
        stand_back();
    }
    return app::train_job(
        options.folder, [](std::string_view line) { print(std::string(line) + "\n"); },
        signals.stopped());
}

}  // namespace jikji::cli
