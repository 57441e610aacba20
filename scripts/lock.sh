#!/usr/bin/env bash
# Writes the locked requirements anew from the *.in files. Usage: scripts/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."
for input in scripts/requirements-tools.in scripts/requirements-test.in scripts/requirements-build.in examples/flight-delays/requirements.in; do
    .tools/bin/uv pip compile --quiet --generate-hashes --no-header --python-version 3.11 --python-platform x86_64-manylinux_2_28 "$@" \
        "$input" --output-file "${input%.in}.txt"
    echo "locked ${input%.in}.txt: $(grep -c '==' "${input%.in}.txt") packages"
done
# The template asks for the same packages, so that its environment is the example's.
cp examples/flight-delays/requirements.in examples/flight-delays/requirements.txt Resources/template/
