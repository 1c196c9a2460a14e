#!/usr/bin/env bash
# As kill.sh and errno.sh, at the calls of SQLite, which do not pass through base/os.h.
# shellcheck source=tests/faults/lib_scenarios.sh
. "$(dirname "$0")/lib_scenarios.sh"
shim=${POND_SHIM_LIB:?the library made of shim.c}
LD_PRELOAD=$shim pond version >/dev/null 2>&1 || {
    echo 'nothing can be preloaded into this build'
    exit 77
}

most=24
run_scenarios "$@"
most=12
fault=ENOSPC
run_scenarios "$@"
fault=EIO
run_scenarios "$@"
end_scenarios
