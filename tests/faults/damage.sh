#!/usr/bin/env bash
# Damaged, forged and foreign files: each is found, told in one line that names the file, and harms nothing else.
# shellcheck source=tests/faults/lib_faults.sh
. "$(dirname "$0")/lib_faults.sh"

# ---- tools ----

flip() # FILE OFFSET: another byte there
{
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059 # the octal escape is the format
    printf "\\$(printf %o $((byte ^ 0x41)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

size_of()
{
    stat -c %s "$1"
}

spread() # SIZE COUNT: offsets from the first byte to the last
{
    local i
    for ((i = 0; i < $2; i++)); do
        echo $((($1 - 1) * i / ($2 - 1)))
    done | sort -nu
}

# The command fails with that code, with one line of that pattern, and with one JSON object when asked for.
expect_failure() # CODE REGEX COMMAND...
{
    local code=$1 regex=$2
    shift 2
    expect "$code" pond "$@" || return
    [[ $(wc -l <"$err") == 1 ]] || fail "not one line: $(cat "$err")"
    expect_error "^pond: .*$regex"
    expect "$code" pond --json "$@"
    [[ $(wc -l <"$err") == 1 ]] || fail "not one line: $(cat "$err")"
    expect_error "^\{\"error\": \{\"code\": \"[a-z_]+\", \"exit\": $code, \"message\": \".*$regex.*\"path\": .*\}\}$"
}

# check finds one place, whose file matches, and says no more than that.
expect_damage() # POND REGEX [CHECK FLAGS...]
{
    local pond=$1 regex=$2
    shift 2
    expect 4 pond -p "$pond" check "$@" || return
    [[ $(grep -c . "$out") == 2 ]] || fail "not one finding: $(cat "$out")"
    expect_line "$regex"
    expect_error 'damage found in 1 place$'
    expect 4 pond -p "$pond" --json check "$@"
    expect_line "^\{\"damage\": \{.*$regex"
    expect_line '"damaged": 1\}$'
}

expect_sound() # POND
{
    expect 0 pond -p "$1" check --read-data
}

fresh()
{
    rm -rf w
    cp -a proto w
}

fail()
{
    failures=$((failures + 1))
    printf 'FAIL: %s%s\n' "${context:-}" "$1"
}

forget_index() # POND
{
    rm -f "$1"/_pond/index.sqlite*
}

log_of() # POND TXN
{
    printf '%s/_delta_log/%020d.json' "$1" "$2"
}

bundle_of() # POND FILE
{
    echo "$1/_large_files/blake3=$(pond -p "$1" stat "$2" --json | sed -E 's/.*"blake3": "([0-9a-f]+)".*/\1/' |
        head -n 1)/chunks.parquet"
}

# keep/: what the pond holds. proto/p: 4 transactions, the last one small; proto/remote: its backup, when it lies at w/remote.
make_proto()
{
    mkdir keep w
    random_bytes $((9 << 20)) >keep/big # 3 chunks
    random_bytes 200000 >keep/other
    seq 300000 >keep/text # compressed
    echo small >keep/small
    expect 0 pond init w/p --chunk-size 4MiB
    expect 0 pond -p w/p copy keep /
    expect 0 pond -p w/p mkdir /dir
    expect 0 pond -p w/p copy keep/other /dir/other2
    expect 0 pond -p w/p mkdir /last
    expect 0 pond -p w/p remote add r "$PWD/w/remote"
    expect 0 pond -p w/p backup
    mv w proto
    listing=$(view proto/p)
}

# ---- bundles ----

# Whatever a damaged file gives, it is a beginning of the content, or all of it and then with exit code 0.
expect_only_verified() # FILE
{
    local n
    pond -p w/p cat "/keep/$1" >got 2>"$err"
    case $? in
    0) cmp -s got "keep/$1" || fail "/keep/$1 has come out wrong" ;;
    4)
        n=$(size_of got)
        cmp -s -n "$n" got "keep/$1" || fail "wrong bytes of /keep/$1 have come out"
        [[ $(wc -l <"$err") == 1 ]] || fail "not one line: $(cat "$err")"
        expect_error '^pond: .*chunks\.parquet'
        ;;
    *) fail "cat /keep/$1: $(cat "$err")" ;;
    esac
}

bundle_flips() # FILE PLACES
{
    local file=$1 bundle offset intact
    make_proto
    fresh
    bundle=$(bundle_of w/p "/keep/$file")
    cp "$bundle" whole
    for offset in 0 1 4 20 150 300 $(spread "$(size_of "$bundle")" "$2") \
        $(LC_ALL=C grep -obUaF chunk_outboard "$bundle" | cut -d : -f 1 | head -n 2) \
        $(($(size_of "$bundle") - 8)) $(($(size_of "$bundle") - 100)); do
        context="/keep/$file, byte $offset: "
        cp whole "$bundle"
        flip "$bundle" "$offset"
        expect_damage w/p "$bundle" --read-data
        intact=$(grep -c '"content_intact": true' "$out")
        expect_only_verified "$file"
        if [[ $intact == 1 ]]; then
            cmp -s got "keep/$file" || fail 'check says that the content is intact'
        fi
        expect 0 pond -p w/p cat /keep/small
        expect_same "$(cat "$out")" small
    done
    context="/keep/$file, damaged: "
    rm -rf w/remote
    expect_failure 4 "$bundle" -p w/p backup
    expect 0 pond -p w/p check r --read-data # it has come to where the damage is
    cp whole "$bundle"
    expect 0 pond -p w/p backup
    expect 0 pond -p w/p check r --read-data
    expect_sound w/p
}

export_of_damage()
{
    local bundle
    make_proto
    fresh
    bundle=$(bundle_of w/p /keep/big)
    flip "$bundle" $((5 << 20))
    expect 4 pond -p w/p export /keep out
    expect_error "$bundle"
    [[ ! -e out/keep/big ]] || fail 'the damaged file was exported'
    expect_same_files out/keep/other keep/other
    expect_same_files out/keep/small keep/small
    expect_same "$(find out -type f | wc -l)" 3
}

bundle_truncations()
{
    local bundle size
    make_proto
    for size in 0 1 12 4095 4096 $((1 << 20)) -1 -8; do
        context="cut to $size: "
        fresh
        bundle=$(bundle_of w/p /keep/big)
        ((size >= 0)) || size=$(($(size_of "$bundle") + size))
        truncate -s "$size" "$bundle"
        expect_damage w/p "$bundle"
        expect_damage w/p "$bundle" --read-data
        expect_only_verified big
    done
    context='a byte more: '
    fresh
    bundle=$(bundle_of w/p /keep/big)
    printf 'x' >>"$bundle"
    expect_damage w/p "$bundle" --read-data
    context='missing: '
    rm "$bundle"
    expect_damage w/p "$bundle"
    rm -rf w/remote
    expect_failure 4 "$bundle: is missing" -p w/p backup
    expect_failure 4 "$bundle" -p w/p cat /keep/big
    expect 0 pond -p w/p copy keep /again/ # what was lost comes by again
    expect_sound w/p
    context="under another's name: "
    fresh
    cp "$(bundle_of w/p /keep/other)" "$(bundle_of w/p /keep/big)"
    expect_damage w/p "$(bundle_of w/p /keep/big)"
    expect_damage w/p "$(bundle_of w/p /keep/big)" --read-data
    expect_failure 4 "$(bundle_of w/p /keep/big)" -p w/p cat /keep/big
    expect_empty "$out"
}

# total_size stands in the footer, in a page and in its statistics: each place with another length.
lying_length()
{
    local bundle pattern offset places
    make_proto
    fresh
    bundle=$(bundle_of w/p /keep/big)
    cp "$bundle" whole
    pattern=$(printf '%016x' "$(size_of keep/big)" | sed -E 's/(..)(..)(..)(..)(..)(..)(..)(..)/\\x\8\\x\7\\x\6\\x\5\\x\4\\x\3\\x\2\\x\1/')
    places=$({
        LC_ALL=C grep -obUaP "$pattern" whole
        LC_ALL=C grep -obUaF "$(size_of keep/big)" whole
    } | cut -d : -f 1)
    [[ $(wc -w <<<"$places") -ge 4 ]] || fail "the length is found in few places: $places"
    for offset in $places; do
        context="the length at $offset: "
        cp whole "$bundle"
        flip "$bundle" "$offset"
        expect_damage w/p "$bundle" --read-data
        expect_only_verified big
    done
}

# ---- the OpLog ----

part_damage()
{
    local part offset size
    make_proto
    fresh
    part=$(echo w/p/part-00000000000000000001-*)
    cp "$part" whole
    for offset in $(spread "$(size_of "$part")" 40); do
        context="OpLog part, byte $offset: "
        cp whole "$part"
        flip "$part" "$offset"
        expect_damage w/p "${part##*/}"
        expect 0 pond -p w/p list / # the index stands for it
    done
    for size in 0 1 100 $(($(size_of whole) - 1)); do
        context="OpLog part, cut to $size: "
        cp whole "$part"
        truncate -s "$size" "$part"
        expect_damage w/p "${part##*/}"
    done
    context='OpLog part, a byte more: '
    cp whole "$part"
    printf 'x' >>"$part"
    expect_damage w/p "${part##*/}"
    context='OpLog part damaged, no index: '
    forget_index w/p
    expect_failure 4 "${part##*/}" -p w/p list /
    expect_damage w/p "${part##*/}"
    context='OpLog part missing: '
    rm "$part"
    expect_failure 4 "${part##*/}" -p w/p list /
    cp whole "$part"
    expect_sound w/p
    expect_same "$(view w/p)" "$listing"
}

commit_damage()
{
    local txn file offset
    make_proto
    for txn in 0 1 2 3; do
        for offset in $(spread "$(size_of "$(log_of proto/p $txn)")" 25); do
            context="commit $txn, byte $offset: "
            fresh
            file=$(log_of w/p $txn)
            flip "$file" "$offset"
            expect 4 pond -p w/p check
            grep -qE "_delta_log/0*($txn|$((txn + 1)))\.json" "$out" || fail "another place: $(cat "$out")"
            forget_index w/p
            expect_failure 4 "_delta_log/0*($txn|$((txn + 1)))\.json" -p w/p list /
            cp "$(log_of proto/p $txn)" "$file"
            expect_sound w/p
            expect_same "$(view w/p)" "$listing"
        done
    done
    for offset in $(spread "$(size_of "$(log_of proto/p 4)")" 25); do
        context="the last commit, byte $offset: "
        fresh
        flip "$(log_of w/p 4)" "$offset"
        pond -p w/p check >"$out" 2>&1
        case $? in
        4) grep -q '_delta_log/0*4\.json' "$out" || fail "another place: $(cat "$out")" ;;
        0) # nothing comes after it that tells its hash, but the remote
            expect 13 pond -p w/p backup
            ;;
        *) fail "check: $(cat "$out")" ;;
        esac
    done
    context='an empty commit: '
    fresh
    : >"$(log_of w/p 2)"
    expect 4 pond -p w/p check
    expect_line '_delta_log/0*2\.json'
    context='a gap: '
    fresh
    rm "$(log_of w/p 2)"
    expect 4 pond -p w/p check
    expect_line '_delta_log/0*2\.json'
    forget_index w/p
    expect_failure 4 '_delta_log' -p w/p list /
    context='a commit far ahead: '
    fresh
    cp "$(log_of w/p 4)" "$(log_of w/p 9)"
    expect 4 pond -p w/p check
    expect_line '_delta_log'
    expect 0 pond -p w/p mkdir /x # the log goes on where it was
    context='the same commit again: '
    fresh
    cp "$(log_of w/p 4)" "$(log_of w/p 5)"
    expect_failure 4 '_delta_log/0*5\.json' -p w/p list /
    context='garbage after the last commit: '
    fresh
    random_bytes 5000 >"$(log_of w/p 5)"
    expect_failure 4 '_delta_log/0*5\.json' -p w/p list /
    expect_failure 4 '_delta_log/0*5\.json' -p w/p mkdir /x
    context='names that are no commits: '
    fresh
    touch w/p/_delta_log/{README,5.json,.tmp,00000000000000000005.json.tmp,99999999999999999999999.json}
    mkdir w/p/_delta_log/d
    expect_same "$(view w/p)" "$listing"
    expect_sound w/p
    expect 0 pond -p w/p mkdir /x
}

# A last commit that names a file elsewhere; outside/ must not be looked at.
forged_paths()
{
    local path
    make_proto
    mkdir outside
    for path in ../../outside/x /etc/passwd 'part%2F..%2F..%2Fx' '%2Fetc%2Fpasswd' 'part-%00x' 'part\u0000x' . .. '' \
        '..%2F..%2Foutside%2Fx' 'file:///etc/passwd' '_pond/config.json/../../../x' "a/$(printf '%0300d' 0)"; do
        context="a commit that adds '${path:0:40}': "
        fresh
        sed -i -E "s|\"path\" *: *\"part-[^\"]*\"|\"path\":\"$path\"|" "$(log_of w/p 4)"
        cmp -s "$(log_of w/p 4)" "$(log_of proto/p 4)" && fail 'nothing was forged'
        forget_index w/p
        expect_failure 4 '_delta_log/0*4\.json' -p w/p list /
        expect 4 pond -p w/p check
        expect_failure 4 '_delta_log/0*4\.json' -p w/p gc
        # The same at the remote.
        fresh
        sed -i -E "s|\"path\" *: *\"part-[^\"]*\"|\"path\":\"$path\"|" "$(log_of w/remote/oplog 4)"
        rm -rf rep
        expect_failure 4 '_delta_log/0*4\.json' restore w/remote rep
        fresh
        sed -i -E "s|\"path\" *: *\"bundle_id[^\"]*\"|\"path\":\"$path\"|" "$(log_of w/remote/files 1)"
        rm -rf rep
        expect_failure 4 'files' restore w/remote rep
        expect 4 pond -p w/p check r
        expect_same "$(find outside)" outside
    done
}

# ---- the remote ----

remote_damage()
{
    local file offset
    make_proto
    for file in pond.json oplog/_delta_log/00000000000000000001.json files/_delta_log/00000000000000000001.json \
        oplog/_delta_log/00000000000000000000.json \
        "$(cd proto/remote && echo oplog/part-00000000000000000001-*)" \
        "$(cd proto/remote && find files -name 'part-*' -size +4M)"; do
        for offset in $(spread "$(size_of "proto/remote/$file")" 15); do
            context="remote, $file, byte $offset: "
            fresh
            flip "w/remote/$file" "$offset"
            if [[ $file == pond.json ]]; then
                expect_pond_json_damage
                continue
            fi
            expect 4 pond -p w/p check r --read-data
            grep -qE "${file%%/*}/" "$out" || fail "another place: $(cat "$out")"
            rm -rf rep
            "$POND_BIN" restore w/remote rep >"$out" 2>"$err"
            case $? in
            0) # not all of a commit of the table of files is read by a restore
                [[ $file == files/_delta_log/* ]] || fail 'restored all the same'
                ;;
            4) [[ $(wc -l <"$err") == 1 && $(cat "$err") == *"${file%%/*}/"* ]] ||
                fail "the message: $(cat "$err")" ;;
            *) fail "restore: $(cat "$err")" ;;
            esac
            cp "proto/remote/$file" "w/remote/$file"
            expect 0 pond restore w/remote rep # goes on
            diff -r -x _pond rep w/p >"$out" || fail "the replica differs: $(cat "$out")"
        done
    done
    context='a bundle is missing at the remote: '
    fresh
    find w/remote/files -name 'part-*' -size +4M -delete
    expect_damage w/p 'files/bundle_id' r
    rm -rf rep
    expect_failure 4 'files/bundle_id' restore w/remote rep
    context='a gap at the remote: '
    fresh
    rm w/remote/oplog/_delta_log/00000000000000000002.json
    expect 4 pond -p w/p check r
    rm -rf rep
    expect_failure 4 '_delta_log' restore w/remote rep
    context='no first commit at the remote: '
    fresh
    rm w/remote/oplog/_delta_log/00000000000000000000.json
    expect 4 pond -p w/p check r
    rm -rf rep
    expect_failure 4 '_delta_log' restore w/remote rep
}

expect_pond_json_damage()
{
    "$POND_BIN" -p w/p backup >"$out" 2>"$err"
    case $? in
    4 | 13 | 1) [[ $(wc -l <"$err") == 1 && $(cat "$err") == *w/remote* ]] || fail "the message: $(cat "$err")" ;;
    0) # outside the values
        [[ $(tr -d ' \n' <w/remote/pond.json) == *"$(sed -E 's/.*"pond_id": "([^"]*)".*/\1/' proto/remote/pond.json)"* ]] ||
            fail 'backed up to the remote of another pond'
        ;;
    *) fail "backup: $(cat "$err")" ;;
    esac
}

# ---- this machine's own files ----

index_damage()
{
    local what
    make_proto
    fresh
    pond -p w/p mkdir /more >/dev/null
    cp -a w/p ahead
    pond init another >/dev/null
    pond -p another copy keep / >/dev/null
    rm -f before-w before-x
    for what in deleted empty page half garbage flipped ahead behind another unreadable_wal directory_gone; do
        context="index $what: "
        fresh
        case $what in
        deleted) forget_index w/p ;;
        empty)
            forget_index w/p
            : >w/p/_pond/index.sqlite
            ;;
        page) truncate -s 4096 w/p/_pond/index.sqlite ;;
        half) truncate -s $(($(size_of w/p/_pond/index.sqlite) / 2)) w/p/_pond/index.sqlite ;;
        garbage)
            forget_index w/p
            random_bytes 50000 >w/p/_pond/index.sqlite
            ;;
        flipped)
            flip w/p/_pond/index.sqlite 100 # type of the first page
            ;;
        ahead)
            forget_index w/p
            cp ahead/_pond/index.sqlite* w/p/_pond/
            ;;
        behind)
            cp ahead/_delta_log/*5.json w/p/_delta_log/
            cp ahead/part-*0005-* w/p/
            ;;
        another)
            forget_index w/p
            cp another/_pond/index.sqlite* w/p/_pond/
            ;;
        unreadable_wal)
            random_bytes 100000 >w/p/_pond/index.sqlite-wal
            random_bytes 32768 >w/p/_pond/index.sqlite-shm
            ;;
        directory_gone) rm -r w/p/_pond ;;
        esac
        if [[ $what == behind ]]; then
            expect_same "$(view w/p)" "$(view ahead)"
        elif [[ $(view w/p) != "$listing" ]]; then
            # One that turns out to be damaged while it is read may be told once.
            [[ $(view w/p) == "$listing" ]] || fail "the listing is another: $(view w/p)"
        fi
        expect_sound w/p
        expect 0 pond -p w/p mkdir /works
        expect_sound w/p
        forget_index w/p
        expect_sound w/p
    done
    for what in seen state; do
        context="$what.sqlite: "
        fresh
        random_bytes 20000 >w/p/_pond/$what.sqlite
        rm -f w/p/_pond/$what.sqlite-*
        expect 0 pond -p w/p copy keep /
        expect_out "txn 4: nothing changed, 4 unchanged"
        expect 0 pond -p w/p mkdir /y
        expect 0 pond -p w/p backup
        expect_sound w/p
        expect 0 pond -p w/p check r
    done
    context='config.json missing: '
    fresh
    rm w/p/_pond/config.json
    expect_same "$(view w/p)" "$listing"
    expect_sound w/p
}

config_damage()
{
    local text
    make_proto
    rm -rf w
    cp -a proto w
    expect 0 pond restore w/remote w/rep
    mv w/rep rep
    for text in '' '{' '[]' '{"role": "replica"}' 'x'; do
        context="config.json is '$text': "
        rm -rf w
        cp -a proto w
        cp -a rep w/rep
        printf '%s' "$text" >w/rep/_pond/config.json
        # It may not become a primary by an accident.
        expect_failure 4 'w/rep/_pond/config\.json' -p w/rep mkdir /x
        expect_failure 4 'w/rep/_pond/config\.json' -p w/rep list /
        expect_same "$(cat w/rep/_pond/config.json)" "$text"
        rm w/rep/_pond/config.json
        expect 0 pond restore w/remote w/rep
        expect 12 pond -p w/rep mkdir /x
    done
}

# ---- histories ----

other_ponds()
{
    make_proto
    fresh
    expect 0 pond init q
    expect 0 pond -p q remote add r "$PWD/remote-q"
    expect 0 pond -p q backup
    expect_failure 13 'w/remote: is the remote of another pond' -p q remote add s "$PWD/w/remote"
    cp -a w/remote before
    rm -rf w/remote
    cp -a remote-q w/remote
    expect_failure 13 'w/remote: is the remote of another pond' -p w/p backup
    expect_failure 13 'w/remote: is the remote of another pond' -p w/p check r
    diff -r remote-q w/remote || fail 'the other pond was changed'
    rm -rf w/remote
    cp -a before w/remote
    expect 0 pond restore w/remote rep
    rm -rf w/remote
    cp -a remote-q w/remote
    expect_failure 13 'w/remote: is the remote of another pond' -p rep pull
    expect_failure 1 'rep' restore w/remote rep
    expect_sound rep
}

diverged()
{
    make_proto
    fresh
    expect 0 pond restore w/remote a
    expect 0 pond restore w/remote b
    expect 0 pond -p a promote
    expect 0 pond -p a mkdir /a
    expect 0 pond -p a mkdir /a2
    expect 0 pond -p w/p mkdir /p
    expect 0 pond -p w/p backup
    context='two primaries: '
    expect_failure 13 'w/remote: .*diverged|another copy' -p a backup
    expect_failure 13 'w/remote: .*' -p a check origin
    expect 0 pond -p w/p check r --read-data
    expect 0 pond -p b pull
    expect_same "$(view b)" "$(view w/p)"
    cp -a w/remote first
    context='the other history under the place of the first: '
    expect 0 pond -p a remote add mine "$PWD/mine"
    expect 0 pond -p a backup mine
    rm -rf w/remote
    cp -a mine w/remote
    local before
    before=$(view b)
    expect_failure 13 'diverged' -p b pull
    expect_failure 13 'diverged|another copy' -p w/p backup
    expect_failure 13 'diverged|another copy' -p w/p check r
    expect_same "$(view b)" "$before"
    expect_sound b
    expect_sound a
    expect_sound w/p
    context='an older remote: '
    rm -rf w/remote
    cp -a proto/remote w/remote
    expect_failure 13 'w/remote' -p b pull
    expect 0 pond -p w/p backup
    expect 0 pond -p b pull
    expect_sound b
}

# ---- access ----

others()
{
    local who=()
    make_proto
    fresh
    if [[ $(id -u) == 0 ]]; then
        command -v setpriv >/dev/null || {
            echo 'others: skipped, there is no setpriv'
            return
        }
        who=(setpriv --reuid=65534 --regid=65534 --clear-groups)
        chmod 755 "$tmp" .
        "${who[@]}" test -x "$POND_BIN" -a -x w || {
            echo 'others: skipped, another user cannot reach the command'
            return
        }
    fi
    as() { expect "$1" "${who[@]}" "$POND_BIN" "${@:2}"; }
    context='no writing: '
    chmod -R a-w w/p
    as 0 -p w/p list -R -l /
    expect_same "$(cat "$out")" "$listing"
    as 0 -p w/p cat /keep/big
    expect_same_files "$out" keep/big
    as 0 -p w/p check
    as 12 -p w/p copy keep/small /new
    expect_error '^pond: w/p/_pond.*: .*Permission denied'
    as 12 -p w/p gc
    as 12 -p w/p promote
    as 12 init w/p/q
    expect_error '^pond: w/p/q.*: .*Permission denied'
    context='no reading: '
    chmod -R u+w w/p
    chmod 000 w/p
    as 12 -p w/p list
    expect_error '^pond: w/p.*: .*Permission denied'
    as 12 -p w/p check
    chmod 755 w/p
    chmod 000 "$(bundle_of w/p /keep/big)"
    as 12 -p w/p cat /keep/big
    expect_error '^pond: w/p/_large_files.*: .*Permission denied'
    chmod 644 "$(bundle_of w/p /keep/big)"
    context='a remote that cannot be written: '
    chmod -R a-w w/remote
    rm -rf mine
    mkdir mine
    [[ ${#who[@]} == 0 ]] || chown 65534:65534 mine
    as 0 restore "$PWD/w/remote" mine/rep
    as 0 -p mine/rep promote
    as 0 -p mine/rep mkdir /x
    as 12 -p mine/rep backup
    expect_error '^pond: .*w/remote.*: .*Permission denied'
    as 0 -p mine/rep check origin --read-data
    chmod -R u+w w/remote
    context='sources that cannot be read: '
    mkdir sources
    echo 1 >sources/1
    echo 2 >sources/2
    mkdir sources/3
    chmod 000 sources/2 sources/3
    as 3 -p mine/rep copy sources /
    expect_same "$(wc -l <"$err")" 2
    expect_error '^pond: sources/2: .*Permission denied'
    expect_error '^pond: sources/3: .*Permission denied'
    as 0 -p mine/rep cat /sources/1
    as 0 -p mine/rep check --read-data
    chmod 755 sources/2 sources/3
    context='a place that cannot be written: '
    mkdir sealed
    chmod 555 sealed
    as 12 restore "$PWD/w/remote" sealed/rep
    expect_error '^pond: sealed/rep.*: .*Permission denied'
    as 12 -p mine/rep export /sources sealed/
    expect_error 'sealed/sources: .*Permission denied'
}

# ---- two at once, signals ----

# A copy of standard input that has the lock and waits for more. Sets writer; descriptor 7 is its input.
start_writer() # COMMAND... before pond's arguments
{
    rm -f fifo
    mkfifo fifo
    "$@" "$POND_BIN" -p w/p copy - /stream <fifo >writer.out 2>writer.err &
    writer=$!
    exec 7>fifo
    random_bytes $((1 << 20)) >sent
    cat sent >&7 # more than a pipe holds: when this ends, most was read, so the lock is held
}

second_writer()
{
    make_proto
    fresh
    start_writer env
    local command
    for command in 'mkdir /x' 'copy keep /x/' 'rm -r /keep' 'mv /keep /k' gc 'remote add s remote'; do
        context="a second writer, $command: "
        # shellcheck disable=SC2086
        expect_failure 11 'w/p.*: .*another (process|writer)' -p w/p $command
    done
    context='while another writes: '
    expect_same "$(view w/p)" "$listing"
    expect_sound w/p
    expect 0 pond -p w/p backup
    echo end >&7
    exec 7>&-
    wait "$writer" || fail "the first writer: $(cat writer.err)"
    echo end >>sent
    expect 0 pond -p w/p cat /stream
    expect_same_files "$out" sent
    expect_sound w/p
}

signals()
{
    local signal
    make_proto
    for signal in INT TERM; do
        context="SIG$signal: "
        fresh
        # Background jobs of a shell ignore SIGINT.
        start_writer env --default-signal=INT
        kill -"$signal" "$writer"
        wait "$writer"
        expect_same $? 130
        exec 7>&-
        expect_same "$(cat writer.err)" 'pond: interrupted'
        expect_same "$(cat writer.out)" ''
        expect_same "$(ls -A w/p/_pond/tmp)" ''
        expect_same "$(view w/p)" "$listing"
        expect_sound w/p
        expect_same "$(file_names w/p)" "$(file_names proto/p)"
    done
}

# ---- names ----

odd_names()
{
    local newline=$'a\nb' bytes=$'caf\xe9' name
    mkdir -p odd/"$newline"/"$bytes"
    echo 1 >odd/"$newline"/"$bytes"/one
    echo 2 >odd/"$bytes"
    random_bytes 100000 >odd/$'\x80\n\xff'
    echo 3 >odd/' * ? [x] "'"'"
    echo 4 >odd/'\n'
    echo 5 >odd/-n
    ln -s "$bytes"$'\n' odd/link
    name=$(printf '%0255d' 0)
    echo 6 >"odd/$name"
    expect 0 pond init p
    expect 0 pond -p p copy odd /
    expect 0 pond -p p --json list -R /odd
    expect_same "$(wc -l <"$out")" "$(find odd -mindepth 1 -printf . | wc -c)"
    expect_line '"name_base64": "Y2Fm6Q=="'
    expect_line '"path": "/odd/a\\nb"'
    expect_line '"target_base64": "Y2Fm6Qo="'
    expect 0 pond -p p cat "/odd/$newline/$bytes/one" "/odd/$bytes"
    expect_out $'1\n2'
    expect 0 pond -p p copy odd /
    expect_line 'nothing changed'
    expect 0 pond -p p remote add r "$PWD/remote"
    expect 0 pond -p p backup
    expect 0 pond restore remote rep
    diff -r -x _pond p rep >/dev/null || fail 'the replica differs'
    expect 0 pond -p rep export /odd out
    diff -r --no-dereference odd out/odd >/dev/null || fail 'the export differs'
    forget_index rep
    expect_same "$(view rep)" "$(view p)"
    expect_sound rep
    expect 1 pond -p p cat "/odd/none$newline"
    expect_same "$(wc -l <"$err")" 1
    chmod 000 p/part-*1-*
    rm p/part-*1-*
    forget_index p
    expect_failure 4 part- -p p list
}

# ---- a full disk ----

full_disk()
{
    local big mounted
    make_proto
    mkdir disk
    mount -t tmpfs -o size=24m pond-test disk 2>/dev/null || {
        echo 'full_disk: skipped, nothing can be mounted here'
        return
    }
    mounted=$PWD/disk
    # shellcheck disable=SC2064
    trap "umount '$mounted'" EXIT
    random_bytes $((40 << 20)) >big
    expect 0 pond init disk/p --chunk-size 4MiB
    expect 0 pond -p disk/p copy keep /
    local before
    before=$(view disk/p)
    for big in 'copy big /big' 'copy - /big'; do
        context="a full disk, $big: "
        # shellcheck disable=SC2086
        "$POND_BIN" -p disk/p $big <big >"$out" 2>"$err"
        expect_same $? 1
        expect_same "$(wc -l <"$err")" 1
        expect_error '^pond: disk/p/.*: .*No space left on device'
        expect_same "$(ls -A disk/p/_pond/tmp)" ''
        expect_sound disk/p
        expect_same "$(view disk/p)" "$before"
    done
    context='a full disk, many files: '
    mkdir many
    head -c 40000000 big | split -b 70000 - many/
    expect 1 pond -p disk/p copy many /
    expect_same "$(wc -l <"$err")" 1
    expect_error '^pond: disk/p/.*: .*No space left on device'
    expect_same "$(ls -A disk/p/_pond/tmp)" ''
    expect_sound disk/p
    context='to the last byte: '
    cat /dev/zero >disk/filler 2>/dev/null
    expect_same "$(view disk/p)" "$before"
    expect 0 pond -p disk/p cat /keep/big
    expect_same_files "$out" keep/big
    expect 1 pond -p disk/p copy many/aa /x
    expect_same "$(wc -l <"$err")" 1
    expect_error '^pond: disk/p/.*: .*(No space left on device|disk is full)'
    rm disk/filler
    expect_sound disk/p
    expect 0 pond -p disk/p copy keep/other /x
    expect_sound disk/p
    context='a full remote: '
    expect 0 pond init p
    expect 0 pond -p p copy keep /
    expect 0 pond -p p copy big /
    rm -rf disk/p
    expect 0 pond -p p remote add r "$PWD/disk/remote"
    expect_failure 1 'disk/remote/.*: .*No space left on device' -p p backup
    expect 0 pond -p p check r --read-data
    expect_same "$(find disk/remote/_tmp -type f 2>/dev/null)" ''
    umount disk
    mount -t tmpfs -o size=24m pond-test disk
    context='a full disk, restore: '
    expect 0 pond -p p remote add s "$PWD/remote"
    expect 0 pond -p p backup s
    expect_failure 1 'disk/rep/.*: .*No space left on device' restore remote disk/rep
    mount -o remount,size=62m disk
    expect 0 pond restore remote disk/rep
    diff -r -x _pond p disk/rep >/dev/null || fail 'the replica differs'
    expect 1 pond -p p export /big disk/out
    expect_error '^pond: .*disk/out/big: .*No space left on device'
    [[ $(find disk/out -type f 2>/dev/null) == '' ]] || fail "litter: $(find disk/out)"
    umount disk
    trap - EXIT
}

if (($# > 0)); then
    scenario "$1" "$@"
else
    for name in commit_damage remote_damage forged_paths bundle_truncations lying_length export_of_damage part_damage \
        index_damage config_damage other_ponds diverged others second_writer signals odd_names full_disk; do
        scenario "$name" "$name"
    done
    scenario bundle-big bundle_flips big 40
    scenario bundle-text bundle_flips text 30
    scenario bundle-other bundle_flips other 30
fi
end_scenarios
