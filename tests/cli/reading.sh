#!/usr/bin/env bash
# Reading never commits, and writes nothing outside _pond/ (invariant 5): neither at home nor at the remote nor in a replica.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

head -c 300000 /dev/urandom >large
echo one >small
pond -q init p || exit 1
pond -q -p p copy large small / || exit 1
pond -q -p p remote add r "$tmp/r" || exit 1
pond -q -p p backup || exit 1
pond -q restore r replica || exit 1

state() { # FOLDER...: all names, with what a change would change
    find "$@" -name _pond -prune -o -printf '%p %y %s %m %i %T@ %C@\n' | sort
}

state p r replica >before
for pond in p replica; do
    export POND=$tmp/$pond
    remote=r && [[ $pond == p ]] || remote=origin
    expect 0 pond list -lR /
    expect 0 pond stat /large
    expect 0 pond cat /large /small
    expect 0 pond cat --at 1 /small
    expect 0 pond log
    expect 0 pond show 1
    expect 0 pond status
    expect 0 pond check --read-data
    expect 0 pond check "$remote" --read-data
    expect 0 pond remote list
    expect 0 pond export / "out-$pond"
    expect 0 pond gc -n
    [[ $pond == replica ]] || expect 0 pond backup -n
    [[ $pond == p ]] || expect 0 pond pull
done
state p r replica >after
diff before after || fail 'reading changed something'

end_tests
