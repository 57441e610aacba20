#!/usr/bin/env bash
# Builds program and tests in one configuration, with one line of progress. Usage: scripts/build.sh SWIFT-OPTIONS…
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .build
log=.build/slipway-build.log
began=$SECONDS
if [ -t 2 ]; then
    swift build --build-tests "$@" 2>&1 | tee "$log" | while IFS= read -r line; do
        if [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
            done=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
            filled=$((done * 30 / (all > 0 ? all : 1)))
            printf '\r\e[Kbuild    %s%s %d/%d  %d s' "$(printf '%*s' "$filled" '' | tr ' ' '#')" "$(printf '%*s' $((30 - filled)) '' | tr ' ' '.')" \
                "$done" "$all" $((SECONDS - began)) >&2
        fi
    done || status=$?
    printf '\r\e[K' >&2
else
    swift build --build-tests "$@" >"$log" 2>&1 || status=$?
fi
if [ "${status:-0}" != 0 ]; then
    grep -E 'error:' "$log" | sort -u | head -40 >&2 || tail -n 40 "$log" >&2
    echo "Error: the build did not succeed; all of its output is in $log." >&2
    exit "$status"
fi
echo "build    .build/release/slipway, in $((SECONDS - began)) s" >&2
