#Requires -Version 7.6

<#
.SYNOPSIS
    Runs the Pester tests of the module, installed from its package, in a PowerShell of their own.
.DESCRIPTION
    Expands the package into a temporary folder first, as a gallery's client does, so that the tests see what users get.
    Writes "passed failed skipped" to artifacts/TestResults/pester.txt, names each skipped test with its reason, and
    ends with 1 when a test failed.
.PARAMETER Name
    Files to run, by the noun they are named after; all when left out.
.EXAMPLE
    ./tests/Pester/Invoke-Suite.ps1 Worker, Job
#>
[CmdletBinding()]
param(
    [string[]] $Name = @(),

    # Names every test with its time.
    [switch] $Detailed,

    # Set in the child process only.
    [Parameter(DontShow)]
    [switch] $InChild
)

$ErrorActionPreference = 'Stop'
$results = Join-Path $PSScriptRoot '../../artifacts/TestResults'
if (-not $InChild) {
    # A loaded assembly cannot be built anew, and what the caller's profile loaded must not matter.
    Remove-Item (Join-Path $results pester.txt) -ErrorAction Ignore
    $built = Get-Item (Join-Path $PSScriptRoot ../../artifacts/module/Amp/Amp.psd1) -ErrorAction Ignore
    $package = Get-ChildItem (Join-Path $PSScriptRoot ../../artifacts/package) -Filter *.nupkg -ErrorAction Ignore | Sort-Object LastWriteTime -Bottom 1
    if ($built.LastWriteTime -ge $package.LastWriteTime) { throw "There is no package of the module as it was last built: run ./build.sh package (or ./build.ps1 package)." }
    $folder = (New-Item (Join-Path ([IO.Path]::GetTempPath()) "amp-pester-$([guid]::NewGuid().ToString('n'))/Amp") -ItemType Directory).FullName
    try {
        [IO.Compression.ZipFile]::ExtractToDirectory($package.FullName, $folder)
        foreach ($packaging in '_rels', 'package', '[Content_Types].xml', 'Amp.nuspec') { Remove-Item -LiteralPath (Join-Path $folder $packaging) -Recurse -Force }
        $env:AMP_TEST_MODULE = Join-Path $folder Amp.psd1
        $files = $Name ? @('-Name', ($Name -join ',')) : @()
        & (Get-Process -Id $PID).Path -NoProfile -NonInteractive -File $PSCommandPath @files -Detailed:$Detailed -InChild
    }
    finally {
        Remove-Item Env:AMP_TEST_MODULE -ErrorAction Ignore
        Remove-Item (Split-Path $folder) -Recurse -Force
    }
    exit $LASTEXITCODE
}

Import-Module Pester -MinimumVersion 5.0
$null = New-Item $results -ItemType Directory -Force

$files = Get-ChildItem $PSScriptRoot -Filter *.Tests.ps1 | Where-Object { -not $Name -or ($_.Name -replace '\.Tests\.ps1$') -in ($Name -split ',') }
$skipped = @()
if (-not (Get-Command initdb -ErrorAction Ignore) -and -not (Resolve-Path /usr/lib/postgresql/*/bin/initdb -ErrorAction Ignore)) {
    $skipped = @($files | Where-Object { Select-String 'New-Test\w*Deployment|Demo\.ps1' $_ -Quiet })
    $files = $files | Where-Object { $_ -notin $skipped }
    $skipped | ForEach-Object { "skipped $($_.Name): PostgreSQL's server programs (initdb) are not on this machine" }
}

$configuration = New-PesterConfiguration
$configuration.Run.Path = @($files.FullName)
$configuration.Run.PassThru = $true
$configuration.Output.Verbosity = $Detailed ? 'Detailed' : 'Normal'
$configuration.Output.RenderMode = 'Plaintext'
$configuration.TestResult.Enabled = $true
$configuration.TestResult.OutputPath = Join-Path $results pester.xml
$run = Invoke-Pester -Configuration $configuration

foreach ($test in $run.Skipped) {
    "skipped $($test.ExpandedPath): $($test.ErrorRecord.Exception.Message)"
}
# A file whose setup fails counts no test: it must not pass for green.
$failed = $run.FailedCount + $run.FailedBlocksCount + $run.FailedContainersCount
"$($run.PassedCount) $failed $($run.SkippedCount + $skipped.Count)" | Set-Content (Join-Path $results pester.txt)
exit [int]($failed -gt 0 -or $run.PassedCount -eq 0)
