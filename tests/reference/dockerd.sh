#!/usr/bin/env bash
# Sees to it that a docker daemon answers, starting one only where none does.
#
#   tests/reference/dockerd.sh PIDFILE
#
# Leaves PIDFILE empty if a daemon was there already; else writes the process id of the one it started, for the
# caller to end with `kill`. Needs root to start one. Tries docker's defaults first; then, for kernels and sandboxes
# that lack what those need, one concession more at a time. The last one has no bridge network: the tests notice and
# run their containers on the host's network.
set -euo pipefail

pidfile=${1:?usage: dockerd.sh PIDFILE}
: >"$pidfile"

answers() { docker info >/dev/null 2>&1; }

# One that is just coming up, or just going, is waited for.
underway() { kill -0 "$(cat /var/run/docker.pid 2>/dev/null)" 2>/dev/null; }
for _ in $(seq 50); do
    if answers || ! underway; then break; fi
    sleep 0.2
done

if answers; then
    echo "dockerd.sh: a docker daemon answers already"
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "dockerd.sh: no docker daemon answers, and only root can start one" >&2
    exit 1
fi

log=$(mktemp)
attempt() {
    dockerd "$@" >"$log" 2>&1 </dev/null &
    local pid=$!
    for _ in $(seq 150); do
        if answers; then
            echo "$pid" >"$pidfile"
            echo "dockerd.sh: started dockerd $* (process $pid)"
            return 0
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
    done
    echo "dockerd.sh: dockerd $* did not come up:" >&2
    tail -n 3 "$log" >&2
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    return 1
}

attempt ||
    attempt --storage-driver=vfs ||
    attempt --storage-driver=vfs --iptables=false --ip6tables=false ||
    attempt --storage-driver=vfs --iptables=false --ip6tables=false --bridge=none
