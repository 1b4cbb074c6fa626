BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestJobDeployment

    # Runs a job of a type of its own with a handler, and gives the job when it has ended.
    function Invoke-Handler {
        param([Parameter(Mandatory)][scriptblock] $ScriptBlock, [hashtable] $Payload = @{}, [int] $MaxAttempts = 1, [scriptblock] $Register = { Register-AmpBackgroundJobHandler $type $ScriptBlock })

        $type = "test.h$(($script:types++))"
        & $Register
        try {
            Submit-AmpBackgroundJob $type $Payload -MaxAttempts $MaxAttempts -WarningAction Ignore | Wait-AmpBackgroundJob -Timeout 00:00:30
        }
        finally {
            Unregister-AmpBackgroundJobHandler $type
        }
    }
    $script:types = 0
    $worker = Start-AmpBackgroundWorker -PoolSize 4 -WarningAction Ignore
}

AfterAll {
    Remove-TestDeployment $deployment
}

Describe 'Register-AmpBackgroundJobHandler' {
    It 'gives the script block the job' {
        $job = Invoke-Handler { param($Job) "$($Job.GetType().FullName) $($Job.Type) $($Job.Status) $($Job.Attempt) $($Job.Payload.user.name)" } @{ user = @{ name = 'Ann' } }
        $job.Result | Should -Be "Amp.AmpBackgroundJob $($job.Type) Running 1 Ann"
    }

    It 'keeps <Name> as the result' -ForEach @(
        @{ Name = 'nothing'; Handler = { param($Job) }; Json = $null }
        @{ Name = 'a text'; Handler = { param($Job) 'done' }; Json = '"done"' }
        @{ Name = 'a number'; Handler = { param($Job) 42 }; Json = '42' }
        @{ Name = 'an id'; Handler = { param($Job) [guid]::Empty }; Json = '"00000000-0000-0000-0000-000000000000"' }
        @{ Name = 'a list'; Handler = { param($Job) 1; 2; 3 }; Json = '[1,2,3]' }
        @{ Name = 'an object'; Handler = { param($Job) [pscustomobject]@{ a = 1; b = @{ c = $true } } }; Json = '{"a":1,"b":{"c":true}}' }
        @{ Name = 'what a program wrote'; Handler = { param($Job) sh -c 'echo out' }; Json = '"out"' }
        @{ Name = 'what it completes with'; Handler = { param($Job) [Amp.AmpJobAnswer]::Complete(@{ a = 1 }) }; Json = '{"a":1}' }
    ) {
        $job = Invoke-Handler $Handler
        $job.LastError | Should -BeNullOrEmpty
        $job.Status | Should -Be Completed
        $job.ResultJson | Should -Be $Json
    }

    It 'passes $using: and -ArgumentList, as they were at registration' {
        $name = 'Ann'
        $table = @{ city = 'Bonn' }
        Register-AmpBackgroundJobHandler test.using -ArgumentList 2, 'three' { param($Job, $Two, $Three) "$using:name $($using:table.city) $Two $Three" }
        $name = 'Bob'
        (Submit-AmpBackgroundJob test.using -WarningAction Ignore | Wait-AmpBackgroundJob -Timeout 00:00:20).Result | Should -Be 'Ann Bonn 2 three'
        Unregister-AmpBackgroundJobHandler test.using
    }

    It 'keeps the variables of one handler from another' {
        $value = 'first'
        Register-AmpBackgroundJobHandler test.apart1 { $using:value }
        $value = 'second'
        Register-AmpBackgroundJobHandler test.apart2 { $using:value }
        try {
            $jobs = 1..4 | ForEach-Object { 'test.apart1', 'test.apart2' | ForEach-Object { Submit-AmpBackgroundJob $_ -WarningAction Ignore } }
            ($jobs | Wait-AmpBackgroundJob -Timeout 00:00:20).Result | Should -Be (@('first', 'second') * 4)
        }
        finally {
            Unregister-AmpBackgroundJobHandler test.apart1, test.apart2
        }
    }

    It 'is known to who submits at once' {
        Register-AmpBackgroundJobHandler test.new.* { 'new' }
        $job = Submit-AmpBackgroundJob test.new.one -WarningVariable warned -WarningAction SilentlyContinue
        ($job | Wait-AmpBackgroundJob -Timeout 00:00:20).Result | Should -Be new
        $warned | Should -BeNullOrEmpty
        Unregister-AmpBackgroundJobHandler test.new.*
    }

    It 'sees no other variable of the caller, and has this module' {
        $secret = 'seen'
        $job = Invoke-Handler { param($Job) "[$secret]"; (Get-AmpBackgroundJob $Job.JobId).Status.ToString() }
        $job.Result | Should -Be '[]', Running
        $secret | Should -Be seen
    }

    It 'begins where the handler was registered, wherever another went' {
        foreach ($away in { Set-Location / }, { Set-Location Env: }) {
            1..4 | ForEach-Object { (Invoke-Handler $away).Status | Should -Be Completed }
            1..2 | ForEach-Object { (Invoke-Handler { (Get-Location).ProviderPath }).Result | Should -Be (Get-Location -PSProvider FileSystem).ProviderPath }
        }
    }

    It 'takes the most special of several patterns' {
        Register-AmpBackgroundJobHandler test.* { 'wide' }
        Register-AmpBackgroundJobHandler test.mail.* { 'narrow' }
        Register-AmpBackgroundJobHandler test.mail.welcome, test.mail.bye { 'exact' }
        try {
            $jobs = 'test.other', 'test.mail.other', 'test.mail.welcome', 'test.mail.bye' | ForEach-Object { Submit-AmpBackgroundJob $_ -WarningAction Ignore }
            ($jobs | Wait-AmpBackgroundJob -Timeout 00:00:20).Result | Should -Be wide, narrow, exact, exact
            Register-AmpBackgroundJobHandler test.mail.* { 'replaced' }
            (Submit-AmpBackgroundJob test.mail.other -WarningAction Ignore | Wait-AmpBackgroundJob -Timeout 00:00:20).Result | Should -Be replaced
        }
        finally {
            Unregister-AmpBackgroundJobHandler test.*, test.mail.*, test.mail.welcome, test.mail.bye
        }
    }

    It 'fails the attempt for <Name>' -ForEach @(
        @{ Name = 'throw'; Handler = { param($Job) throw 'broken' }; Message = 'broken (line 1 of the script block)' }
        @{ Name = 'Write-Error'; Handler = { param($Job) Write-Error 'written' }; Message = 'written' }
        @{ Name = 'an error of a cmdlet'; Handler = {
                param($Job)
                Get-Item /nonexistent
            }; Message = "Cannot find path '/nonexistent' because it does not exist. (line 3 of the script block)" }
        @{ Name = 'an exception'; Handler = { param($Job) [int]::Parse('x') }; Message = "*'x'*(line 1 of the script block)" }
        @{ Name = 'exit'; Handler = { param($Job) exit 0 }; Message = '*exit*' }
    ) {
        $job = Invoke-Handler $Handler
        $job.Status | Should -Be DeadLettered
        $job.LastError | Should -BeLike $Message
        # The runspace is as good as before.
        (Invoke-Handler { 'well' }).Result | Should -Be well
    }

    It 'tries again, and gives up with a dead letter' {
        $job = Invoke-Handler { param($Job) throw "attempt $($Job.Attempt)" } -MaxAttempts 3 -Register { Register-AmpBackgroundJobHandler $type $ScriptBlock -Backoff 00:00:00.01 }
        $job.Status, $job.Attempt | Should -Be DeadLettered, 3
        $job.LastError | Should -BeLike 'attempt 3*'
        (Get-AmpDeadLetter $job.Type).Attempts | Should -Be 3
    }

    It 'lets a job just fail with -NoDeadLetter' {
        $job = Invoke-Handler { [Amp.AmpJobAnswer]::Fail('no use') } -Register { Register-AmpBackgroundJobHandler $type $ScriptBlock -NoDeadLetter }
        $job.Status | Should -Be Failed
        Get-AmpDeadLetter $job.Type | Should -BeNullOrEmpty
    }

    It 'heeds <Answer>' -ForEach @(
        @{ Answer = 'Retry'; Handler = { param($Job) if ($Job.Attempt -eq 1) { [Amp.AmpJobAnswer]::Retry('busy', '00:00:00.01') } else { 'done' } }; Status = 'Completed'; Attempt = 2; Message = 'busy' }
        @{ Answer = 'Retry without a time'; Handler = { param($Job) if ($Job.Attempt -eq 1) { [Amp.AmpJobAnswer]::Retry('busy') } else { 'done' } }; Status = 'Completed'; Attempt = 2; Message = 'busy' }
        @{ Answer = 'Fail'; Handler = { param($Job) [Amp.AmpJobAnswer]::Fail('no use') }; Status = 'DeadLettered'; Attempt = 1; Message = 'no use' }
        @{ Answer = 'Cancel'; Handler = { param($Job) [Amp.AmpJobAnswer]::Cancel('not wanted') }; Status = 'Cancelled'; Attempt = 1; Message = $null }
        @{ Answer = 'the last answer'; Handler = { param($Job) 'output before'; [Amp.AmpJobAnswer]::Fail('at last') }; Status = 'DeadLettered'; Attempt = 1; Message = 'at last' }
    ) {
        $job = Invoke-Handler $Handler -MaxAttempts 5 -Register { Register-AmpBackgroundJobHandler $type $ScriptBlock -Backoff 00:00:00.01 }
        $job.Status, $job.Attempt | Should -Be $Status, $Attempt
        $job.LastError | Should -Be $Message
    }

    It 'uses no attempt for Snooze' {
        $flag = Join-Path $deployment.Path snoozed
        $job = Invoke-Handler { param($Job) if (Test-Path $using:flag) { 'awake' } else { $null = New-Item $using:flag; [Amp.AmpJobAnswer]::Snooze('00:00:00.01') } }
        $job.Status, $job.Result, $job.Attempt | Should -Be Completed, awake, 1
    }

    It 'keeps to times that can be told, whatever the answer' {
        Register-AmpBackgroundJobHandler test.far { param($Job) if ($Job.Payload.snooze) { [Amp.AmpJobAnswer]::Snooze([timespan]::MaxValue) } else { [Amp.AmpJobAnswer]::Retry('far', [timespan]::MaxValue) } }
        $jobs = @{ snooze = $true }, @{ snooze = $false } | Submit-AmpBackgroundJob test.far -WarningAction Ignore
        Wait-Until { (Get-AmpBackgroundJob $jobs[0].JobId).RunAt.Year -gt 2030 -and (Get-AmpBackgroundJob $jobs[1].JobId).Status -eq 'Retrying' }
        @(Get-AmpBackgroundJob -Type test.far).Count | Should -Be 2
        $jobs | Stop-AmpBackgroundJob
        Unregister-AmpBackgroundJobHandler test.far
    }

    It 'stops a script block at -TimeLimit' {
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $job = Invoke-Handler { param($Job) Start-Sleep 60 } -Register { Register-AmpBackgroundJobHandler $type $ScriptBlock -TimeLimit 00:00:00.5 }
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 10
        $job.Status | Should -Be DeadLettered
        $job.LastError | Should -BeLike '*did not end within 00:00:00.5*'
        (Get-AmpDeadLetter $job.Type).Reason | Should -Be timeout
    }

    It 'registers nothing with -WhatIf' {
        Register-AmpBackgroundJobHandler test.whatif { 1 } -WhatIf
        Assert-CommandError { Unregister-AmpBackgroundJobHandler test.whatif } -Id AmpBackgroundJobHandlerNotFound -Category ObjectNotFound -Target test.whatif
    }

    It 'refuses <Name>' -ForEach @(
        @{ Name = 'a time limit of nothing'; Command = { Register-AmpBackgroundJobHandler test.bad { 1 } -TimeLimit 0 }; Id = 'AmpJobTimeLimitInvalid' }
        @{ Name = 'a time limit of months'; Command = { Register-AmpBackgroundJobHandler test.bad { 1 } -TimeLimit 60.00:00:00 }; Id = 'AmpJobTimeLimitInvalid' }
        @{ Name = 'a pause that is over before it began'; Command = { Register-AmpBackgroundJobHandler test.bad { 1 } -Backoff 00:00:01, -00:00:01 }; Id = 'AmpJobBackoffInvalid' }
    ) {
        Assert-CommandError $Command -Id $Id -Category InvalidArgument
        Get-CommandError { Unregister-AmpBackgroundJobHandler test.bad } | Should -Not -BeNullOrEmpty
    }
}

Describe 'Unregister-AmpBackgroundJobHandler' {
    It 'lets the jobs of its types wait' {
        Register-AmpBackgroundJobHandler test.gone { 1 }
        Unregister-AmpBackgroundJobHandler test.gone -WhatIf
        'test.gone' | Unregister-AmpBackgroundJobHandler
        $job = Submit-AmpBackgroundJob test.gone -WarningAction Ignore
        Assert-CommandError { $job | Wait-AmpBackgroundJob -Timeout 00:00:00.6 } -Id AmpBackgroundJobNotEnded -Category InvalidOperation
        $job | Stop-AmpBackgroundJob
    }

    It 'says which there is not, and removes the others' {
        Register-AmpBackgroundJobHandler test.there { 1 }
        Assert-CommandError { Unregister-AmpBackgroundJobHandler test.nowhere } -Id AmpBackgroundJobHandlerNotFound -Category ObjectNotFound -Target test.nowhere
        Unregister-AmpBackgroundJobHandler test.nowhere, test.there -ErrorAction SilentlyContinue
        Get-CommandError { Unregister-AmpBackgroundJobHandler test.there } | Should -Not -BeNullOrEmpty
        Register-AmpBackgroundJobHandler test.there { 1 }
        [pscustomobject]@{ Type = 'test.there' } | Unregister-AmpBackgroundJobHandler
        Get-CommandError { Unregister-AmpBackgroundJobHandler test.there } | Should -Not -BeNullOrEmpty
    }

    It 'offers what is registered' {
        Register-AmpBackgroundJobHandler "test.off*" { 1 }
        (Get-Completion 'Unregister-AmpBackgroundJobHandler ').CompletionText | Should -Be "'test.off*'"
        (Get-Completion 'Unregister-AmpBackgroundJobHandler test.o').ListItemText | Should -Be test.off*
        Unregister-AmpBackgroundJobHandler test.off*
    }
}

Describe 'Start-AmpBackgroundWorker, Get-AmpBackgroundWorker, Stop-AmpBackgroundWorker' {
    It 'starts a worker that is registered and alive' {
        $worker | Should -BeOfType Amp.AmpBackgroundWorker
        $worker.PoolSize, $worker.ProcessId, $worker.IsActive | Should -Be 4, $PID, $true
        $worker.Lag | Should -BeNullOrEmpty
        (Get-AmpBackgroundWorker $worker.WorkerId).StartedAt | Should -Be $worker.StartedAt
        ([pscustomobject]@{ WorkerId = $worker.WorkerId } | Get-AmpBackgroundWorker).WorkerId | Should -Be $worker.WorkerId
    }

    It 'gives the worker of a job, and nothing for a job that none has had' {
        (Invoke-Handler { 1 } | Get-AmpBackgroundWorker).WorkerId | Should -Be $worker.WorkerId
        $job = Submit-AmpBackgroundJob test.none -WarningAction Ignore
        $job | Get-AmpBackgroundWorker -ErrorAction Stop | Should -BeNullOrEmpty
        $job | Stop-AmpBackgroundJob
    }

    It 'says how it is configured' {
        $said = Start-AmpBackgroundWorker -PoolSize 3 -WarningAction Ignore -Verbose 4>&1
        $said[-1] | Stop-AmpBackgroundWorker
        "$said" | Should -BeLike '*Event-driven jobs: 3 concurrent workers*No Kafka brokers: jobs are taken from the database*'
    }

    It 'warns when no handler is registered' {
        $other = Start-AmpBackgroundWorker -ConfigPath $deployment.ConfigPath -WarningVariable warned -WarningAction SilentlyContinue
        "$($other.WorkerId)" | Stop-AmpBackgroundWorker
        "$warned" | Should -BeLike '*Register-AmpBackgroundJobHandler*'
        Assert-CommandError { Get-AmpBackgroundWorker $other.WorkerId } -Id AmpBackgroundWorkerNotFound -Category ObjectNotFound -Target $other.WorkerId
    }

    It 'takes the jobs of campaigns only when asked, and then needs no handler' {
        $other = Start-AmpBackgroundWorker -Campaigns -WarningVariable warned -WarningAction SilentlyContinue
        $warned | Should -BeNullOrEmpty
        $other.Types | Should -Not -BeNullOrEmpty
        $worker.Types | Where-Object { $_ -in $other.Types } | Should -BeNullOrEmpty
        $other | Stop-AmpBackgroundWorker
    }

    It 'runs as many jobs at once as its pool has' {
        $gate = Join-Path $deployment.Path gate
        Register-AmpBackgroundJobHandler test.wait { param($Job) while (-not (Test-Path $using:gate)) { Start-Sleep -Milliseconds 20 } }
        $jobs = 1..6 | ForEach-Object { @{ n = $_ } } | Submit-AmpBackgroundJob test.wait -WarningAction Ignore
        Wait-Until { @(Get-AmpBackgroundJob -Status Running).Count -ge 4 }
        @(Get-AmpBackgroundJob -Type test.wait -Status Queued).Count | Should -Be 2
        $null = New-Item $gate
        ($jobs | Wait-AmpBackgroundJob -Timeout 00:00:20).Status | Sort-Object -Unique | Should -Be Completed
        Unregister-AmpBackgroundJobHandler test.wait
    }

    It 'gives back what does not end in the drain time, and uses no attempt' {
        Register-AmpBackgroundJobHandler test.drain { param($Job) Start-Sleep 60 }
        Stop-AmpBackgroundWorker * -WhatIf
        (Get-AmpBackgroundWorker).WorkerId | Should -Be $worker.WorkerId
        $worker | Stop-AmpBackgroundWorker
        $other = Start-AmpBackgroundWorker -PoolSize 1 -DrainTimeout 0 -WarningAction Ignore
        $job = Submit-AmpBackgroundJob test.drain -WarningAction Ignore
        Wait-Until { (Get-AmpBackgroundJob $job.JobId).Status -eq 'Running' }
        (Get-AmpBackgroundJob $job.JobId).WorkerId | Should -Be $other.WorkerId
        $watch = [Diagnostics.Stopwatch]::StartNew()
        Stop-AmpBackgroundWorker "$($other.WorkerId)"
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 5
        $job = Get-AmpBackgroundJob $job.JobId
        $job.Status, $job.Attempt | Should -Be Queued, 0
        $job | Stop-AmpBackgroundJob
        Unregister-AmpBackgroundJobHandler test.drain
        $null = Start-AmpBackgroundWorker -PoolSize 4 -WarningAction Ignore
    }

    It 'says which worker does not run here; a wildcard may match nothing' {
        Assert-CommandError { Stop-AmpBackgroundWorker nobody } -Id AmpBackgroundWorkerNotInSession -Category ObjectNotFound -Target nobody
        Get-CommandError { Stop-AmpBackgroundWorker nobody* } | Should -BeNullOrEmpty
    }

    It 'starts nothing with -WhatIf or a drain time below zero' {
        Start-AmpBackgroundWorker -WhatIf | Should -BeNullOrEmpty
        Assert-CommandError { Start-AmpBackgroundWorker -DrainTimeout -00:00:01 } -Id AmpDrainTimeoutInvalid -Category InvalidArgument
        @(Get-AmpBackgroundWorker).Count | Should -Be 1
    }

    It 'counts what it does' {
        $null = Invoke-Handler { 1 }
        $null = Invoke-Handler { throw 'counted' } -Register { Register-AmpBackgroundJobHandler $type $ScriptBlock -NoDeadLetter }
        Wait-Until { $now = Get-AmpBackgroundWorker; $now.Completed -ge 1 -and $now.Failed -ge 1 }
        (Get-AmpBackgroundWorker).ErrorsByType.Count | Should -BeGreaterOrEqual 1
    }

    It 'is offered' {
        (Get-Completion 'Stop-AmpBackgroundWorker ').CompletionText | Should -Be "$(Get-AmpBackgroundWorker)"
        (Get-Completion 'Get-AmpBackgroundWorker ').CompletionText | Should -Be "$(Get-AmpBackgroundWorker)"
    }

    It 'looks like this' {
        Assert-View (Get-AmpBackgroundWorker) WorkerId, Host, Running, Completed, Failed, Rate, Lag, Heartbeat
        (Get-AmpBackgroundWorker | Format-List | Out-String) | Should -Match "Process ID\s+: .*$PID"
    }

    It 'ends with -Wait and Ctrl+C' {
        $stopped = Invoke-Stoppable 'Start-AmpBackgroundWorker -Wait -WarningAction Ignore'
        $stopped.State | Should -Be Stopped
        $stopped.Milliseconds | Should -BeLessThan 5000
        @(Get-AmpBackgroundWorker).Count | Should -Be 1
    }

    It 'ends, with its handlers, when the module is removed' {
        $shell = [powershell]::Create()
        try {
            $before = (Get-AmpBackgroundWorker).WorkerId
            $other = $shell.AddScript("Import-Module '$ModulePath'; Register-AmpBackgroundJobHandler test.removed { 1 }; Start-AmpBackgroundWorker; Remove-Module Amp").Invoke()
            $shell.Streams.Error | Should -BeNullOrEmpty
            (Get-AmpBackgroundWorker).WorkerId | Should -Be $before
            $other.WorkerId | Should -Not -Be $before
            Assert-CommandError { Unregister-AmpBackgroundJobHandler test.removed } -Id AmpBackgroundJobHandlerNotFound -Category ObjectNotFound
        }
        finally {
            $shell.Dispose()
        }
    }
}
