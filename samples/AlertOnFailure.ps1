#Requires -Version 7.6 -Modules Amp

<#
.SYNOPSIS
    Tells a web hook which tables failed since the last run: for a scheduled task, every few minutes.
.DESCRIPTION
    Reads the failures that workers told Kafka, from where the last run left off. A failure counts as told when the web hook has
    taken it; the next run begins with the one that it did not take.

    Exit codes: 0 nothing failed, 1 something failed and was told, 2 the run broke off.
.PARAMETER WebHook
    Where to post {"text": "what failed"}, as chat services take it.
.PARAMETER ConfigPath
    The configuration file; what AMP_CONFIG or the folder .amp says when left out.
.PARAMETER Group
    Name of the bookmark. Each schedule needs its own.
.EXAMPLE
    pwsh -File AlertOnFailure.ps1 https://chat.example/hook -ConfigPath /etc/amp/amp.toml
.EXAMPLE
    schtasks /create /sc minute /mo 5 /tn AmpAlert /tr "pwsh -File C:\Amp\AlertOnFailure.ps1 https://chat.example/hook -ConfigPath C:\Amp\amp.toml"
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)][uri] $WebHook,
    [string] $ConfigPath,
    [string] $Group = 'alert-on-failure'
)

$ErrorActionPreference = 'Stop'
trap {
    Write-Error -ErrorRecord $_ -ErrorAction Continue
    exit 2
}

if ($ConfigPath) { $null = Connect-Amp $ConfigPath }

$told = Get-AmpSyncEvent sync.failed -Group $Group | ForEach-Object {
    $text = '{0:u} {1}: {2} {3} failed: {4}' -f $_.Timestamp.UtcDateTime, $_.WorkerId, $_.Dataset, $_.Table, $_.ErrorMessage
    $null = Invoke-RestMethod $WebHook -Method Post -ContentType application/json -Body (@{ text = $text } | ConvertTo-Json)
    $text
}
$told
exit [int]($null -ne $told)
