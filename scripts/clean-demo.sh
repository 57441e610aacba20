#!/usr/bin/env bash
# Stops the demo's server and gateways and removes their data folder. Usage: scripts/clean-demo.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
data=${1:-slipway-data}
if [ ! -e "$data" ]; then echo "There is no '$data'; nothing to clean."; exit 0; fi
if [ ! -e "$data/control.sqlite" ] && [ ! -e "$data/demo-people.json" ] && [ -n "$(ls -A "$data")" ]; then
    echo "Error: '$data' does not look like a Slipway data folder; it is left alone." >&2
    echo "       Remove it by hand if you mean it." >&2
    exit 1
fi

# Only processes that run this checkout's or package's `slipway` are ended, never whoever got their number since.
end() {
    local pid=$1
    [ "$(basename "$(readlink "/proc/$pid/exe" 2>/dev/null)" 2>/dev/null)" = slipway ] || return 0
    kill -TERM "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
}

if [ -f "$data/server.json" ]; then
    end "$(grep -o '"pid":[0-9]*' "$data/server.json" | cut -d: -f2)"
fi
for binary in .build/release/slipway .build/debug/slipway; do
    if [ -x "$binary" ]; then "$binary" gateway stop --data "$data" 2>/dev/null || true; break; fi
done
# Steps that still run hold their folder as an argument.
for process in /proc/[0-9]*; do
    pid=${process#/proc/}
    if { tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null | grep -qF "$(readlink -f "$data")/"; then end "$pid"; fi
done
# Input folders are read-only.
chmod -R u+w "$data"
rm -rf "$data"
echo "Removed '$data'. The next 'make demo' starts over."
