BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestJobDeployment
    Register-AmpBackgroundJobHandler quota.job { 1 }
    $null = Start-AmpBackgroundWorker
    $tenant = [guid]'10000000-0000-4000-8000-000000000004'
    $unknown = [guid]'01900000-0000-7000-8000-000000000001'
    $null = Set-AmpQuota $tenant
}

AfterAll {
    Unregister-AmpBackgroundJobHandler quota.job
    Remove-TestDeployment $deployment
}

Describe 'Set-AmpQuota' {
    It 'makes a tenant with the limits of its tier' {
        $quota = Set-AmpQuota ([guid]::NewGuid()) -Tier free
        $quota | Should -BeOfType Amp.AmpQuota
        $quota.Tier, $quota.Status, $quota.DailyLimit, $quota.QueuedLimit, $quota.RunningLimit, $quota.PayloadLimit |
            Should -Be free, active, 1000, 500, 5, 65536
        (Set-AmpQuota ([guid]::NewGuid()) -Tier mine).DailyLimit | Should -Be (Set-AmpQuota ([guid]::NewGuid())).DailyLimit
    }

    It 'leaves what is not given' {
        $mine = [guid]::NewGuid()
        $null = Set-AmpQuota $mine -Tier pro -RunningLimit 3
        $quota = $mine | Set-AmpQuota -DailyLimit 7 -QueuedLimit 6 -PayloadLimit 1000
        $quota.Tier, $quota.DailyLimit, $quota.QueuedLimit, $quota.RunningLimit, $quota.PayloadLimit | Should -Be pro, 7, 6, 3, 1000
        (Get-AmpQuota $mine | Set-AmpQuota -RunningLimit 4).DailyLimit | Should -Be 7
        (Set-AmpQuota $mine -Tier free).RunningLimit | Should -Be 5
    }

    It 'sets nothing with -WhatIf, and makes nothing' {
        Set-AmpQuota $unknown -Tier free -WhatIf | Should -BeNullOrEmpty
        Get-CommandError { Get-AmpQuota $unknown } | Should -Not -BeNullOrEmpty
        { Set-AmpQuota $unknown -DailyLimit -1 } | Should -Throw -ErrorId 'ParameterArgumentValidationError*'
    }

    It 'refuses what exceeds <Name>' -ForEach @(
        @{ Name = 'the daily limit'; Limit = { Set-AmpQuota $mine -DailyLimit 2 }; Command = { 1..3 | ForEach-Object { @{ n = $_ } } | Submit-AmpBackgroundJob quota.job -TenantId $mine -Delay 01:00:00 } }
        @{ Name = 'the limit of those that wait'; Limit = { Set-AmpQuota $mine -QueuedLimit 2 }; Command = { 1..3 | ForEach-Object { @{ n = $_ } } | Submit-AmpBackgroundJob quota.job -TenantId $mine -Delay 01:00:00 } }
        @{ Name = 'the limit of payloads'; Limit = { Set-AmpQuota $mine -PayloadLimit 20 }; Command = { Submit-AmpBackgroundJob quota.job @{ text = 'x' * 30 } -TenantId $mine } }
    ) {
        $mine = [guid]::NewGuid()
        $null = & $Limit
        Assert-CommandError $Command -Id AmpQuotaExceeded -Category LimitsExceeded -Target $mine
        Get-AmpBackgroundJob -TenantId $mine | Should -BeNullOrEmpty
        (Get-AmpQuota $mine).UsedToday | Should -Be 0
        (Submit-AmpBackgroundJob quota.job -TenantId $mine | Wait-AmpBackgroundJob -Timeout 00:00:20).Status | Should -Be Completed
    }
}

Describe 'Get-AmpQuota' {
    It 'counts what is used' {
        $mine = [guid]::NewGuid()
        $null = Set-AmpQuota $mine -DailyLimit 8
        $null = 1..2 | ForEach-Object { @{ n = $_ } } | Submit-AmpBackgroundJob quota.job -TenantId $mine -Delay 01:00:00
        $quota = Get-AmpQuota $mine
        $quota.UsedToday, $quota.Queued, $quota.Running, $quota.UsedPercent | Should -Be 2, 2, 0, 25
        $quota.ResetsAt.UtcDateTime | Should -Be ([DateTime]::UtcNow.Date.AddDays(1))
    }

    It 'binds tenants from the pipeline' {
        ($tenant | Get-AmpQuota).TenantId | Should -Be $tenant
        ("$tenant" | Get-AmpQuota).TenantId | Should -Be $tenant
        (Submit-AmpBackgroundJob quota.job -TenantId $tenant | Get-AmpQuota).TenantId | Should -Be $tenant
        (Get-AmpQuota).TenantId | Should -Contain $tenant
    }

    It 'says which tenant is not there, and goes on' {
        Assert-CommandError { Get-AmpQuota $unknown } -Id AmpTenantNotFound -Category ObjectNotFound -Target $unknown
        (Get-AmpQuota $unknown, $tenant -ErrorAction SilentlyContinue).TenantId | Should -Be $tenant
    }

    It 'looks like this' {
        $null = Set-AmpQuota ([guid]::NewGuid()) -Tier enterprise
        Assert-View (Get-AmpQuota) TenantId, Tier, Status, Today, Queued, Running
        (Get-AmpQuota | Out-String -Width 100) | Should -Match 'enterprise\s+active\s+0/20M\s+0/2M\s+0/5k'
        (Get-AmpQuota $tenant | Format-List | Out-String) | Should -Match 'Largest Payload\s+: .*256.0 KiB'
    }
}

Describe 'Reset-AmpQuota' {
    It 'lets a tenant submit again' {
        $mine = [guid]::NewGuid()
        $null = Set-AmpQuota $mine -DailyLimit 1
        $null = Submit-AmpBackgroundJob quota.job -TenantId $mine
        Assert-CommandError { Submit-AmpBackgroundJob quota.job -TenantId $mine } -Id AmpQuotaExceeded -Category LimitsExceeded -Target $mine
        Reset-AmpQuota $mine -WhatIf | Should -BeNullOrEmpty
        (Get-AmpQuota $mine).UsedToday | Should -Be 1
        (Get-AmpQuota $mine | Reset-AmpQuota).UsedToday | Should -Be 0
        ($mine | Reset-AmpQuota).UsedToday | Should -Be 0
        (Submit-AmpBackgroundJob quota.job -TenantId $mine).TenantId | Should -Be $mine
    }

    It 'says which tenant is not there' {
        Assert-CommandError { Reset-AmpQuota $unknown } -Id AmpTenantNotFound -Category ObjectNotFound -Target $unknown
    }
}

Describe 'Suspend-AmpTenant, Resume-AmpTenant' {
    It 'holds what waits, and refuses what comes' {
        $mine = [guid]::NewGuid()
        $job = Submit-AmpBackgroundJob quota.job -TenantId $mine -Delay 00:00:00.5
        Suspend-AmpTenant $mine -WhatIf | Should -BeNullOrEmpty
        (Get-AmpQuota $mine).Status | Should -Be active
        (Get-AmpQuota $mine | Suspend-AmpTenant).Status | Should -Be suspended
        Assert-CommandError { Submit-AmpBackgroundJob quota.job -TenantId $mine } -Id AmpTenantSuspended -Category InvalidOperation -Target $mine
        Assert-CommandError { $job | Wait-AmpBackgroundJob -Timeout 00:00:01 } -Id AmpBackgroundJobNotEnded -Category InvalidOperation
        Resume-AmpTenant $mine -WhatIf | Should -BeNullOrEmpty
        (Get-AmpQuota $mine).Status | Should -Be suspended
        ($mine | Resume-AmpTenant).Status | Should -Be active
        ($mine | Suspend-AmpTenant).Status | Should -Be suspended
        (Get-AmpQuota $mine | Resume-AmpTenant).Status | Should -Be active
        ($job | Wait-AmpBackgroundJob -Timeout 00:00:20).Status | Should -Be Completed
    }

    It 'says which tenant is not there, and goes on' {
        foreach ($command in { Suspend-AmpTenant $unknown }, { Resume-AmpTenant $unknown }) {
            Assert-CommandError $command -Id AmpTenantNotFound -Category ObjectNotFound -Target $unknown
        }
        (Resume-AmpTenant $unknown, $tenant -ErrorAction SilentlyContinue).TenantId | Should -Be $tenant
    }
}

Describe 'Tab completion of quotas' {
    It 'offers tenants and tiers' {
        foreach ($line in 'Get-AmpQuota ', 'Set-AmpQuota ', 'Reset-AmpQuota ', 'Suspend-AmpTenant ', 'Resume-AmpTenant ') {
            (Get-Completion $line).ListItemText | Should -Contain "$tenant"
        }
        (Get-Completion 'Get-AmpQuota 1000').ListItemText | Should -Contain "$tenant"
        (Get-Completion "Set-AmpQuota $tenant -Tier ").ListItemText | Should -Be free, standard, pro, enterprise
    }

    It 'takes special characters as they are: <_>' -ForEach '[', '*', "'", '$x', '`' {
        { Get-Completion "Get-AmpQuota $_" } | Should -Not -Throw
        (Get-Completion "Get-AmpQuota '[").ListItemText | Should -Not -Contain "$tenant"
    }
}
