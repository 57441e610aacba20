#!/usr/bin/env bash
# Copies the charts' library (Debian package libjs-dygraphs, MIT) into Resources/web/vendor, after comparing checksums.
# Usage: scripts/web-assets.sh   (called by make setup; SLIPWAY_DYGRAPHS names another folder than the package's)
set -euo pipefail
cd "$(dirname "$0")/.."

from=${SLIPWAY_DYGRAPHS:-/usr/share/javascript/dygraphs}
licence=${SLIPWAY_DYGRAPHS_LICENCE:-/usr/share/doc/libjs-dygraphs/copyright}
to=Resources/web/vendor

# libjs-dygraphs 2.2.1-1 (Debian 12)
sums="$(cat <<'SUMS'
26c4ef2356454f40e108e4d9649bf92139671cb49ef214ec1879fd8ffad848c9  dygraph.min.css
065bb9a7158dadc02b1c204b962dcc45279304dffbe80d5cb898ff33afac5c40  dygraph.min.js
5ad7ed8e3f6fa2366b34d4e1b1fc4caa68e3c6fd20314ebbf36978dc978dc956  dygraphs-licence.txt
SUMS
)"

if [ ! -f "$from/dygraph.min.js" ]; then
    echo "web-assets: dygraphs is missing. Install it: apt-get install libjs-dygraphs" >&2
    exit 1
fi

aside=$(mktemp -d)
trap 'rm -rf "$aside"' EXIT
cp -L "$from/dygraph.min.js" "$from/dygraph.min.css" "$aside/"
cp -L "$licence" "$aside/dygraphs-licence.txt"
if ! (cd "$aside" && sha256sum --check --quiet <<<"$sums"); then
    echo "web-assets: the files in $from are not libjs-dygraphs 2.2.1-1; nothing was copied." >&2
    exit 1
fi
mkdir -p "$to"
install -m 644 "$aside"/* "$to/"
echo "web-assets: dygraphs 2.2.1 is in $to"
