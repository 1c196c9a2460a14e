#!/usr/bin/env bash
# tests/demo.sh, by `make demo`: stores real files in a pond, backs them up, restores a replica, proves that the bytes are the
# same at every stop, and exports them. Leaves everything in DEMO_DIR to look around in.
#
#   DEMO_SRC   what to store (/usr/lib); of a larger one, the folders in it that fit
#   DEMO_DIR   where to work ($TMPDIR/pond-demo); one of an earlier demo is emptied first
#   DEMO_MAX   MiB of DEMO_SRC to take at most (1024)
#   POND_BIN   the command (build/release/pond)
#
# Needs coreutils, findutils, diffutils, tar.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
pond=$(realpath -m "${POND_BIN:-$root/build/release/pond}")
rss=$(dirname "$pond")/rss
src=$(realpath -m "${DEMO_SRC:-/usr/lib}")
dir=$(realpath -m "${DEMO_DIR:-${TMPDIR:-/tmp}/pond-demo}")
max_mib=${DEMO_MAX:-1024}
tar_mib=1024
export LC_ALL=C
unset POND

die() {
    echo "demo: $*" >&2
    exit 1
}

say() { printf '\n%s\n' "$*"; }

mib_of() { du -sm --apparent-size "$@" 2>/dev/null | cut -f1; }

# ---- the place ----

check_place() {
    [ -x "$pond" ] && [ -x "$rss" ] || die "$pond or $rss is missing: run make"
    [ -e "$src" ] || die "$src is not there: set DEMO_SRC"
    case $dir/ in
    "$src"/*) die "$dir is inside of $src: set DEMO_DIR" ;;
    esac
    if [ -e "$dir" ]; then
        [ -z "$(ls -A "$dir")" ] || [ -e "$dir/.pond-demo" ] || die "$dir holds other files: set DEMO_DIR"
        find "$dir" -type d ! -perm -u+rwx -exec chmod u+rwx {} +
        rm -rf "$dir"
    fi
    mkdir -m 700 "$dir"
    touch "$dir/.pond-demo"
}

# What to take of $src: itself, or the entries of it that fit, by name. Sets entries and need_mib.
choose() {
    local entry mib
    entries=() source_mib=$(mib_of "$src")
    if [ "$source_mib" -le "$max_mib" ]; then
        entries=("$src")
        return
    fi
    source_mib=0
    while IFS= read -r -d '' entry; do
        mib=$(mib_of "$entry")
        [ $((source_mib + mib)) -le "$max_mib" ] || continue
        entries+=("$entry")
        source_mib=$((source_mib + mib))
    done < <(find "$src" -mindepth 1 -maxdepth 1 -print0 | sort -z)
    [ ${#entries[@]} -gt 0 ] || die "nothing in $src is smaller than $max_mib MiB: set DEMO_MAX"
    echo "$src is larger than $max_mib MiB: taking ${#entries[@]} of what is in it (DEMO_MAX sets how much)"
}

# Source, its plain copy, pond, remote, replica and export are there at the same time.
check_space() {
    local free tar=$source_mib need
    [ "$tar" -ge $tar_mib ] || tar=$((tar_mib + source_mib))
    need=$(((source_mib + tar) * 6 + 512))
    free=$(df --output=avail -BM "$dir" | tail -n 1 | tr -dc 0-9)
    [ "$free" -ge "$need" ] ||
        die "$dir has $free MiB free, the demo needs up to $need: set DEMO_DIR to another disk, or a smaller DEMO_MAX"
}

# The chosen files and their tar. They are copied, so that they hold still.
make_source() {
    local i=0
    mkdir -p "$dir/source/tree"
    # What can't be read here, can't be stored; sockets and devices neither.
    cp -a "${entries[@]}" "$dir/source/tree/" 2>"$dir/source.log" || true
    find "$dir/source" ! -type f ! -type d ! -type l -delete
    if ! find "$dir/source/tree" -type f -size +0 -print -quit | grep -q .; then
        die "no files in $src can be read: set DEMO_SRC"
    fi
    # Larger than 1 GiB: the tree again and again, under other names.
    while [ ! -e "$dir/source/big.tar" ] || [ "$(mib_of "$dir/source/big.tar")" -lt $tar_mib ]; do
        i=$((i + 1))
        tar -C "$dir/source" --transform "s,^tree,copy-$i,S" -rf "$dir/source/big.tar" tree
    done
    bytes=$(bytes_of "$dir/source")
    files=$(find "$dir/source" -type f | wc -l)
}

bytes_of() { # regular files, hard links once
    find "$1" -type f -printf '%i %s\n' | sort -u -k1,1 | {
        local sum=0 size
        while read -r _ size; do sum=$((sum + size)); done
        echo $sum
    }
}

# ---- steps ----

table=()      # NAME|BYTES|MICROSECONDS|KIB for each
step_number=0

quoted() {
    local word text=
    for word in "$@"; do
        [ "$word" != "$pond" ] || word=pond
        [[ $word =~ ^[A-Za-z0-9_./:=+,@%-]+$ ]] || printf -v word %q "$word"
        text+=" $word"
    done
    echo "${text# }"
}

to_us() { # SECONDS with six digits
    local whole=${1%.*} part=${1#*.}
    echo $((10#$whole * 1000000 + 10#$part))
}

run() { # NAME BYTES COMMAND...: shows it, its time and its peak; BYTES -: no rate
    local name=$1 size=$2 wall user sys kib status=0
    shift 2
    step_number=$((step_number + 1))
    printf '\n[%d] $ %s\n' "$step_number" "$(quoted "$@")"
    : >"$dir/numbers"
    "$rss" -s "$dir" -o "$dir/numbers" "$@" || status=$?
    read -r wall user sys kib _ <"$dir/numbers"
    printf '    %.2f s (user %.2f, sys %.2f), peak %d KiB\n' "$wall" "$user" "$sys" "$kib"
    [ $status = 0 ] || die "step $step_number failed with exit code $status"
    table+=("$name|$size|$(to_us "$wall")|$kib")
}

warm() { find "$@" -type f -exec cat {} + >/dev/null; }

passed() { echo "    same: $*"; }

# ---- comparing ----

# Type, mode, owner, times and links of everything; a folder's size is the file system's business.
metadata() {
    find "$1" \( -type f -printf '%P\t%y %m %U:%G %T@ %n %s\0' -o -type l -printf '%P\t%y %U:%G %T@ %l\0' \
        -o -printf '%P\t%y %m %U:%G %T@\0' \) | sort -z | tr '\0' '\n'
}

compare_trees() { # A B
    diff -r --no-dereference "$1" "$2" >"$dir/diff.log" || die "contents differ, see $dir/diff.log"
    metadata "$1" >"$dir/metadata.a"
    metadata "$2" >"$dir/metadata.b"
    diff "$dir/metadata.a" "$dir/metadata.b" >"$dir/diff.log" || die "metadata differ, see $dir/diff.log"
    passed "$3: content (diff -r), type, mode, owner, mtime, hard links of $(wc -l <"$dir/metadata.a") entries"
    rm -f "$dir/diff.log" "$dir"/metadata.[ab]
}

compare_bundles() {
    local bundle relative hash at_remote count=0
    while IFS= read -r -d '' bundle; do
        relative=${bundle#"$dir/home/"}
        hash=${relative##*blake3=}
        hash=${hash%%/*}
        at_remote=("$dir/remote/files/bundle_id=POND-FILE-$hash"/part-*.parquet)
        [ ${#at_remote[@]} = 1 ] || die "the remote has ${#at_remote[@]} files for $hash"
        cmp "$bundle" "${at_remote[0]}" || die "$relative: home and remote differ"
        cmp "$bundle" "$dir/replica/$relative" || die "$relative: home and replica differ"
        count=$((count + 1))
    done < <(find "$dir/home/_large_files" -name '*.parquet' -print0)
    [ $count -gt 0 ] || die "no bundles to compare"
    passed "$count bundles at home, at the remote and in the replica (cmp)"
}

compare_logs() {
    local file relative count=0
    for file in "$dir"/home/part-*.parquet "$dir"/home/_delta_log/*.json; do
        relative=${file#"$dir/home/"}
        cmp "$file" "$dir/remote/oplog/$relative" || die "$relative: home and remote differ"
        cmp "$file" "$dir/replica/$relative" || die "$relative: home and replica differ"
        count=$((count + 1))
    done
    passed "$count files of the log at home, at the remote and in the replica (cmp)"
}

# ---- the table ----

print_table() {
    local line name size us kib rate cp_us=0
    for line in "${table[@]}"; do
        IFS='|' read -r name size us kib <<<"$line"
        [ "$name" != "cp -a" ] || cp_us=$us
    done
    printf '%-22s %9s %9s %9s %9s %10s\n' command MiB seconds MB/s 'x cp' 'peak MiB'
    for line in "${table[@]}"; do
        IFS='|' read -r name size us kib <<<"$line"
        rate=- times=-
        if [ "$size" = - ]; then
            size=0
        else
            rate=$((size / (us > 0 ? us : 1)))
            [ "$size" != "$bytes" ] || times=$((us * 100 / cp_us))
        fi
        [ "$times" = - ] || times=$((times / 100)).$(printf %02d $((times % 100)))
        printf '%-22s %9d %5d.%03d %9s %9s %8d.%d\n' "$name" $((size >> 20)) $((us / 1000000)) $((us / 1000 % 1000)) "$rate" \
            "$times" $((kib / 1024)) $((kib % 1024 * 10 / 1024))
    done
}

# ---- the whole ----

start=$SECONDS
check_place
choose
check_space
say "Preparing the source: $src and a tar of it"
make_source
echo "$((bytes >> 20)) MiB in $files files"
sync -f "$dir"

say "The yardstick, every time includes a sync"
cd "$dir"
warm source
run "cp -a" "$bytes" cp -a source plain

say "A pond"
run init - "$pond" init home
warm source
run copy "$bytes" "$pond" -p home copy source /
run "copy, unchanged" - "$pond" -p home copy source /
run list - "$pond" -p home list -l /source

say "A backup: the same files, byte for byte, as a Delta Lake table"
run "remote add" - "$pond" -p home remote add usb remote
run backup "$bytes" "$pond" -p home backup

say "A replica from the backup"
run restore "$bytes" "$pond" restore remote replica

say "A change, backed up and pulled"
cp "$root/LICENSE" note.txt 2>/dev/null || echo "a note" >note.txt
run "copy of one file" - "$pond" -p home copy note.txt /notes/
run "backup of it" - "$pond" -p home backup
run "pull of it" - "$pond" -p replica pull
run log - "$pond" -p replica log

say "Every byte is checked at home, at the remote and in the replica"
run "check home" "$bytes" "$pond" -p home check --read-data
run "check remote" "$bytes" "$pond" -p home check usb --read-data
run "check replica" "$bytes" "$pond" -p replica check --read-data

say "And compared"
compare_bundles
compare_logs

say "Back out of the replica"
run export "$bytes" "$pond" -p replica export /source export
compare_trees "$dir/source" "$dir/export/source" "the replica's export and the source"
"$pond" -p home cat /source/big.tar | cmp - "$dir/source/big.tar" || die "big.tar: home and source differ"
passed "big.tar out of the home pond (cat, cmp)"
"$pond" -p replica cat /notes/note.txt | cmp - note.txt || die "note.txt: replica and source differ"
passed "note.txt that was pulled (cat, cmp)"

# Not earlier: ext4 makes files slowly just after many were removed.
rm -rf "$dir/plain" "$dir/numbers" "$dir/source.log"
say "$((bytes >> 20)) MiB in $files files; cp: $(cp --version | head -n 1)"
print_table
say "All the same, in $((SECONDS - start)) s. To look around: $dir
    home     the pond           $pond -p $dir/home list -l /source
    remote   its backup
    replica  what was restored  $pond -p $dir/replica log
    export   and exported       diff -r $dir/source $dir/export/source
Remove it with: rm -rf $dir"
