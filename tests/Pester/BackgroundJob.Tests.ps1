BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestJobDeployment
    Register-AmpBackgroundJobHandler test.echo { param($Job) $Job.Payload.text }
    Register-AmpBackgroundJobHandler test.throw -Backoff 00:00:00.01 -NoDeadLetter { param($Job) if ($Job.Attempt -lt 2) { throw 'not yet' }; [Amp.AmpJobAnswer]::Fail('no such thing') }
    Register-AmpBackgroundJobHandler test.later -Backoff 01:00:00 { param($Job) if ($Job.Attempt -eq 1) { throw 'not yet' }; 'second attempt' }
    Register-AmpBackgroundJobHandler test.order { param($Job) $Job.Payload.step }
    Register-AmpBackgroundJobHandler test.long { param($Job) Start-Sleep 60 }
    $worker = Start-AmpBackgroundWorker -PoolSize 4
    $done = Submit-AmpBackgroundJob test.echo @{ text = 'hello' } | Wait-AmpBackgroundJob -Timeout 00:00:20
    $waiting = Submit-AmpBackgroundJob test.echo -Delay 01:00:00
    $unknown = [guid]'01900000-0000-7000-8000-000000000001'
    $tenant = [guid]'10000000-0000-4000-8000-000000000004'
}

AfterAll {
    Unregister-AmpBackgroundJobHandler test.echo, test.throw, test.later, test.order, test.long
    Remove-TestDeployment $deployment
}

Describe 'Submit-AmpBackgroundJob' {
    It 'gives the job, which runs' {
        $waiting | Should -BeOfType Amp.AmpBackgroundJob
        $waiting.Status, $waiting.Attempt, $waiting.MaxAttempts, $waiting.Priority, $waiting.TenantId | Should -Be Queued, 0, 5, 0, ([guid]::Empty)
        $done.Status, $done.Result, $done.Attempt, $done.WorkerId | Should -Be Completed, hello, 1, $worker.WorkerId
        $done.Duration | Should -BeGreaterThan ([timespan]::Zero)
    }

    It 'takes <Name>' -ForEach @(
        @{ Name = 'a hashtable'; Command = { Submit-AmpBackgroundJob test.payload @{ a = 1 } } }
        @{ Name = 'an object'; Command = { Submit-AmpBackgroundJob test.payload ([pscustomobject]@{ a = 1 }) } }
        @{ Name = 'JSON'; Command = { Submit-AmpBackgroundJob test.payload '{"a":1}' } }
        @{ Name = 'a hashtable from the pipeline'; Command = { @{ a = 1 } | Submit-AmpBackgroundJob test.payload } }
        @{ Name = 'an object from the pipeline'; Command = { [pscustomobject]@{ a = 1 } | Submit-AmpBackgroundJob test.payload } }
        @{ Name = 'JSON from the pipeline'; Command = { '{"a":1}' | Submit-AmpBackgroundJob test.payload } }
        @{ Name = 'JSON of a cmdlet'; Command = { @{ a = 1 } | ConvertTo-Json -Compress | Submit-AmpBackgroundJob test.payload } }
        @{ Name = 'a job'; Command = { Submit-AmpBackgroundJob test.payload '{"a":1}' -WarningAction Ignore | Submit-AmpBackgroundJob } }
    ) {
        $job = & $Command 3>$null
        $job.Type | Should -Be test.payload
        $job.PayloadJson | Should -Be '{"a":1}'
        $job.Payload.a | Should -Be 1
    }

    It 'keeps what it is given' {
        $at = [DateTimeOffset]::UtcNow.AddDays(2)
        $job = Submit-AmpBackgroundJob test.echo -TenantId $tenant -Key k -Priority 9 -RunAt $at -MaxAttempts 3 -IdempotencyKey once
        $job.TenantId, $job.Key, $job.Priority, $job.MaxAttempts, $job.IdempotencyKey | Should -Be $tenant, k, 9, 3, once
        ($job.RunAt - $at).Duration() | Should -BeLessThan ([timespan]'00:00:00.001')
        (Submit-AmpBackgroundJob test.echo -Delay 1.00:00:00).RunAt | Should -BeGreaterThan ([DateTimeOffset]::UtcNow.AddHours(23))
    }

    It 'takes an empty key for none, as of a table' {
        $job = [pscustomobject]@{ Key = ''; IdempotencyKey = $null } | Submit-AmpBackgroundJob test.echo
        $job.Key | Should -BeNullOrEmpty
        $job.IdempotencyKey | Should -BeNullOrEmpty
    }

    It 'binds type, tenant, key and idempotency key by property name' {
        $job = [pscustomobject]@{ Type = 'test.bound'; TenantId = $tenant; Key = 'campaign-7'; IdempotencyKey = 'bound' } | Submit-AmpBackgroundJob -WarningAction Ignore
        $job.Type, $job.TenantId, $job.Key, $job.IdempotencyKey | Should -Be test.bound, $tenant, campaign-7, bound
    }

    It 'gives the first job of an idempotency key, of the same tenant only' {
        $first, $second = 1..2 | ForEach-Object { @{ n = $_ } } | Submit-AmpBackgroundJob test.echo -Delay 01:00:00 -IdempotencyKey same
        $second.JobId | Should -Be $first.JobId
        (Submit-AmpBackgroundJob test.echo -IdempotencyKey same).JobId | Should -Be $first.JobId
        (Submit-AmpBackgroundJob test.echo -IdempotencyKey same -TenantId $tenant).JobId | Should -Not -Be $first.JobId
    }

    It 'keeps the order of a key, over batches' {
        $jobs = 1..510 | ForEach-Object { @{ step = $_ } } | Submit-AmpBackgroundJob test.order -Key one
        $jobs.Count | Should -Be 510
        $last = $jobs[0..9] | Wait-AmpBackgroundJob -Timeout 00:00:20
        $last.Result | Should -Be (1..10)
        $last.StartedAt | Should -Be ($last.StartedAt | Sort-Object)
        $jobs[10..509] | Stop-AmpBackgroundJob -ErrorAction SilentlyContinue
    }

    It 'warns when nobody has a handler, once a type, and the job waits' {
        $job = 1..2 | ForEach-Object { @{ n = $_ } } | Submit-AmpBackgroundJob test.nobody -WarningVariable warned -WarningAction SilentlyContinue
        $warned | Should -HaveCount 1
        "$($warned[0])" | Should -BeLike '*test.nobody*Register-AmpBackgroundJobHandler*'
        Get-CommandError { $job[0] | Wait-AmpBackgroundJob -Timeout 00:00:00.6 } | Should -Not -BeNullOrEmpty
        (Get-AmpBackgroundJob $job[0].JobId).Status | Should -Be Queued
        $null = Submit-AmpBackgroundJob test.echo -WarningVariable silent
        $silent | Should -BeNullOrEmpty
    }

    It 'refuses <Name>, and queues nothing' -ForEach @(
        @{ Name = 'what is no type'; Command = { Submit-AmpBackgroundJob 'no type' }; Id = 'AmpJobTypeInvalid' }
        @{ Name = 'a list as payload'; Command = { Submit-AmpBackgroundJob test.echo @(1, 2) }; Id = 'AmpJobPayloadInvalid' }
        @{ Name = 'a text as payload'; Command = { 'hello' | Submit-AmpBackgroundJob test.echo }; Id = 'AmpJobPayloadInvalid' }
        @{ Name = 'a payload that is no JSON'; Command = { Submit-AmpBackgroundJob test.echo @{ 1 = 'a' } }; Id = 'AmpJobPayloadInvalid' }
        @{ Name = 'two times'; Command = { Submit-AmpBackgroundJob test.echo -RunAt (Get-Date) -Delay 00:00:01 }; Id = 'AmpJobTimeAmbiguous' }
        @{ Name = 'a delay of ages'; Command = { Submit-AmpBackgroundJob test.echo -Delay ([timespan]::MaxValue) }; Id = 'AmpJobDelayInvalid' }
    ) {
        $before = @(Get-AmpBackgroundJob).Count
        Assert-CommandErrorId $Command $Id
        @(Get-AmpBackgroundJob).Count | Should -Be $before
    }

    It 'queues nothing with -WhatIf' {
        $before = @(Get-AmpBackgroundJob).Count
        Submit-AmpBackgroundJob test.echo -WhatIf | Should -BeNullOrEmpty
        @(Get-AmpBackgroundJob).Count | Should -Be $before
    }
}

Describe 'Get-AmpBackgroundJob' {
    It 'binds <Name>' -ForEach @(
        @{ Name = 'a number'; Command = { Get-AmpBackgroundJob $done.JobId } }
        @{ Name = 'a number as text from the pipeline'; Command = { "$($done.JobId)" | Get-AmpBackgroundJob } }
        @{ Name = 'jobs from the pipeline'; Command = { $done | Get-AmpBackgroundJob } }
        @{ Name = 'what has a JobId'; Command = { [pscustomobject]@{ JobId = $done.JobId } | Get-AmpBackgroundJob } }
    ) {
        (& $Command).JobId | Should -Be $done.JobId
    }

    It 'filters by state, type and tenant' {
        (Get-AmpBackgroundJob -Status Completed -Type test.echo).JobId | Should -Contain $done.JobId
        (Get-AmpBackgroundJob -Status Completed).JobId | Should -Not -Contain $waiting.JobId
        (Get-AmpBackgroundJob -Status Queued, Running -Type test.e*).JobId | Should -Contain $waiting.JobId
        (Get-AmpBackgroundJob -TenantId $tenant).TenantId | Sort-Object -Unique | Should -Be $tenant
        Get-AmpBackgroundJob -Type nothing.* | Should -BeNullOrEmpty
        { Get-AmpBackgroundJob -Status Nonsense } | Should -Throw -ErrorId 'CannotConvertArgument*'
    }

    It 'gives the newest first' {
        $ids = (Get-AmpBackgroundJob).JobId | ForEach-Object ToString
        $ids | Should -Be ($ids | Sort-Object -Descending)
    }

    It 'says which number is not there, and goes on' {
        Assert-CommandError { Get-AmpBackgroundJob $unknown } -Id AmpBackgroundJobNotFound -Category ObjectNotFound -Target $unknown
        (Get-AmpBackgroundJob $unknown, $done.JobId -ErrorAction SilentlyContinue).JobId | Should -Be $done.JobId
    }

    It 'looks like this' {
        Assert-View (Get-AmpBackgroundJob | Select-Object -First 20) JobId, Type, Status, Attempt, Pri, Age
        $list = $done | Format-List | Out-String -Width 100
        $list | Should -Match "(?m)^.*Payload\s+: .*{`"text`":`"hello`"}"
        $list | Should -Not -Match 'Not Before'
        ($waiting | Format-List | Out-String) | Should -Match 'Not Before\s+: .*Z'
    }
}

Describe 'Wait-AmpBackgroundJob' {
    It 'gives jobs in the order it was given, however they ended' {
        $jobs = @(
            Submit-AmpBackgroundJob test.throw
            Submit-AmpBackgroundJob test.echo @{ text = 'b' }
        )
        $ended = $jobs | Wait-AmpBackgroundJob -Timeout 00:00:20
        $ended.JobId | Should -Be $jobs.JobId
        $ended.Status | Should -Be Failed, Completed
        $ended[0].Attempt | Should -Be 2
        $ended[0].LastError | Should -Be 'no such thing'
    }

    It 'draws one bar while it waits' {
        $job = Submit-AmpBackgroundJob test.echo @{ text = 'later' } -Delay 00:00:01
        (Invoke-WithBars "Wait-AmpBackgroundJob $($job.JobId) -Timeout 00:00:20" -Bars 1).Status | Should -Be Completed
    }

    It 'gives up after -Timeout, and waits for the others' {
        Assert-CommandError { Wait-AmpBackgroundJob $waiting.JobId -Timeout 00:00:00.2 } -Id AmpBackgroundJobNotEnded -Category InvalidOperation -Target $waiting.JobId
        (Get-AmpBackgroundJob $waiting.JobId).Status | Should -Be Queued
        (Wait-AmpBackgroundJob $waiting.JobId, $done.JobId -Timeout 00:00:00.2 -ErrorAction SilentlyContinue).JobId | Should -Be $done.JobId
    }

    It 'says which number is not there, and waits for the others' {
        Assert-CommandError { Wait-AmpBackgroundJob $unknown } -Id AmpBackgroundJobNotFound -Category ObjectNotFound -Target $unknown
        (Wait-AmpBackgroundJob $unknown, $done.JobId -ErrorAction SilentlyContinue).JobId | Should -Be $done.JobId
    }

    It 'does nothing without a job' {
        Get-CommandError { @() | Wait-AmpBackgroundJob } | Should -BeNullOrEmpty
    }

    It 'ends with Select-Object -First' {
        ($done, $waiting | Wait-AmpBackgroundJob | Select-Object -First 1).JobId | Should -Be $done.JobId
    }

    It 'ends within a second of Ctrl+C, and the job stays' {
        $stopped = Invoke-Stoppable "'waiting'; Wait-AmpBackgroundJob $($waiting.JobId)"
        $stopped.State | Should -Be Stopped
        $stopped.Milliseconds | Should -BeLessThan 1000
        $stopped.Errors | Should -BeNullOrEmpty
        (Get-AmpBackgroundJob $waiting.JobId).Status | Should -Be Queued
    }
}

Describe 'Stop-AmpBackgroundJob' {
    It 'stops nothing with -WhatIf' {
        Stop-AmpBackgroundJob $waiting.JobId -WhatIf | Should -BeNullOrEmpty
        (Get-AmpBackgroundJob $waiting.JobId).Status | Should -Be Queued
    }

    It 'cancels a job that waits, from the pipeline, at once' {
        $job = Submit-AmpBackgroundJob test.echo -Delay 01:00:00
        ($job | Stop-AmpBackgroundJob -Reason 'called off' -PassThru).Status | Should -Be Cancelled
        $other = Submit-AmpBackgroundJob test.echo -Delay 01:00:00
        $other.JobId | Stop-AmpBackgroundJob | Should -BeNullOrEmpty
        (Get-AmpBackgroundJob $other.JobId).Status | Should -Be Cancelled
    }

    It 'ends a job that runs within seconds' {
        $job = Submit-AmpBackgroundJob test.long
        Wait-Until { (Get-AmpBackgroundJob $job.JobId).Status -eq 'Running' }
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $job | Stop-AmpBackgroundJob
        ($job | Wait-AmpBackgroundJob -Timeout 00:00:20).Status | Should -Be Cancelled
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 5
    }

    It 'refuses a job that has ended, and one that is not there, and goes on' {
        Assert-CommandError { Stop-AmpBackgroundJob $done.JobId } -Id AmpBackgroundJobEnded -Category InvalidOperation -Target $done.JobId
        Assert-CommandError { Stop-AmpBackgroundJob $unknown } -Id AmpBackgroundJobNotFound -Category ObjectNotFound -Target $unknown
        $job = Submit-AmpBackgroundJob test.echo -Delay 01:00:00
        (Stop-AmpBackgroundJob $unknown, $job.JobId -PassThru -ErrorAction SilentlyContinue).Status | Should -Be Cancelled
    }
}

Describe 'Restart-AmpBackgroundJob' {
    It 'queues a job that failed again, with its attempts counted anew' {
        $job = Submit-AmpBackgroundJob test.throw | Wait-AmpBackgroundJob -Timeout 00:00:20
        $job | Restart-AmpBackgroundJob -WhatIf | Should -BeNullOrEmpty
        (Get-AmpBackgroundJob $job.JobId).Status | Should -Be Failed
        Unregister-AmpBackgroundJobHandler test.throw
        $again = $job | Restart-AmpBackgroundJob
        $again.JobId, $again.Status, $again.Attempt | Should -Be $job.JobId, Queued, 0
        Register-AmpBackgroundJobHandler test.throw { param($Job) 'mended' }
        ($again | Wait-AmpBackgroundJob -Timeout 00:00:20).Result | Should -Be mended
    }

    It 'takes a number from the pipeline' {
        Register-AmpBackgroundJobHandler test.once { param($Job) if ($Job.Payload.fail) { [Amp.AmpJobAnswer]::Fail('once') } }
        $job = Submit-AmpBackgroundJob test.once @{ fail = $true } | Wait-AmpBackgroundJob -Timeout 00:00:20
        ($job.JobId | Restart-AmpBackgroundJob | Wait-AmpBackgroundJob -Timeout 00:00:20).Status | Should -Be DeadLettered
        Unregister-AmpBackgroundJobHandler test.once
    }

    It 'lets a job that waits for its next attempt begin at once' {
        $job = Submit-AmpBackgroundJob test.later
        Wait-Until { (Get-AmpBackgroundJob $job.JobId).Status -eq 'Retrying' }
        $ended = Restart-AmpBackgroundJob $job.JobId | Wait-AmpBackgroundJob -Timeout 00:00:20
        $ended.Result, $ended.Attempt | Should -Be 'second attempt', 2
    }

    It 'refuses a job that did not fail, and one that is not there' {
        Assert-CommandError { Restart-AmpBackgroundJob $done.JobId } -Id AmpBackgroundJobNotFailed -Category InvalidOperation -Target $done.JobId
        Assert-CommandError { Restart-AmpBackgroundJob $unknown } -Id AmpBackgroundJobNotFound -Category ObjectNotFound -Target $unknown
    }
}

Describe 'Tab completion of background jobs' {
    It 'offers numbers, newest first' {
        foreach ($line in 'Get-AmpBackgroundJob ', 'Wait-AmpBackgroundJob ', 'Stop-AmpBackgroundJob ', 'Restart-AmpBackgroundJob ') {
            $offered = Get-Completion $line
            $offered[0].ListItemText | Should -Be "$((Get-AmpBackgroundJob)[0])"
            $offered[0].ToolTip | Should -Match '^[A-Z]\w+, test\.'
        }
        $job = Submit-AmpBackgroundJob test.echo -Delay 01:00:00
        (Get-Completion "Get-AmpBackgroundJob $("$job".Substring(0, 30))").ListItemText | Should -Contain "$job"
    }

    It 'offers types, tenants and states' {
        (Get-Completion 'Submit-AmpBackgroundJob test.ec').ListItemText | Should -Be test.echo
        (Get-Completion 'Get-AmpBackgroundJob -Type ').ListItemText | Should -Contain test.nobody
        (Get-Completion 'Get-AmpBackgroundJob -TenantId ').ListItemText | Should -Contain "$tenant"
        (Get-Completion 'Submit-AmpBackgroundJob test.echo -TenantId ').ListItemText | Should -Be "$([guid]::Empty)", "$tenant"
        (Get-Completion 'Get-AmpBackgroundJob -Status Dead').ListItemText | Should -Be DeadLettered
    }
}
