#Requires -Version 7.6 -Modules Amp

<#
.SYNOPSIS
    Looks at the workers of a deployment: what operators do with "ampctl worker", in PowerShell.
.PARAMETER NodeId
    The worker to look at closely.
.EXAMPLE
    Connect-Amp ./amp.toml; ./samples/FleetHealth.ps1 worker-01
#>
[CmdletBinding()]
param([Parameter(Mandatory)][string] $NodeId)

$ErrorActionPreference = 'Stop'

"== All workers"
Get-AmpWorker

"== All workers as JSON"
Get-AmpWorker | ConvertTo-Json

"== One worker, with its build"
Get-AmpWorker $NodeId | Format-List

"== Its version, and its heartbeat"
(Get-AmpWorker $NodeId).Version
(Get-AmpWorker $NodeId).HeartbeatAt

"== Node ids and heartbeats"
Get-AmpWorker | ForEach-Object { "$($_.NodeId): $($_.HeartbeatAt.ToString('o'))" }

"== Workers whose heartbeat is older than five, and ten, seconds"
Get-AmpWorker | Where-Object HeartbeatAge -gt 00:00:05
Get-AmpWorker -Stale 00:00:10

"== Versions of the fleet"
Get-AmpWorker | ForEach-Object { "$($_.NodeId): $($_.Version ?? 'unknown')" }
Get-AmpWorker | Group-Object Version

"== How many are active"
(Get-AmpWorker | Where-Object IsActive).Count

"== By creation date"
Get-AmpWorker | Sort-Object CreatedAt | Select-Object CreatedAt, NodeId
