#Requires -Version 7.6 -Modules Amp

<#
.SYNOPSIS
    The worker server of background jobs: sends the e-mails of campaigns, recalculates positions, delivers rewards, until it is told to stop.
.DESCRIPTION
    KAFKA_BROKERS, KAFKA_JOB_TOPIC, KAFKA_JOB_CONSUMER_GROUP and KAFKA_WORKER_POOL_SIZE override the configuration. Start it on as many
    machines as you like: they share the jobs.
.PARAMETER ConfigPath
    The configuration file, with the database and, for e-mails, the mail server.
.EXAMPLE
    $env:KAFKA_BROKERS = 'localhost:9092'; ./samples/JobWorker.ps1 /etc/amp/amp.toml
#>
[CmdletBinding()]
param([Parameter(Mandatory)][string] $ConfigPath)

$ErrorActionPreference = 'Stop'

# A job of your own goes beside those that are built in.
Register-AmpBackgroundJobHandler job.report.* -TimeLimit 00:10:00 {
    param($Job)
    @{ campaign = $Job.Payload.campaign_id; madeBy = $Job.WorkerId }
}

Start-AmpBackgroundWorker -ConfigPath $ConfigPath -Campaigns -Wait -Verbose
