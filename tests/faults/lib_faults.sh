#!/usr/bin/env bash
# Sourced by the scripts of this folder: the asserts of ../cli/lib.sh, and runs of a command that is disturbed at its n-th
# call to the operating system. POND_FAULTS_BIN is the command with fault points (src/base/os.h).
# In memory, where there is enough of it: thousands of syncs of a disk take minutes.
if [[ -z ${TMPDIR:-} && -w /dev/shm && $(df -Pk /dev/shm | awk 'NR == 2 { print $4 }') -gt 1048576 ]]; then
    export TMPDIR=/dev/shm
fi
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cli/lib.sh"
: "${POND_FAULTS_BIN:?the command with fault points}"
POND_FAULTS_BIN=$(realpath "$POND_FAULTS_BIN")
unset POND_FAULT POND_FAULT_COUNT
long=${POND_TEST_LONG:-}
seed=${POND_TEST_SEED:-$(date +%s)}
# SIGKILL of a job is what these tests are about: the shell need not tell of each.
set +m

random_bytes() # SIZE
{
    head -c "$1" /dev/urandom
}

# ---- what a pond holds ----

# All that list tells, times too.
view() # POND
{
    pond -p "$1" list -R -l / 2>&1
}

# The same without the third column, the times, which differ between two runs of a command.
contents() # POND [FLAGS]
{
    pond -p "$1" list -R -l / "${@:2}" 2>&1 | sed -E 's/^([^ ]+ +[^ ]+) +[^ ]+/\1/'
}

# The names of all files outside _pond, the random parts of the names apart.
file_names() # POND
{
    (cd "$1" && find . -path ./_pond -prune -o -print) |
        sed -E 's/part-([0-9]{20})-[0-9a-f-]{36}/part-\1/' | LC_ALL=C sort
}

pond_tip() # POND
{
    pond -p "$1" log -n 1 --json | sed -E 's/^\{"txn": ([0-9]+),.*/\1/'
}

expect_no_litter() # POND
{
    local left
    expect 0 pond -p "$1" gc || return
    [[ ! -d $1/_pond/tmp ]] || left=$(ls -A "$1/_pond/tmp")
    left+=$(find "$1" -name '*.tmp')
    expect_same "$left" ''
    expect 0 pond -p "$1" gc
    expect_line '^0 files'
}

# A remote has no gc: what died there goes with the next backup that has something to do, when it is a day old.
expect_no_remote_litter() # REMOTE POND NAME
{
    [[ -d $1/_tmp ]] || return 0
    find "$1/_tmp" -type f -exec touch -d '3 days ago' {} +
    expect 0 pond -p "$2" mkdir -p "/litter-test-$RANDOM$RANDOM"
    expect 0 pond -p "$2" backup "$3"
    expect_same "$(find "$1/_tmp" -type f 2>/dev/null)" ''
}

# ---- which calls ----

# Every n up to 150 calls; of more, the first and last 25 and a sample of 100 between. Short: about a third.
picks() # COUNT [MOST]
{
    local count=$1 most=${2:-150} n edge
    if [[ -n $long ]] || ((count <= most)); then
        seq "$count"
        return
    fi
    edge=$((most / 6))
    {
        seq "$edge"
        seq $((count - edge + 1)) "$count"
        RANDOM=$seed
        for ((n = 0; n < most - 2 * edge; n++)); do
            echo $((edge + 1 + (RANDOM * 32768 + RANDOM) % (count - 2 * edge)))
        done
    } | sort -nu
}

# ---- scenarios ----
# A scenario is a subshell in a directory of its own, at most $jobs at a time. Its output is shown when it ends.

jobs=$(nproc)
scenario_names=()

scenario() # NAME FUNCTION [ARGS...]
{
    while (($(jobs -rp | wc -l) >= jobs)); do
        wait -n
    done
    mkdir "$tmp/$1"
    (
        trap - EXIT
        cd "$tmp/$1" || exit 1
        out=$PWD/.out
        err=$PWD/.err
        failures=0
        "${@:2}"
        echo "$1: $((failures)) failures, ${disturbed:-0} runs"
        cd "$tmp" && rm -rf "${tmp:?}/$1"
        echo $((failures)) >"$tmp/$1.failures"
    ) >"$tmp/$1.log" 2>&1 </dev/null &
    scenario_names+=("$1")
}

end_scenarios()
{
    local name
    wait # not for each by its id: bash forgets some of those that wait -n has seen
    for name in "${scenario_names[@]}"; do
        [[ $(cat "$tmp/$name.failures" 2>&1) == 0 ]] || failures=$((failures + 1))
        sed "s/^FAIL/FAIL: $name/" "$tmp/$name.log"
    done
    end_tests
}
