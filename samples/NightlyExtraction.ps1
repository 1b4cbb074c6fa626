#Requires -Version 7.6 -Modules Amp

<#
.SYNOPSIS
    Extracts datasets up to the present head and tests their files: for a scheduled task, once a night.
.DESCRIPTION
    Starts a job for each dataset, waits for all of them, then tests the tables. Gives an object for each dataset. A job of an
    earlier run that is still at work is waited for instead of a second one; a job that takes too long is stopped, and goes on
    with the next run where it was.

    Exit codes: 0 all is extracted and sound, 1 a dataset is not, 2 the run broke off.
.PARAMETER Dataset
    Datasets, as namespace/name.
.PARAMETER ConfigPath
    The configuration file; what AMP_CONFIG or the folder .amp says when left out.
.PARAMETER Timeout
    How long a job may take.
.EXAMPLE
    pwsh -File NightlyExtraction.ps1 ethereum/mainnet -ConfigPath /etc/amp/amp.toml
.EXAMPLE
    ./NightlyExtraction.ps1 ethereum/mainnet, base/mainnet -Timeout 06:00:00 | Export-Csv nightly.csv -Append
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)][string[]] $Dataset,
    [string] $ConfigPath,
    [timespan] $Timeout = '08:00:00'
)

$ErrorActionPreference = 'Stop'
trap {
    Write-Error -ErrorRecord $_ -ErrorAction Continue
    exit 2
}

if ($ConfigPath) { $null = Connect-Amp $ConfigPath }

# One dataset that cannot be started, fails or takes too long does not keep the others from being extracted.
$jobs = @($Dataset | Start-AmpJob -EndBlock latest -ErrorAction Continue)
$null = $jobs | Wait-AmpJob -Timeout $Timeout -ErrorAction Continue
$jobs | Get-AmpJob | Where-Object IsTerminal -eq $false | Stop-AmpJob

$report = foreach ($name in $Dataset) {
    $job = $jobs | Where-Object Dataset -eq ($name -replace '@.*') | Get-AmpJob
    # A dataset keeps its job: what counts is when it was last scheduled.
    $scheduled = $job | Get-AmpJobEvent | Where-Object Status -eq Scheduled | Select-Object -Last 1
    $tables = @(Get-AmpTable ($name -replace '@.*') -ErrorAction Ignore)
    [pscustomobject]@{
        Dataset  = $name
        JobId    = $job.JobId
        Status   = $job.Status ?? 'NotStarted'
        Block    = @($tables.CurrentBlock | Sort-Object)[0]
        Duration = $job ? $job.UpdatedAt - $scheduled.CreatedAt : $null
        Problems = @($tables | Test-AmpTable | ForEach-Object Problems)
    }
}
$report
exit [int](@($report | Where-Object { $_.Status -ne 'Completed' -or $_.Problems }).Count -gt 0)
