#!/usr/bin/env bash
# Sourced by kill.sh, errno.sh and sqlite.sh: a scenario for each command, run once as it is, then disturbed at its n-th call,
# for every n (of many: the first, the last and a sample; POND_TEST_LONG=1: all). After each: `check --read-data` finds no damage,
# what was there before can be read, the transaction is there in whole or not at all, the same command goes through and ends
# where an undisturbed run ends, and gc leaves nothing over.
#
# In a scenario's directory, state/ is what the command finds, in a copy called work/; ref/ is what an undisturbed run leaves.
# shellcheck source=tests/faults/lib_faults.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib_faults.sh"
echo "POND_TEST_SEED=$seed"

fault='kill' # or the name of an errno
mask=w     # as in POND_FAULT
shim=      # a library to preload: the calls are SQLite's
most=60    # picks of one scenario

disturb() # N COMMAND...
{
    if [[ -n $shim ]]; then
        LD_PRELOAD=$shim POND_SHIM=$fault:$1 POND_SHIM_COUNT=count "$POND_BIN" "${@:2}"
    else
        POND_FAULT=$fault:$1:$mask POND_FAULT_COUNT=count "$POND_FAULTS_BIN" "${@:2}"
    fi
}

fresh_work()
{
    rm -rf work
    cp -a state work
    input=/dev/null
    [[ ! -f input ]] || input=input
}

# In a fresh copy of state/. Sets rc.
disturbed_run() # N COMMAND...
{
    fresh_work
    (
        disturb "$@" <"$input" >.out 2>.err
        exit $?
    ) 2>/dev/null # the shell tells here who was killed
    rc=$?
    disturbed=$((${disturbed:-0} + 1))
}

plain_run() # COMMAND...
{
    "$POND_BIN" "$@" <"${input:-/dev/null}" >.out 2>.err
    rc=$?
}

# The undisturbed run: sets count, and makes ref/.
reference() # COMMAND...
{
    fresh_work
    disturb 0 "$@" <"$input" >.out 2>.err
    rc=$?
    [[ $rc == 0 ]] || fail "the undisturbed run ends with $rc: $(cat .err)"
    count=$(cat count)
    mv work ref
    ((count > 0)) || fail "an undisturbed run makes no such call"
}

# With threads the number of calls varies a little, so the last n may not be reached.
expect_disturbed() # N
{
    if [[ $fault == kill ]]; then
        [[ $rc == 137 ]] && return
        if [[ $rc != 0 ]] || (($1 <= count - count / 10 - 3)); then
            fail "exit code $rc instead of SIGKILL: $(cat .err)"
        fi
        return
    fi
    # What can be done without is: then the command succeeds, and says nothing. One source file may be left out. (An export tells
    # of each entry, in warnings.)
    case $rc in
    0) expect_same "$(grep -v '^pond: warning: [^ ]*: ' .err)" '' ;;
    1 | 3)
        [[ $(grep -cv '^pond: warning: [^ ]*: ' .err) == 1 ]] || fail "not one message: $(cat .err)"
        grep -q '^pond: \(.*; that was: \)\?\(standard input\|[^ ]*\): ' .err || fail "the message names no path: $(cat .err)"
        ;;
    12) [[ -n $shim ]] || fail "exit code 12: $(cat .err)" ;; # SQLite takes a WAL that cannot be made for one it must not make
    *) fail "exit code $rc: $(cat .err)" ;;
    esac
}

at_call() # N: what fail tells from now on
{
    context="n=$1 of $count: "
}

fail()
{
    failures=$((failures + 1))
    printf 'FAIL: %s%s\n' "${context:-}" "$1"
}

# ---- commands that change a pond ----

without_versions()
{
    sed -E 's/ +[0-9]+ +([0-9a-f-]+ +[^ ]+)$/ \1/'
}

# After exit code 3: what is there is right; what is missing comes when the command is run again.
expect_all_but_one() # CONTENTS COMMAND...
{
    expect_same "$(LC_ALL=C comm -23 <(contents work/p | without_versions | LC_ALL=C sort) \
        <(without_versions <<<"$1" | LC_ALL=C sort))" ''
    plain_run -p work/p "${@:2}"
    expect_same "$rc" 0
    expect_same "$(contents work/p | without_versions)" "$(without_versions <<<"$1")"
    expect_no_litter work/p
    expect 0 pond -p work/p check --read-data
}

change() # COMMAND...: in work/p; with the global `again` the command may be run twice
{
    local n before after names tip
    reference -p work/p "$@"
    before=$(view state/p)
    after=$(contents ref/p)
    names=$(file_names ref/p)
    tip=$(pond_tip state/p)
    for n in $(picks "$count" "$most"); do
        at_call "$n"
        disturbed_run "$n" -p work/p "$@"
        expect_disturbed "$n"
        expect 0 pond -p work/p check --read-data
        expect 0 pond -p work/p cat /keep/large
        cmp -s .out keep/large || fail "/keep/large cannot be read any more"
        local done=
        if [[ $rc == 3 ]]; then
            expect_all_but_one "$after" "$@"
            continue
        fi
        case $(pond_tip work/p) in
        "$tip") expect_same "$(view work/p)" "$before" ;;
        $((tip + 1)))
            done=1
            expect_same "$(contents work/p)" "$after"
            ;;
        *) fail "the tip is $(pond_tip work/p), it was $tip" ;;
        esac
        if [[ -z $done || -n $again ]]; then
            plain_run -p work/p "$@"
            [[ $rc == 0 ]] || fail "run again, it ends with $rc: $(cat .err)"
        fi
        expect_same "$(pond_tip work/p)" $((tip + 1))
        expect_same "$(contents work/p)" "$after"
        expect_no_litter work/p
        expect_same "$(file_names work/p)" "$names"
        expect 0 pond -p work/p check --read-data
    done
}

make_pond() # state/p with some history, and what it is compared with in keep/
{
    mkdir state keep
    random_bytes 300000 >keep/large
    echo small >keep/small
    expect 0 pond init state/p --chunk-size 4MiB
    expect 0 pond -p state/p copy keep /
}

first_copy()
{
    mkdir state keep
    random_bytes 300000 >keep/large
    echo small >keep/small
    expect 0 pond init state/p --chunk-size 4MiB
    again=1
    # Nothing to read before it: the source itself is what must be there after it.
    local n after names
    reference -p work/p copy keep /
    after=$(contents ref/p)
    names=$(file_names ref/p)
    for n in $(picks "$count" "$most"); do
        at_call "$n"
        disturbed_run "$n" -p work/p copy keep /
        expect_disturbed "$n"
        expect 0 pond -p work/p check --read-data
        if [[ $rc == 3 ]]; then
            expect_all_but_one "$after" copy keep /
            continue
        fi
        [[ -z $(pond -p work/p list -R /) || $(contents work/p) == "$after" ]] || fail "half of it is there"
        plain_run -p work/p copy keep /
        expect_same "$rc" 0
        expect_same "$(contents work/p)" "$after"
        expect_no_litter work/p
        expect_same "$(file_names work/p)" "$names"
        rm -rf exported
        expect 0 pond -p work/p export /keep exported
        diff -r keep exported/keep || fail 'the export differs'
    done
}

second_copy()
{
    make_pond
    again=1
    cp -a keep tree
    echo changed >tree/small
    random_bytes 200000 >tree/new
    ln -s new tree/link
    mkdir tree/d
    expect 0 pond -p state/p mkdir /t
    expect 0 pond -p state/p copy tree/small /t/
    change copy tree /t
}

big_file() # 5 chunks
{
    make_pond
    again=1
    random_bytes $((17 << 20)) >big
    change copy big /big
}

many_files()
{
    local i
    make_pond
    again=1
    mkdir tree
    for ((i = 0; i < 300; i++)); do
        echo "file $i" >tree/$i
    done
    for ((i = 0; i < 30; i++)); do
        random_bytes 70000 >tree/large$i
    done
    change copy tree /
}

directories()
{
    local i
    make_pond
    again=1
    for ((i = 0; i < 40; i++)); do
        mkdir -p tree/d$i/e/f
        echo $i >tree/d$i/e/file
    done
    mkdir tree/empty
    change copy tree /new/place/
}

from_stdin()
{
    make_pond
    again=1
    random_bytes $((9 << 20)) >input
    change copy - /stream
}

make_directory()
{
    make_pond
    again=1
    change mkdir -p /a/b/c
}

remove()
{
    make_pond
    expect 0 pond -p state/p mkdir /away
    expect 0 pond -p state/p copy keep/small /away/
    again=
    change rm -r /away
}

rename()
{
    make_pond
    expect 0 pond -p state/p mkdir /away
    again=
    change mv /away /there
}

# ---- init, gc, promote, remote ----

init()
{
    local n names
    mkdir state
    reference init work/p --chunk-size 4MiB
    names=$(file_names ref/p)
    for n in $(picks "$count" "$most"); do
        at_call "$n"
        disturbed_run "$n" init work/p --chunk-size 4MiB
        expect_disturbed "$n"
        if [[ -e work/p/_delta_log/00000000000000000000.json ]]; then
            expect 0 pond -p work/p check --read-data
        else
            expect 10 pond -p work/p check
            expect 0 pond init work/p --chunk-size 4MiB
        fi
        expect_no_litter work/p
        expect_same "$(file_names work/p)" "$names"
        expect 0 pond -p work/p check --read-data
        expect 0 pond -p work/p mkdir /works
    done
}

collect()
{
    local n before names
    make_pond
    expect 0 cp -a state/p whole
    random_bytes 300000 >away
    expect 0 pond -p state/p copy away /away # then its commit is taken away: all of it is garbage
    rm -r state/p/_delta_log state/p/_pond
    cp -a whole/_delta_log whole/_pond state/p/
    echo x >state/p/_pond/tmp/x
    mkdir state/p/_pond/tmp/d
    echo y >state/p/_pond/tmp/d/y
    before=$(view state/p)
    names=$(file_names whole)
    reference -p work/p gc
    expect_same "$(file_names ref/p)" "$names"
    for n in $(picks "$count" "$most"); do
        at_call "$n"
        disturbed_run "$n" -p work/p gc
        expect_disturbed "$n"
        expect 0 pond -p work/p check --read-data
        expect_same "$(view work/p)" "$before"
        expect_no_litter work/p
        expect_same "$(file_names work/p)" "$names"
    done
}

promote()
{
    local n role
    make_pond
    expect 0 pond -p state/p remote add r "$PWD/remote"
    expect 0 pond -p state/p backup
    rm -r state/p
    expect 0 pond restore "$PWD/remote" state/p
    reference -p work/p promote
    for n in $(picks "$count" "$most"); do
        at_call "$n"
        disturbed_run "$n" -p work/p promote
        expect_disturbed "$n"
        expect 0 pond -p work/p check --read-data
        expect 0 pond -p work/p status
        role=$(grep -a '^role' .out)
        if [[ $role == *replica ]]; then
            expect 0 pond -p work/p promote
        else
            [[ $role == *primary ]] || fail "status says '$role'"
        fi
        expect 0 pond -p work/p mkdir /works
        expect_no_litter work/p
    done
}

add_remote()
{
    local n
    make_pond
    reference -p work/p remote add r "$PWD/work/deep/remote"
    for n in $(picks "$count" "$most"); do
        at_call "$n"
        disturbed_run "$n" -p work/p remote add r "$PWD/work/deep/remote"
        expect_disturbed "$n"
        expect 0 pond -p work/p check --read-data
        expect 0 pond -p work/p remote list
        if [[ ! -s .out ]]; then
            expect 0 pond -p work/p remote add r "$PWD/work/deep/remote"
        fi
        expect 0 pond -p work/p backup
        expect 0 pond -p work/p check r --read-data
        expect_no_litter work/p
        expect_no_remote_litter work/deep/remote work/p r
    done
}

# ---- backup, restore, pull ----

make_history()
{
    local i
    make_pond
    for ((i = 0; i < 12; i++)); do
        random_bytes 70000 >keep/more$i
    done
    random_bytes $((9 << 20)) >keep/big
    expect 0 pond -p state/p copy keep /
    expect 0 pond -p state/p mkdir /d
    expect 0 pond -p state/p mv /keep/small /d/small
}

# As the tables are made new, their ids and times differ.
same_remotes()
{
    diff -r -x _tmp -x 00000000000000000000.json "$1" "$2" && cmp "$1/pond.json" "$2/pond.json" &&
        cmp "$1/oplog/_delta_log/00000000000000000000.json" "$2/oplog/_delta_log/00000000000000000000.json"
}

# What is at the remote is a whole pond at some transaction, or nothing yet.
expect_remote_restores()
{
    rm -rf partial
    "$POND_BIN" restore "$PWD/work/remote" partial >.out 2>.err
    rc=$?
    [[ $rc == 10 ]] && return
    [[ $rc == 0 ]] || fail "restore of the remote ends with $rc: $(cat .err)"
    expect 0 pond -p partial check --read-data
    expect_same "$(view partial)" "$(pond -p work/p list -R -l / --at "$(pond_tip partial)")"
}

expect_remote_sound()
{
    "$POND_BIN" -p work/p check r --read-data >.out 2>.err
    rc=$?
    [[ $rc == 0 || ($rc == 10 && ! -e work/remote/pond.json) ]] || fail "check r ends with $rc: $(cat .out .err)"
}

backups() # PICKS
{
    local n before
    before=$(view state/p)
    reference -p work/p backup
    for n in $(picks "$count" "$1"); do
        at_call "$n"
        disturbed_run "$n" -p work/p backup
        expect_disturbed "$n"
        expect 0 pond -p work/p check
        expect_remote_sound
        expect_remote_restores
        plain_run -p work/p backup
        [[ $rc == 0 ]] || fail "run again, it ends with $rc: $(cat .err)"
        same_remotes ref/remote work/remote || fail 'the remote differs from that of an undisturbed run'
        expect 0 pond -p work/p check r --read-data
        expect_same "$(view work/p)" "$before"
        expect_no_litter work/p
        expect_no_remote_litter work/remote work/p r
    done
}

# A remote is known by its absolute path, so state/ and ref/ hold that of work/.
first_backup()
{
    make_history
    mkdir -p work
    expect 0 pond -p state/p remote add r "$PWD/work/remote"
    backups "$most"
}

second_backup()
{
    make_history
    mkdir -p work
    expect 0 pond -p state/p remote add r "$PWD/work/remote"
    expect 0 pond -p state/p backup
    mv work/remote state/remote
    random_bytes $((5 << 20)) >keep/big2
    random_bytes 70000 >keep/more3
    expect 0 pond -p state/p copy keep /keep/..
    expect 0 pond -p state/p rm -r /d
    backups "$most"
}

same_ponds()
{
    diff -r -x _pond "$1" "$2"
}

replicas() # PICKS COMMAND...: work/rep becomes the same as source/p
{
    local n tip
    reference "${@:2}"
    same_ponds source/p ref/rep || fail 'the replica differs'
    for n in $(picks "$count" "$1"); do
        at_call "$n"
        disturbed_run "$n" "${@:2}"
        expect_disturbed "$n"
        if [[ -e work/rep/_delta_log/00000000000000000000.json ]]; then
            expect 0 pond -p work/rep check --read-data
            tip=$(pond_tip work/rep)
            expect_same "$(view work/rep)" "$(pond -p source/p list -R -l / --at "$tip")"
        else
            expect 10 pond -p work/rep check
        fi
        plain_run "${@:2}"
        [[ $rc == 0 ]] || fail "run again, it ends with $rc: $(cat .err)"
        expect_no_litter work/rep
        same_ponds source/p work/rep || fail 'the replica differs from the pond'
        expect 0 pond -p work/rep check --read-data
        expect 12 pond -p work/rep mkdir /no
    done
}

restore()
{
    make_history
    expect 0 pond -p state/p remote add r "$PWD/remote"
    expect 0 pond -p state/p backup
    mv state source
    mkdir state
    replicas "$most" restore "$PWD/remote" work/rep
}

pull()
{
    make_history
    expect 0 pond -p state/p remote add r "$PWD/remote"
    expect 0 pond -p state/p backup
    mv state source
    mkdir state
    expect 0 pond restore "$PWD/remote" state/rep
    random_bytes $((5 << 20)) >keep/big2
    random_bytes 70000 >keep/more3
    expect 0 pond -p source/p copy keep /keep/..
    expect 0 pond -p source/p rm -r /d
    expect 0 pond -p source/p backup
    replicas "$most" -p work/rep pull
}

# ---- export: every file is whole or not there ----

export_tree()
{
    local n path
    make_pond
    mkdir -p tree/d/e
    cp keep/* tree/
    echo one >tree/d/e/one
    ln -s one tree/d/e/link
    ln tree/small tree/d/hard
    touch -d '2020-02-02 02:02:02' tree/d/e/one tree/d/e tree/d tree
    expect 0 pond -p state/p copy tree /
    reference -p state/p export /tree work/out
    for n in $(picks "$count" "$most"); do
        at_call "$n"
        disturbed_run "$n" -p state/p export /tree work/out
        expect_disturbed "$n"
        while read -r path; do
            cmp -s "work/out/$path" "${path#./}" || [[ $path == *tmp* || $path == */.pond* ]] || fail "$path is not whole"
        done < <(cd work/out 2>/dev/null && find . -type f)
        plain_run -p state/p export /tree work/out
        [[ $rc == 0 ]] || fail "run again, it ends with $rc: $(cat .err)"
        for path in tree tree/d tree/d/e tree/d/e/one; do
            expect_same "$(stat -c '%a %Y %h' "work/out/$path")" "$(stat -c '%a %Y %h' "$path")"
        done
        expect_same "$(readlink work/out/tree/d/e/link)" one
        diff -r tree work/out/tree || fail 'the export differs from its source'
    done
}

all_scenarios='first_backup restore second_backup pull many_files first_copy second_copy big_file directories from_stdin
    make_directory remove rename init collect promote add_remote export_tree'

run_scenarios() # NAMES: none: all
{
    local name
    # shellcheck disable=SC2086
    (($# > 0)) || set -- $all_scenarios
    for name in "$@"; do
        scenario "$fault-$mask-$name" "$name"
    done
}
