#include "cli/stand_back.hpp"

#ifdef __linux__
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <fstream>
#endif

namespace jikji::cli {

void stand_back() {
#ifdef __linux__
    setpriority(PRIO_PROCESS, 0, 19);
    const sched_param none{};
    sched_setscheduler(0, SCHED_IDLE, &none);
    std::ofstream("/proc/self/oom_score_adj") << "800";
#endif
}

void die_with_parent() {
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}

}  // namespace jikji::cli
