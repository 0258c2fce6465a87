#!/usr/bin/env bash
# Builds a static stepless for Linux, and what else belongs into a package, into target/static.
#
#   packaging/build-static.sh [--profile PROFILE]
#
#   stepless         the program; it needs no libc and no other file of the system it runs on
#   share            manual pages and completions for bash, zsh and fish: cp -r share/. /usr/local/share
#   image            what the Dockerfile puts beside the program
#
# PROFILE is one of cargo's, `release` unless given. Needs musl-gcc (Debian: musl-tools) and
# `rustup target add x86_64-unknown-linux-musl` (aarch64 on such a machine).
set -euo pipefail
cd "$(dirname "$0")/.."

profile=release
if [ "${1:-}" = --profile ] && [ $# = 2 ]; then
    profile=$2
elif [ $# != 0 ]; then
    echo "usage: build-static.sh [--profile PROFILE]" >&2
    exit 1
fi
target=$(uname -m)-unknown-linux-musl
command -v musl-gcc >/dev/null || {
    echo "build-static.sh: no musl-gcc, which compiles ring and SQLite; Debian's package is musl-tools" >&2
    exit 2
}

cargo build --locked --profile "$profile" --target "$target" --bin stepless
build=${CARGO_TARGET_DIR:-target}/$target
# Cargo's own exception.
[ "$profile" = dev ] && build=$build/debug || build=$build/$profile

# A program interpreter or a needed library would have to be in the image.
if readelf --wide --program-headers --dynamic "$build/stepless" | grep -E 'INTERP|NEEDED'; then
    echo "build-static.sh: $build/stepless is not static" >&2
    exit 2
fi

out=target/static
mkdir -p target
new=$(mktemp -d target/static.XXXXXX)
trap 'rm -rf "$new"' EXIT
chmod 0755 "$new"
cp "$build/stepless" "$new/stepless"
share=$new/share
mkdir -p "$share"/bash-completion/completions "$share"/zsh/site-functions "$share"/fish/vendor_completions.d
"$new/stepless" completions bash >"$share/bash-completion/completions/stepless"
"$new/stepless" completions zsh >"$share/zsh/site-functions/_stepless"
"$new/stepless" completions fish >"$share/fish/vendor_completions.d/stepless.fish"
(umask 022 && "$new/stepless" man "$share/man/man1")
chmod -R go+rX "$share"
# Empty folders, which no repository can hold; their modes reach the image.
mkdir -p "$new/image"
mkdir -m 0700 "$new/image/stepless"
rm -rf "$out"
mv "$new" "$out"
echo "build-static.sh: $("$out/stepless" version), static, $(stat -c %s "$out/stepless") bytes, in $out"
