#!/bin/sh
# deps.sh [PACKAGE...]: installs the Debian packages that building and testing pond needs, and those given, where they are
# missing. Silent when none is.
# sh, not bash, and nothing but dpkg and apt: it must run in a minimal root.
set -eu

# Elsewhere the packages have other names; CMake says which library it misses.
command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 || exit 0

packages="cmake ninja-build gcc libc6-dev pkg-config libzstd-dev libsqlite3-dev libjansson-dev libcmocka-dev"
[ -n "${BLAKE3_C_DIR:-}" ] || packages="$packages librust-blake3-dev"
packages="$packages $*"

missing=
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | head -n 1) || status=
    [ "$status" = installed ] && continue
    # A tool may come from elsewhere (a newer cmake, pkgconf for pkg-config).
    case $package in
    cmake | gcc | pkg-config) command -v "$package" >/dev/null 2>&1 && continue ;;
    ninja-build) command -v ninja >/dev/null 2>&1 && continue ;;
    esac
    missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "deps: missing packages, and no root rights to install them:$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "deps: installing:$missing"
$as_root apt-get update
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
