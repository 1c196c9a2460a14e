#!/usr/bin/env bash
# What SIGKILL cannot show, for the kernel goes on: that bytes are synced before their file gets its name, and names before the
# commit that counts on them (invariants 1 to 3). Seen in the order of the calls that write.
# shellcheck source=tests/faults/lib_faults.sh
. "$(dirname "$0")/lib_faults.sh"
shim=${POND_SHIM_LIB:?the library made of shim.c}
LD_PRELOAD=$shim pond version >/dev/null 2>&1 || {
    echo 'nothing can be preloaded into this build'
    exit 77
}
cd -P . || exit 1

# Temporaries, locks and SQLite's files are nobody's promise: only what gets a name outside counts, and config.json.
cat >order.awk <<'AWK'
BEGIN { FS = "\t" }
function parent(path) { sub("/[^/]*$", "", path); return path }
function is_own(path) { return path ~ /\/_pond(\/|$)/ || path ~ /\/_tmp(\/|$)/ }
function complain(text) { print text; bad = 1 }
$2 ~ /\.sqlite/ { next }
$1 == "write" || $1 == "create" { dirty[$2] = 1 }
$1 == "sync" { delete dirty[$2]; delete names[$2] }
$1 == "syncfs" { delete dirty; delete names }
$1 == "unlink" { delete dirty[$2] }
$1 == "mkdir" && !is_own($2) { names[parent($2)] = $2 }
$1 == "rename" {
    renames++
    if ($2 in dirty)
        complain($3 " gets its name before its bytes are synced")
    delete dirty[$2]
    if ($3 ~ /_delta_log\/[0-9]+\.json$/) {
        commits++
        for (dir in names)
            complain($3 " is committed before the name " names[dir] " is synced")
    }
    if (!is_own($3))
        names[parent($3)] = $3
}
END {
    for (dir in names)
        complain("at the end, the name " names[dir] " is not synced")
    if (renames == 0 || commits < need)
        complain("too few renames were seen: " renames + 0 ", commits: " commits + 0)
    exit bad
}
AWK

expect_order() # COMMITS COMMAND...
{
    local commits=$1
    shift
    context="$*: "
    rm -f trace
    LD_PRELOAD=$shim POND_SHIM_TRACE=$PWD/trace "$POND_BIN" "$@" <"${input:-/dev/null}" >"$out" 2>"$err" ||
        fail "exit code $?: $(cat "$err")"
    awk -v need="$commits" -f order.awk trace >complaints || fail "$(cat complaints)"
}

fail()
{
    failures=$((failures + 1))
    printf 'FAIL: %s%s\n' "${context:-}" "$1"
}

mkdir few many
for ((i = 0; i < 5; i++)); do random_bytes 100000 >few/$i; done
for ((i = 0; i < 60; i++)); do random_bytes 70000 >many/$i; done
random_bytes $((20 << 20)) >big
expect_order 1 init new/p --chunk-size 4MiB
export POND=$PWD/new/p
expect_order 1 copy few /
expect_order 1 copy many / # the file system is synced as a whole
expect_order 1 copy big /
expect_order 1 copy few many big /second/ # all is there already
input=big
expect_order 1 copy - /stream
input=
expect_order 1 mkdir /d
expect_order 1 mv /stream /d/
expect_order 1 rm -r /d
expect_order 0 remote add r "$PWD/far/away"
expect_order 10 backup
expect_order 9 restore "$PWD/far/away" "$PWD/rep"
random_bytes 100000 >few/0
expect 0 pond copy few /
expect_order 2 backup
expect_order 1 -p "$PWD/rep" pull
expect 0 pond check --read-data
expect 0 pond check r --read-data
expect 0 pond -p "$PWD/rep" check --read-data
end_tests
