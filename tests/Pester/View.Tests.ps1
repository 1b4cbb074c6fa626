BeforeDiscovery {
    # Large but real values: names of 30 characters, numbers of nine digits, terabytes, ages of days. What may be cut is the last column,
    # where it is named.
    $views = @(
        @{
            Name = 'AmpWorker'
            Object = {
                [Amp.AmpWorker]@{ NodeId = $long; HeartbeatAge = '00:00:00.8'; ActiveJobs = 12345; Version = '10.12.3-preview.4'; HeartbeatAt = $time; CreatedAt = $time; RegisteredAt = $time }
                [Amp.AmpWorker]@{ NodeId = 'stale'; HeartbeatAge = '365.23:59:59'; HeartbeatAt = $time; CreatedAt = $time; RegisteredAt = $time }
            }
            Text = @'
NodeId                         Active Heartbeat  Jobs Version           Registered
------                         ------ ---------  ---- -------           ----------
ethereum_foundation/mainnet_v2 True        0.8s 12345 10.12.3-preview.4 2026-01-15 17:20:15Z
stale                          False       365d     0                   2026-01-15 17:20:15Z
'@
        }
        @{
            Name = 'AmpJob'
            Object = {
                [Amp.AmpJob]@{ JobId = 123456; Status = 'StopRequested'; NodeId = $long; Descriptor = $descriptor; CreatedAt = $time; UpdatedAt = $old }
                [Amp.AmpJob]@{ JobId = 7; Status = 'Fatal'; NodeId = 'worker-01'; Descriptor = $part; CreatedAt = $time; UpdatedAt = $recent }
            }
            Text = @'
 JobId Status        Dataset                        NodeId                          EndBlock Updated
 ----- ------        -------                        ------                          -------- -------
123456 StopRequested ethereum_foundation/mainnet_v2 ethereum_foundation/mainnet_v2 123456789 99d 23h
     7 Fatal         part of 123456                 worker-01                         latest  2h 10m
'@
        }
        @{
            Name = 'AmpJobEvent'
            Cut = 'Detail'
            Object = {
                [Amp.AmpJobEvent]@{ EventId = 123456789; JobId = 123456; Status = 'StopRequested'; NodeId = $long; CreatedAt = $time; Detail = '{"kind":"materialize-raw","end_block":123456789}' }
            }
            Text = @'
  EventId  JobId Status        NodeId                         Created              Detail
  -------  ----- ------        ------                         -------              ------
123456789 123456 StopRequested ethereum_foundation/mainnet_v2 2026-01-15 17:20:15Z {"kind":"materia…
'@
        }
        @{
            Name = 'AmpJobProgress'
            Object = {
                [Amp.AmpJobProgress]@{ JobId = 123456; Status = 'StopRequested'; Dataset = $long; EndBlock = 123456789; Tables = [Amp.AmpTableProgress[]]('blocks', 'logs', 'transactions' | ForEach-Object { @{ JobId = 123456; Status = 'Running'; Table = $_; CurrentBlock = 123456788; FilesCount = 1; TotalSizeBytes = 1 } }) }
            }
            Text = @'
 JobId Status        Dataset                        Tables                       Current  EndBlock
 ----- ------        -------                        ------                       -------  --------
123456 StopRequested ethereum_foundation/mainnet_v2 blocks, logs, transactions 123456788 123456789
'@
        }
        @{
            Name = 'AmpTableProgress'
            Object = {
                [Amp.AmpTableProgress]@{ JobId = 123456; Status = 'StopRequested'; Table = $long; CurrentBlock = 123456789; PercentComplete = 100; FilesCount = 123456; TotalSizeBytes = 1023.9TB; BlocksPerSecond = 123456.7 }
            }
            Text = @'
 JobId Status        Table                            Current    Done       Size        Rate
 ----- ------        -----                            -------    ----       ----        ----
123456 StopRequested ethereum_foundation/mainnet_v2 123456789 100.0 % 1023.9 TiB  123456.7/s
'@
        }
        @{
            Name = 'AmpDataset'
            Object = {
                [Amp.AmpDataset]@{ Namespace = $namespace; Name = $dataset; Version = '10.12.3-rc1'; Kind = 'firehose'; Network = 'polygon-zkevm-cardona'; StartBlock = 123456789; ManifestHash = 'f' * 64; CreatedAt = $time }
            }
            Text = @'
Dataset                        Version     Kind     Network                    Start Manifest
-------                        -------     ----     -------                    ----- --------
ethereum_foundation/mainnet_v2 10.12.3-rc1 firehose polygon-zkevm-cardona  123456789 ffffffffffff…
'@
        }
        @{
            Name = 'AmpTable'
            Object = {
                [Amp.AmpTable]@{ Dataset = $long; Table = 'state_diffs_and_more'; ManifestHash = 'f' * 64; StartBlock = 1234567890; CurrentBlock = 1234567891; FilesCount = 123456789; TotalSizeBytes = 1023.9TB }
            }
            Text = @'
Dataset                        Table                     Start    Current     Files       Size
-------                        -----                     -----    -------     -----       ----
ethereum_foundation/mainnet_v2 state_diffs_and_more 1234567890 1234567891 123456789 1023.9 TiB
'@
        }
        @{
            Name = 'AmpFile'
            Object = {
                [Amp.AmpFile]@{ Dataset = $long; Table = 'state_diffs_and_more'; Name = '123456789-0123456789abcdef.parquet'; FullName = '/'; StartBlock = 123456789; EndBlock = 123456799; Size = 1023.9MB; IsCanonical = $false; CreatedAt = $time }
            }
            Text = @'
Name                               Table                    Start       End       Size Canonical
----                               -----                    -----       ---       ---- ---------
123456789-0123456789abcdef.parquet state_diffs_and_more 123456789 123456799 1023.9 MiB False
'@
        }
        @{
            Name = 'AmpTableTest'
            Object = {
                [Amp.AmpTableTest]@{ Dataset = $long; Table = 'transactions'; ManifestHash = 'f' * 64; CurrentBlock = 123456789; FilesCount = 123456789; Problems = [Amp.AmpTableProblem[]]@($problem, $problem) }
                [Amp.AmpTableTest]@{ Dataset = 'demo/devnet'; Table = 'logs'; ManifestHash = 'f' * 64; CurrentBlock = 4; FilesCount = 1 }
            }
            Text = @'
Dataset                        Table          Ok    Current     Files Problems
-------                        -----          --    -------     ----- --------
ethereum_foundation/mainnet_v2 transactions   no  123456789 123456789 2 FileUnnamed
demo/devnet                    logs           yes         4         1
'@
        }
        @{
            Name = 'AmpTableProblem'
            Object = {
                $problem
            }
            Text = @'
Kind            Start       End Message
----            -----       --- -------
FileUnnamed 123456789 123456799 no row names it: 123456789-0123456789abcdef.parquet
'@
        }
        @{
            Name = 'AmpProvider'
            Object = {
                [Amp.AmpProvider]@{ Name = $long.Replace('/', '-'); Kind = 'firehose'; Network = 'polygon-zkevm-cardona'; Url = 'https://rpc.example:8545/v2'; Path = '/' }
            }
            Text = @'
Name                           Kind      Network                Url
----                           ----      -------                ---
ethereum_foundation-mainnet_v2 firehose  polygon-zkevm-cardona  https://rpc.example:8545/v2
'@
        }
        @{
            Name = 'AmpProviderTest'
            Cut = 'Client'
            Object = {
                [Amp.AmpProviderTest]@{ Name = $long.Replace('/', '-'); Network = 'arbitrum-sepolia'; Success = $true; ChainId = 1234567890; Head = 123456789; Latency = '00:00:12.345'; ClientVersion = 'Geth/v1.16.7' }
                [Amp.AmpProviderTest]@{ Name = 'dead'; Network = 'mainnet'; Success = $false; ErrorMessage = 'http://127.0.0.1:1/ did not answer' }
            }
            Text = @'
Name                           Ok  Network             ChainId      Head  Latency Client
----                           --  -------             -------      ----  ------- ------
ethereum_foundation-mainnet_v2 yes arbitrum-sepolia 1234567890 123456789 12345 ms Geth/v1.16.7
dead                           no  mainnet                                        http://127.0.0.1:…
'@
        }
        @{
            Name = 'AmpSyncEvent'
            Object = {
                [Amp.AmpSyncEvent]@{ EventId = 'e'; EventType = 'sync.completed'; EventVersion = '1.0'; Timestamp = $time; WorkerId = 'w'; JobId = 123456; Dataset = $long; ManifestHash = 'f' * 64; Table = 'transactions'; CurrentBlock = 123456789 }
            }
            Text = @'
Timestamp            EventType       JobId Dataset                        Table            Current
---------            ---------       ----- -------                        -----            -------
2026-01-15 17:20:15Z sync.completed 123456 ethereum_foundation/mainnet_v2 transactions   123456789
'@
        }
        @{
            Name = 'AmpDevChain'
            Object = {
                [Amp.AmpDevChain]@{ Url = 'http://127.0.0.1:65535/'; ChainId = 1234567890; Head = 12345678901; Seed = [ulong]::MaxValue }
            }
            Text = @'
Url                                   ChainId        Head                 Seed
---                                   -------        ----                 ----
http://127.0.0.1:65535/            1234567890 12345678901 18446744073709551615
'@
        }
        @{
            Name = 'AmpController'
            Object = {
                [Amp.AmpController]@{ MetadataDb = 'database.eu-west-1.example.com:5432/amp'; State = 'Degraded'; IsLeader = $false; AdminApi = 'http://127.0.0.1:65535/'; LastError = 'the database went away' }
            }
            Text = @'
MetadataDb                               State     AdminApi                 LastError
----------                               -----     --------                 ---------
database.eu-west-1.example.com:5432/amp  Degraded  http://127.0.0.1:65535/  the database went away
'@
        }
        @{
            Name = 'AmpDevBroker'
            Object = {
                [Amp.AmpDevBroker]@{ BootstrapServers = '127.0.0.1:65535'; Topics = [string[]]('amp.worker.events', 'job-events') }
            }
            Text = @'
BootstrapServers               Topics
----------------               ------
127.0.0.1:65535                amp.worker.events, job-events
'@
        }
        @{
            Name = 'AmpBackgroundJob'
            Object = {
                [Amp.AmpBackgroundJob]@{ JobId = $id; TenantId = $id; Type = 'job.email.reward_earned.weekly'; Status = 'DeadLettered'; Priority = 9; Attempt = 100; MaxAttempts = 100; CreatedAt = $old; PayloadJson = '{}' }
                [Amp.AmpBackgroundJob]@{ JobId = $id; TenantId = $id; Type = 'job.email.welcome'; Status = 'Completed'; Priority = 0; Attempt = 1; MaxAttempts = 5; CreatedAt = $recent; PayloadJson = '{}' }
            }
            Text = @'
JobId                                Type                           Status       Attempt Pri     Age
-----                                ----                           ------       ------- ---     ---
01a21e48-c61c-7495-93ba-fc56994f0b35 job.email.reward_earned.weekly DeadLettered 100/100   9 99d 23h
01a21e48-c61c-7495-93ba-fc56994f0b35 job.email.welcome              Completed        1/5   0  2h 10m
'@
        }
        @{
            Name = 'AmpDeadLetter'
            Cut = 'Error'
            Object = {
                [Amp.AmpDeadLetter]@{ JobId = $id; TenantId = $id; Type = 'job.email.reward_earned.weekly'; Reason = 'lease_expired'; Error = "no such user`nat line 7"; ErrorKind = 'x'; Attempts = 12345678; Replays = 0; DeadAt = $old; ExpiresAt = $time; PayloadJson = '{}' }
            }
            Text = @'
JobId                                Type                           Attempts    Dead Error
-----                                ----                           --------    ---- -----
01a21e48-c61c-7495-93ba-fc56994f0b35 job.email.reward_earned.weekly 12345678 99d 23h no such user…
'@
        }
        @{
            Name = 'AmpQuota'
            Object = {
                [Amp.AmpQuota]@{ TenantId = $id; Tier = 'enterprise'; Status = 'suspended'; DailyLimit = 2000000000; UsedToday = 123456789; QueuedLimit = 20000000; Queued = 123456789; RunningLimit = 10000; Running = 123456; PayloadLimit = 1; ResetsAt = $time }
            }
            Text = @'
TenantId                             Tier       Status              Today        Queued     Running
--------                             ----       ------              -----        ------     -------
01a21e48-c61c-7495-93ba-fc56994f0b35 enterprise suspended 123456789/2000M 123456789/20M  123456/10k
'@
        }
        @{
            Name = 'AmpBackgroundWorker'
            Object = {
                [Amp.AmpBackgroundWorker]@{ WorkerId = $id; Host = 'ip-10-200-100-20.eu-west-1.lan'; ProcessId = 1; PoolSize = 1000; Types = [string[]]@(); StartedAt = $time; HeartbeatAt = $time; HeartbeatAge = '99.23:59:59'; Running = 12; Completed = 123456789; Failed = 1234567; JobsPerSecond = 12345.6; Lag = 1234567 }
                [Amp.AmpBackgroundWorker]@{ WorkerId = $id; Host = 'laptop'; ProcessId = 1; PoolSize = 10; Types = [string[]]@(); StartedAt = $time; HeartbeatAt = $time; HeartbeatAge = '00:00:01.2' }
            }
            Text = @'
WorkerId      Host                           Running Completed  Failed      Rate     Lag Heartbeat
--------      ----                           ------- ---------  ------      ----     --- ---------
01a21e48…0b35 ip-10-200-100-20.eu-west-1.lan   12/1k 123456789 1234567 12345.6/s 1234567   99d 23h
01a21e48…0b35 laptop                            0/10         0       0     0.0/s              1.2s
'@
        }
        @{
            Name = 'AmpBackgroundJobEvent'
            Object = {
                [Amp.AmpBackgroundJobEvent]@{ EventId = 'e'; EventType = 'eventzr.jobs.quota.exceeded.v1'; Time = $time; TenantId = $id; JobId = $id; Type = 'job.email.position_updates'; DataJson = '{}' }
            }
            Text = @'
Time                 Name           JobId                                Type
----                 ----           -----                                ----
2026-01-15 17:20:15Z quota.exceeded 01a21e48-c61c-7495-93ba-fc56994f0b35 job.email.position_updates
'@
        }
        @{
            Name = 'TableRow.blocks'
            Object = {
                [pscustomobject]@{ PSTypeName = 'Amp.TableRow#blocks'; block_num = 1234567890; timestamp = $time; hash = '0x' + 'f' * 64; miner = '0x' + 'f' * 40; gas_used = 123456789012; gas_limit = 1125899906842624 }
            }
            Text = @'
 block_num timestamp            hash        miner           gas_used        gas_limit
 --------- ---------            ----        -----           --------        ---------
1234567890 2026-01-15 17:20:15Z 0xffff…ffff 0xffff…ffff 123456789012 1125899906842624
'@
        }
        @{
            Name = 'TableRow.transactions'
            Object = {
                [pscustomobject]@{ PSTypeName = 'Amp.TableRow#transactions'; block_num = 1234567890; tx_index = 12345678; tx_hash = '0x' + 'f' * 64; from = '0x' + 'f' * 40; to = '0x' + 'f' * 40; value = [bigint]'1234567890123456789012345678' }
            }
            Text = @'
 block_num tx_index tx_hash     from        to                                 value
 --------- -------- -------     ----        --                                 -----
1234567890 12345678 0xffff…ffff 0xffff…ffff 0xffff…ffff 1234567890123456789012345678
'@
        }
        @{
            Name = 'TableRow.logs'
            Object = {
                [pscustomobject]@{ PSTypeName = 'Amp.TableRow#logs'; block_num = 1234567890; log_index = 123456789; tx_hash = '0x' + 'f' * 64; address = '0x' + 'f' * 40; topic0 = '0x' + 'f' * 64; data = '0x' + 'f' * 640 }
            }
            Text = @'
 block_num log_index tx_hash     address     topic0      data
 --------- --------- -------     -------     ------      ----
1234567890 123456789 0xffff…ffff 0xffff…ffff 0xffff…ffff 0xffff…ffff
'@
        }
    )
}

BeforeAll {
    . $PSScriptRoot/common.ps1
    $long = 'ethereum_foundation/mainnet_v2'
    $namespace, $dataset = $long -split '/'
    $id = [guid]'01a21e48-c61c-7495-93ba-fc56994f0b35'
    $time = [DateTimeOffset]'2026-01-15T17:20:15Z'
    $old = [DateTimeOffset]::UtcNow.AddHours(-99 * 24 - 23).AddMinutes(-30)
    $recent = [DateTimeOffset]::UtcNow.AddMinutes(-130).AddSeconds(-30)
    $descriptor = [Amp.AmpJobDescriptor]@{ Kind = 'materialize-raw'; EndBlock = '123456789'; DatasetNamespace = $namespace; DatasetName = $dataset; ManifestHash = 'f' * 64 }
    $part = [Amp.AmpJobDescriptor]@{ Kind = 'materialize-raw-part'; EndBlock = 'latest'; PartOf = 123456; DatasetNamespace = 'demo'; DatasetName = 'devnet'; ManifestHash = 'f' * 64 }
    $problem = [Amp.AmpTableProblem]@{ Kind = 'FileUnnamed'; StartBlock = 123456789; EndBlock = 123456799; Message = 'no row names it: 123456789-0123456789abcdef.parquet' }
    $tables = [xml] (Get-Content (Join-Path (Split-Path $ModulePath) Amp.Format.ps1xml) -Raw) | ForEach-Object { $_.Configuration.ViewDefinitions.View } | Where-Object TableControl

    # What a table looks like at 100 columns.
    function Get-View([object[]] $InputObject, [string] $OutputRendering = 'PlainText') {
        $before = $PSStyle.OutputRendering
        $PSStyle.OutputRendering = $OutputRendering
        try {
            ($InputObject | Format-Table | Out-String -Width 100) -split '\r?\n' | Where-Object { $_ } | ForEach-Object TrimEnd
        }
        finally {
            $PSStyle.OutputRendering = $before
        }
    }

    # A stale worker and a failed job, for another PowerShell.
    $seen = "
        Import-Module '$ModulePath'
        `$time = [DateTimeOffset]::UtcNow
        [Amp.AmpWorker]@{ NodeId = 'stale'; HeartbeatAge = '00:05:01'; HeartbeatAt = `$time; CreatedAt = `$time; RegisteredAt = `$time }
        [Amp.AmpJob]@{ JobId = 7; Status = 'Fatal'; NodeId = 'stale'; CreatedAt = `$time; UpdatedAt = `$time } | Format-Table"
}

Describe 'The view <Name>' -ForEach $views {
    BeforeAll {
        $lines = Get-View (& $Object)
    }

    It 'looks like this' {
        $lines -join "`n" | Should -BeExactly ($Text -replace '\r')
    }

    It 'fits 100 columns, with every column and every value whole' {
        $lines | Where-Object Length -GT 100 | Should -BeNullOrEmpty
        $labels = @(($tables | Where-Object Name -EQ "Amp.$Name").TableControl.TableHeaders.TableColumnHeader.Label)
        -split $lines[0] | Should -Be $labels
        $whole = $Cut ? $lines[0].IndexOf($Cut) : 100
        $lines | ForEach-Object { $_.Substring(0, [Math]::Min($_.Length, $whole)) -replace '0x[0-9a-f]{4}…[0-9a-f]{4}|[0-9a-f]{8}…[0-9a-f]{4}|[0-9a-f]{12}…' } | Should -Not -Match '…'
    }
}

Describe 'Views' -ForEach @{ views = $views } {
    It 'are all shown here' {
        $tables.Name | Sort-Object | Should -Be ($views.Name | ForEach-Object { "Amp.$_" } | Sort-Object)
    }

    It 'colour <Name>' -ForEach @(
        @{ Name = 'a stale worker'; View = 'AmpWorker'; Row = -1; Cell = '365d'; Colour = { $PSStyle.Formatting.Warning } }
        @{ Name = 'a job that failed'; View = 'AmpJob'; Row = -1; Cell = 'Fatal'; Colour = { $PSStyle.Formatting.Error } }
        @{ Name = 'a dead background job'; View = 'AmpBackgroundJob'; Row = -2; Cell = 'DeadLettered'; Colour = { $PSStyle.Formatting.Error } }
        @{ Name = 'a background job that is done'; View = 'AmpBackgroundJob'; Row = -1; Cell = 'Completed'; Colour = { $PSStyle.Foreground.Green } }
        @{ Name = 'a stale background worker'; View = 'AmpBackgroundWorker'; Row = -2; Cell = '99d 23h'; Colour = { $PSStyle.Formatting.Warning } }
        @{ Name = 'a table that is not sound'; View = 'AmpTableTest'; Row = -2; Cell = 'no'; Colour = { $PSStyle.Formatting.Error } }
        @{ Name = 'a suspended tenant'; View = 'AmpQuota'; Row = -1; Cell = 'suspended'; Colour = { $PSStyle.Formatting.Warning } }
    ) {
        $case = $views | Where-Object Name -EQ $View
        $line = (Get-View (& $case.Object) Ansi)[$Row]
        $line.Replace("$(& $Colour)$Cell$($PSStyle.Reset)", $Cell) | Should -BeExactly ($case.Text -split '\r?\n')[$Row]
        $line | Should -Match '\e'
    }

    It 'have no colour for a worker that beats and a job that runs' {
        (Get-View (& $views[0].Object) Ansi)[2] | Should -BeExactly ($views[0].Text -split '\r?\n')[2]
        (Get-View (& $views[1].Object) Ansi)[2] | Should -BeExactly ($views[1].Text -split '\r?\n')[2]
    }

    It 'are plain in a file, and with NO_COLOR' {
        $path = Join-Path ([IO.Path]::GetTempPath()) "amp-pester-$([guid]::NewGuid().ToString('n')).txt"
        $before = $env:NO_COLOR
        try {
            $env:NO_COLOR = $null
            & (Get-Process -Id $PID).Path -NoProfile -NonInteractive -OutputFormat Text -Command "& { $seen } > '$path'"
            $file = Get-Content $path
            $env:NO_COLOR = '1'
            $plain = & (Get-Process -Id $PID).Path -NoProfile -NonInteractive -OutputFormat Text -Command $seen
        }
        finally {
            $env:NO_COLOR = $before
            Remove-Item $path -ErrorAction Ignore
        }
        foreach ($text in $file, $plain) {
            $text | Should -Not -Match '\e'
            $text -match '^stale +False +5m 1s ' | Should -HaveCount 1
            $text -match '^ +7 Fatal ' | Should -HaveCount 1
        }
    }

    It 'have their colours elsewhere on request' {
        $text = & (Get-Process -Id $PID).Path -NoProfile -NonInteractive -OutputFormat Text -Command "`$PSStyle.OutputRendering = 'Ansi'; $seen"
        $text -match "^stale +False +$([regex]::Escape($PSStyle.Formatting.Warning))5m 1s$([regex]::Escape($PSStyle.Reset)) " | Should -HaveCount 1
        $text -match "^ +7 $([regex]::Escape($PSStyle.Formatting.Error))Fatal$([regex]::Escape($PSStyle.Reset)) " | Should -HaveCount 1
    }
}
