#Requires -Version 7.6 -Modules Amp

<#
.SYNOPSIS
    Amp end to end on this machine: a chain, a broker, a database and a worker; blocks become Parquet and events.
.DESCRIPTION
    Everything runs on loopback and is stopped at the end. The Parquet files stay, so that you can look at them.
.PARAMETER Blocks
    Number of blocks to extract.
.PARAMETER Path
    Folder to work in; what an earlier run left there is replaced.
.EXAMPLE
    ./samples/Demo.ps1 -Blocks 5000
#>
[CmdletBinding()]
param(
    [ValidateRange(1, 1000000)]
    [int] $Blocks = 2000,

    [string] $Path = (Join-Path $PSScriptRoot '../artifacts/demo')
)

$ErrorActionPreference = 'Stop'
function Write-Step([string] $Text) { "`n$($PSStyle.Foreground.Cyan)== $Text$($PSStyle.Reset)" }

if (Test-Path $Path) { Remove-Item $Path -Recurse -Force }
$Path = (New-Item $Path -ItemType Directory).FullName
$started = Get-Date

try {
    Write-Step 'A chain and a Kafka broker on loopback'
    $chain = Start-AmpDevChain -BlockCount $Blocks
    $broker = Start-AmpDevBroker
    $chain | Format-Table
    $broker | Format-Table

    Write-Step 'A worker with a PostgreSQL server of its own (solo mode)'
    $null = New-AmpConfiguration (Join-Path $Path config.toml) -Setting @{
        'writer.segment_flush_interval_secs' = 1
        'worker_events.enabled'              = $true
        'worker_events.progress_interval'    = 1
        'worker_events.kafka.brokers'        = $broker.BootstrapServers
    }
    Start-AmpWorker -NodeId worker-01 -Solo -AmpDir $Path | Format-List

    Write-Step 'A provider, a dataset, a job'
    $chain | Register-AmpProvider devchain -Network devnet | Format-Table
    New-AmpDatasetManifest -Network devnet | Register-AmpDataset demo/devnet | Format-Table
    $extraction = Get-Date
    $job = Start-AmpJob demo/devnet -EndBlock ($Blocks - 1)
    $job | Watch-AmpJobProgress | Format-Table
    $job = $job | Wait-AmpJob
    $seconds = ((Get-Date) - $extraction).TotalSeconds

    Write-Step 'What was written'
    $files = Get-AmpTable demo/devnet | Get-AmpFile -IncludeRowCount
    $files | Group-Object Table | ForEach-Object {
        [pscustomobject]@{
            Table = $_.Name
            Rows  = [long]($_.Group | Measure-Object RowCount -Sum).Sum
            Files = $_.Count
            Bytes = [long]($_.Group | Measure-Object Size -Sum).Sum
        }
    } | Format-Table
    '{0} blocks in {1:n1} s: {2:n0} blocks/s' -f $Blocks, $seconds, ($Blocks / $seconds)
    Get-AmpTableRow demo/devnet transactions -Last 5 | Format-Table

    Write-Step 'The events it told Kafka, read back'
    Stop-AmpWorker worker-01    # a worker that stops sends its last events first
    $events = Get-AmpSyncEvent
    $events | Group-Object EventType | Select-Object Count, Name | Format-Table
    $events | Select-Object -Last 3 | Format-Table

    foreach ($kind in 'sync.started', 'sync.progress', 'sync.completed') {
        if ($events.EventType -notcontains $kind) { throw "no $kind event came back from Kafka" }
    }
    $rows = ($files | Where-Object Table -eq blocks | Measure-Object RowCount -Sum).Sum
    if ($rows -ne $Blocks) { throw "the files hold $rows blocks, not $Blocks" }

    Write-Step 'To look further'
    $first = ($files | Where-Object Table -eq logs | Select-Object -First 1).FullName
    "  duckdb -c `"SELECT block_num, count(*) FROM '$(Split-Path $first)/*.parquet' GROUP BY 1 ORDER BY 2 DESC LIMIT 10`""
    '  Import-Module ./artifacts/module/Amp; Get-Command -Module Amp; Get-Help Start-AmpJob -Examples'
    "`nDone in {0:n0} s. The Parquet files stay in {1}." -f ((Get-Date) - $started).TotalSeconds, (Join-Path $Path data)
}
finally {
    Stop-AmpWorker *
    Disconnect-Amp
    Stop-AmpDevChain
    Stop-AmpDevBroker
}
