BeforeDiscovery {
    # Versions before and after those of Amp (Directory.Packages.props); the package of a version has assemblies of the same version.
    $neighbours = @(
        @{ Age = 'older'; Npgsql = '8.0.3'; Protobuf = '3.21.9'; Logging = '8.0.0' }
        @{ Age = 'newer'; Npgsql = '10.0.3'; Protobuf = '3.36.2'; Logging = '11.0.0' }
    )
    $hasDotnet = $null -ne (Get-Command dotnet -CommandType Application -ErrorAction Ignore)
    $hasThreadJob = $null -ne (Get-Command Start-ThreadJob -ErrorAction Ignore)
}

BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 5
    $null = Start-AmpJob demo/devnet 4 | Wait-AmpJob
    Wait-Until { Get-AmpSyncEvent sync.completed -First 1 }
    $port = (Get-AmpConnection).MetadataDb -replace '^.*:(\d+)/.*$', '$1'
    $password = (Get-Content (Join-Path $deployment.Path metadb/password) -Raw).Trim()
    $broker = $deployment.Broker.BootstrapServers

    # PostgreSQL, Kafka and protobuf, and the native library; to run in a shell of its own.
    $useAmp = "
        `$null = Connect-Amp -MetadataDb 'postgresql://amp:$password@127.0.0.1:$port/amp'
        (Get-AmpWorker).NodeId
        (Get-AmpSyncEvent -BootstrapServers $broker -Topic amp.worker.events -First 1).EventType
        (Start-AmpDevChain -BlockCount 3).Head"
    $used = 'worker-01', 'sync.started', '2'

    # Runs a script block with environment variables set, or gone where the value is null.
    function Invoke-WithEnvironment([hashtable] $Environment, [scriptblock] $Script) {
        $before = @{}
        try {
            foreach ($name in $Environment.Keys) {
                $before[$name] = [Environment]::GetEnvironmentVariable($name)
                [Environment]::SetEnvironmentVariable($name, $Environment[$name])
            }
            # Where there is no home, PowerShell puts what is its own into the present folder.
            Push-Location $deployment.Path
            & $Script
        }
        finally {
            Pop-Location
            foreach ($name in $before.Keys) { [Environment]::SetEnvironmentVariable($name, $before[$name]) }
        }
    }
}

AfterAll {
    Remove-TestDeployment $deployment
}

Describe 'Beside a module that brings <Age> versions of Npgsql, Google.Protobuf and Microsoft.Extensions<because>' -Skip:(-not $hasDotnet) -ForEach @(
    $neighbours | ForEach-Object { $_ + @{ because = $hasDotnet ? '' : ' (needs dotnet)' } }
) {
    BeforeAll {
        $source = New-Item (Join-Path $deployment.Path "neighbour-$Age") -ItemType Directory
        Copy-Item $PSScriptRoot/../fixtures/neighbour/* $source
        $built = dotnet build $source.FullName --output (Join-Path $source out) -p:NpgsqlVersion=$Npgsql -p:ProtobufVersion=$Protobuf -p:LoggingVersion=$Logging
        if ($LASTEXITCODE -ne 0) { throw "the neighbour was not built: $($built | Out-String)" }
        $neighbour = Join-Path $source out Neighbour.dll
        $useNeighbour = "Invoke-Neighbour 'Host=127.0.0.1;Port=$port;Username=amp;Password=$password;Database=amp'"
        $answer = "42 $Npgsql $Protobuf $Logging"
    }

    It 'each works with its own when <Order>' -ForEach @(
        @{ Order = 'Amp is imported last'; Code = 'Import-Module $neighbour', { $useNeighbour }, 'Import-Module $amp', { $useAmp } }
        @{ Order = 'Amp is imported first'; Code = 'Import-Module $amp', { $useAmp }, 'Import-Module $neighbour', { $useNeighbour } }
    ) {
        $code = $Code | ForEach-Object { $_ -is [scriptblock] ? (. $_) : $_ }
        # Once more, the other way round, with Amp imported anew.
        $lines = Invoke-ChildShell (@(
            "`$amp = '$ModulePath'; `$neighbour = '$neighbour'"
            $code
            'Import-Module $amp -Force', $useAmp
            $useNeighbour
            'Remove-Module Amp; Import-Module $amp', $useAmp
            "[Runtime.Loader.AssemblyLoadContext]::All | Where-Object Name -eq Amp | ForEach-Object Assemblies | Where-Object { `$_.GetName().Name -in 'Npgsql', 'Google.Protobuf' } |
                Sort-Object FullName | ForEach-Object { `$_.Location.StartsWith('$(Split-Path $ModulePath)') }"
        ) -join "`n")

        $first = $code.IndexOf($useAmp) -lt $code.IndexOf($useNeighbour) ? @($used + $answer) : @(@($answer) + $used)
        $lines | Should -Be @($first + $used + $answer + $used + 'True', 'True')
    }
}

Describe 'In other threads' {
    It 'works in Start-ThreadJob<because>' -Skip:(-not $hasThreadJob) -ForEach @{ because = $hasThreadJob ? '' : ' (needs Start-ThreadJob)' } {
        $jobs = 1..3 | ForEach-Object { Start-ThreadJob { Import-Module $using:ModulePath; (Get-AmpWorker).NodeId; (Get-AmpSyncEvent -First 1).EventType } }
        $jobs | Receive-Job -Wait -AutoRemoveJob | Group-Object -NoElement | Sort-Object Name | ForEach-Object { "$($_.Name) $($_.Count)" } |
            Should -Be 'sync.started 3', 'worker-01 3'
        (Get-AmpWorker).IsActive | Should -BeTrue
    }

    It 'works in two runspaces that import and remove it at the same time' {
        $shells = 1..2 | ForEach-Object { [powershell]::Create().AddScript("1..5 | ForEach-Object { Import-Module '$ModulePath' -Force; (Get-AmpWorker).NodeId; Remove-Module Amp }") }
        $running = $shells | ForEach-Object { $_.BeginInvoke() }
        for ($i = 0; $i -lt 2; $i++) {
            $shells[$i].EndInvoke($running[$i]) | Should -Be @('worker-01' * 5 -split '(?<=1)(?=w)')
            $shells[$i].Streams.Error | Should -BeNullOrEmpty
            $shells[$i].Dispose()
        }
        (Get-AmpWorker).IsActive | Should -BeTrue
    }
}

Describe 'In a poor environment' {
    It 'works with a home that cannot be written, and writes nothing beside it' -Skip:$IsWindows {
        # Nothing can be made below a file, by root neither. PowerShell does not start without folders of its own.
        $homeFile = (New-Item (Join-Path $deployment.Path home) -ItemType File).FullName
        $folder = (New-Item (Join-Path $deployment.Path xdg) -ItemType Directory).FullName
        Invoke-WithEnvironment @{ HOME = $homeFile; XDG_CACHE_HOME = $folder; XDG_CONFIG_HOME = $folder; XDG_DATA_HOME = $folder } {
            Invoke-ChildShell "Import-Module '$ModulePath'; $useAmp"
        } | Should -Be $used
        (Get-ChildItem $folder).Name | Should -Be powershell
    }

    It 'runs a worker of its own without HOME and TMPDIR and with LANG=C' -Skip:$IsWindows {
        $path = Join-Path $deployment.Path poor
        Invoke-WithEnvironment @{ HOME = $null; TMPDIR = $null; LANG = 'C'; LC_ALL = 'C'; TERM = $null; AMP_CONFIG_ADMIN_API_ADDR = "127.0.0.1:$(Get-FreePort)" } {
            Invoke-ChildShell "
                Import-Module '$ModulePath'
                (Start-AmpWorker worker-02 -Solo -AmpDir '$path').NodeId
                Start-AmpDevChain -BlockCount 3 | Register-AmpProvider dev devnet | ForEach-Object Name
                (New-AmpDatasetManifest devnet | Register-AmpDataset demo/devnet).Dataset
                (Start-AmpJob demo/devnet 2 | Wait-AmpJob).Status
                Stop-AmpWorker *"
        } | Should -Be worker-02, dev, demo/devnet, Completed
    }
}
