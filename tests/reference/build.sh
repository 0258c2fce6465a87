#!/usr/bin/env bash
# Builds the image stepless-reference/step-ca from step-ca's own source, through the Go module proxy.
#
#   tests/reference/build.sh [--force]
#
# Does nothing where the image exists. STEPLESS_STEP_CA_BINARY names a static step-ca to use instead of compiling one.
set -euo pipefail

version=0.30.2
image=${STEPLESS_STEP_CA_IMAGE:-stepless-reference/step-ca:$version}
here=$(cd "$(dirname "$0")" && pwd)

if [ "${1:-}" != --force ] && docker image inspect "$image" >/dev/null 2>&1; then
    echo "build.sh: $image is there already"
    exit 0
fi

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$here/Dockerfile" "$context/"

if [ -n "${STEPLESS_STEP_CA_BINARY:-}" ]; then
    cp "$STEPLESS_STEP_CA_BINARY" "$context/step-ca"
else
    # Stamped, because /version of an unstamped build answers N/A. No C compiler: the image has no libc.
    CGO_ENABLED=0 GOBIN="$context" GOFLAGS=-trimpath go install \
        -ldflags "-s -w -X main.Version=$version" \
        "github.com/smallstep/certificates/cmd/step-ca@v$version"
fi

# An image of one file needs no builder plug-in, which not every docker has.
DOCKER_BUILDKIT=0 docker build --quiet --tag "$image" "$context" 2>/dev/null ||
    docker build --quiet --tag "$image" "$context"
docker run --rm "$image" version
