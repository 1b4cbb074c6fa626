#Requires -Version 7.6 -Modules Amp

<#
.SYNOPSIS
    Says how large the tables are, how fast they grow, and how many days the disk will last.
.DESCRIPTION
    Gives an object for all tables together, then one for each, largest first. Growth is what was written in the last days; the days
    left are how long the disk that has the files lasts if all goes on like this.

    Exit codes: 0 there is room, 1 the disk lasts fewer days than -WarnDays, 2 the run broke off.
.PARAMETER ConfigPath
    The configuration file; what AMP_CONFIG or the folder .amp says when left out.
.PARAMETER Days
    How many days the growth is measured over.
.PARAMETER WarnDays
    How many days the disk must last.
.EXAMPLE
    ./CapacityReport.ps1 | Format-Table
.EXAMPLE
    pwsh -Command '& ./CapacityReport.ps1 /etc/amp/amp.toml -WarnDays 30 | Export-Csv capacity.csv; exit $LASTEXITCODE'
#>
[CmdletBinding()]
param(
    [string] $ConfigPath,
    [ValidateRange('Positive')][int] $Days = 7,
    [ValidateRange('NonNegative')][int] $WarnDays = 14
)

$ErrorActionPreference = 'Stop'
trap {
    Write-Error -ErrorRecord $_ -ErrorAction Continue
    exit 2
}

if ($ConfigPath) { $null = Connect-Amp $ConfigPath }

$files = @(Get-AmpFile)
if (-not $files) { throw 'There are no files yet: start a job first.' }

# What has been there for less than -Days has grown since its first file; less than an hour says too little.
$now = [DateTimeOffset]::UtcNow
$since = $now.AddDays(-$Days)
$first = ($files.CreatedAt | Measure-Object -Minimum).Minimum
$elapsed = [Math]::Max(($now - ($first -gt $since ? $first : $since)).TotalDays, 1 / 24)
function Measure-Table($Name, $Files) {
    [pscustomobject]@{
        Table       = $Name
        Files       = $Files.Count
        Bytes       = [long]($Files | Measure-Object Size -Sum).Sum
        BytesPerDay = [long](($Files | Where-Object CreatedAt -ge $since | Measure-Object Size -Sum).Sum / $elapsed)
        DaysLeft    = $null
    }
}

$all = Measure-Table '(all)' $files
$disk = [IO.DriveInfo]::new($IsWindows ? (Split-Path $files[0].FullName -Qualifier) : (Split-Path $files[0].FullName))
if ($all.BytesPerDay -gt 0) { $all.DaysLeft = [long]($disk.AvailableFreeSpace / $all.BytesPerDay) }

$all
$files | Group-Object { "$($_.Dataset)/$($_.Table)" } | ForEach-Object { Measure-Table $_.Name $_.Group } | Sort-Object Bytes -Descending
exit [int]($null -ne $all.DaysLeft -and $all.DaysLeft -lt $WarnDays)
