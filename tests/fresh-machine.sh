#!/usr/bin/env bash
# fresh-machine.sh RELEASE [TARGET...]: proves the README. In a minimal Debian root with nothing but git and make added, a
# clone of HEAD runs `make TARGET` for each target (demo and test by default), which must do all set-up themselves.
#
# Needs root, debootstrap and network. The mirror, and proxies if any, are those of this machine's apt. The root is made
# below $TMPDIR (/var/tmp) and removed at the end; KEEP=1 keeps it.
set -euo pipefail
release=${1:?usage: fresh-machine.sh RELEASE [TARGET...]}
shift
targets=("$@")
[ $# -gt 0 ] || targets=(demo test)
top=$(dirname "$(dirname "$(realpath "$0")")")

say() { printf 'fresh-machine: %s: %s\n' "$release" "$*"; }
[ "$(id -u)" = 0 ] || { say 'must be run by root'; exit 1; }
command -v debootstrap >/dev/null || { say 'debootstrap is missing'; exit 1; }

work=$(mktemp -d "${TMPDIR:-/var/tmp}/pond-fresh.XXXXXX")
root=$work/root
cleanup() { [ "${KEEP:-}" = 1 ] && say "kept in $root" || rm -rf --one-file-system "$work"; }
trap cleanup EXIT

# Where this machine gets the packages of its own release from.
# shellcheck disable=SC2016 # apt's variables
sites() { apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' 'Component: main'; }
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirror=$(sites | awk -v release="$codename" '$1 == release {print $2; exit}')
[ -n "$mirror" ] || { say "apt's configuration names no mirror of $codename"; exit 1; }

say "a minimal root with git and make"
start=$SECONDS
if ! debootstrap --variant=minbase --include=git,make "$release" "$root" "$mirror" >"$work/debootstrap.log" 2>&1; then
    tail -n 20 "$work/debootstrap.log"
    say 'debootstrap failed'
    exit 1
fi
apt-config dump | grep -E '^Acquire::(http|https)::Proxy' >"$root/etc/apt/apt.conf.d/90proxy" || true
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
say "made in $((SECONDS - start)) s: Debian $(cat "$root/etc/debian_version"), $(find "$root/var/lib/dpkg/info" -name '*.list' | wc -l) packages"

# HEAD, as a clone sees it: nothing that is not committed.
git -C "$top" bundle create -q "$root/root/pond.bundle" HEAD

# The namespaces end with the command, and the mounts with them.
inside() {
    unshare --mount --pid --fork --kill-child bash -c '
        mount -t proc proc "$1/proc" && mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm" || exit 1
        root=$1
        shift
        exec chroot "$root" /usr/bin/env -i HOME=/root USER=root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
    ' inside "$root" "$@" </dev/null
}
mkdir -p "$root/dev/shm"

inside git clone -q /root/pond.bundle /root/pond
say "a clone of $(git -C "$top" log -1 --format='%h (%s)')"
for target in "${targets[@]}"; do
    start=$SECONDS
    log=$work/$target.log
    if ! inside make -C /root/pond "$target" >"$log" 2>&1; then
        tail -n 60 "$log"
        say "make $target failed"
        exit 1
    fi
    tail -n 12 "$log"
    say "make $target passed in $((SECONDS - start)) s"
done
say "passed: ${targets[*]}"
