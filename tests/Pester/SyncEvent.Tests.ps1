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

    It 'ends after -First' {
        @(Get-AmpSyncEvent -First 2).Count | Should -Be 2
        @(Get-AmpSyncEvent -Follow -FromBeginning -First 2).Count | Should -Be 2
    }

    It 'takes the broker from the pipeline' {
        @($deployment.Broker | Get-AmpSyncEvent -First 1).Count | Should -Be 1
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

Describe 'Start-AmpDevBroker, Stop-AmpDevBroker' {
    It 'serves the topics it was asked for' {
        $broker = Start-AmpDevBroker one, two -Partitions 2
        $broker | Should -BeOfType Amp.AmpDevBroker
        $broker.Topics | Should -Be one, two
        Get-AmpSyncEvent -BootstrapServers $broker.BootstrapServers -Topic two | Should -BeNullOrEmpty
        $broker | Stop-AmpDevBroker
        Assert-CommandError { Stop-AmpDevBroker $broker.BootstrapServers } -Id AmpDevBrokerNotInSession -Category ObjectNotFound -Target $broker.BootstrapServers
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
