BeforeDiscovery {
    $missing = @('bash', 'curl', 'jq' | Where-Object { -not (Get-Command $_ -CommandType Application -ErrorAction Ignore) })
}

BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 10
    $samples = Join-Path $PSScriptRoot ../../samples
    # Its job fails at once: the provider serves another chain.
    $null = Register-AmpProvider wrong mainnet $deployment.Chain.Url
    $null = New-AmpDatasetManifest mainnet | Register-AmpDataset demo/wrong

    # Runs a script with a web hook beside it that takes so many messages and then refuses; gives those that it took.
    function Invoke-WithWebHook([int] $Messages, [scriptblock] $Script) {
        $listener = [Net.HttpListener]::new()
        $url = "http://127.0.0.1:$(Get-FreePort)/"
        $listener.Prefixes.Add($url)
        $listener.Start()
        $taken = [Collections.Concurrent.ConcurrentQueue[string]]::new()
        $server = [powershell]::Create().AddScript({
            param($Listener, $Taken, $Messages)
            do {
                $context = $Listener.GetContext()
                $body = [IO.StreamReader]::new($context.Request.InputStream).ReadToEnd()
                if ($body -eq 'end') { }
                elseif ($Taken.Count -lt $Messages) { $Taken.Enqueue($body) }
                else { $context.Response.StatusCode = 503 }
                $context.Response.Close()
            } until ($body -eq 'end')
        }).AddParameters(@($listener, $taken, $Messages))
        try {
            $serving = $server.BeginInvoke()
            $null = & $Script $url
            $null = Invoke-RestMethod $url -Method Post -Body end
            $null = $server.EndInvoke($serving)
            ($taken | ConvertFrom-Json).text
        }
        finally {
            $listener.Close()
            $server.Dispose()
        }
    }
}

AfterAll {
    Remove-TestDeployment $deployment
}

Describe 'samples/FleetHealth.ps1' {
    It 'shows the fleet' {
        $output = & $samples/FleetHealth.ps1 worker-01
        $output | Should -Contain 1
        ($output -match '^worker-01: \d{4}-').Count | Should -Be 1
        ($output | Where-Object { $_ -is [string] -and $_ -like '[[{]*' } | ConvertFrom-Json).NodeId | Should -Be worker-01
    }

    It 'fails for a worker that is not there' {
        { & $samples/FleetHealth.ps1 nobody } | Should -Throw -ErrorId 'AmpWorkerNotFound,*'
    }
}

Describe 'samples/NightlyExtraction.ps1' {
    It 'extracts a dataset up to the head and tests its files' {
        $report = & $samples/NightlyExtraction.ps1 demo/devnet -ConfigPath $deployment.ConfigPath
        $LASTEXITCODE | Should -Be 0
        $report.Status | Should -Be Completed
        $report.Block | Should -Be $deployment.LastBlock
        $report.Duration | Should -BeGreaterThan ([timespan]::Zero)
        $report.Problems | Should -BeNullOrEmpty
        (Get-AmpTable demo/devnet).CurrentBlock | Should -Be @(9, 9, 9)
    }

    It 'extracts the others when one fails or is not there, and ends with 1' {
        $report = & $samples/NightlyExtraction.ps1 demo/wrong, demo/nothing, demo/devnet 2>$null
        $LASTEXITCODE | Should -Be 1
        $report.Status | Should -Be Fatal, NotStarted, Completed
        # The third had a job before; what counts is this run.
        $events = Get-AmpJobEvent $report[2].JobId
        $report[2].Duration | Should -Be ((Get-AmpJob $report[2].JobId).UpdatedAt - ($events | Where-Object Status -eq Scheduled)[-1].CreatedAt)
        @($events | Where-Object Status -eq Scheduled).Count | Should -Be 2
        $report[1].Duration | Should -BeNullOrEmpty
    }

    It 'stops a job that takes too long, and ends with 1' {
        $null = Register-SlowDataset $deployment
        $report = & $samples/NightlyExtraction.ps1 demo/slow -Timeout 00:00:01 2>$null
        $LASTEXITCODE | Should -Be 1
        $report.Status | Should -BeIn StopRequested, Stopping, Stopped
        (Get-AmpJob $report.JobId | Wait-AmpJob).Status | Should -Be Stopped
    }

    It 'ends with 1 for files that were lost' {
        $lost = Get-AmpFile demo/devnet logs | Select-Object -First 1
        $away = Join-Path $deployment.Path $lost.Name
        Move-Item $lost.FullName $away
        try {
            $report = & $samples/NightlyExtraction.ps1 demo/devnet
            $LASTEXITCODE | Should -Be 1
            $report.Problems.Kind | Should -Contain FileMissing
        }
        finally {
            Move-Item $away $lost.FullName
        }
    }

    It 'ends with 2 when there is no configuration' {
        & $samples/NightlyExtraction.ps1 demo/devnet -ConfigPath (Join-Path $deployment.Path nothing.toml) 2>$null
        $LASTEXITCODE | Should -Be 2
    }
}

Describe 'samples/CapacityReport.ps1' {
    It 'adds up the files of the tables' {
        $report = & $samples/CapacityReport.ps1 $deployment.ConfigPath
        $LASTEXITCODE | Should -Be 0
        $size = (Get-AmpFile).FullName | Get-Item | Measure-Object Length -Sum
        $report[0].Table | Should -Be '(all)'
        $report[0].Files | Should -Be $size.Count
        $report[0].Bytes | Should -Be $size.Sum
        $report[0].DaysLeft | Should -BeGreaterThan 14
        $report[1].Table | Should -Be demo/devnet/transactions
        ($report | Select-Object -Skip 1 | Measure-Object Bytes -Sum).Sum | Should -Be $size.Sum
        # All is younger than an hour, and grows by 24 times as much a day.
        $report[1].BytesPerDay | Should -Be (24 * $report[1].Bytes)
    }

    It 'ends with 1 when the disk does not last' {
        $null = & $samples/CapacityReport.ps1 -WarnDays ([int]::MaxValue)
        $LASTEXITCODE | Should -Be 1
    }
}

Describe 'samples/AlertOnFailure.ps1' {
    BeforeAll {
        $null = Start-AmpJob demo/wrong latest | Wait-AmpJob -ErrorAction Ignore
        # What the job told may still be on its way.
        Wait-Until { @(Get-AmpSyncEvent sync.failed).Count -ge 3 }
    }

    It 'tells each failure once, though the web hook refuses in between' {
        $first = @(Invoke-WithWebHook 1 { & $samples/AlertOnFailure.ps1 $args[0] -ConfigPath $deployment.ConfigPath 2>$null })
        $LASTEXITCODE | Should -Be 2
        $rest = @(Invoke-WithWebHook 100 { & $samples/AlertOnFailure.ps1 $args[0] -ConfigPath $deployment.ConfigPath })
        $LASTEXITCODE | Should -Be 1

        $first.Count | Should -Be 1
        $first[0] | Should -BeLike '* worker-01: demo/wrong * failed: *chain id 31337*'
        $first.Count + $rest.Count | Should -Be @(Get-AmpSyncEvent sync.failed).Count
        @($first + $rest | Select-Object -Unique).Count | Should -Be ($first.Count + $rest.Count)
    }

    It 'ends with 0 when nothing failed since' {
        Invoke-WithWebHook 100 { & $samples/AlertOnFailure.ps1 $args[0] -ConfigPath $deployment.ConfigPath } | Should -BeNullOrEmpty
        $LASTEXITCODE | Should -Be 0
    }
}

Describe 'samples/fleet.sh' -Skip:($missing.Count -gt 0) {
    It 'shows the fleet through the Admin API<because>' -ForEach @{ because = $missing ? " (needs $($missing -join ', '))" : '' } {
        $api = "http://$((Get-Content $deployment.ConfigPath | Select-String '^admin_api_addr = "(.*)"').Matches[0].Groups[1].Value)"
        $output = bash $samples/fleet.sh worker-01 $api
        $LASTEXITCODE | Should -Be 0
        $version = (Get-AmpWorker worker-01).Version
        @($output -eq "worker-01: $version").Count | Should -Be 2
        ($output -match '^worker-01: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$').Count | Should -Be 1
        ($output -match '^\d{4}-.*Z - worker-01$').Count | Should -Be 1
        ($output -match '^1$').Count | Should -Be 1
    }

    It 'fails for a worker that is not there' {
        $api = "http://$((Get-Content $deployment.ConfigPath | Select-String '^admin_api_addr = "(.*)"').Matches[0].Groups[1].Value)"
        bash $samples/fleet.sh nobody $api 2>&1 | Out-Null
        $LASTEXITCODE | Should -Not -Be 0
    }
}
