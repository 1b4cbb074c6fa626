BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestJobDeployment -Kafka
    Register-AmpBackgroundJobHandler event.good { param($Job) $Job.Payload.n }
    Register-AmpBackgroundJobHandler event.bad -Backoff 00:00:00.01 { throw 'bad' }
    $worker = Start-AmpBackgroundWorker -PoolSize 5 -Verbose 4>&1
    $said, $worker = $worker[0..($worker.Count - 2)], $worker[-1]
    $tenant = [guid]'10000000-0000-4000-8000-000000000004'
    $good = 1..3 | ForEach-Object { @{ n = $_ } } | Submit-AmpBackgroundJob event.good -Key one | Wait-AmpBackgroundJob -Timeout 00:00:30
    $bad = Submit-AmpBackgroundJob event.bad -TenantId $tenant -MaxAttempts 2 | Wait-AmpBackgroundJob -Timeout 00:00:30
    # The events of a job that has ended may still be on their way.
    Wait-Until { (Get-AmpBackgroundJobEvent completed).Count -eq 3 -and (Get-AmpBackgroundJobEvent deadlettered) }
}

AfterAll {
    Unregister-AmpBackgroundJobHandler event.good, event.bad
    Remove-TestDeployment $deployment
}

Describe 'Background jobs with Kafka' {
    It 'says how it is configured' {
        $said | Where-Object { $_ -match '^(Kafka|  -)' } | ForEach-Object { "$_" } | Should -Be @(
            'Kafka job worker server configuration:'
            '  - Event-driven jobs: 5 concurrent workers'
            "  - Kafka brokers: [$($deployment.Broker.BootstrapServers)]"
            '  - Kafka topic: job-events'
            '  - Consumer group: job-workers'
        )
        Wait-Until { (Get-AmpBackgroundWorker).Partitions -eq 4 }
        (Get-AmpBackgroundWorker).Lag | Should -Be 0
    }

    It 'runs jobs, in the order of their key' {
        $good.Result | Should -Be 1, 2, 3
        $good.StartedAt | Should -Be ($good.StartedAt | Sort-Object)
        $bad.Status, $bad.Attempt | Should -Be DeadLettered, 2
    }

    It 'starts no worker where the topics are missing, or no broker answers' {
        $empty = Start-AmpDevBroker other
        foreach ($case in @(
                @{ Brokers = $empty.BootstrapServers; Id = 'AmpJobTopicsMissing'; Category = 'ObjectNotFound' }
                @{ Brokers = '127.0.0.1:1'; Id = 'AmpBrokerUnavailable'; Category = 'ConnectionError' })) {
            $env:KAFKA_BROKERS = $case.Brokers
            try {
                Assert-CommandError { Start-AmpBackgroundWorker -ConfigPath $deployment.ConfigPath } -Id $case.Id -Category $case.Category
            }
            finally {
                Remove-Item Env:KAFKA_BROKERS
            }
        }
        $empty | Stop-AmpDevBroker
        (Get-AmpBackgroundWorker).WorkerId | Should -Be $worker.WorkerId
    }

    It 'starts no worker for what is no name of a topic' {
        $env:KAFKA_BROKERS = $deployment.Broker.BootstrapServers
        $env:KAFKA_JOB_TOPIC = 'no topic'
        try {
            Assert-CommandError { Start-AmpBackgroundWorker -ConfigPath $deployment.ConfigPath } -Id AmpJobTopicInvalid -Category InvalidArgument -Target 'no topic'
        }
        finally {
            Remove-Item Env:KAFKA_BROKERS, Env:KAFKA_JOB_TOPIC
        }
    }

    It 'has the topics in the development broker' {
        $deployment.Broker.Topics | Should -Contain job-events
        @($deployment.Broker.Topics -like 'eventzr.jobs.*').Count | Should -Be 11
    }
}

Describe 'Get-AmpBackgroundJobEvent' {
    It 'reads what the topics have, and ends' {
        $events = Get-AmpBackgroundJobEvent
        $events[0] | Should -BeOfType Amp.AmpBackgroundJobEvent
        $events.Name | Sort-Object -Unique | Should -Be completed, deadlettered, enqueued, failed, retried, started
        @($events.EventId | Sort-Object -Unique).Count | Should -Be $events.Count
        foreach ($tenants in $events | Group-Object TenantId) {
            $tenants.Group.Sequence | Sort-Object | Should -Be (1..$tenants.Count)
        }
    }

    It 'tells the life of a job' {
        $events = $bad | Get-AmpBackgroundJobEvent | Sort-Object Sequence
        $events.Name | Should -Be enqueued, started, failed, retried, started, failed, deadlettered
        $events.Status | Should -Be queued, running, retrying, queued, running, deadlettered, deadlettered
        $events[-1].EventType | Should -Be eventzr.jobs.deadlettered.v1
        $events[-1].Data.error.message | Should -BeLike 'bad*'
        $events[-1].Data.error.code | Should -BeExactly JobHandlerFailed
        ($events[0] | Get-AmpBackgroundJob).JobId | Should -Be $bad.JobId
    }

    It 'filters by name, job, type, tenant and time' {
        (Get-AmpBackgroundJobEvent completed).JobId | Sort-Object | Should -Be ($good.JobId | Sort-Object)
        (Get-AmpBackgroundJobEvent failed, dead*).JobId | Sort-Object -Unique | Should -Be $bad.JobId
        (Get-AmpBackgroundJobEvent -JobId $good[0].JobId).Name | Sort-Object | Should -Be completed, enqueued, started
        (Get-AmpBackgroundJobEvent -Type event.b*).JobId | Sort-Object -Unique | Should -Be $bad.JobId
        (Get-AmpBackgroundJobEvent -TenantId $tenant).JobId | Sort-Object -Unique | Should -Be $bad.JobId
        Get-AmpBackgroundJobEvent -Since (Get-Date).AddHours(1) | Should -BeNullOrEmpty
        @(Get-AmpBackgroundJobEvent -Since (Get-Date).AddHours(-1)).Count | Should -Be @(Get-AmpBackgroundJobEvent).Count
        Get-AmpBackgroundJobEvent nothing | Should -BeNullOrEmpty
    }

    It 'ends after -First' {
        @(Get-AmpBackgroundJobEvent -First 2).Count | Should -Be 2
        @(Get-AmpBackgroundJobEvent -Follow -FromBeginning -First 2).Count | Should -Be 2
        @(Get-AmpBackgroundJobEvent -Follow -Since (Get-Date).AddHours(-1) -First 1).Count | Should -Be 1
    }

    It 'takes the broker from the pipeline' {
        @($deployment.Broker | Get-AmpBackgroundJobEvent -First 1).Count | Should -Be 1
        @([pscustomobject]@{ BootstrapServers = $deployment.Broker.BootstrapServers } | Get-AmpBackgroundJobEvent -First 1).Count | Should -Be 1
    }

    It 'ends with Select-Object -First, and when what comes after it throws' {
        @(Get-AmpBackgroundJobEvent -Follow -FromBeginning | Select-Object -First 1).Count | Should -Be 1
        { Get-AmpBackgroundJobEvent -Follow -FromBeginning | ForEach-Object { throw 'enough' } } | Should -Throw enough
    }

    It 'ends within a second of Ctrl+C' {
        $stopped = Invoke-Stoppable 'Get-AmpBackgroundJobEvent -Follow -FromBeginning'
        $stopped.State | Should -Be Stopped
        $stopped.Milliseconds | Should -BeLessThan 1000
        $stopped.Errors | Should -BeNullOrEmpty
    }

    It 'follows new events only' {
        $shell = [powershell]::Create()
        try {
            $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
            $null = $shell.AddScript("Import-Module '$ModulePath'; Get-AmpBackgroundJobEvent completed -Follow").BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
            Wait-Until {
                # Follow starts at the end of the topics, at a moment that cannot be seen: let jobs end until one is seen.
                $null = Submit-AmpBackgroundJob event.good @{ n = 9 } | Wait-AmpBackgroundJob -Timeout 00:00:20
                $output.Count -gt 0
            }
            $seen = $output.ReadAll()
            $seen[0].Name, $seen[0].Data.result | Should -Be completed, 9
            $seen.JobId | Where-Object { $_ -in $good.JobId } | Should -BeNullOrEmpty
        }
        finally {
            $shell.Stop()
            $shell.Dispose()
        }
    }

    It 'tells cancellation, replay, purge and quotas' {
        $job = Submit-AmpBackgroundJob event.good -Delay 01:00:00
        $job | Stop-AmpBackgroundJob -Reason 'called off'
        $again = Restart-AmpDeadLetter -TenantId $tenant | Wait-AmpBackgroundJob -Timeout 00:00:30
        $again.Status | Should -Be DeadLettered
        $again | Clear-AmpDeadLetter -Confirm:$false
        $null = Set-AmpQuota $tenant -DailyLimit 1
        Submit-AmpBackgroundJob event.good -TenantId $tenant -ErrorAction SilentlyContinue
        $null = Reset-AmpQuota $tenant
        Wait-Until { @(Get-AmpBackgroundJobEvent cancelled, dlq.*, quota.*).Count -eq 5 }
        $events = Get-AmpBackgroundJobEvent cancelled, dlq.*, quota.*
        $events.Name | Sort-Object | Should -Be cancelled, dlq.purged, dlq.replayed, quota.exceeded, quota.reset
        ($events | Where-Object Name -eq cancelled).Data.reason | Should -Be 'called off'
        $events | Where-Object Name -like quota.* | ForEach-Object { $_.JobId | Should -BeNullOrEmpty }
    }

    It 'tells a handler that called exit from one that failed' {
        Register-AmpBackgroundJobHandler event.exit { exit 0 }
        $job = Submit-AmpBackgroundJob event.exit -MaxAttempts 1 | Wait-AmpBackgroundJob -Timeout 00:00:30
        Wait-Until { $script:dead = $job | Get-AmpBackgroundJobEvent deadlettered; $script:dead }
        $script:dead.Data.error.code | Should -BeExactly JobHandlerExited
        $job | Clear-AmpDeadLetter -Confirm:$false
        Unregister-AmpBackgroundJobHandler event.exit
    }

    It 'ends within a second of Ctrl+C while it waits for a broker that does not answer' {
        $stopped = Invoke-Stoppable "'waiting'; Get-AmpBackgroundJobEvent -BootstrapServers 127.0.0.1:1"
        $stopped.State | Should -Be Stopped
        $stopped.Milliseconds | Should -BeLessThan 1000
        $stopped.Errors | Should -BeNullOrEmpty
    }

    It 'refuses a deployment without Kafka' {
        $path = Join-Path $deployment.Path silent
        $null = Start-AmpWorker silent -Solo -AmpDir $path
        try {
            Assert-CommandError { Get-AmpBackgroundJobEvent } -Id AmpBackgroundJobEventsNotConfigured -Category InvalidArgument
            @(Get-AmpBackgroundJobEvent -BootstrapServers $deployment.Broker.BootstrapServers -First 1).Count | Should -Be 1
        }
        finally {
            Stop-AmpWorker silent
            $env:KAFKA_BROKERS = $deployment.Broker.BootstrapServers
            $null = Connect-Amp $deployment.ConfigPath
            Remove-Item Env:KAFKA_BROKERS
        }
    }

    It 'completes jobs, types and tenants' {
        (Get-Completion 'Get-AmpBackgroundJobEvent -JobId ').ListItemText | Should -Contain "$($good[0].JobId)"
        (Get-Completion 'Get-AmpBackgroundJobEvent -Type ').ListItemText | Should -Contain event.bad
        (Get-Completion 'Get-AmpBackgroundJobEvent -TenantId ').ListItemText | Should -Contain "$tenant"
    }

    It 'completes names and brokers' {
        (Get-Completion 'Get-AmpBackgroundJobEvent dl').ListItemText | Should -Be dlq.replayed, dlq.purged
        @(Get-Completion 'Get-AmpBackgroundJobEvent ').Count | Should -Be 11
        (Get-Completion 'Get-AmpBackgroundJobEvent -BootstrapServers ').CompletionText | Should -Be $deployment.Broker.BootstrapServers
    }

    It 'looks like this' {
        Assert-View (Get-AmpBackgroundJobEvent) Time, Name, JobId, Type
        (Get-AmpBackgroundJobEvent completed -First 1 | Format-List | Out-String) | Should -Match 'Event Type\s+: .*eventzr.jobs.completed.v1'
        Assert-View (Get-AmpBackgroundWorker) WorkerId, Host, Running, Completed, Failed, Rate, Lag, Heartbeat
    }
}
