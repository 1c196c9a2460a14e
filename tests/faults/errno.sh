# Calls of every command fail: the disk is full, or broken. The command fails with one message, or does without; the pond is sound.
# shellcheck source=tests/faults/lib_scenarios.sh
. "$(dirname "$0")/lib_scenarios.sh"

most=40
fault=ENOSPC
run_scenarios "$@"
most=20
fault=EIO
run_scenarios "$@"
mask=r
run_scenarios "$@"
end_scenarios
