#!/usr/bin/env bash
# Installs what building, testing and the demo need, and nothing else. Run it as often as you like: what is there is left alone.
# Usage: scripts/setup.sh   (make setup)
#
# Afterwards no network is needed: .tools/bin holds uv, duckdb and a Python for the scans, .venv what the demo's player and the
# tests import, uv's cache what the example's pipeline installs, Resources/web/vendor the charts' library.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .tools
log=.tools/setup.log
: >"$log"

if [ -t 2 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
number=0 total=7

fail() { # sentence, what to do
    printf '\n%sError:%s %s\n       %s\n' "$bold" "$plain" "$1" "$2" >&2
    exit 1
}

# step "what" function: one line each; the function says 'here' when there was nothing to do.
step() {
    number=$((number + 1))
    printf '%sset-up %d/%d%s  %-42s ' "$bold" "$number" "$total" "$plain" "$1" >&2
    local began=$SECONDS answer
    printf '\n== %s\n' "$1" >>"$log"
    if ! answer=$("$2" 2>>"$log"); then
        printf 'failed\n\n' >&2
        tail -n 15 "$log" | sed 's/^/    /' >&2
        fail "'$1' did not succeed; the lines above are the end of $log." "${remedy:-Mend what they name, then run 'make setup' again.}"
    fi
    printf '%s\n' "${answer:-done in $((SECONDS - began)) s}" >&2
}

# --- Debian packages ------------------------------------------------------------------------------------------------------------

packages=(git libsqlite3-dev zlib1g-dev libjs-dygraphs util-linux)

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

system_packages() {
    local wanted
    wanted=$(missing_packages)
    if [ -z "$wanted" ]; then echo here; return; fi
    local as=()
    if [ "$(id -u)" != 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            echo "Missing Debian packages, and no right to install them. As root: apt-get install" $wanted >&2
            return 1
        fi
        as=(sudo)
    fi
    "${as[@]}" apt-get update -qq >&2
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive "${as[@]}" apt-get install -y -qq --no-install-recommends $wanted >&2
}

# --- Toolchain ------------------------------------------------------------------------------------------------------------------

swift_toolchain() {
    local found
    found=$(swift --version 2>/dev/null | grep -o 'Swift version [0-9.]*' | head -1 | cut -d' ' -f3)
    if [ -z "$found" ]; then echo "There is no 'swift' on the search path. Install Swift 6.3: https://www.swift.org/install/linux" >&2; return 1; fi
    if [ "$(printf '6.3\n%s\n' "$found" | sort -V | head -1)" != 6.3 ]; then echo "Swift $found is too old; Slipway needs 6.3." >&2; return 1; fi
    echo "Swift $found"
}

python_program() {
    local name
    for name in python3.11 python3; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    echo "There is no Python 3.11 with its venv module. On Debian 12, as root: apt-get install python3 python3-venv" >&2
    return 1
}

# --- Programs and Python packages, each from a lock with hashes -------------------------------------------------------------------

digest() { cat "$@" | sha256sum | cut -c1-16; }

tools() {
    local wanted python
    wanted=$(digest scripts/requirements-tools.txt scripts/setup.sh)
    if [ "$(cat .tools/venv/slipway-lock 2>/dev/null)" != "$wanted" ] || ! .tools/venv/bin/uv --version >/dev/null 2>&1; then
        python=$(python_program)
        rm -rf .tools/venv
        "$python" -m venv .tools/venv >&2
        .tools/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
            -r scripts/requirements-tools.txt >&2
        echo "$wanted" >.tools/venv/slipway-lock
    else
        echo here
    fi
    mkdir -p .tools/bin
    ln -sfn ../venv/bin/uv .tools/bin/uv
    # The package's own script would start a Python each time; the program lies beside it.
    ln -sfn "../venv/lib/python3.11/site-packages/duckdb_cli/duckdb" .tools/bin/duckdb
    # Not a link: Python looks for its packages beside the name that it was called by.
    printf '#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/../venv/bin/python" "$@"\n' >.tools/bin/python.new
    chmod 755 .tools/bin/python.new
    mv -f .tools/bin/python.new .tools/bin/python
}

python_packages() {
    local wanted
    wanted=$(digest scripts/requirements-test.txt scripts/requirements-build.txt)
    if [ "$(cat .venv/slipway-lock 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; then echo here; return; fi
    rm -rf .venv
    .tools/bin/uv venv --quiet --no-project --no-python-downloads --python 3.11 .venv >&2
    VIRTUAL_ENV='' .tools/bin/uv pip sync --quiet --require-hashes --compile-bytecode --python .venv/bin/python \
        --build-constraints scripts/requirements-build.txt scripts/requirements-test.txt >&2
    echo "$wanted" >.venv/slipway-lock
}

# The pipeline's own environment is made by the server, from uv's cache. This fills the cache.
pipeline_packages() {
    local wanted cache
    cache=$(.tools/bin/uv cache dir)
    wanted="$(digest examples/flight-delays/requirements.txt Resources/template/requirements.txt) $cache"
    if [ "$(cat .tools/warm 2>/dev/null)" = "$wanted" ] && [ -d "$cache" ]; then echo here; return; fi
    rm -rf .tools/warming
    .tools/bin/uv venv --quiet --no-project --no-python-downloads --python 3.11 .tools/warming >&2
    local lock
    for lock in examples/flight-delays/requirements.txt Resources/template/requirements.txt; do
        .tools/bin/uv pip sync --quiet --require-hashes --python .tools/warming/bin/python "$lock" >&2
    done
    rm -rf .tools/warming
    echo "$wanted" >.tools/warm
}

web_assets() {
    if [ -f Resources/web/vendor/dygraph.min.js ] && [ Resources/web/vendor/dygraph.min.js -nt scripts/web-assets.sh ]; then echo here; return; fi
    scripts/web-assets.sh >&2
    touch Resources/web/vendor/*
}

step "Debian packages" system_packages
step "Swift" swift_toolchain
step "Python 3.11" python_program
step "uv, DuckDB, scanners (.tools)" tools
step "packages of the demo and the tests (.venv)" python_packages
step "packages of the example's pipeline (cache)" pipeline_packages
step "web assets, checked by checksum" web_assets
