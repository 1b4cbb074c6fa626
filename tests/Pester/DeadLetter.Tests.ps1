BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestJobDeployment
    $mended = Join-Path $deployment.Path mended
    Register-AmpBackgroundJobHandler dead.one, dead.two { param($Job) if (Test-Path $using:mended) { 'mended' } else { throw "bad`nsecond line" } }
    $null = Start-AmpBackgroundWorker
    $tenant = [guid]'10000000-0000-4000-8000-000000000004'
    $unknown = [guid]'01900000-0000-7000-8000-000000000001'

    # Dead letters of a type, one attempt each.
    function New-DeadLetter {
        param([string] $Type = 'dead.one', [int] $Count = 1, [guid] $TenantId = [guid]::Empty)

        1..$Count | ForEach-Object { @{ n = $_ } } | Submit-AmpBackgroundJob $Type -MaxAttempts 1 -TenantId $TenantId | Wait-AmpBackgroundJob -Timeout 00:00:20
    }
}

AfterAll {
    Unregister-AmpBackgroundJobHandler dead.one, dead.two
    Remove-TestDeployment $deployment
}

Describe 'Get-AmpDeadLetter' {
    AfterEach {
        Remove-Item $mended -ErrorAction Ignore
        Clear-AmpDeadLetter -All -Confirm:$false
    }

    It 'gives what is not tried any more, the oldest first, with its error' {
        $jobs = New-DeadLetter -Count 3
        $letters = Get-AmpDeadLetter
        $letters[0] | Should -BeOfType Amp.AmpDeadLetter
        $letters.DeadAt | Should -Be ($letters.DeadAt | Sort-Object)
        $letters.JobId | Sort-Object | Should -Be ($jobs.JobId | Sort-Object)
        $letters[0].Reason, $letters[0].Attempts, $letters[0].Replays, $letters[0].Type | Should -Be error, 1, 0, dead.one
        $letters[0].Error | Should -BeLike 'bad*second line*'
        ($letters.Payload.n | Sort-Object) | Should -Be 1, 2, 3
        ($letters[0] | Get-AmpBackgroundJob).Status | Should -Be DeadLettered
    }

    It 'filters by type and tenant' {
        $null = New-DeadLetter dead.one
        $null = New-DeadLetter dead.two -TenantId $tenant
        (Get-AmpDeadLetter dead.o*).Type | Should -Be dead.one
        (Get-AmpDeadLetter -TenantId $tenant).Type | Should -Be dead.two
        (Get-AmpQuota $tenant | Get-AmpDeadLetter).Type | Should -Be dead.two
        Get-AmpDeadLetter dead.one -TenantId $tenant | Should -BeNullOrEmpty
        Get-CommandError { Get-AmpDeadLetter nothing.* } | Should -BeNullOrEmpty
    }

    It 'looks like this' {
        $null = New-DeadLetter -Count 2
        Assert-View (Get-AmpDeadLetter) JobId, Type, Attempts, Dead, Error
        @((Get-AmpDeadLetter | Out-String -Width 100) -split '\r?\n' | Where-Object { $_ -match 'bad…' }).Count | Should -Be 2
        (Get-AmpDeadLetter | Select-Object -First 1 | Format-List | Out-String) | Should -Match 'Payload\s+: .*{"n":\d}'
    }
}

Describe 'Restart-AmpDeadLetter' {
    AfterEach {
        Remove-Item $mended -ErrorAction Ignore
        Clear-AmpDeadLetter -All -Confirm:$false
    }

    It 'queues those <Name> again' -ForEach @(
        @{ Name = 'of job ids'; Command = { Restart-AmpDeadLetter $ids }; Count = 2 }
        @{ Name = 'from the pipeline'; Command = { Get-AmpDeadLetter dead.one | Restart-AmpDeadLetter }; Count = 2 }
        @{ Name = 'from the pipeline by value'; Command = { $ids | Restart-AmpDeadLetter }; Count = 2 }
        @{ Name = 'of a type'; Command = { Restart-AmpDeadLetter -Type dead.o* }; Count = 2 }
        @{ Name = 'of a tenant'; Command = { Restart-AmpDeadLetter -TenantId $tenant }; Count = 1 }
        @{ Name = 'all'; Command = { Restart-AmpDeadLetter -All }; Count = 3 }
    ) {
        $ids = (New-DeadLetter dead.one -Count 2).JobId
        $null = New-DeadLetter dead.two -TenantId $tenant
        $null = New-Item $mended
        $jobs = & $Command
        $jobs | Should -HaveCount $Count
        $jobs[0] | Should -BeOfType Amp.AmpBackgroundJob
        $jobs[0].Replays, $jobs[0].Attempt | Should -Be 1, 0
        ($jobs | Wait-AmpBackgroundJob -Timeout 00:00:20).Result | Sort-Object -Unique | Should -Be mended
        @(Get-AmpDeadLetter).Count | Should -Be (3 - $Count)
    }

    It 'restarts nothing with -WhatIf' {
        $null = New-DeadLetter
        Restart-AmpDeadLetter -All -WhatIf | Should -BeNullOrEmpty
        Get-AmpDeadLetter | Restart-AmpDeadLetter -WhatIf | Should -BeNullOrEmpty
        @(Get-AmpDeadLetter).Count | Should -Be 1
    }

    It 'must be told which' {
        Assert-CommandErrorId { Restart-AmpDeadLetter } AmpDeadLetterFilterRequired
        Assert-CommandErrorId { @() | Restart-AmpDeadLetter } $null
    }

    It 'says which is none, and restarts the others' {
        $dead = New-DeadLetter
        $null = New-Item $mended
        $done = Submit-AmpBackgroundJob dead.one | Wait-AmpBackgroundJob -Timeout 00:00:20
        Assert-CommandError { Restart-AmpDeadLetter $unknown } -Id AmpDeadLetterNotFound -Category ObjectNotFound -Target $unknown
        Assert-CommandError { Restart-AmpDeadLetter $done.JobId } -Id AmpDeadLetterNotFound -Category ObjectNotFound -Target $done.JobId
        (Restart-AmpDeadLetter $unknown, $dead.JobId -ErrorAction SilentlyContinue | Wait-AmpBackgroundJob -Timeout 00:00:20).JobId | Should -Be $dead.JobId
    }

    It 'does nothing to those of a suspended tenant' {
        $dead = New-DeadLetter -TenantId $tenant
        $null = Suspend-AmpTenant $tenant
        try {
            Assert-CommandError { $dead | Restart-AmpDeadLetter } -Id AmpTenantSuspended -Category InvalidOperation -Target $tenant
            (Get-AmpDeadLetter).JobId | Should -Be $dead.JobId
        }
        finally {
            $null = Resume-AmpTenant $tenant
        }
    }
}

Describe 'Clear-AmpDeadLetter' {
    AfterEach {
        Remove-Item $mended -ErrorAction Ignore
        Clear-AmpDeadLetter -All -Confirm:$false
    }

    It 'deletes those <Name>, and their jobs' -ForEach @(
        @{ Name = 'of job ids'; Command = { Clear-AmpDeadLetter $ids -Confirm:$false }; Count = 2 }
        @{ Name = 'from the pipeline'; Command = { Get-AmpDeadLetter dead.one | Clear-AmpDeadLetter -Confirm:$false }; Count = 2 }
        @{ Name = 'from the pipeline by value'; Command = { $ids | Clear-AmpDeadLetter -Confirm:$false }; Count = 2 }
        @{ Name = 'of a type'; Command = { Clear-AmpDeadLetter -Type dead.o* -Confirm:$false }; Count = 2 }
        @{ Name = 'of a tenant'; Command = { Clear-AmpDeadLetter -TenantId $tenant -Confirm:$false }; Count = 1 }
        @{ Name = 'all'; Command = { Clear-AmpDeadLetter -All -Confirm:$false }; Count = 3 }
    ) {
        $ids = (New-DeadLetter dead.one -Count 2).JobId
        $null = New-DeadLetter dead.two -TenantId $tenant
        & $Command | Should -BeNullOrEmpty
        @(Get-AmpDeadLetter).Count | Should -Be (3 - $Count)
        @(Get-AmpBackgroundJob -Status DeadLettered).Count | Should -Be (3 - $Count)
    }

    It 'asks first, deletes nothing with -WhatIf, and must be told which' {
        $null = New-DeadLetter
        [System.Management.Automation.CmdletAttribute]$attribute = (Get-Command Clear-AmpDeadLetter).ImplementingType.GetCustomAttributes($true) |
            Where-Object { $_ -is [System.Management.Automation.CmdletAttribute] }
        $attribute.ConfirmImpact | Should -Be High
        Clear-AmpDeadLetter -All -WhatIf
        Get-AmpDeadLetter | Clear-AmpDeadLetter -WhatIf
        Assert-CommandErrorId { Clear-AmpDeadLetter -Confirm:$false } AmpDeadLetterFilterRequired
        @(Get-AmpDeadLetter).Count | Should -Be 1
    }

    It 'says which is none' {
        Assert-CommandError { Clear-AmpDeadLetter $unknown -Confirm:$false } -Id AmpDeadLetterNotFound -Category ObjectNotFound -Target $unknown
    }
}

Describe 'Tab completion of dead letters' {
    AfterEach {
        Remove-Item $mended -ErrorAction Ignore
        Clear-AmpDeadLetter -All -Confirm:$false
    }

    It 'offers them with their errors' {
        $dead = New-DeadLetter
        foreach ($line in 'Restart-AmpDeadLetter ', 'Clear-AmpDeadLetter ') {
            $offered = @(Get-Completion $line)
            $offered.ListItemText | Should -Be "$dead"
            $offered.ToolTip | Should -BeLike 'dead.one: bad*'
        }
    }

    It 'offers types and tenants' {
        $null = New-DeadLetter dead.two -TenantId $tenant
        foreach ($line in 'Get-AmpDeadLetter -Type ', 'Restart-AmpDeadLetter -Type ', 'Clear-AmpDeadLetter -Type ') {
            (Get-Completion $line).ListItemText | Should -Contain dead.two
        }
        foreach ($line in 'Get-AmpDeadLetter -TenantId ', 'Restart-AmpDeadLetter -TenantId ', 'Clear-AmpDeadLetter -TenantId ') {
            (Get-Completion $line).ListItemText | Should -Contain "$tenant"
        }
    }
}
