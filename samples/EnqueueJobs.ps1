#Requires -Version 7.6 -Modules Amp

<#
.SYNOPSIS
    Enqueues the jobs of a campaign: e-mails, the recalculation of positions, the delivery of a reward; and looks at what becomes of them.
.PARAMETER ConfigPath
    The configuration file.
.PARAMETER CampaignId
    The campaign.
.PARAMETER UserId
    Who gets the e-mails.
.PARAMETER UserRewardId
    The reward to deliver.
.PARAMETER TenantId
    Whose campaign it is; the campaign's own id when left out.
.EXAMPLE
    ./samples/EnqueueJobs.ps1 /etc/amp/amp.toml -CampaignId $campaign -UserId $user -UserRewardId $reward
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)][string] $ConfigPath,
    [Parameter(Mandatory)][guid] $CampaignId,
    [Parameter(Mandatory)][guid] $UserId,
    [Parameter(Mandatory)][guid] $UserRewardId,
    [guid] $TenantId = $CampaignId
)

$ErrorActionPreference = 'Stop'
$null = Connect-Amp $ConfigPath

"== Example 1: send a verification e-mail, and those of the other occasions"
$jobs = @(
    Submit-AmpBackgroundJob job.email.verification -TenantId $TenantId -Priority 1 -Payload @{
        type        = 'verification'
        campaign_id = $CampaignId
        user_id     = $UserId
    }
    foreach ($kind in 'welcome', 'position_update', 'reward_earned', 'milestone') {
        Submit-AmpBackgroundJob "job.email.$kind" -TenantId $TenantId -Payload @{
            type        = $kind
            campaign_id = $CampaignId
            user_id     = $UserId
            milestone   = 100
        }
    }

    # Example 2: recalculate positions after a referral; one recalculation of a campaign at a time, in their order.
    Submit-AmpBackgroundJob job.position.recalculate -TenantId $TenantId -Key $CampaignId -Payload @{
        campaign_id         = $CampaignId
        points_per_referral = 1
    }

    # Example 3: deliver a reward; however often it is asked for, once.
    Submit-AmpBackgroundJob job.reward.deliver -TenantId $TenantId -IdempotencyKey "reward $UserRewardId" -Payload @{
        user_reward_id = $UserRewardId
    }
    Submit-AmpBackgroundJob job.report.weekly -TenantId $TenantId -Payload @{ campaign_id = $CampaignId }
)
$jobs

"== What became of them"
$jobs | Wait-AmpBackgroundJob -Timeout 00:01:00
$jobs | Get-AmpBackgroundJob | Where-Object Status -ne Completed | Format-List JobId, Type, Status, LastError

"== The position job's result"
$jobs | Get-AmpBackgroundJob | Where-Object Type -eq job.position.recalculate | ForEach-Object { "$($_.Result.users) users, $($_.Result.changed) changed" }

"== Monitoring: lag, rates, errors by type"
Get-AmpBackgroundWorker
Get-AmpBackgroundWorker | ForEach-Object { "lag $($_.Lag), $($_.JobsPerSecond) jobs a second, errors: $($_.ErrorsByType | ConvertTo-Json -Compress)" }
Get-AmpBackgroundJobEvent completed -TenantId $TenantId | Group-Object Type -NoElement
Get-AmpBackgroundJobEvent completed -TenantId $TenantId | Measure-Object { $_.Data.durationMs } -Average -Maximum

"== Dead letters"
Get-AmpDeadLetter -TenantId $TenantId
