#!/usr/bin/env bash
# Makes dist/slipway-VERSION-ARCHITECTURE.tar.gz and the Debian package beside it, from the release build. Usage: scripts/dist.sh BINARY
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${1:-.build/release/slipway}
[ -x "$binary" ] || { echo "Error: there is no program '$binary'. Build it: make build" >&2; exit 1; }
version=$("$binary" --version)
architecture=$(dpkg --print-architecture)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# One tree for both: usr/bin beside usr/share, where the program looks for its resources.
install -D -m 755 "$binary" "$root/usr/bin/slipway"
strip "$root/usr/bin/slipway"
# The Swift libraries come along, in a folder that nobody else uses; the program looks for them there and nowhere else.
mkdir -p "$root/usr/lib/slipway"
ldd "$binary" | awk '$3 ~ /\/swift\/linux\// { print $3 }' | while read -r library; do
    install -m 644 "$library" "$root/usr/lib/slipway/"
    strip --strip-unneeded "$root/usr/lib/slipway/$(basename "$library")"
done
scripts/runpath.py "$root/usr/bin/slipway" '$ORIGIN/../lib/slipway'
for library in "$root"/usr/lib/slipway/*.so; do scripts/runpath.py "$library" '$ORIGIN'; done
mkdir -p "$root/usr/share/slipway" "$root/usr/share/doc/slipway"
cp -r Resources/. "$root/usr/share/slipway/"
find "$root/usr/share/slipway" -name __pycache__ -prune -exec rm -rf {} +
cp README.md CHANGELOG.md SECURITY.md "$root/usr/share/doc/slipway/"
cp LICENSE "$root/usr/share/doc/slipway/copyright"
cp -r examples "$root/usr/share/doc/slipway/"
find "$root" -type d -exec chmod 755 {} +
find "$root/usr/share" -type f -exec chmod 644 {} +

mkdir -p dist
rm -f dist/*
name="slipway-$version-$architecture"
# The same input gives the same archive: times, owners and order are fixed.
tar --create --directory "$root/usr" --sort=name --owner=0 --group=0 --numeric-owner --mtime='2026-01-01 00:00Z' --transform "s,^\.,$name," . \
    | gzip -n -6 >"dist/$name.tar.gz"

install -D -m 644 packaging/slipway.service "$root/usr/lib/systemd/system/slipway.service"
install -D -m 755 packaging/postinst "$root/DEBIAN/postinst"
install -D -m 755 packaging/prerm "$root/DEBIAN/prerm"
cat >"$root/DEBIAN/control" <<CONTROL
Package: slipway
Version: $version
Architecture: $architecture
Maintainer: Slipway maintainers <maintainers@example.org>
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Depends: libc6 (>= 2.36), libgcc-s1, libstdc++6, libsqlite3-0 (>= 3.40), zlib1g, git (>= 1:2.30), util-linux
Recommends: python3 (>= 3.11), ca-certificates
Section: science
Priority: optional
Description: machine-learning models from a Git commit to a governed endpoint
 One server with three environments: MLflow-compatible tracking and registry,
 Git hosting, pipelines, data snapshots, gated promotions, serving and drift
 reports. Pipelines need the programs uv and duckdb (from PyPI) on the path.
CONTROL
dpkg-deb --root-owner-group -Zgzip --build "$root" "dist/slipway_${version}_$architecture.deb" >/dev/null
(cd dist && sha256sum -- * >SHA256SUMS)
du -h dist/* | sed 's/^/dist     /'
