#!/usr/bin/env bash
# Builds, tests, packages and shows Amp on Linux and macOS. From a fresh clone nothing has to be prepared: what is
# missing is fetched through the machine's own package managers, and the script says what it did.
#
#   ./build.sh demo       build, then extract 2,000 blocks in solo mode and show what came out
#   ./build.sh test       build, then run every test that this machine can run
#   ./build.sh build      build only: the module in artifacts/module/Amp, ampd in artifacts/ampd
#   ./build.sh package    build, then pack the module as artifacts/package/Amp.<version>.nupkg, for a PowerShell gallery
#   ./build.sh bench      build, then measure everything (a quarter of an hour); ./build.sh bench fleet --seconds 5 a part
#   ./build.sh clean      remove artifacts
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
artifacts=$PWD/artifacts
module=$artifacts/module/Amp
ampd=$artifacts/ampd/ampd

say() { printf '== %s\n' "$*"; }
die() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" > /dev/null 2>&1; }

# Runs a quiet step; its output is shown only when it fails.
quietly() {
    local log=$artifacts/log/$1.log
    shift
    mkdir -p "$artifacts/log"
    "$@" > "$log" 2>&1 || { cat "$log" >&2; die "'$*' failed; its output stands above and in $log"; }
}

apt_install() {
    have apt-get && [ "$(id -u)" = 0 ] || return 1
    quietly "apt-$1" sh -c 'apt-get update -q; apt-get install -qy --no-install-recommends "$@"' - "$@"
}

need_dotnet() {
    have dotnet || die "the .NET SDK 10 is missing: see https://dotnet.microsoft.com/download"
    dotnet --version > /dev/null 2>&1 || die "global.json asks for the .NET SDK 10; installed: $(dotnet --list-sdks | tr '\n' ' ')"
}

# Confluent.Kafka depends on the package librdkafka.redist; where the registry lacks it, an empty one stands in.
need_packages() {
    [ -e "$artifacts/feed" ] && return
    mkdir -p "$artifacts/log"
    if ! dotnet restore src/Amp.Runtime > "$artifacts/log/restore.log" 2>&1; then
        grep -q 'librdkafka\.redist' "$artifacts/log/restore.log" || { cat "$artifacts/log/restore.log" >&2; die "restoring packages failed"; }
        quietly feed dotnet pack eng/librdkafka.redist --configuration Release
        say "packages: the registry has no librdkafka.redist; an empty one stands in (artifacts/feed)"
    fi
}

need_postgres() {
    have initdb || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 && return
    apt_install postgresql && say "PostgreSQL: installed the server binaries with apt-get" && return
    have brew && quietly brew-postgresql brew install postgresql && say "PostgreSQL: installed with brew" && return
    say "PostgreSQL: no server binaries here; solo mode and the tests that need them are not available (install 'postgresql')"
}

need_test_tools() {
    ls /usr/lib/*/faketime > /dev/null 2>&1 || { apt_install faketime && say "faketime: installed with apt-get"; } || say "faketime: not here; its tests are skipped"
    have kcat || { apt_install kcat && say "kcat: installed with apt-get"; } || say "kcat: not here; its tests are skipped"
    { have curl && have jq; } || { apt_install curl jq && say "curl and jq: installed with apt-get"; } || say "curl or jq: not here; tests with them are skipped"
    # Half a gigabyte and a minute: not installed for a handful of tests.
    have chromium || have chromium-headless-shell || have chromium-browser || have google-chrome || say "chromium: not here; its tests are skipped"
    if have npm; then
        [ tests/tools/node_modules -nt tests/tools/package.json ] || {
            quietly npm npm --prefix tests/tools install --no-package-lock --no-audit --no-fund
            touch tests/tools/node_modules
            say "test tools: installed DuckDB, anvil, protobufjs and parquet-wasm with npm"
        }
    else
        say "npm: not here; tests with DuckDB, anvil, protobufjs and parquet-wasm are skipped"
    fi
}

build() {
    need_dotnet
    need_packages
    ./eng/get-librdkafka.sh
    quietly publish-module dotnet publish src/Amp.PowerShell --configuration Release
    quietly publish-ampd dotnet publish src/Amp.Daemon --configuration Release --output "$artifacts/ampd"
    say "built the module in artifacts/module/Amp and ampd in artifacts/ampd"
}

package() {
    build
    rm -rf "$artifacts/package"
    quietly pack dotnet pack src/Amp.PowerShell --configuration Release --no-build
    local package
    package=$(ls "$artifacts"/package/*.nupkg)
    say "packed the module ($(du -sh "$module" | cut -f1)) as artifacts/package/$(basename "$package") ($(du -sh "$package" | cut -f1))"
}

demo() {
    build
    need_postgres
    if have pwsh; then
        export PSModulePath=$artifacts/module${PSModulePath:+:$PSModulePath}
        exec pwsh -NoProfile -NonInteractive -File samples/Demo.ps1
    fi
    exec "$ampd" demo
}

# In the repository's root: the benchmarks find the recorded blocks and the module from there.
bench() {
    build
    need_postgres
    exec dotnet run --configuration Release --project bench/Amp.Bench -- "${@:-all}"
}

# Prints the skipped tests of a dotnet test log by name with their reasons.
skips() {
    awk '/^  Skipped / { name = $2; next } name && /^ +[^ ]/ && !/Error Message:/ { sub(/^ +/, ""); print "skipped " name ": " $0; name = "" }' "$1"
}

run_tests() {
    package
    need_postgres
    need_test_tools
    local log=$artifacts/log/test.log failed=0
    rm -rf "$artifacts/TestResults"
    say "unit and integration tests"
    dotnet test tests/Unit --configuration Release --logger 'console;verbosity=normal' > "$log" 2>&1 || failed=1
    [ $failed = 0 ] || grep -A 20 '^  Failed ' "$log" | head -300 || true
    skips "$log"
    local passed total_failed skipped
    passed=$(sed -n 's/^ *Passed: *//p' "$log" | tail -n 1)
    total_failed=$(sed -n 's/^ *Failed: *//p' "$log" | tail -n 1)
    skipped=$(sed -n 's/^ *Skipped: *//p' "$log" | tail -n 1)
    [ -n "$passed$total_failed" ] || { tail -n 50 "$log"; die "the unit tests did not run"; }
    passed=${passed:-0} total_failed=${total_failed:-0} skipped=${skipped:-0}
    if [ $failed = 1 ] && [ "$total_failed" = 0 ]; then
        grep -A 10 'test run was aborted' "$log" || tail -n 50 "$log"
        total_failed=1
    fi

    if ! have pwsh; then
        say "skipped tests/Pester: PowerShell 7.6 (pwsh) is not on PATH"
        skipped=$((skipped + 1))
    elif ! pwsh -NoProfile -Command 'exit [int]($null -eq (Get-Module -ListAvailable Pester | Where-Object { $_.Version.Major -ge 5 }))'; then
        say "skipped tests/Pester: the module Pester 5 is not installed"
        skipped=$((skipped + 1))
    else
        say "the module in PowerShell $(pwsh --version | cut -d' ' -f2)"
        pwsh -NoProfile -NonInteractive -File tests/Pester/Invoke-Suite.ps1 || failed=1
        read -r p f s < "$artifacts/TestResults/pester.txt"
        passed=$((passed + p)) total_failed=$((total_failed + f)) skipped=$((skipped + s))
    fi

    printf '%s passed, %s failed, %s skipped\n' "$passed" "$total_failed" "$skipped"
    [ $failed = 0 ] && [ "$total_failed" = 0 ]
}

case ${1:-} in
    demo) demo ;;
    test) run_tests ;;
    build) build ;;
    package) package ;;
    bench) bench "${@:2}" ;;
    clean) rm -rf "$artifacts" ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
