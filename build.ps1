<#
.SYNOPSIS
    Builds, tests, packages and shows Amp; the same as build.sh, for any system with PowerShell.
.PARAMETER Task
    demo, test, build, package, bench or clean; see the head of build.sh.
.PARAMETER Arguments
    Which benchmark, and its options; all of them when left out.
.EXAMPLE
    ./build.ps1 test
.EXAMPLE
    ./build.ps1 bench fleet --seconds 5
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory, Position = 0)]
    [ValidateSet('demo', 'test', 'build', 'package', 'bench', 'clean')]
    [string] $Task,

    [Parameter(ValueFromRemainingArguments)]
    [string[]] $Arguments = @()
)

$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true
Set-Location $PSScriptRoot

if (-not $IsWindows) {
    $PSNativeCommandUseErrorActionPreference = $false
    & ./build.sh $Task @Arguments
    exit $LASTEXITCODE
}

# Windows: PostgreSQL's binaries must be on PATH; librdkafka comes with its NuGet package.
function Build {
    dotnet publish src/Amp.PowerShell --configuration Release
    dotnet publish src/Amp.Daemon --configuration Release --output artifacts/ampd
}

function Package {
    Build
    if (Test-Path artifacts/package) { Remove-Item artifacts/package -Recurse }
    dotnet pack src/Amp.PowerShell --configuration Release --no-build
    $package = Get-Item artifacts/package/*.nupkg
    $size = (Get-ChildItem artifacts/module -Recurse | Measure-Object Length -Sum).Sum
    'packed the module ({0:n0} MB) as artifacts/package/{1} ({2:n0} MB)' -f ($size / 1MB), $package.Name, ($package.Length / 1MB)
}

switch ($Task) {
    'build' { Build }
    'demo' { Build; $env:PSModulePath = "$PSScriptRoot/artifacts/module;$env:PSModulePath"; pwsh -NoProfile -NonInteractive -File samples/Demo.ps1 }
    'test' {
        Package
        if (Get-Command npm -ErrorAction Ignore) { npm --prefix tests/tools install --no-package-lock --no-audit --no-fund }
        dotnet test tests/Unit --configuration Release
        pwsh -NoProfile -NonInteractive -File tests/Pester/Invoke-Suite.ps1
    }
    'package' { Package }
    'bench' { Build; dotnet run --configuration Release --project bench/Amp.Bench -- @($Arguments ? $Arguments : 'all') }
    'clean' { if (Test-Path artifacts) { Remove-Item artifacts -Recurse } }
}
