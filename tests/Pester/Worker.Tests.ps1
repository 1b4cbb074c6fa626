BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 5
}

AfterAll {
    Remove-TestDeployment $deployment
}

Describe 'Start-AmpWorker' {
    It 'gives a worker that is registered and alive' {
        $worker = Start-AmpWorker worker-02
        try {
            $worker | Should -BeOfType Amp.AmpWorker
            $worker.NodeId | Should -Be worker-02
            $worker.IsActive | Should -BeTrue
            $worker.Version | Should -Be (Get-Module Amp).Version.ToString()
            $worker.HeartbeatAge | Should -BeOfType timespan
        }
        finally {
            Stop-AmpWorker worker-02
        }
    }

    It 'takes its name from an object of the pipeline' {
        $null = Start-AmpWorker again
        Stop-AmpWorker again
        (Get-AmpWorker again | Start-AmpWorker).NodeId | Should -Be again
        'again' | Stop-AmpWorker
        Assert-CommandError { Stop-AmpWorker again } -Id AmpWorkerNotInSession -Category ObjectNotFound -Target again
    }

    It 'takes its name from AMP_NODE_ID' {
        $env:AMP_NODE_ID = 'from-environment'
        try { (Start-AmpWorker).NodeId | Should -Be from-environment } finally { Remove-Item env:AMP_NODE_ID; Stop-AmpWorker from-environment }
    }

    It 'refuses to start without a name' {
        $record = Get-CommandError { Start-AmpWorker }
        $record.FullyQualifiedErrorId | Should -Be 'AmpNodeIdRequired,Amp.PowerShell.Workers.StartAmpWorkerCommand'
    }

    It 'refuses the node id <_> and makes nothing' -ForEach '1-worker', 'worker@01', 'worker#01' {
        $path = Join-Path $deployment.Path invalid
        $name = $_
        Assert-CommandError { Start-AmpWorker -NodeId $name -Solo -AmpDir $path } -Id AmpInvalidNodeId -Category InvalidArgument -Target $name
        $path | Should -Not -Exist
        (Get-AmpConnection).ConfigPath | Should -Be $deployment.ConfigPath
    }

    It 'refuses a node id that runs in this process' {
        Assert-CommandError { Start-AmpWorker worker-01 } -Id AmpWorkerAlreadyRunning -Category ResourceExists -Target worker-01
        (Get-AmpWorker worker-01).IsActive | Should -BeTrue
    }

    It 'refuses a node id that runs in another process' {
        $registered = (Get-AmpWorker worker-01).RegisteredAt
        $answer = Invoke-ChildShell "
            Import-Module '$ModulePath'
            try { Start-AmpWorker worker-01 -ConfigPath '$($deployment.ConfigPath)' } catch { `$_.FullyQualifiedErrorId; `$_.CategoryInfo.Category; `$_.ErrorDetails.RecommendedAction.Length -gt 0 }
            [bool](Get-AmpConnection)"
        $answer | Should -Be @('AmpNodeIdInUse,Amp.PowerShell.Workers.StartAmpWorkerCommand', 'ResourceExists', 'True', 'False')
        (Get-AmpWorker worker-01).RegisteredAt | Should -Be $registered
    }

    It 'refuses to start without a configuration' {
        Push-Location ([IO.Path]::GetTempPath())
        $path = Join-Path $deployment.Path none.toml
        try { Assert-CommandError { Start-AmpWorker worker-02 -ConfigPath $path } -Id AmpConfigurationNotFound -Category ObjectNotFound -Target $path } finally { Pop-Location }
    }

    It 'refuses a database that does not answer' {
        $path = Join-Path $deployment.Path dead.toml
        $null = New-AmpConfiguration $path -Force -Setting @{ 'metadata_db.url' = 'postgresql://amp@127.0.0.1:1/amp' }
        Assert-CommandError { Start-AmpWorker worker-02 -ConfigPath $path } -Id AmpDatabaseUnavailable -Category ConnectionError
        (Get-AmpConnection).ConfigPath | Should -Be $deployment.ConfigPath
    }

    It 'refuses a data folder that cannot be written, and registers nothing' {
        Set-Content (Join-Path $deployment.Path file) 'not a folder'
        $path = Join-Path $deployment.Path unwritable.toml
        $port = (Get-AmpConnection).MetadataDb -replace '^.*:(\d+)/.*$', '$1'
        $password = (Get-Content (Join-Path $deployment.Path metadb/password) -Raw).Trim()
        $null = New-AmpConfiguration $path -Force -Setting @{ 'data_dir' = 'file/data'; 'metadata_db.url' = "postgresql://amp:$password@127.0.0.1:$port/amp" }
        Assert-CommandError { Start-AmpWorker worker-03 -ConfigPath $path } -Id AmpStorageNotWritable -Category PermissionDenied
        Get-AmpWorker worker-03* | Should -BeNullOrEmpty
        (Get-AmpConnection).ConfigPath | Should -Be $deployment.ConfigPath
    }

    It 'refuses a solo folder that cannot be made' {
        Set-Content (Join-Path $deployment.Path file) 'not a folder'
        $path = Join-Path $deployment.Path file/solo
        Assert-CommandError { Start-AmpWorker worker-04 -Solo -AmpDir $path } -Id AmpSoloFolderNotWritable -Category PermissionDenied -Target $path
    }

    It 'refuses solo mode where there is no PostgreSQL' {
        $before = $env:AMP_POSTGRES_BIN
        $env:AMP_POSTGRES_BIN = $deployment.Path
        try {
            Assert-CommandErrorId { Start-AmpWorker worker-04 -Solo -AmpDir (Join-Path $deployment.Path none) } AmpPostgresBinariesNotFound
        }
        finally {
            $env:AMP_POSTGRES_BIN = $before
        }
        (Get-AmpConnection).ConfigPath | Should -Be $deployment.ConfigPath
    }

    It 'makes nothing with -WhatIf' {
        $path = Join-Path $deployment.Path whatif
        Start-AmpWorker worker-04 -Solo -AmpDir $path -WhatIf | Should -BeNullOrEmpty
        $path | Should -Not -Exist
    }

    It 'warns at once that the address of the Admin API is taken, and does without' {
        $listener = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, 0)
        $listener.Start()
        try {
            $path = (New-Item (Join-Path $deployment.Path taken) -ItemType Directory).FullName
            $null = New-AmpConfiguration (Join-Path $path config.toml) -Setting @{ admin_api_addr = "$($listener.LocalEndpoint)" }
            (Start-AmpWorker taken -Solo -AmpDir $path -WarningVariable warned -WarningAction SilentlyContinue).IsActive | Should -BeTrue
            $warned | Should -HaveCount 1
            "$warned" | Should -BeLike "*'taken'*$($listener.LocalEndpoint)*Stop what listens there*admin_api_addr*"
            Get-CommandError { Stop-AmpWorker taken } | Should -BeNullOrEmpty
        }
        finally {
            $listener.Stop()
            $null = Connect-Amp $deployment.ConfigPath
        }
    }

    It 'serves a second worker of the same solo folder after the first has stopped' {
        $path = Join-Path $deployment.Path shared
        $null = Start-AmpWorker first -Solo -AmpDir $path
        $null = Start-AmpWorker second -Solo -AmpDir $path
        Stop-AmpWorker first
        (Get-AmpWorker second).IsActive | Should -BeTrue
        $null = Connect-Amp $deployment.ConfigPath
        Get-ServerProcess $path | Should -Not -BeNullOrEmpty
        Stop-AmpWorker second
        Wait-Until { -not (Get-ServerProcess $path) }
    }

    It 'ends -Wait within a second of Ctrl+C, and frees the node id' {
        $stopped = Invoke-Stoppable "Start-AmpWorker waiting -ConfigPath '$($deployment.ConfigPath)' -Wait"
        $stopped.State | Should -Be Stopped
        $stopped.Milliseconds | Should -BeLessThan 1000
        $stopped.Output[0].NodeId | Should -Be waiting
        (Start-AmpWorker waiting).NodeId | Should -Be waiting
        Stop-AmpWorker waiting
    }

    It 'ends a start within a second of Ctrl+C, and leaves no server behind' {
        $path = Join-Path $deployment.Path interrupted
        $stopped = Invoke-Stoppable "Start-AmpWorker interrupted -Solo -AmpDir '$path'" -When { Test-Path (Join-Path $path metadb) }
        $stopped.State | Should -Be Stopped
        $stopped.Milliseconds | Should -BeLessThan 1000
        Wait-Until { -not (Get-ServerProcess $path) }
        (Get-AmpConnection).ConfigPath | Should -Be $deployment.ConfigPath
    }

    It 'as a service ends in an orderly way at <Signal>' -ForEach @(@{ Signal = 'TERM' }, @{ Signal = 'INT' }) -Skip:$IsWindows {
        $path = Join-Path $deployment.Path "service-$Signal"
        $output = Join-Path $deployment.Path "service-$Signal.txt"
        $service = Start-ChildShell "Start-AmpWorker service -Solo -AmpDir '$path' -Wait | ForEach-Object NodeId" $output
        Wait-Until { (Test-Path $output) -and (Get-Content $output) -contains 'service' } -TimeoutSeconds 60
        & /bin/kill "-$Signal" $service.Id
        $service.WaitForExit(30000) | Should -BeTrue
        if ($Signal -eq 'TERM') { $service.ExitCode | Should -Be 0 }
        Wait-Until { -not (Get-ServerProcess $path) }
    }
}

Describe 'Get-AmpWorker' {
    It 'binds <Name>' -ForEach @(
        @{ Name = 'a literal name'; Command = { Get-AmpWorker worker-01 } }
        @{ Name = 'a wildcard in any case'; Command = { Get-AmpWorker WORKER-0[1] } }
        @{ Name = 'names from the pipeline'; Command = { 'worker-01' | Get-AmpWorker } }
        @{ Name = 'objects from the pipeline'; Command = { [pscustomobject]@{ NodeId = 'worker-01' } | Get-AmpWorker } }
        @{ Name = 'workers from the pipeline'; Command = { Get-AmpWorker worker-01 | Get-AmpWorker } }
    ) {
        (& $Command).NodeId | Should -Be worker-01
    }

    It 'says which literal name is not there, and goes on' {
        Assert-CommandError { Get-AmpWorker nobody } -Id AmpWorkerNotFound -Category ObjectNotFound -Target nobody
        (Get-AmpWorker nobody, worker-01 -ErrorAction SilentlyContinue).NodeId | Should -Be worker-01
    }

    It 'is silent about a wildcard that matches nothing' {
        Get-CommandError { Get-AmpWorker nobody* } | Should -BeNullOrEmpty
    }

    It 'finds the silent ones' {
        $null = Start-AmpWorker silent
        Stop-AmpWorker silent
        Wait-Until { (Get-AmpWorker silent).HeartbeatAge -gt [timespan]::FromSeconds(1) }
        (Get-AmpWorker -Stale 00:00:01).NodeId | Should -Contain silent
        (Get-AmpWorker | Where-Object HeartbeatAge -gt 00:00:01).NodeId | Should -Contain silent
        (Get-AmpWorker -Stale 01:00:00) | Should -BeNullOrEmpty
    }

    It 'groups by version' {
        (Get-AmpWorker | Group-Object Version).Name | Should -Be (Get-Module Amp).Version.ToString()
    }

    It 'looks like this' {
        Assert-View (Get-AmpWorker) NodeId, Active, Heartbeat, Jobs, Version, Registered
        (Get-AmpWorker worker-01 | Format-List | Out-String) | Should -Match '(?m)Node ID\s+: .*worker-01'
    }
}

Describe 'Stop-AmpWorker' {
    It 'stops workers from the pipeline, by name and by wildcard' {
        $null = 'stop-1', 'stop-2', 'stop-3' | ForEach-Object { Start-AmpWorker $_ }
        Get-AmpWorker stop-1 | Stop-AmpWorker
        Get-CommandError { Stop-AmpWorker stop-1 } | Should -Not -BeNullOrEmpty
        Stop-AmpWorker stop-*
        Assert-CommandError { Stop-AmpWorker stop-3 } -Id AmpWorkerNotInSession -Category ObjectNotFound -Target stop-3
    }

    It 'is silent about a wildcard that matches nothing' {
        Get-CommandError { Stop-AmpWorker nobody* } | Should -BeNullOrEmpty
    }

    It 'stops nothing with -WhatIf' {
        Stop-AmpWorker worker-01 -WhatIf
        Assert-CommandError { Start-AmpWorker worker-01 } -Id AmpWorkerAlreadyRunning -Category ResourceExists
    }
}
