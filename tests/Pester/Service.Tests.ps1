BeforeDiscovery {
    $canVerify = $IsLinux -and (Get-Command systemd-analyze -CommandType Application -ErrorAction Ignore)
}

BeforeAll {
    . $PSScriptRoot/common.ps1
    $folder = (New-Item (Join-Path ([IO.Path]::GetTempPath()) "amp service's $([guid]::NewGuid().ToString('n'))") -ItemType Directory).FullName
    $config = Join-Path $folder amp.toml
    $null = New-AmpConfiguration $config
    $before = $env:XDG_CONFIG_HOME
    $env:XDG_CONFIG_HOME = $folder
}

AfterAll {
    $env:XDG_CONFIG_HOME = $before
    Remove-Item $folder -Recurse -Force
}

Describe 'Register-AmpWorkerService' -Skip:(-not $IsLinux) {
    It 'writes nothing with -WhatIf' {
        Register-AmpWorkerService worker-01 $config -Scope User -WhatIf | Should -BeNullOrEmpty
        Join-Path $folder systemd | Should -Not -Exist
    }

    It 'writes a unit that runs the worker and stops it with SIGTERM' {
        $service = Register-AmpWorkerService worker-01 $config -Scope User
        $service | Should -BeOfType Amp.AmpWorkerService
        $service.Name | Should -Be amp-worker-worker-01.service
        $service.Path | Should -Exist
        $unit = Get-Content $service.Path -Raw
        $unit | Should -Match '(?m)^KillSignal=SIGTERM$'
        $unit | Should -Match '(?m)^WantedBy=default.target$'
        $unit | Should -Match "Start-AmpWorker -NodeId 'worker-01'"
        ([regex] "Import-Module '([^']+)'").Match($unit).Groups[1].Value | Should -Exist
    }

    It 'writes a unit that systemd accepts' -Skip:(-not $canVerify) {
        $service = Register-AmpWorkerService worker-01 $config -Scope User -Force
        systemd-analyze verify $service.Path 2>&1 | Where-Object { "$_" -like "*$($service.Name)*" } | Should -BeNullOrEmpty

        # What it does not accept, it names.
        Add-Content $service.Path 'Nonsense=1'
        systemd-analyze verify $service.Path 2>&1 | Where-Object { "$_" -like "*$($service.Name)*" } | Should -Not -BeNullOrEmpty
    }

    It 'runs in a shell as it stands in the unit' {
        $service = Register-AmpWorkerService worker-01 $config -Scope User -Force
        $command = ([regex] '-Command "(.*)"').Match((Get-Content $service.Path -Raw)).Groups[1].Value -replace '\\\\', '\' -replace '%%', '%' -replace '\$\$', '$'
        $output = Invoke-ChildShell ($command -replace 'Start-AmpWorker', 'Start-AmpWorker -WhatIf')
        "$output" | Should -BeLike '*Start worker*worker-01*'
    }

    It 'takes the worker and its file from an object of the pipeline' {
        $service = [pscustomobject]@{ NodeId = 'worker-04'; ConfigPath = $config } | Register-AmpWorkerService -Scope User
        'worker-04' | Unregister-AmpWorkerService -Scope User
        $service.Path | Should -Not -Exist
    }

    It 'says so when there is no service manager to start it' {
        $path = $env:PATH
        $env:PATH = $folder
        try {
            Assert-CommandError { Register-AmpWorkerService worker-05 $config -Scope User -Start } -Id AmpServiceManagerFailed -Category ConnectionError -Target amp-worker-worker-05.service
        }
        finally {
            $env:PATH = $path
        }
    }

    It 'says where it cannot write' {
        $env:XDG_CONFIG_HOME = $config
        try {
            Assert-CommandError { Register-AmpWorkerService worker-06 $config -Scope User } -Id AmpServiceNotWritable -Category PermissionDenied
        }
        finally {
            $env:XDG_CONFIG_HOME = $folder
        }
    }

    It 'refuses <Name>' -ForEach @(
        @{ Name = 'a service that there is'; Command = { Register-AmpWorkerService worker-01 $config -Scope User }; Id = 'AmpServiceExists'; Category = 'ResourceExists' }
        @{ Name = 'a bad name'; Command = { Register-AmpWorkerService '1 worker' $config -Scope User }; Id = 'AmpInvalidNodeId'; Category = 'InvalidArgument' }
        @{ Name = 'a configuration that is not there'; Command = { Register-AmpWorkerService worker-02 nowhere.toml -Scope User }; Id = 'AmpConfigurationNotFound'; Category = 'ObjectNotFound' }
    ) {
        Assert-CommandError $Command -Id $Id -Category $Category
    }
}

Describe 'Register-AmpWorkerService where there are no services of users' -Skip:$IsLinux {
    It 'says so' {
        Assert-CommandError { Register-AmpWorkerService worker-01 $config -Scope User } -Id AmpServicesNotSupported -Category InvalidOperation -Target worker-01
    }
}

Describe 'Unregister-AmpWorkerService' -Skip:(-not $IsLinux) {
    It 'removes a service from the pipeline' {
        $service = Register-AmpWorkerService worker-03 $config -Scope User
        $service | Unregister-AmpWorkerService -WhatIf
        $service.Path | Should -Exist
        $service | Unregister-AmpWorkerService
        $service.Path | Should -Not -Exist
    }

    It 'says which one is not there' {
        Assert-CommandError { Unregister-AmpWorkerService nobody -Scope User } -Id AmpServiceNotFound -Category ObjectNotFound -Target nobody
        Get-CommandError { Unregister-AmpWorkerService nobody* -Scope User } | Should -BeNullOrEmpty
    }
}
