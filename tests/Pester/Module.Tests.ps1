BeforeAll {
    . $PSScriptRoot/common.ps1
    $folder = (New-Item (Join-Path ([IO.Path]::GetTempPath()) "amp-pester-$([guid]::NewGuid().ToString('n'))") -ItemType Directory).FullName
}

AfterAll {
    Remove-Item $folder -Recurse -Force
}

Describe 'Amp' {
    It 'exports exactly the cmdlets of its manifest' {
        $declared = (Import-PowerShellDataFile $ModulePath).CmdletsToExport | Sort-Object
        (Get-Command -Module Amp).Name | Sort-Object | Should -Be $declared
        (Get-Module Amp).ExportedFunctions.Count + (Get-Module Amp).ExportedAliases.Count + (Get-Module Amp).ExportedVariables.Count | Should -Be 0
    }

    It 'has a valid manifest' {
        Test-ModuleManifest $ModulePath -ErrorAction Stop | ForEach-Object Name | Should -Be Amp
    }

    It 'uses approved verbs' {
        $approved = (Get-Verb).Verb
        (Get-Command -Module Amp).Verb | Where-Object { $_ -notin $approved } | Should -BeNullOrEmpty
    }

    It 'declares what each cmdlet gives, where it gives something' {
        $silent = 'Disconnect-Amp', 'Initialize-AmpDatabase', 'Show-AmpProgress', 'Stop-AmpWorker', 'Stop-AmpController', 'Stop-AmpDevChain', 'Stop-AmpDevBroker',
            'Remove-AmpJob', 'Remove-AmpDataset', 'Remove-AmpProvider', 'Unregister-AmpWorkerService', 'Stop-AmpBackgroundWorker',
            'Register-AmpBackgroundJobHandler', 'Unregister-AmpBackgroundJobHandler', 'Clear-AmpDeadLetter'
        Get-Command -Module Amp | Where-Object { -not $_.OutputType -and $_.Name -notin $silent } | Should -BeNullOrEmpty
    }

    It 'supports -WhatIf on every cmdlet that changes something' {
        $changing = Get-Command -Module Amp | Where-Object { $_.Verb -in 'Start', 'Stop', 'Register', 'Unregister', 'Initialize', 'Submit', 'Restart', 'Clear', 'Set', 'Reset', 'Suspend', 'Resume', 'Export' -or $_.Name -eq 'New-AmpConfiguration' }
        $changing | Where-Object { -not $_.Parameters.ContainsKey('WhatIf') } | Should -BeNullOrEmpty
    }

    Context 'loading' {
        BeforeAll {
            $loaded = Invoke-ChildShell "
                `$before = [AppDomain]::CurrentDomain.GetAssemblies() | ForEach-Object { `$_.GetName().Name }
                Import-Module '$ModulePath'
                `$imported = [AppDomain]::CurrentDomain.GetAssemblies() | Where-Object { `$_.GetName().Name -notin `$before }
                (`$imported | Where-Object { -not `$_.Location.StartsWith([IO.Path]::GetDirectoryName([object].Assembly.Location)) } | ForEach-Object { `$_.GetName().Name } | Sort-Object) -join ','
                `$null = Start-AmpDevBroker
                try { Connect-Amp -MetadataDb postgresql://amp@127.0.0.1:1/amp } catch { }
                ([Runtime.Loader.AssemblyLoadContext]::Default.Assemblies | ForEach-Object { `$_.GetName().Name } | Where-Object { `$_ -match '^(Npgsql|Confluent|Google|Microsoft\.Extensions|Amp)' }) -join ','
                ([Runtime.Loader.AssemblyLoadContext]::All | Where-Object Name -eq Amp | ForEach-Object Assemblies | ForEach-Object { `$_.GetName().Name } | Where-Object { `$_ -in 'Npgsql', 'Confluent.Kafka' } | Sort-Object) -join ','"
        }

        It 'loads nothing but the cmdlets at import' {
            $loaded[0] | Should -Be 'Amp.Contracts,Amp.PowerShell'
        }

        It 'keeps its packages out of the default load context' {
            $loaded[-2] | Should -Be 'Amp.Contracts'
            $loaded[-1] | Should -Be 'Confluent.Kafka,Npgsql'
        }
    }

    Context 'reload and removal' {
        It 'has all its cmdlets after <Name>' -ForEach @(
            @{ Name = 'Import-Module -Force'; Code = 'Import-Module $m -Force' }
            @{ Name = 'Remove-Module and Import-Module'; Code = 'Remove-Module Amp; Import-Module $m' }
            @{ Name = 'both, twice'; Code = 'Import-Module $m -Force; Remove-Module Amp; Import-Module $m; Import-Module $m -Force' }
        ) {
            Invoke-ChildShell "`$m = '$ModulePath'; Import-Module `$m; $Code; (Get-Command -Module Amp).Count; (Start-AmpDevChain -BlockCount 1).Head" |
                Should -Be @((Get-Command -Module Amp).Count, 0)
        }

        It 'stops all that was started when it is removed, and can start again' {
            $path = Join-Path $folder removed
            $answer = Invoke-ChildShell "
                Import-Module '$ModulePath'
                `$broker = Start-AmpDevBroker
                `$chain = Start-AmpDevChain -BlockCount 5
                `$api = [uri]'http://127.0.0.1:$(Get-FreePort)'
                `$null = New-AmpConfiguration (Join-Path '$path' config.toml) -Setting @{
                    admin_api_addr = `$api.Authority; 'worker_events.enabled' = `$true; 'worker_events.kafka.brokers' = `$broker.BootstrapServers
                }
                `$env:KAFKA_BROKERS = `$broker.BootstrapServers
                `$null = Start-AmpWorker worker-01 -Solo -AmpDir '$path'
                `$null = `$chain | Register-AmpProvider dev devnet
                `$null = New-AmpDatasetManifest devnet | Register-AmpDataset demo/devnet
                `$action = Register-AmpSyncEventAction -Action { `$_.EventType }
                Register-AmpBackgroundJobHandler job.greet { param(`$Job) `$Job.Payload.name }
                `$null = Start-AmpBackgroundWorker
                (Start-AmpJob demo/devnet 4 | Wait-AmpJob).Status
                (Submit-AmpBackgroundJob job.greet @{ name = 'Ada' } | Wait-AmpBackgroundJob).Result

                function Get-Listener {
                    foreach (`$port in `$api.Port, ([uri]`$chain.Url).Port, (`$broker.BootstrapServers -split ':')[1], `$database) {
                        `$client = [Net.Sockets.TcpClient]::new()
                        try { `$client.Connect('127.0.0.1', `$port); `$port } catch { } finally { `$client.Dispose() }
                    }
                }
                function Get-Thread { Get-Content /proc/self/task/*/comm -ErrorAction Ignore | Where-Object { `$_ -match '^(rdk:|amp)' } }
                `$database = (Get-AmpConnection).MetadataDb -replace '^.*:(\d+)/.*$', '`$1'
                @(Get-Listener).Count
                'threads: ' + ([bool](Get-Thread) -eq `$IsLinux)
                Remove-Module Amp
                @(Get-Listener).Count
                @(Get-Process postgres -ErrorAction Ignore | Where-Object CommandLine -like '*$path*').Count
                `$deadline = [DateTime]::UtcNow.AddSeconds(10)
                while ((Get-Thread) -and [DateTime]::UtcNow -lt `$deadline) { [Threading.Thread]::Sleep(50) }
                'threads: ' + (Get-Thread)
                `$action.State
                Remove-Item Env:KAFKA_BROKERS
                Import-Module '$ModulePath'
                (Start-AmpWorker worker-01 -Solo -AmpDir '$path').NodeId"
            $answer | Should -Be @('Completed', 'Ada', '4', 'threads: True', '0', '0', 'threads: ', 'Stopped', 'worker-01')
        }

        It 'leaves no server behind when the process exits with a worker running' {
            $path = Join-Path $folder exited
            Invoke-ChildShell "Import-Module '$ModulePath'; (Start-AmpWorker worker-01 -Solo -AmpDir '$path').NodeId; exit" | Should -Be worker-01
            Wait-Until { -not (Get-ServerProcess $path) }
        }
    }

    It 'takes a number for seconds wherever it asks for a time span' {
        $spans = Get-Command -Module Amp | ForEach-Object { $_.Parameters.Values } | Where-Object ParameterType -in @([timespan], [timespan[]], [Nullable[timespan]])
        $spans.Count | Should -BeGreaterThan 7
        foreach ($span in $spans) {
            $transformation = $span.Attributes | Where-Object { $_ -is [System.Management.Automation.ArgumentTransformationAttribute] }
            $transformation.Transform($ExecutionContext, 2.5) | Should -Be ([timespan]'00:00:02.5') -Because $span.Name
            $transformation.Transform($ExecutionContext, [object[]](1, '00:01:00')) | Should -Be @([timespan]'00:00:01', '00:01:00')
            { $transformation.Transform($ExecutionContext, 1e300) } | Should -Throw '*no time span*'
        }
    }

    Context 'several runspaces' {
        BeforeAll {
            $deployment = New-TestDeployment -Blocks 5
        }

        AfterAll {
            Remove-TestDeployment $deployment
        }

        It 'shares the connection with ForEach-Object -Parallel' {
            1..4 | ForEach-Object -Parallel { Import-Module $using:ModulePath; (Get-AmpWorker).NodeId } | Should -Be @('worker-01', 'worker-01', 'worker-01', 'worker-01')
            (Get-AmpConnection).ConfigPath | Should -Be $deployment.ConfigPath
            (Get-AmpWorker).IsActive | Should -BeTrue
        }

        It 'removes from one runspace only what that one started' {
            $shell = [powershell]::Create()
            try {
                $shell.AddScript("Import-Module '$ModulePath'; (Start-AmpDevChain -BlockCount 1).Url; Remove-Module Amp").Invoke() | Should -HaveCount 1
                $shell.HadErrors | Should -BeFalse
            }
            finally {
                $shell.Dispose()
            }
            (Test-AmpProvider dev).Success | Should -BeTrue
            (Get-AmpWorker worker-01).IsActive | Should -BeTrue
        }

        It 'keeps a worker alive when the session connects elsewhere and back' {
            Disconnect-Amp
            $null = Connect-Amp $deployment.ConfigPath
            Start-AmpJob demo/devnet 4 | Wait-AmpJob | ForEach-Object Status | Should -Be Completed
        }
    }
}
