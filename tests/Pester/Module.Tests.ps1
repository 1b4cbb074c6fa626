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
        $changing = Get-Command -Module Amp | Where-Object { $_.Verb -in 'Start', 'Stop', 'Register', 'Unregister', 'Initialize', 'Submit', 'Restart', 'Clear', 'Set', 'Reset', 'Suspend', 'Resume' -or $_.Name -eq 'New-AmpConfiguration' }
        $changing | Where-Object { -not $_.Parameters.ContainsKey('WhatIf') } | Should -BeNullOrEmpty
    }

    Context 'loading' {
        BeforeAll {
            $loaded = Invoke-ChildShell "
                Import-Module '$ModulePath'
                `$contexts = [AppDomain]::CurrentDomain.GetAssemblies() | ForEach-Object { '{0}={1}' -f [Runtime.Loader.AssemblyLoadContext]::GetLoadContext(`$_).Name, `$_.GetName().Name }
                (`$contexts | Where-Object { `$_ -like 'Amp=*' }) -join ','
                `$null = Start-AmpDevBroker
                                try { Connect-Amp -MetadataDb postgresql://amp@127.0.0.1:1/amp } catch { }
                ([Runtime.Loader.AssemblyLoadContext]::Default.Assemblies | ForEach-Object { `$_.GetName().Name } | Where-Object { `$_ -match '^(Npgsql|Confluent|Google|Microsoft\.Extensions|Amp)' }) -join ','
                ([Runtime.Loader.AssemblyLoadContext]::All | Where-Object Name -eq Amp | ForEach-Object Assemblies | ForEach-Object { `$_.GetName().Name } | Where-Object { `$_ -in 'Npgsql', 'Confluent.Kafka' } | Sort-Object) -join ','"
        }

        It 'loads nothing but the cmdlets at import' {
            $loaded[0] | Should -Be 'Amp=Amp.PowerShell'
        }

        It 'keeps its packages out of the default load context' {
            $loaded[-2] | Should -Be 'Amp.Contracts'
            $loaded[-1] | Should -Be 'Confluent.Kafka,Npgsql'
        }

        It 'works beside a module that has loaded another version of one of its packages' {
            $fake = Join-Path $folder Npgsql.dll
            Add-Type 'namespace Npgsql { public class NpgsqlConnection { public const string Foreign = "yes"; } }' -OutputAssembly $fake
            $answer = Invoke-ChildShell "
                Add-Type -LiteralPath '$fake'
                Import-Module '$ModulePath'
                try { Connect-Amp -MetadataDb postgresql://amp@127.0.0.1:1/amp } catch { `$_.FullyQualifiedErrorId }
                [Npgsql.NpgsqlConnection]::Foreign"
            $answer[0] | Should -BeLike 'AmpDatabaseUnavailable,*'
            $answer[1] | Should -Be yes
        }

        It 'imports within a second' {
            [int](Invoke-ChildShell "`$watch = [Diagnostics.Stopwatch]::StartNew(); Import-Module '$ModulePath'; `$watch.ElapsedMilliseconds") | Should -BeLessThan 1000
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

        It 'stops what was started when it is removed' {
            $path = Join-Path $folder removed
            $answer = Invoke-ChildShell "
                Import-Module '$ModulePath'
                `$null = Start-AmpWorker worker-01 -Solo -AmpDir '$path'
                `$chain = Start-AmpDevChain -BlockCount 1
                Remove-Module Amp
                @(Get-Process postgres -ErrorAction Ignore | Where-Object CommandLine -like '*$path*').Count
                try { `$null = Invoke-WebRequest `$chain.Url -Method Post -Body '{}' -TimeoutSec 2; 'chain answers' } catch { 'chain is gone' }
                Import-Module '$ModulePath'
                (Start-AmpWorker worker-01 -Solo -AmpDir '$path').NodeId"
            $answer | Should -Be @('0', 'chain is gone', 'worker-01')
        }

        It 'leaves no server behind when the process exits with a worker running' {
            $path = Join-Path $folder exited
            Invoke-ChildShell "Import-Module '$ModulePath'; (Start-AmpWorker worker-01 -Solo -AmpDir '$path').NodeId; exit" | Should -Be worker-01
            Wait-Until { -not (Get-ServerProcess $path) }
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
