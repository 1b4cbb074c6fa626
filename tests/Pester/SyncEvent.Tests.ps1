BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 50
    $done = Start-AmpJob demo/devnet 49 | Wait-AmpJob
    # The events of a job that has ended may still be on their way.
    Wait-Until { @(Get-AmpSyncEvent sync.completed).Count -eq 3 }
}

AfterAll {
    Remove-TestDeployment $deployment
}

Describe 'Get-AmpSyncEvent' {
    It 'reads what the topic has, and ends' {
        $events = Get-AmpSyncEvent
        $events[0] | Should -BeOfType Amp.AmpSyncEvent
        ($events | Group-Object EventType).Name | Sort-Object | Should -Be sync.completed, sync.progress, sync.started
        $events | ForEach-Object { $_.Dataset | Should -Be demo/devnet; $_.WorkerId | Should -Be worker-01 }
        @($events.EventId | Sort-Object -Unique).Count | Should -Be $events.Count
    }

    It 'keeps the order of each table' {
        foreach ($table in Get-AmpSyncEvent | Group-Object Table) {
            $table.Group[0].EventType | Should -Be sync.started
            $table.Group[-1].EventType | Should -Be sync.completed
        }
    }

    It 'filters by type, dataset, table, job and time' {
        (Get-AmpSyncEvent -EventType sync.started).Count | Should -Be 3
        (Get-AmpSyncEvent -Table lo*).Table | Sort-Object -Unique | Should -Be logs
        Get-AmpSyncEvent -Dataset other/* | Should -BeNullOrEmpty
        Get-AmpSyncEvent -JobId 999 | Should -BeNullOrEmpty
        ($done | Get-AmpSyncEvent -EventType sync.completed).Count | Should -Be 3
        Get-AmpSyncEvent -Since (Get-Date).AddHours(1) | Should -BeNullOrEmpty
        (Get-AmpSyncEvent -Since (Get-Date).AddHours(-1)).Count | Should -Be (Get-AmpSyncEvent).Count
    }

    It 'filters by worker and by the end of a time' {
        (Get-AmpSyncEvent -WorkerId worker-*).Count | Should -Be (Get-AmpSyncEvent).Count
        Get-AmpSyncEvent -WorkerId other | Should -BeNullOrEmpty
        $last = (Get-AmpSyncEvent | Sort-Object Timestamp)[-1].Timestamp
        (Get-AmpSyncEvent -Until $last).Count | Should -Be (Get-AmpSyncEvent).Count
        (Get-AmpSyncEvent -Until $last.AddTicks(-1)).Count | Should -BeLessThan (Get-AmpSyncEvent).Count
    }

    It 'goes on where a group left off, at the event that was not finished' {
        $all = @(Get-AmpSyncEvent).Count
        $first = @(Get-AmpSyncEvent -Group a -First 2)
        $rest = @(Get-AmpSyncEvent -Group a)
        $first.Count | Should -Be 2
        $first.Count + $rest.Count | Should -Be $all
        @($first + $rest | Sort-Object EventId -Unique).Count | Should -Be $all
        Get-AmpSyncEvent -Group a | Should -BeNullOrEmpty

        $seen = [System.Collections.Generic.List[string]]::new()
        { Get-AmpSyncEvent -Group b | ForEach-Object { $seen.Add($_.EventId); if ($seen.Count -eq 2) { throw 'broken' } } } | Should -Throw broken
        $again = @(Get-AmpSyncEvent -Group b)
        $again.EventId | Should -Contain $seen[1]
        $again.EventId | Should -Not -Contain $seen[0]
    }

    It 'shows <EventType> as it is documented' -ForEach @(
        @{ EventType = 'sync.started'; Members = 'job_id', 'dataset', 'table_name', 'start_block', 'end_block' }
        @{ EventType = 'sync.progress'; Members = 'job_id', 'dataset', 'table_name', 'progress' }
        @{ EventType = 'sync.completed'; Members = 'job_id', 'dataset', 'table_name', 'final_block', 'duration_millis' }
    ) {
        $syncEvent = Get-AmpSyncEvent $EventType -Table blocks | Select-Object -Last 1
        $json = $syncEvent.ToEnvelope() | ConvertTo-Json -Depth 5 | ConvertFrom-Json -DateKind String
        $json.PSObject.Properties.Name | Should -Be event_id, event_type, event_version, timestamp, source, payload
        $json.event_version | Should -Be '1.0'
        $json.timestamp | Should -Match '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$'
        $json.source.worker_id | Should -Be worker-01
        $json.payload.PSObject.Properties.Name | Should -Be $Members
        $json.payload.dataset.PSObject.Properties.Name | Should -Be namespace, name, manifest_hash
        $json.payload.dataset.namespace, $json.payload.dataset.name | Should -Be demo, devnet
        if ($EventType -eq 'sync.progress') {
            $json.payload.progress.PSObject.Properties.Name | Should -Be start_block, current_block, end_block, files_count, total_size_bytes
            $json.payload.progress.current_block | Should -Be 49
        }
        ($syncEvent.ToJson() | ConvertFrom-Json | ConvertTo-Json -Depth 5) | Should -Be ($json | ConvertTo-Json -Depth 5)
    }

    It 'ends after -First' {
        @(Get-AmpSyncEvent -First 2).Count | Should -Be 2
        @(Get-AmpSyncEvent -Follow -FromBeginning -First 2).Count | Should -Be 2
    }

    It 'takes the broker from the pipeline' {
        @($deployment.Broker | Get-AmpSyncEvent -First 1).Count | Should -Be 1
        @([pscustomobject]@{ BootstrapServers = $deployment.Broker.BootstrapServers } | Get-AmpSyncEvent -First 1).Count | Should -Be 1
    }

    It 'follows, ends with Select-Object -First and leaves no thread behind' {
        $null = Get-AmpSyncEvent -Follow -FromBeginning | Select-Object -First 1
        $threads = { @(Get-ChildItem /proc/self/task -ErrorAction Ignore | Where-Object { (Get-Content "$($_.FullName)/comm" -ErrorAction Ignore) -like 'rdk:*' }).Count }
        $before = & $threads
        1..3 | ForEach-Object { $null = Get-AmpSyncEvent -Follow -FromBeginning | Select-Object -First 1 }
        Wait-Until { (& $threads) -le $before }
    }

    It 'ends when what comes after it throws' {
        { Get-AmpSyncEvent -Follow -FromBeginning | ForEach-Object { throw 'enough' } } | Should -Throw enough
    }

    It 'ends within a second of Ctrl+C' {
        $stopped = Invoke-Stoppable 'Get-AmpSyncEvent -Follow -FromBeginning'
        $stopped.State | Should -Be Stopped
        $stopped.Milliseconds | Should -BeLessThan 1000
        $stopped.Errors | Should -BeNullOrEmpty
    }

    It 'follows new events into a pipeline' {
        $shell = [powershell]::Create()
        try {
            $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
            $null = $shell.AddScript("Import-Module '$ModulePath'; Get-AmpSyncEvent -Follow | Where-Object EventType -eq sync.failed").BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
            $null = Register-AmpProvider wrong mainnet $deployment.Chain.Url
            $script:number = 0
            Wait-Until -TimeoutSeconds 60 {
                # Follow starts at the end of the topic, at a moment that cannot be seen: let jobs fail until one is seen.
                $null = New-AmpDatasetManifest mainnet -StartBlock (++$script:number) | Register-AmpDataset demo/wrong
                $null = Start-AmpJob demo/wrong 99 -ErrorAction Ignore | Wait-AmpJob -ErrorAction Ignore
                $output.Count -gt 0
            }
            $output[0].EventType | Should -Be sync.failed
            $output[0].ErrorMessage | Should -BeLike '*chain id 31337*'
            $output[0].ErrorType | Should -Not -BeNullOrEmpty
        }
        finally {
            $shell.Stop()
            $shell.Dispose()
        }
    }

    It 'refuses a broker that does not answer' {
        Assert-CommandError { Get-AmpSyncEvent -BootstrapServers 127.0.0.1:1 } -Id AmpBrokerUnavailable -Category ConnectionError
    }

    It 'refuses a topic that there is not' {
        Assert-CommandError { Get-AmpSyncEvent -Topic nothing } -Id AmpTopicNotFound -Category ObjectNotFound -Target nothing
    }

    It 'refuses a deployment without events' {
        $path = Join-Path $deployment.Path silent
        $null = Start-AmpWorker silent -Solo -AmpDir $path
        try {
            Assert-CommandError { Get-AmpSyncEvent } -Id AmpSyncEventsNotConfigured -Category InvalidArgument
        }
        finally {
            Stop-AmpWorker silent
            $null = Connect-Amp $deployment.ConfigPath
        }
    }

    It 'looks like this' {
        Assert-View (Get-AmpSyncEvent) Timestamp, EventType, JobId, Dataset, Table, Current
    }
}

Describe 'Watch-AmpJobProgress -Source Kafka' {
    It 'shows a job that has ended' {
        $progress = Watch-AmpJobProgress $done.JobId -Source Kafka
        $progress.Table | Should -Be blocks, logs, transactions
        $progress | ForEach-Object { $_.Status | Should -Be Completed; $_.PercentComplete | Should -Be 100; $_.CurrentBlock | Should -Be 49 }
        ($progress | Measure-Object FilesCount -Sum).Sum | Should -BeGreaterOrEqual 3
    }

    It 'follows a job to its end' {
        $null = New-AmpDatasetManifest devnet -StartBlock 1 | Register-AmpDataset demo/later
        $job = Start-AmpJob demo/later 49
        $progress = $job | Watch-AmpJobProgress -Source Kafka
        ($progress | Where-Object Status -eq Completed).Table | Sort-Object | Should -Be blocks, logs, transactions
        ($job | Get-AmpJob).Status | Should -Be Completed
    }

    It 'writes an error for a job that failed' {
        $null = Register-AmpProvider foreign foreignnet $deployment.Chain.Url
        $null = New-AmpDatasetManifest foreignnet | Register-AmpDataset demo/foreign
        $null = Register-AmpProvider dead deadnet http://127.0.0.1:1
        $null = New-AmpDatasetManifest mainnet | Register-AmpDataset demo/failing
        $null = Register-AmpProvider wrongchain mainnet $deployment.Chain.Url
        $job = Start-AmpJob demo/failing 9
        $null = $job | Watch-AmpJobProgress -Source Kafka -ErrorAction SilentlyContinue -ErrorVariable problem
        ($problem[0].FullyQualifiedErrorId -split ',')[0] | Should -Be AmpJobFailed
        $problem[0].Exception.Message | Should -BeLike '*chain id*'
    }

    It 'ends within a second of Ctrl+C, while the job has told nothing' {
        $stopped = Invoke-Stoppable 'Watch-AmpJobProgress 99999 -Source Kafka' -When { $script:looks++ -gt 20 }
        $stopped.Milliseconds | Should -BeLessThan 1000
        $stopped.Errors | Should -BeNullOrEmpty
    }
}

Describe 'Register-AmpSyncEventAction' {
    It 'runs for each event that comes, whatever fails, until it is stopped' {
        $job = Register-AmpSyncEventAction sync.completed -Name tell -Action { if ($_.Table -eq 'logs') { throw 'no logs' }; "$($_.EventType) $($_.Table) $((Get-AmpJob $_.JobId).Status)" }
        $job | Should -BeOfType System.Management.Automation.Job
        (Get-Job tell).State | Should -Be Running
        $job.Location | Should -BeLike "*$($deployment.Broker.BootstrapServers)*"
        $null = New-AmpDatasetManifest devnet -StartBlock 2 | Register-AmpDataset demo/told
        $null = Start-AmpJob demo/told 49 | Wait-AmpJob
        Wait-Until { $job.Output.Count -ge 2 -and $job.Error.Count -ge 1 }
        $output = Receive-Job $job -ErrorVariable problem -ErrorAction SilentlyContinue
        $output | Sort-Object | Should -Be 'sync.completed blocks Completed', 'sync.completed transactions Completed'
        "$($problem[0])" | Should -Be 'no logs'
        Stop-Job $job
        $job.State | Should -Be Stopped
        Remove-Job $job
    }

    It 'goes on where its group left off' {
        $null = Get-AmpSyncEvent -Group log
        $null = New-AmpDatasetManifest devnet -StartBlock 3 | Register-AmpDataset demo/logged
        $null = Start-AmpJob demo/logged 49 | Wait-AmpJob
        Wait-Until { @(Get-AmpSyncEvent sync.completed -Dataset demo/logged).Count -eq 3 }
        $job = Register-AmpSyncEventAction sync.completed -Group log -Action { $_.Dataset }
        Wait-Until { $job.Output.Count -eq 3 }
        Receive-Job $job | Should -Be demo/logged, demo/logged, demo/logged
        Remove-Job $job -Force
    }

    It 'runs for the events of <Name> only' -ForEach @(
        @{ Name = 'a dataset, a table and a worker'; Register = { Register-AmpSyncEventAction sync.completed -Dataset demo/chosen -Table lo* -WorkerId worker-* -Action { "$($_.Dataset) $($_.Table)" } }; Expected = , 'demo/chosen logs' }
        @{ Name = 'another worker'; Register = { Register-AmpSyncEventAction -WorkerId other -Action { 'never' } }; Expected = @() }
        @{ Name = 'a job from before'; Register = { Register-AmpSyncEventAction -JobId $done.JobId -Action { 'never' } }; Expected = @() }
        @{ Name = 'jobs from the pipeline'; Register = { $done | Register-AmpSyncEventAction -Action { 'never' } }; Expected = @() }
        @{ Name = 'datasets from the pipeline'; Register = { Get-AmpDataset demo/chosen | Register-AmpSyncEventAction sync.completed -Table logs -Action { "$($_.Dataset) $($_.Table)" } }; Expected = , 'demo/chosen logs' }
        @{ Name = 'a broker from the pipeline'; Register = { [pscustomobject]@{ BootstrapServers = $deployment.Broker.BootstrapServers } | Register-AmpSyncEventAction sync.completed -Table logs -Action { "$($_.Dataset) $($_.Table)" } }; Expected = , 'demo/chosen logs' }
    ) {
        $null = New-AmpDatasetManifest devnet -StartBlock (10 + $script:chosen++) | Register-AmpDataset demo/chosen
        $marker = Register-AmpSyncEventAction sync.completed -Dataset demo/chosen -Action { $_.Table }
        $job = & $Register
        $null = Start-AmpJob demo/chosen 49 | Wait-AmpJob
        Wait-Until { $marker.Output.Count -eq 3 -and $job.Output.Count -ge $Expected.Count }
        @($job.Output | ForEach-Object { "$_" }) | Should -Be $Expected
        $job, $marker | Remove-Job -Force
    }

    It 'stops a script block that runs, and leaves nothing behind' {
        $job = Register-AmpSyncEventAction sync.started -Action { 'began'; Start-Sleep 600 }
        $null = New-AmpDatasetManifest devnet -StartBlock 4 | Register-AmpDataset demo/slept
        $null = Start-AmpJob demo/slept 49 | Wait-AmpJob
        Wait-Until { $job.Output.Count -eq 1 }
        $watch = [Diagnostics.Stopwatch]::StartNew()
        Remove-Job $job -Force
        $watch.ElapsedMilliseconds | Should -BeLessThan 2000
    }

    It 'starts nothing with -WhatIf, and refuses a broker or topic that is not there' {
        Register-AmpSyncEventAction -Action { 1 } -WhatIf | Should -BeNullOrEmpty
        Assert-CommandError { Register-AmpSyncEventAction -Action { 1 } -BootstrapServers 127.0.0.1:1 } -Id AmpBrokerUnavailable -Category ConnectionError
        Assert-CommandError { Register-AmpSyncEventAction -Action { 1 } -Topic nothing } -Id AmpTopicNotFound -Category ObjectNotFound -Target nothing
        Get-Job | Where-Object PSJobTypeName -eq AmpSyncEventAction | Should -BeNullOrEmpty
    }
}

Describe 'Start-AmpDevBroker, Stop-AmpDevBroker' {
    It 'serves the topics it was asked for' {
        $broker = Start-AmpDevBroker one, two -Partitions 2
        $broker | Should -BeOfType Amp.AmpDevBroker
        $broker.Topics | Should -Be one, two
        Get-AmpSyncEvent -BootstrapServers $broker.BootstrapServers -Topic two | Should -BeNullOrEmpty
        $broker | Stop-AmpDevBroker
        $other = Start-AmpDevBroker
        $other.BootstrapServers | Stop-AmpDevBroker
        Get-CommandError { Stop-AmpDevBroker $other.BootstrapServers } | Should -Not -BeNullOrEmpty
        Assert-CommandError { Stop-AmpDevBroker $broker.BootstrapServers } -Id AmpDevBrokerNotInSession -Category ObjectNotFound -Target $broker.BootstrapServers
    }

    It 'refuses what is no name of a topic, and a topic twice' {
        Assert-CommandError { Start-AmpDevBroker 'no topic' } -Id AmpDevBrokerTopicInvalid -Category InvalidArgument -Target 'no topic'
        Assert-CommandError { Start-AmpDevBroker one, two, one } -Id AmpDevBrokerTopicInvalid -Category InvalidArgument -Target one
    }

    It 'starts and stops nothing with -WhatIf' {
        Start-AmpDevBroker -WhatIf | Should -BeNullOrEmpty
        Stop-AmpDevBroker -WhatIf
        Get-AmpSyncEvent -First 1 | Should -Not -BeNullOrEmpty
    }

    It 'is silent about a wildcard that matches nothing' {
        Get-CommandError { Stop-AmpDevBroker nothing* } | Should -BeNullOrEmpty
    }

    It 'looks like this' {
        Assert-View $deployment.Broker BootstrapServers, Topics
    }
}
