#!/usr/bin/env bash
# bench/run.sh [ROW]...      measures the rows (all), prints a table, writes JSON beside it
# bench/run.sh --report      writes docs/benchmarks.md from the last run of each row
# bench/run.sh --list        names the rows
#
# Rounds are interleaved with the baseline. A row's numbers replace those of its last run in BENCH_OUT, so that rows may
# be run one by one.
#
#   POND_BIN        the command (build/release/pond)
#   POND_BUILD_DIR  where the programs of bench/ are (the folder of POND_BIN)
#   BENCH_DIR       where to work, on a disk (/var/tmp/pond-bench). Needs about five times BENCH_SIZE
#   BENCH_OUT       where the results go (POND_BUILD_DIR/bench-results)
#   BENCH_ROUNDS 5, BENCH_SIZE 4GiB, BENCH_FILES 100000, BENCH_TREE_SIZE 2GiB, BENCH_TREE_SRC /usr,
#   BENCH_ENTRIES 1000000, BENCH_TXNS 10000, BENCH_READS 20000
#   BENCH_KEEP      not empty: the sources stay in BENCH_DIR for the next run
set -euo pipefail
cd "$(dirname "$0")/.."

all_rows="store backup restore reflink logs files tree read list open syscalls million peers"

pond=${POND_BIN:-build/release/pond}
pond=$(realpath -m "$pond")
tools=$(realpath -m "${POND_BUILD_DIR:-$(dirname "$pond")}")
base=${BENCH_DIR:-/var/tmp/pond-bench}
out=${BENCH_OUT:-$tools/bench-results}
rounds=${BENCH_ROUNDS:-5}
size=${BENCH_SIZE:-4GiB}
files=${BENCH_FILES:-100000}
tree_size=${BENCH_TREE_SIZE:-2GiB}
tree_src=${BENCH_TREE_SRC:-/usr}
entries=${BENCH_ENTRIES:-1000000}
txns=${BENCH_TXNS:-10000}
reads=${BENCH_READS:-20000}

sources=$base/source # made once
work=$base/work      # emptied for each round; on the reflink file system during that row
trash=$base/trash    # targets of trees, see retire
emptied=-1000        # when trash was
mounted=
row=

die() {
    echo "bench: $*" >&2
    exit 1
}

cleanup() {
    if [ -n "$mounted" ]; then
        umount "$mounted" || true
    fi
    rm -rf "$base/work" "$trash" "$base/xfs" "$base/xfs.img"
    [ -n "${BENCH_KEEP:-}" ] || rm -rf "$sources"
    rmdir "$base" 2>/dev/null || true
}

bytes() { numfmt --from=auto "${1/%iB/i}"; }

# ---- results: see report.awk for the lines ----

record() {
    local IFS=$'\t'
    printf '%s\n' "$*" >>"$out/$row.tsv"
}

measure() { record measure "$@"; } # ID KIND BAR UNIT A B TITLE
sample() { record sample "$@"; }   # ID SIDE ROUND VALUE
skip() {                           # ID TITLE REASON
    record skipped "$@"
    echo "$row: skipped: $3"
}

# ---- running ----

numbers=() # of the last command: WALL USER SYS KIB STATUS

run() { # [-s DIR] COMMAND...: quietly; its errors are ours
    : >"$base/numbers"
    if ! "$tools/rss" -q -o "$base/numbers" "$@" 2>"$base/errors"; then
        cat "$base/errors" >&2
        die "$row: failed: $*"
    fi
    read -ra numbers <"$base/numbers"
}

run_pond() { # [-s DIR] [-p POND] COMMAND...: as run, and notes the peak
    local options=()
    if [ "$1" = -s ]; then
        options=(-s "$2")
        shift 2
    fi
    run "${options[@]}" "$pond" --no-progress "$@"
    [ "$1" = -p ] && shift 2
    if [ "$1" = remote ]; then
        record peak "remote $2" "${numbers[3]}" "$row"
    else
        record peak "$1" "${numbers[3]}" "$row"
    fi
}

settle() { sync -f "$work"; }

fresh() { # an empty target
    rm -rf "${work:?}/target"
    mkdir -p "$work/target"
    settle
}

# ext4 does not reuse an inode for a minute after its file was removed, and looks for others at great length: who makes files
# just after a tree was removed needs ten times as long. So trees are put aside, removed only when the disk fills up, and
# left alone for that minute.
retire() { # DIR...
    local dir
    mkdir -p "$trash"
    for dir in "$@"; do
        [ ! -e "$dir" ] || mv "$dir" "$(mktemp -d -p "$trash")"
    done
}

free_bytes() { df --output=avail -B1 "$base" | tail -n 1; }

empty_trash() {
    [ -e "$trash" ] || return 0
    rm -rf "$trash"
    settle
    emptied=$SECONDS
}

rest() { # after the last removal of a tree
    local left=$((emptied + 65 - SECONDS))
    [ $left -le 0 ] || sleep $left
}

fresh_tree() { # BYTES FOLDER: an empty one, room for BYTES
    retire "$2"
    [ "$(free_bytes)" -ge "$1" ] || empty_trash
    rest
    mkdir -p "$2"
    settle
}

warm() { # what is to be read is in the page cache
    find "$@" -type f -exec cat {} + >/dev/null
    settle
}

time_pond() { # ID ROUND [-s DIR] ...: side a
    local id=$1 round=$2
    shift 2
    run_pond "$@"
    sample "$id" a "$round" "${numbers[0]}"
    echo "$id $round: pond ${numbers[0]} s (user ${numbers[1]}, sys ${numbers[2]}, ${numbers[3]} KiB)"
}

time_base() { # ID ROUND [-s DIR] ...: side b
    local id=$1 round=$2
    shift 2
    run "$@"
    sample "$id" b "$round" "${numbers[0]}"
    echo "$id $round: baseline ${numbers[0]} s (user ${numbers[1]}, sys ${numbers[2]})"
}

each_round() { # COMMAND: called with the round's number
    local round
    for round in $(seq "$rounds"); do
        "$1" "$round"
    done
}

# ---- sources, made once ----

make_source() { # NAME COMMAND...: unless it is there
    local name=$1
    shift
    [ -e "$sources/$name.done" ] && return
    rm -rf "${sources:?}/$name"
    mkdir -p "$sources"
    echo "making $name"
    "$@" || die "can't make $name"
    sync -f "$sources"
    touch "$sources/$name.done"
}

drop_source() {
    [ -z "${BENCH_KEEP:-}" ] || return 0
    rm -f "$sources/$1.done"
    retire "$sources/$1"
}

need_random() {
    random=$sources/random-$size
    make_source "random-$size" "$tools/genrandom" "$random" "$size"
}

need_logs() {
    logs=$sources/logs-$size
    make_source "logs-$size" "$tools/genlogs" "$logs" "$size"
}

need_files() {
    small=$sources/files-$files
    make_source "files-$files" "$tools/genfiles" "$small" "$files" 4096
}

make_tree() {
    find "$tree_src" -xdev -type f -size +63k -size -1025k -print0 | sort -z | "$tools/gentree" "$tree" "$tree_size"
}

need_tree() {
    tree=$sources/tree-$tree_size
    make_source "tree-$tree_size" make_tree
}

new_pond() { # DIR [SRC]
    rm -rf "$1"
    run_pond init "$1"
    [ $# -lt 2 ] || run_pond -p "$1" copy "$2" /
}

# ---- one large file ----

round_store() {
    fresh
    new_pond "$work/target/pond"
    warm "$random"
    time_pond store "$1" -s "$work" -p "$work/target/pond" copy "$random" /
    fresh
    warm "$random"
    time_base store "$1" -s "$work" cp "$random" "$work/target/copy"
}

row_store() {
    need_random
    measure store ratio 1.0 s "pond copy + sync" "cp + sync" "store one file of $size, incompressible"
    each_round round_store
}

round_backup() {
    fresh
    run_pond -p "$work/home" remote add "r$1" "$work/target/remote"
    warm "$work/home"
    time_pond backup "$1" -s "$work" -p "$work/home" backup "r$1"
    run_pond -p "$work/home" remote remove "r$1"
    fresh
    warm "$random"
    time_base backup "$1" -s "$work" cp "$random" "$work/target/copy"
}

row_backup() {
    need_random
    measure backup ratio 1.0 s "pond backup + sync" "cp + sync" "backup of one file of $size, verified in full"
    new_pond "$work/home" "$random"
    each_round round_backup
}

round_restore() {
    fresh
    warm "$work/remote"
    time_pond restore "$1" -s "$work" restore "$work/remote" "$work/target/replica"
    fresh
    warm "$random"
    time_base restore "$1" -s "$work" cp "$random" "$work/target/copy"
}

make_remote() { # SRC: a pond that holds it in work/home, backed up in work/remote
    new_pond "$work/home" "$1"
    run_pond -p "$work/home" remote add r "$work/remote"
    run_pond -p "$work/home" backup
}

row_restore() {
    need_random
    measure restore ratio 1.0 s "pond restore + sync" "cp + sync" "restore of one file of $size, verified in full"
    make_remote "$random"
    rm -rf "${work:?}/home"
    each_round round_restore
}

# ---- the same with reflinks ----

round_reflink() {
    local file=$work/random
    fresh
    new_pond "$work/target/home"
    warm "$file"
    time_pond reflink-store "$1" -s "$work" -p "$work/target/home" copy "$file" /
    warm "$file"
    time_base reflink-store "$1" b3sum "$file"
    run_pond -p "$work/target/home" remote add r "$work/target/remote"
    warm "$work/target/home"
    time_pond reflink-backup "$1" -s "$work" -p "$work/target/home" backup
    warm "$file"
    time_base reflink-backup "$1" b3sum "$file"
    warm "$work/target/remote"
    time_pond reflink-restore "$1" -s "$work" restore "$work/target/remote" "$work/target/replica"
    warm "$file"
    time_base reflink-restore "$1" b3sum "$file"
}

row_reflink() {
    local title="store, backup, restore of $size with reflinks (XFS)" verb
    command -v b3sum >/dev/null || { skip reflink "$title" "no b3sum"; return; }
    command -v mkfs.xfs >/dev/null || { skip reflink "$title" "no mkfs.xfs"; return; }
    [ "$(id -u)" = 0 ] || { skip reflink "$title" "only root can mount an image"; return; }
    need_random
    truncate -s $(($(bytes "$size") * 5 + (2 << 30))) "$base/xfs.img"
    mkdir -p "$base/xfs"
    if ! mkfs.xfs -q -m reflink=1 "$base/xfs.img" || ! mount -o loop "$base/xfs.img" "$base/xfs"; then
        skip reflink "$title" "the image can't be mounted"
        return
    fi
    mounted=$base/xfs
    work=$base/xfs/work
    mkdir -p "$work"
    cp "$random" "$work/random"
    settle
    for verb in store backup restore; do
        measure "reflink-$verb" ratio 1.3 s "pond + sync" b3sum "$verb of $size with reflinks (XFS)"
    done
    each_round round_reflink
    work=$base/work
    umount "$mounted"
    mounted=
    rm -rf "$base/xfs" "$base/xfs.img"
}

# ---- logs ----

round_logs() {
    local took
    fresh
    new_pond "$work/target/pond"
    warm "$logs"
    time_pond logs "$1" -p "$work/target/pond" copy "$logs" /
    took=${numbers[0]}
    sample logs-sync a "$1" "$took"
    sample logs-space a "$1" "$(($(du -s -B1024 "$work/target/pond" | cut -f1) >> 10))"
    sample logs-space b "$1" "$(($(bytes "$size") >> 20))"
    fresh
    warm "$logs"
    time_base logs "$1" cp "$logs" "$work/target/copy"
    fresh
    warm "$logs"
    time_base logs-sync "$1" -s "$work" cp "$logs" "$work/target/copy"
}

row_logs() {
    need_logs
    measure logs ratio 1.5 s "pond copy" "cp, not synced" "store $size of logs, against cp"
    measure logs-sync ratio - s "pond copy" "cp + sync" "store $size of logs, against cp + sync"
    measure logs-space ratio 0.25 MiB "the pond" "the logs" "space of the logs in the pond"
    each_round round_logs
    drop_source "logs-$size"
}

# ---- trees ----

# store, backup, restore, export of the tree $source, of $source_bytes, against `cp $flag` + sync.
round_tree() {
    local id=$row verb target=$work/target room=$((source_bytes * 2 + (1 << 30)))
    retire "$work/home" "$work/remote"
    for verb in store backup restore export; do
        fresh_tree $room "$target"
        case $verb in
        store)
            new_pond "$work/home"
            warm "$source"
            time_pond "$id-store" "$1" -s "$work" -p "$work/home" copy "$source" /
            ;;
        backup)
            run_pond -p "$work/home" remote add r "$work/remote"
            warm "$work/home"
            time_pond "$id-backup" "$1" -s "$work" -p "$work/home" backup
            ;;
        restore)
            warm "$work/remote"
            time_pond "$id-restore" "$1" -s "$work" restore "$work/remote" "$target/replica"
            ;;
        export)
            warm "$work/home"
            time_pond "$id-export" "$1" -s "$work" -p "$work/home" export "/$(basename "$source")" "$target/export"
            ;;
        esac
        fresh_tree $room "$target"
        warm "$source"
        time_base "$id-$verb" "$1" -s "$work" cp "$flag" "$source" "$target/copy"
    done
}

row_files() {
    need_files
    source=$small flag=-r source_bytes=$((files * 4096))
    measure files-store ratio 0.5 s "pond copy + sync" "cp -r + sync" "$files files of 4 KiB: store"
    measure files-backup ratio - s "pond backup + sync" "cp -r + sync" "$files files of 4 KiB: backup"
    measure files-restore ratio 0.5 s "pond restore + sync" "cp -r + sync" "$files files of 4 KiB: restore"
    measure files-export ratio 1.1 s "pond export + sync" "cp -r + sync" "$files files of 4 KiB: export"
    each_round round_tree
    retire "$work"
    drop_source "files-$files"
}

row_tree() {
    need_tree
    source=$tree flag=-a source_bytes=$(bytes "$tree_size")
    local what
    what="a real tree of $tree_size, $(find "$tree" -type f | wc -l) files of 64 KiB to 1 MiB"
    measure tree-store ratio 1.2 s "pond copy + sync" "cp -a + sync" "$what: store"
    measure tree-backup ratio - s "pond backup + sync" "cp -a + sync" "$what: backup"
    measure tree-restore ratio - s "pond restore + sync" "cp -a + sync" "$what: restore"
    measure tree-export ratio - s "pond export + sync" "cp -a + sync" "$what: export"
    each_round round_tree
    retire "$work"
    drop_source "tree-$tree_size"
}

# ---- reading ----

read_samples() { # NAME ID < bench_read's lines
    local name round ours theirs
    while read -r name round ours theirs; do
        [ "$name" = "$1" ] || continue
        sample "$2" a "$round" "$ours"
        sample "$2" b "$round" "$theirs"
    done <"$base/reads"
}

row_read() {
    need_random
    need_logs
    new_pond "$work/home" "$random"
    warm "$work/home" "$random"
    "$tools/bench_read" "$work/home" "/$(basename "$random")" "$random" "$reads" "$rounds" >"$base/reads"
    measure read ratio 2.0 us "verified read" pread "read 16 KiB at random places of $size (blocks)"
    measure read-any ratio - us "verified read" pread "read 16 KiB at random places of $size (any byte)"
    read_samples aligned read
    read_samples anywhere read-any
    new_pond "$work/home" "$logs"
    warm "$work/home" "$logs"
    "$tools/bench_read" "$work/home" "/$(basename "$logs")" "$logs" $((reads / 10 + 1)) "$rounds" >"$base/reads"
    # Two frames would take twice the time of one; the rest is the hash of the block and the reading.
    measure read-zstd ratio 1.5 us "verified read" "one frame decoded" "read 16 KiB at random places of $size in zstd (blocks)"
    measure read-zstd-pread ratio - us "verified read" pread "read 16 KiB in zstd, against pread"
    measure read-zstd-bytes absolute - bytes "from the file system" - "bytes read for 16 KiB in zstd"
    read_samples frame read-zstd
    read_samples aligned read-zstd-pread
    sample read-zstd-bytes a 1 "$(sed -n 's/^bytes_read //p' "$base/reads")"
    drop_source "logs-$size"
}

# ---- many entries, many transactions ----

make_txns() { # POND COUNT [FILES]
    run_pond init "$1"
    run "$tools/bench_txns" "$@"
    record peak "(library) $2 transactions of ${3:-1} files" "${numbers[3]}" "$row"
    echo "$row: made $2 transactions of ${3:-1} files in ${numbers[0]} s"
}

need_txns() { # COUNT: a pond of so many transactions
    make_source "txns-$1" make_txns "$sources/txns-$1" "$1"
}

row_list() {
    local round
    make_source "entries-$entries" make_txns "$sources/entries-$entries" 1 "$entries"
    measure list absolute 20 ms "pond list" - "list a directory of 1,000 in a pond of $entries entries"
    for round in $(seq 0 "$rounds"); do
        run_pond -p "$sources/entries-$entries" list /many/0000
        # The first one warms.
        [ "$round" = 0 ] || sample list a "$round" "$(milliseconds "${numbers[0]}")"
    done
    drop_source "entries-$entries"
}

milliseconds() { LC_ALL=C awk -v s="$1" 'BEGIN { printf "%.3f", s * 1000 }'; }

row_open() {
    local round ms path
    need_txns "$txns"
    measure open absolute 20 ms "pond stat" - "open + stat after $txns transactions (the command)"
    measure open-library absolute 20 ms "pond_open, pond_stat" - "open + stat after $txns transactions (the library)"
    path=/again/$(printf %03d $(((txns - 1) % 1000)))
    for round in $(seq 0 "$rounds"); do
        run_pond -p "$sources/txns-$txns" stat "$path"
        [ "$round" = 0 ] || sample open a "$round" "$(milliseconds "${numbers[0]}")"
    done
    round=0
    "$tools/bench_open" "$sources/txns-$txns" "$path" "$rounds" >"$base/opens"
    while read -r ms; do
        sample open-library a $((++round)) "$ms"
    done <"$base/opens"
}

count_calls() { # COMMAND...: system calls of it, all threads
    strace -f -c -o "$base/calls" "$@" >/dev/null
    awk '$NF == "total" { print $4 }' "$base/calls"
}

row_syscalls() {
    local n side verb calls
    if ! command -v strace >/dev/null || ! strace -o /dev/null true 2>/dev/null; then
        skip syscalls "system calls of backup and pull with nothing to do" "strace is missing or not allowed"
        return
    fi
    for verb in backup pull; do
        measure "syscalls-$verb" equal 0 calls "after 10 transactions" "after $txns" "system calls of $verb with nothing to do"
    done
    side=a
    for n in 10 "$txns"; do
        need_txns "$n"
        run_pond -p "$sources/txns-$n" remote add r "$work/remote-$n"
        run_pond -p "$sources/txns-$n" backup r
        echo "syscalls: first backup of $n transactions took ${numbers[0]} s"
        run_pond restore "$work/remote-$n" "$work/replica-$n"
        echo "syscalls: restore of $n transactions took ${numbers[0]} s"
        # Twice: the first may find work left.
        run_pond -p "$sources/txns-$n" backup r
        run_pond -p "$work/replica-$n" pull
        calls=$(count_calls "$pond" --no-progress -p "$sources/txns-$n" backup r)
        sample syscalls-backup $side 1 "$calls"
        cp "$base/calls" "$out/syscalls-backup-$n.txt"
        calls=$(count_calls "$pond" --no-progress -p "$work/replica-$n" pull)
        sample syscalls-pull $side 1 "$calls"
        cp "$base/calls" "$out/syscalls-pull-$n.txt"
        run_pond -p "$sources/txns-$n" remote remove r
        side=b
    done
}

# Half of them a thousand to a folder, half in one.
make_million() {
    mkdir -p "$1"
    "$tools/genfiles" "$1/spread" $((entries / 2)) 24 1000 1
    "$tools/genfiles" "$1/flat" $((entries / 2)) 24 $((entries / 2)) 2
}

row_million() {
    local source=$sources/million-$entries verb id=million
    make_source "million-$entries" make_million "$source"
    new_pond "$work/home"
    for verb in copy again list list-flat glob stat status log show remote backup restore pull check check-data check-remote \
        export gc rm; do
        case $verb in
        copy | again) run_pond -p "$work/home" copy "$source" / ;;
        list) run_pond -p "$work/home" list -l -R / ;;
        list-flat) run_pond -p "$work/home" list "/million-$entries/flat/0000" ;;
        glob) run_pond -p "$work/home" list '/**/file-*7' ;;
        stat) run_pond -p "$work/home" stat "/million-$entries/spread/0000/file-0000007" ;;
        status) run_pond -p "$work/home" status ;;
        log) run_pond -p "$work/home" log "/million-$entries/spread" ;;
        show) run_pond -p "$work/home" show 1 ;;
        remote) run_pond -p "$work/home" remote add r "$work/remote" ;;
        backup) run_pond -p "$work/home" backup ;;
        restore) run_pond restore "$work/remote" "$work/replica" ;;
        pull) run_pond -p "$work/replica" pull ;;
        check) run_pond -p "$work/home" check ;;
        check-data) run_pond -p "$work/replica" check --read-data ;;
        check-remote) run_pond -p "$work/home" check r --read-data ;;
        export) run_pond -p "$work/home" export "/million-$entries" "$work/target" ;;
        gc) run_pond -p "$work/home" gc ;;
        rm) run_pond -p "$work/home" rm -r "/million-$entries" ;;
        esac
        measure "$id-$verb" absolute - s "pond" - "$entries files of 24 bytes: $verb"
        sample "$id-$verb" a 1 "${numbers[0]}"
        echo "million: $verb ${numbers[0]} s (user ${numbers[1]}, sys ${numbers[2]}, ${numbers[3]} KiB)"
    done
    drop_source "million-$entries"
}

# ---- others, where they are installed ----

peer_command() { # PEER: sets prepare and store
    local repo=$work/target/repo
    case $1 in
    restic)
        prepare=(restic init -q -r "$repo")
        store=(restic backup -q -r "$repo" "$random")
        ;;
    borg)
        prepare=(borg init -e none "$repo")
        store=(borg create "$repo::1" "$random")
        ;;
    kopia)
        prepare=(kopia repository create filesystem --path "$repo")
        store=(kopia snapshot create "$random")
        ;;
    rclone)
        prepare=(mkdir "$repo")
        store=(rclone copy "$random" "$repo")
        ;;
    esac
}

row_peers() {
    local peer round prepare store
    export RESTIC_PASSWORD=bench KOPIA_PASSWORD=bench KOPIA_CONFIG_PATH=$base/kopia.config BORG_BASE_DIR=$base/borg
    need_random
    for peer in restic borg kopia rclone; do
        if ! command -v "$peer" >/dev/null; then
            skip "peer-$peer" "$peer: store one file of $size" "not installed"
            continue
        fi
        measure "peer-$peer" ratio - s "$peer + sync" "cp + sync" "$peer: store one file of $size"
        for round in $(seq "$rounds"); do
            fresh
            peer_command "$peer"
            run "${prepare[@]}"
            warm "$random"
            run -s "$work" "${store[@]}"
            sample "peer-$peer" a "$round" "${numbers[0]}"
            fresh
            warm "$random"
            time_base "peer-$peer" "$round" -s "$work" cp "$random" "$work/target/copy"
        done
    done
    rm -rf "$base/kopia.config" "$base/borg"
}

# ---- the whole ----

note_machine() {
    local disk
    row=machine
    commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
    [ -z "$(git status --porcelain src include 2>/dev/null)" ] || commit+=", changed"
    : >"$out/machine.tsv"
    record machine processor "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
    record machine cores "$(nproc)"
    record machine memory "$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) >> 10)) MiB"
    disk=$(df --output=source "$base" | tail -n 1)
    if command -v lsblk >/dev/null; then
        record machine disk "$(basename "$disk"), $(lsblk -dno SIZE,TRAN,MODEL "$disk" 2>/dev/null | head -n 1 |
            tr -s ' ' | sed 's/^ *//;s/ *$//')"
    fi
    record machine "file system" "$(sed -n "s|^$disk [^ ]* \([^ ]* [^ ]*\) .*|\1|p" /proc/mounts | head -n 1)"
    record machine kernel "$(uname -srm)"
    record machine cp "$(cp --version | head -n 1)"
    record machine pond "$("$pond" version | head -n 1)"
}

results() { # the files there are, in the order of the rows
    local name
    for name in machine $all_rows; do
        [ ! -e "$out/$name.tsv" ] || echo "$out/$name.tsv"
    done
}

report() { # MODE
    local list
    mapfile -t list < <(results)
    [ ${#list[@]} -gt 0 ] || die "no results in $out: run bench/run.sh first"
    LC_ALL=C awk -v mode="$1" -f bench/report.awk "${list[@]}"
}

# For any row.
needed_bytes() { echo $(($(bytes "$size") * 5 + $(bytes "$tree_size") * 6 + (1 << 30))); }

check_place() {
    local tool free need
    for tool in "$pond" "$tools"/{rss,genrandom,genlogs,genfiles,gentree,bench_read,bench_txns,bench_open}; do
        [ -x "$tool" ] || die "$tool is missing: run make"
    done
    mkdir -p "$base" "$out"
    case $(stat -f -c %T "$base") in
    tmpfs | ramfs | overlayfs) die "$base is on $(stat -f -c %T "$base"): set BENCH_DIR to a folder on a disk" ;;
    esac
    free=$(free_bytes)
    need=$(needed_bytes)
    [ "$free" -ge "$need" ] ||
        die "$base has $((free >> 20)) MiB free, $((need >> 20)) MiB are needed: set BENCH_DIR or BENCH_SIZE"
}

main() {
    local rows=() name
    for name in "$@"; do
        case $name in
        --list)
            echo "$all_rows" | tr ' ' '\n'
            return
            ;;
        --report)
            report markdown >docs/benchmarks.md
            echo "docs/benchmarks.md is written"
            return
            ;;
        *)
            [[ " $all_rows " == *" $name "* ]] || die "no row $name; there are: $all_rows"
            rows+=("$name")
            ;;
        esac
    done
    [ ${#rows[@]} -gt 0 ] || read -ra rows <<<"$all_rows"
    check_place
    trap cleanup EXIT
    trap 'exit 130' INT TERM
    note_machine
    for row in "${rows[@]}"; do
        echo "== $row"
        : >"$out/$row.tsv"
        record ran "$row" "$commit" "$(date -u +%Y-%m-%d)" "$rounds"
        retire "$work"
        mkdir -p "$work"
        [ "$(free_bytes)" -ge "$(needed_bytes)" ] || empty_trash
        rest
        "row_$row"
    done
    report json >"$out/bench.json"
    report table | tee "$out/bench.txt"
    echo "as JSON: $out/bench.json"
}

main "$@"
