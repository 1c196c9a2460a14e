#!/usr/bin/env bash
# Calls of every command fail: the disk is full, or broken. The command fails with one message, or does without; the pond is sound.
# shellcheck source=tests/faults/lib_scenarios.sh
. "$(dirname "$0")/lib_scenarios.sh"

most=24
fault=ENOSPC
run_scenarios "$@"
most=12
fault=EIO
run_scenarios "$@"
most=18
mask=r
run_scenarios "$@"
end_scenarios
