#!/usr/bin/env bash
# Makes sure that a recent librdkafka is there for this checkout, and says where it comes from. In this order:
#   1. the NuGet package librdkafka.redist brought it: nothing to do;
#   2. an earlier run of this script built it: nothing to do;
#   3. the system has one that is recent enough: nothing to do;
#   4. it is built from the distribution's source package into artifacts/native/<rid>, from where the build copies it.
# Changes nothing of the machine but, as root, installing the compiler and headers that step 4 lacks.
set -euo pipefail
cd "$(dirname "$0")/.."

minimum=2.6
say() { printf 'librdkafka: %s\n' "$*"; }
fail() { printf 'librdkafka: %s\n' "$*" >&2; exit 1; }

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) rid=linux-x64 extension=so ;;
  Linux-aarch64) rid=linux-arm64 extension=so ;;
  Darwin-x86_64) rid=osx-x64 extension=dylib ;;
  Darwin-arm64) rid=osx-arm64 extension=dylib ;;
  *) fail "$(uname -s) $(uname -m) is not supported; set AMP_LIBRDKAFKA to the path of a librdkafka $minimum or later" ;;
esac
built="artifacts/native/$rid/librdkafka.$extension"

# --- 1. the NuGet package
version=$(sed -n 's/.*Include="Confluent.Kafka" Version="\([^"]*\)".*/\1/p' Directory.Packages.props)
package="${NUGET_PACKAGES:-$HOME/.nuget/packages}/librdkafka.redist/$version"
if [ -f "$package/runtimes/$rid/native/librdkafka.$extension" ]; then
  say "from the NuGet package librdkafka.redist $version"
  exit 0
fi

# --- 2. an earlier run
if [ -f "$built" ]; then
  say "$built, built earlier from source"
  exit 0
fi

# --- 3. the system
at_least() { [ "$(printf '%s\n%s\n' "$minimum" "$1" | sort -V | head -n 1)" = "$minimum" ]; }
system_version() {
  pkg-config --modversion rdkafka 2>/dev/null && return
  dpkg-query --show --showformat '${Version}\n' librdkafka1 2>/dev/null | sed 's/^[0-9]*://; s/[-+~].*//' | grep . && return
  rpm --query --queryformat '%{VERSION}\n' librdkafka 2>/dev/null && return
  echo none
}
found=$(system_version)
if [ "$found" != none ] && at_least "$found"; then
  say "the system's, version $found"
  exit 0
fi

# --- 4. from the distribution's source package
reason=$([ "$found" = none ] && echo "the system has none" || echo "the system's $found is older than $minimum")
. /etc/os-release 2>/dev/null || ID=other
case "${ID:-other} ${ID_LIKE:-}" in
  *ubuntu*) suite=devel component=universe ;;
  *debian*) suite=sid component=main ;;
  *) fail "$reason; install librdkafka $minimum or later with the system's package manager (macOS: brew install librdkafka)" ;;
esac

missing=()
for dependency in gcc g++ make libc6-dev dpkg-dev libssl-dev zlib1g-dev libzstd-dev; do
  dpkg-query --show --showformat '${db:Status-Status}' "$dependency" 2>/dev/null | grep -qx installed || missing+=("$dependency")
done
if [ ${#missing[@]} -gt 0 ]; then
  install="apt-get install --yes --no-install-recommends ${missing[*]}"
  [ "$(id -u)" = 0 ] || fail "$reason; to build it this machine lacks ${missing[*]}: run 'sudo $install' and try again"
  say "installs ${missing[*]} to build it"
  export DEBIAN_FRONTEND=noninteractive
  $install >/dev/null 2>&1 || { apt-get update >/dev/null && $install >/dev/null; } ||
    fail "'$install' failed; run it to see why"
fi

# Where the machine gets its packages from is where the source comes from; apt checks the archive's signature.
archive=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
  awk -v release="${VERSION_CODENAME:-}" '$2 == release { print $1; exit }')
[ -n "$archive" ] || fail "$reason; apt has no entry for ${VERSION_CODENAME:-this release} to get its source from"

work="$PWD/artifacts/obj/librdkafka"
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/archives/partial"
trap 'rm -rf "$work"' EXIT
keyring=/usr/share/keyrings/$([ "$suite" = sid ] && echo debian || echo ubuntu)-archive-keyring.gpg
echo "deb-src [signed-by=$keyring] $archive $suite $component" > "$work/sources.list"
private=(
  -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
  -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work" -o APT::Sandbox::User=
)
run() { # step, command…: its output is shown only when it fails
  local step=$1
  shift
  "$@" >> "$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; fail "could not $step"; }
}

say "$reason; building it from $suite's source package (about half a minute)"
cd "$work"
run "read the package lists of $suite" apt-get "${private[@]}" update
run "download the source package" apt-get "${private[@]}" source --download-only librdkafka
# Upstream's own source with what it bundles; the distribution's patches only replace that by more build dependencies.
run "unpack the source package" dpkg-source --skip-patches --extract librdkafka_*.dsc source
cd source
# -O1 compiles in half the time of -O2; what it costs does not show beside the network.
run "configure the build" env CFLAGS=-O1 ./configure --disable-optimization --disable-debug-symbols \
  --disable-gssapi --disable-curl --disable-lz4-ext --disable-syslog --enable-ssl --enable-zlib --enable-zstd
run "build it" make -j "$(nproc)" -C src librdkafka.so.1
run "strip it" strip --strip-unneeded src/librdkafka.so.1
cd "$OLDPWD/../../.."
mkdir -p "$(dirname "$built")"
# The rename makes the file appear whole: an interrupted run leaves nothing that the next one would take for done.
cp "$work/source/src/librdkafka.so.1" "$built.tmp"
mv "$built.tmp" "$built"
say "$built, built from source package $(basename "$work"/librdkafka_*.dsc .dsc | tr _ ' ')"
