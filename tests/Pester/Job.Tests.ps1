BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 300
    $null = Register-SlowDataset $deployment
    $done = Start-AmpJob demo/devnet $deployment.LastBlock | Wait-AmpJob
    $slow = Start-AmpJob demo/slow 299
}

AfterAll {
    Remove-TestDeployment $deployment
}

Describe 'Start-AmpJob' {
    It 'extracts up to the end block, and every block once' {
        $done | Should -BeOfType Amp.AmpJob
        $done.Status | Should -Be Completed
        $done.NodeId | Should -Be worker-01
        (Get-AmpFile demo/devnet blocks -IncludeRowCount | Measure-Object RowCount -Sum).Sum | Should -Be 300
    }

    It 'takes <Name>' -ForEach @(
        @{ Name = 'a dataset from the pipeline'; Command = { Get-AmpDataset demo/devnet | Start-AmpJob -EndBlock 299 } }
        @{ Name = 'a name from the pipeline'; Command = { 'demo/devnet' | Start-AmpJob -EndBlock 299 } }
        @{ Name = 'a version'; Command = { Start-AmpJob demo/devnet@dev 299 } }
        @{ Name = 'latest'; Command = { Start-AmpJob demo/devnet latest } }
        @{ Name = 'a negative number'; Command = { Start-AmpJob demo/devnet -EndBlock -10 } }
        @{ Name = 'a pattern of workers'; Command = { Start-AmpJob demo/devnet 299 -Worker worker-* } }
        @{ Name = 'more workers than there are'; Command = { Start-AmpJob demo/devnet 299 -Workers 8 } }
        @{ Name = 'several writers, and checks what they get'; Command = { Start-AmpJob demo/devnet 299 -MaxWriters 2 -Verify } }
    ) {
        (& $Command | Wait-AmpJob).Status | Should -Be Completed
    }

    It 'gives the active job instead of a second one' {
        (Start-AmpJob demo/slow 299).JobId | Should -Be $slow.JobId
    }

    It 'refuses <Name>, and schedules nothing' -ForEach @(
        @{ Name = 'an unknown dataset'; Command = { Start-AmpJob demo/nothing 10 }; Id = 'AmpDatasetNotFound'; Category = 'ObjectNotFound' }
        @{ Name = 'what is no dataset name'; Command = { Start-AmpJob nothing 10 }; Id = 'AmpInvalidDatasetReference'; Category = 'InvalidArgument' }
        @{ Name = 'what is no end block'; Command = { Start-AmpJob demo/devnet soon }; Id = 'AmpInvalidEndBlock'; Category = 'InvalidArgument' }
        @{ Name = 'an end block before the start'; Command = { $null = New-AmpDatasetManifest devnet -StartBlock 100 | Register-AmpDataset demo/late; Start-AmpJob demo/late 99 }; Id = 'AmpEndBlockBeforeStart'; Category = 'InvalidArgument' }
        @{ Name = 'several workers without an end block'; Command = { Start-AmpJob demo/devnet -Workers 2 }; Id = 'AmpWorkersNeedEndBlock'; Category = 'InvalidArgument' }
        @{ Name = 'a network without a provider'; Command = { $null = New-AmpDatasetManifest othernet | Register-AmpDataset demo/other; Start-AmpJob demo/other 10 }; Id = 'AmpProviderNotFound'; Category = 'ObjectNotFound' }
        @{ Name = 'a worker that there is not'; Command = { Start-AmpJob demo/devnet 10 -Worker nobody }; Id = 'AmpWorkerNotFound'; Category = 'ObjectNotFound' }
        @{ Name = 'a pattern that no active worker matches'; Command = { Start-AmpJob demo/devnet 10 -Worker nobody-* }; Id = 'AmpNoActiveWorker'; Category = 'ConnectionError' }
    ) {
        $before = @(Get-AmpJob).Count
        Assert-CommandError $Command -Id $Id -Category $Category
        @(Get-AmpJob).Count | Should -Be $before
    }

    It 'goes on with the next dataset after one that is refused' {
        (Start-AmpJob demo/nothing, demo/devnet 299 -ErrorAction SilentlyContinue | Wait-AmpJob).Dataset | Should -Be demo/devnet
    }

    It 'shares a job among workers, shows its parts, and stops them with it' {
        # A request a second: nothing ends by itself here.
        $chain = Start-AmpDevChain -BlockCount 5000 -TransactionsPerBlock 0
        $null = Register-AmpProvider big bignet $chain.Url -RateLimitPerMinute 60
        $null = New-AmpDatasetManifest bignet | Register-AmpDataset demo/big
        $null = Start-AmpWorker worker-02
        try {
            $job = Start-AmpJob demo/big latest -Workers 2
            Wait-Until { @(Get-AmpJob -Status Running | Where-Object PartOf -eq $job.JobId).Count -eq 2 }
            $parts = Get-AmpJob -Status Running | Where-Object PartOf -eq $job.JobId
            $parts.NodeId | Sort-Object | Should -Be worker-01, worker-02
            Assert-View $parts JobId, Status, Dataset, NodeId, EndBlock, Updated
            ($parts | Out-String) | Should -Match "part of $($job.JobId)"
            ($parts[0] | Format-List | Out-String) | Should -Match "Part Of Job\s+: $($job.JobId)"
            $job | Stop-AmpJob
            ($job, $parts | ForEach-Object { $_ } | Wait-AmpJob).Status | Should -Be Stopped, Stopped, Stopped
            $parts, $job | ForEach-Object { $_ } | Remove-AmpJob
        }
        finally {
            Stop-AmpWorker worker-02
            Stop-AmpDevChain $chain.Url
        }
    }

    It 'schedules nothing with -WhatIf' {
        $before = @(Get-AmpJob).Count
        Start-AmpJob demo/devnet 5 -WhatIf | Should -BeNullOrEmpty
        @(Get-AmpJob).Count | Should -Be $before
    }
}

Describe 'Get-AmpJob' {
    It 'binds <Name>' -ForEach @(
        @{ Name = 'a number'; Command = { Get-AmpJob 1 } }
        @{ Name = 'numbers from the pipeline'; Command = { 1 | Get-AmpJob } }
        @{ Name = 'jobs from the pipeline'; Command = { Get-AmpJob 1 | Get-AmpJob } }
        @{ Name = 'the job of a table'; Command = { Get-AmpTable demo/devnet blocks | Select-Object @{ n = 'JobId'; e = { 1 } } | Get-AmpJob } }
    ) {
        (& $Command).JobId | Should -Be 1
    }

    It 'filters by state, dataset and worker' {
        (Get-AmpJob -Status Running, Scheduled).JobId | Should -Be $slow.JobId
        (Get-AmpJob -Dataset demo/s*).JobId | Should -Be $slow.JobId
        Get-AmpJob -NodeId nobody* | Should -BeNullOrEmpty
        { Get-AmpJob -Status Nonsense } | Should -Throw -ErrorId 'CannotConvertArgument*'
    }

    It 'gives the newest first' {
        $ids = (Get-AmpJob).JobId
        $ids | Should -Be ($ids | Sort-Object -Descending)
    }

    It 'says which number is not there, and goes on' {
        Assert-CommandError { Get-AmpJob 999 } -Id AmpJobNotFound -Category ObjectNotFound -Target 999
        (Get-AmpJob 999, 1 -ErrorAction SilentlyContinue).JobId | Should -Be 1
    }

    It 'looks like this' {
        Assert-View (Get-AmpJob) JobId, Status, Dataset, NodeId, EndBlock, Updated
        (Get-AmpJob 1 | Format-List | Out-String) | Should -Match '(?m)Manifest Hash\s*: .*[0-9a-f]{64}'
    }
}

Describe 'Get-AmpJobProgress' {
    It 'gives one object a table' {
        $progress = Get-AmpJob 1 | Get-AmpJobProgress
        $progress.Table | Should -Be blocks, logs, transactions
        (1 | Get-AmpJobProgress).Table | Should -Be blocks, logs, transactions
        $progress | ForEach-Object { $_.PercentComplete | Should -Be 100; $_.CurrentBlock | Should -Be 299 }
    }

    It 'says which number is not there' {
        Assert-CommandError { Get-AmpJobProgress 999 } -Id AmpJobNotFound -Category ObjectNotFound -Target 999
    }

    It 'looks like this' {
        Assert-View (Get-AmpJobProgress 1) JobId, Status, Table, Current, Done, Size, Rate
    }
}

Describe 'Watch-AmpJobProgress' {
    It 'gives each table until the job has ended, and draws a bar for each' {
        # Two calls a block at 200 calls a second: long enough to be drawn.
        $null = Register-AmpProvider paced pacednet $deployment.Chain.Url -RateLimitPerMinute 12000
        $null = New-AmpDatasetManifest pacednet | Register-AmpDataset demo/watched
        $progress = Invoke-WithBars 'Start-AmpJob demo/watched 299 | Watch-AmpJobProgress' -Bars 3
        $progress[-1].Status | Should -Be Completed
        ($progress | Where-Object Status -eq Completed).Table | Sort-Object | Should -Be blocks, logs, transactions
        $left = $progress | Where-Object { $_.BlocksPerSecond -and $_.PercentComplete -lt 100 } | Select-Object -Last 1
        $left.TimeLeft.TotalSeconds | Should -BeGreaterThan 0
    }

    It 'draws nothing with $ProgressPreference SilentlyContinue' {
        (Invoke-WithBars "`$ProgressPreference = 'SilentlyContinue'; Watch-AmpJobProgress 1" -Bars 0).Count | Should -Be 3
    }

    It 'follows several jobs side by side, and ends with the last' {
        (1, $done.JobId | Watch-AmpJobProgress | ForEach-Object JobId | Sort-Object -Unique) | Should -Be 1
    }

    It 'says which number is not there, and follows the others' {
        Assert-CommandError { Watch-AmpJobProgress 999 } -Id AmpJobNotFound -Category ObjectNotFound -Target 999
        (Watch-AmpJobProgress 999, 1 -ErrorAction SilentlyContinue).JobId | Sort-Object -Unique | Should -Be 1
    }

    It 'does nothing without a job' {
        Get-CommandError { @() | Watch-AmpJobProgress } | Should -BeNullOrEmpty
    }

    It 'ends with Select-Object -First' {
        ($slow | Watch-AmpJobProgress | Select-Object -First 1).JobId | Should -Be $slow.JobId
    }

    It 'ends when what comes after it throws' {
        { $slow | Watch-AmpJobProgress | ForEach-Object { throw 'enough' } } | Should -Throw enough
    }

    It 'ends within a second of Ctrl+C, and the job goes on' {
        $stopped = Invoke-Stoppable "Watch-AmpJobProgress $($slow.JobId)"
        $stopped.State | Should -Be Stopped
        $stopped.Milliseconds | Should -BeLessThan 1000
        $stopped.Errors | Should -BeNullOrEmpty
        (Get-AmpJob $slow.JobId).IsTerminal | Should -BeFalse
    }
}

Describe 'Wait-AmpJob' {
    It 'draws a bar for each table while it waits' {
        $null = Register-AmpProvider waiting waitingnet $deployment.Chain.Url -RateLimitPerMinute 12000
        $null = New-AmpDatasetManifest waitingnet | Register-AmpDataset demo/waiting
        $job = Start-AmpJob demo/waiting 299
        (Invoke-WithBars "Wait-AmpJob $($job.JobId)" -Bars 3).Status | Should -Be Completed
    }

    It 'gives up after -Timeout, and the job goes on' {
        Assert-CommandError { Wait-AmpJob $slow.JobId -Timeout 00:00:00.2 } -Id AmpJobWaitTimedOut -Category InvalidOperation -Target $slow.JobId
        (Get-AmpJob $slow.JobId).IsTerminal | Should -BeFalse
    }

    It 'ends within a second of Ctrl+C' {
        $stopped = Invoke-Stoppable "'waiting'; Wait-AmpJob $($slow.JobId)"
        $stopped.State | Should -Be Stopped
        $stopped.Milliseconds | Should -BeLessThan 1000
    }

    It 'writes a job that failed, and an error as well' {
        $null = Register-AmpProvider dead deadnet http://127.0.0.1:1 -Force
        $null = New-AmpDatasetManifest deadnet | Register-AmpDataset demo/dead
        $failed = Start-AmpJob demo/dead 10 | Wait-AmpJob -ErrorAction SilentlyContinue -ErrorVariable problem
        $failed.Status | Should -BeIn Error, Fatal
        $failed.ErrorMessage | Should -BeLike '*127.0.0.1:1*'
        $problem[0].FullyQualifiedErrorId | Should -Be 'AmpJobFailed,Amp.PowerShell.Jobs.WaitAmpJobCommand'
        $problem[0].ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        Get-AmpFile demo/dead* | Should -BeNullOrEmpty
    }

    It 'writes a job that failed because its provider serves another network' {
        $null = Register-AmpProvider wrongnet mainnet $deployment.Chain.Url -Force
        $null = New-AmpDatasetManifest mainnet | Register-AmpDataset demo/wrongnet
        $failed = Start-AmpJob demo/wrongnet 10 | Wait-AmpJob -ErrorAction SilentlyContinue
        $failed.Status | Should -Be Fatal
        $failed.ErrorMessage | Should -BeLike '*chain id 31337*'
        Get-AmpFile demo/wrongnet* | Should -BeNullOrEmpty
    }
}

Describe 'Stop-AmpJob' {
    It 'stops nothing with -WhatIf' {
        Stop-AmpJob $slow.JobId -WhatIf
        (Get-AmpJob $slow.JobId).Status | Should -BeIn Scheduled, Running
    }

    It 'stops a job from the pipeline' {
        ($slow | Stop-AmpJob -PassThru | Wait-AmpJob -Timeout 00:00:20).Status | Should -Be Stopped
        $again = Start-AmpJob demo/slow 299
        $again.JobId | Stop-AmpJob | Should -BeNullOrEmpty
        ($again.JobId | Wait-AmpJob -Timeout 00:00:20).Status | Should -Be Stopped
    }

    It 'refuses a job that has ended, and one that is not there' {
        Assert-CommandError { Stop-AmpJob 1 } -Id AmpJobAlreadyTerminated -Category InvalidOperation -Target 1
        Assert-CommandError { Stop-AmpJob 999 } -Id AmpJobNotFound -Category ObjectNotFound -Target 999
    }
}

Describe 'Get-AmpJobEvent' {
    It 'gives the life of a job, in order' {
        $events = Get-AmpJob $done.JobId | Get-AmpJobEvent
        $events[0] | Should -BeOfType Amp.AmpJobEvent
        $events[0].Status | Should -Be Scheduled
        $events[-1].Status | Should -Be Completed
        ($events[0].Detail | ConvertFrom-Json).kind | Should -Be materialize-raw
        $events.EventId | Sort-Object | Should -Be $events.EventId
        ($done.JobId | Get-AmpJobEvent).EventId | Should -Be $events.EventId
    }

    It 'says which job is not there' {
        Assert-CommandError { Get-AmpJobEvent 999 } -Id AmpJobNotFound -Category ObjectNotFound -Target 999
    }

    It 'looks like this' {
        Assert-View (Get-AmpJobEvent $done.JobId) EventId, JobId, Status, NodeId, Created, Detail
    }
}

Describe 'Restart-AmpJob' {
    BeforeAll {
        $slow = Start-AmpJob demo/slow 299
    }

    It 'schedules a job that has ended again, under its number and with its settings' {
        $before = Get-AmpJob $done.JobId
        $job = Get-AmpJob $done.JobId | Restart-AmpJob | Wait-AmpJob
        $job.JobId | Should -Be $before.JobId
        $job.Status | Should -Be Completed
        $job.Attempts | Should -Be ($before.Attempts + 1)
        $job.Descriptor | Should -Be $before.Descriptor
        ($done.JobId | Restart-AmpJob -Worker worker-0* | Wait-AmpJob).Attempts | Should -Be ($before.Attempts + 2)
    }

    It 'refuses <Name>' -ForEach @(
        @{ Name = 'a job that runs'; Command = { Restart-AmpJob $slow.JobId }; Id = 'AmpJobStateConflict'; Category = 'InvalidOperation' }
        @{ Name = 'a job that there is not'; Command = { Restart-AmpJob 999 }; Id = 'AmpJobNotFound'; Category = 'ObjectNotFound' }
        @{ Name = 'a worker that there is not'; Command = { Restart-AmpJob $done.JobId -Worker nobody }; Id = 'AmpWorkerNotFound'; Category = 'ObjectNotFound' }
    ) {
        Assert-CommandError $Command -Id $Id -Category $Category
    }

    It 'does nothing with -WhatIf' {
        $before = (Get-AmpJob $done.JobId).Attempts
        Restart-AmpJob $done.JobId -WhatIf | Should -BeNullOrEmpty
        (Get-AmpJob $done.JobId).Attempts | Should -Be $before
    }
}

Describe 'Remove-AmpJob' {
    It 'refuses a job that runs' {
        Assert-CommandError { Remove-AmpJob $slow.JobId } -Id AmpJobNotTerminal -Category InvalidOperation -Target $slow.JobId
        Get-AmpJob $slow.JobId | Should -Not -BeNullOrEmpty
    }

    It 'removes jobs that have ended, and keeps what they wrote' {
        $files = @(Get-AmpFile demo/devnet).Count
        Get-AmpJob -Dataset demo/devnet | Remove-AmpJob -WhatIf
        $ended = @(Get-AmpJob -Dataset demo/devnet)
        $ended[0].JobId | Remove-AmpJob
        (Get-AmpJob -Dataset demo/devnet).JobId | Should -Be ($ended | Select-Object -Skip 1).JobId
        Get-AmpJob -Dataset demo/devnet | Remove-AmpJob
        Get-AmpJob -Dataset demo/devnet | Should -BeNullOrEmpty
        @(Get-AmpFile demo/devnet).Count | Should -Be $files
        Assert-CommandError { Remove-AmpJob $done.JobId } -Id AmpJobNotFound -Category ObjectNotFound -Target $done.JobId
    }
}

Describe 'Remove-AmpDataset' {
    It 'refuses a dataset that a job extracts' {
        Assert-CommandError { Remove-AmpDataset demo/slow -Confirm:$false } -Id AmpDatasetInUse -Category InvalidOperation -Target demo/slow
        Get-AmpDataset demo/slow | Should -Not -BeNullOrEmpty
    }
}
