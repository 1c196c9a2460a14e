#!/usr/bin/env bash
# Every command is killed at its calls that write.
# shellcheck source=tests/faults/lib_scenarios.sh
. "$(dirname "$0")/lib_scenarios.sh"

run_scenarios "$@"
end_scenarios
