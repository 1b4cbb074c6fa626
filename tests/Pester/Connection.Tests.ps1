BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 5
    $port = (Get-AmpConnection).MetadataDb -replace '^.*:(\d+)/.*$', '$1'
    $password = Get-Content (Join-Path $deployment.Path metadb/password) -Raw
    $url = "postgresql://amp:$($password.Trim())@127.0.0.1:$port/amp"
}

AfterAll {
    $null = Connect-Amp $deployment.ConfigPath
    Remove-TestDeployment $deployment
}

Describe 'Connect-Amp' {
    It 'connects by configuration file' {
        $connection = Connect-Amp $deployment.ConfigPath
        $connection | Should -BeOfType Amp.AmpConnection
        $connection.DataDir | Should -Be (Join-Path $deployment.Path data)
        $connection.KafkaBrokers | Should -Be $deployment.Broker.BootstrapServers
        $connection.IsSolo | Should -BeTrue
    }

    It 'takes the file from the pipeline' {
        (Get-Item $deployment.ConfigPath | Connect-Amp).ConfigPath | Should -Be $deployment.ConfigPath
    }

    It 'takes the file from AMP_CONFIG' {
        $env:AMP_CONFIG = $deployment.ConfigPath
        try { (Connect-Amp).ConfigPath | Should -Be $deployment.ConfigPath } finally { Remove-Item env:AMP_CONFIG }
    }

    It 'connects by address, and shows no password anywhere' {
        $connection = Connect-Amp -MetadataDb $url
        $connection.ConfigPath | Should -BeNullOrEmpty
        ($connection | Format-List * | Out-String) | Should -Not -BeLike "*$($password.Trim())*"
        (Get-AmpWorker).NodeId | Should -Be worker-01
    }

    It 'refuses to connect without a configuration' {
        Push-Location ([IO.Path]::GetTempPath())
        try {
            Assert-CommandError { Connect-Amp } -Id AmpConfigurationNotFound -Category ObjectNotFound
            Assert-CommandError { Connect-Amp nowhere.toml } -Id AmpConfigurationNotFound -Category ObjectNotFound -Target (Join-Path (Get-Location) nowhere.toml)
        }
        finally {
            Pop-Location
        }
    }

    It 'keeps the connection it has when a database does not answer' {
        $null = Connect-Amp $deployment.ConfigPath
        Assert-CommandError { Connect-Amp -MetadataDb postgresql://amp@127.0.0.1:1/amp } -Id AmpDatabaseUnavailable -Category ConnectionError
        (Get-AmpConnection).ConfigPath | Should -Be $deployment.ConfigPath
    }

    It 'keeps secrets out of the error' {
        $record = Get-CommandError { Connect-Amp -MetadataDb 'postgresql://amp:s3cr3t@127.0.0.1:1/amp' }
        ($record | Format-List * -Force | Out-String) | Should -Not -BeLike '*s3cr3t*'
    }

    It 'says which file it cannot read' -Skip:(-not $IsLinux) {
        # What is there may be read by nobody, root included.
        Assert-CommandError { Connect-Amp /proc/self/mem } -Id AmpConfigurationUnreadable -Category PermissionDenied -Target /proc/self/mem
    }

    It 'refuses an address that is none' {
        Assert-CommandError { Connect-Amp -MetadataDb 'nonsense' } -Id AmpInvalidConfiguration -Category InvalidArgument
    }
}

Describe 'Get-AmpConnection, Disconnect-Amp' {
    It 'gives nothing after Disconnect-Amp, and workers go on' {
        $null = Connect-Amp $deployment.ConfigPath
        Disconnect-Amp
        Get-AmpConnection | Should -BeNullOrEmpty
        Disconnect-Amp
        $null = Connect-Amp $deployment.ConfigPath
        (Get-AmpWorker worker-01).IsActive | Should -BeTrue
    }

    It 'is connected by the first cmdlet that needs it, from the folder .amp' {
        Disconnect-Amp
        $home2 = (New-Item (Join-Path $deployment.Path elsewhere/.amp) -ItemType Directory).FullName
        $null = New-AmpConfiguration (Join-Path $home2 config.toml) -Setting @{ 'metadata_db.url' = $url }
        Push-Location (Split-Path $home2)
        try {
            (Get-AmpWorker).NodeId | Should -Be worker-01
            (Get-AmpConnection).ConfigPath | Should -Be (Join-Path $home2 config.toml)
        }
        finally {
            Pop-Location
            $null = Connect-Amp $deployment.ConfigPath
        }
    }

    It 'looks like this' {
        (Get-AmpConnection | Out-String -Width 100) | Should -Match '(?m)^Metadata DB\s+: 127\.0\.0\.1:\d+/amp'
    }
}

Describe 'Ctrl+C while the database does not answer' -Skip:(-not $IsLinux) {
    It 'ends <_> within a second, and the session goes on' -ForEach 'Get-AmpJob', 'Get-AmpWorker', 'Get-AmpTable', 'Get-AmpBackgroundJob', 'Start-AmpJob demo/devnet 3' {
        $command = $_
        $null = Get-AmpBackgroundJob
        $script:looks = 0
        $stopped = Invoke-Frozen $deployment.Path { Invoke-Stoppable $command -When { $script:looks++ -gt 10 } }
        $stopped.State | Should -Be Stopped
        $stopped.Errors | Should -BeNullOrEmpty
        $stopped.Milliseconds | Should -BeLessThan 1000
        (Get-AmpWorker).NodeId | Should -Be worker-01
    }

    It 'ends Connect-Amp within a second, and the session keeps what it has' {
        $script:looks = 0
        $stopped = Invoke-Frozen $deployment.Path { Invoke-Stoppable "Connect-Amp '$($deployment.ConfigPath)'" -When { $script:looks++ -gt 10 } }
        $stopped.State | Should -Be Stopped
        $stopped.Milliseconds | Should -BeLessThan 1000
        (Get-AmpConnection).ConfigPath | Should -Be $deployment.ConfigPath
    }
}

Describe 'Initialize-AmpDatabase' {
    It 'applies every migration to an empty database, once' {
        $fresh = $url -replace '/amp$', '/postgres'
        Initialize-AmpDatabase -MetadataDb $fresh -WhatIf
        Assert-CommandError { Connect-Amp -MetadataDb ($url -replace '/amp$', '/nowhere') } -Id AmpDatabaseNotFound -Category ObjectNotFound
        Initialize-AmpDatabase -MetadataDb $fresh -Verbose 4>&1 | Should -Not -BeNullOrEmpty
        Initialize-AmpDatabase -MetadataDb $fresh -Verbose 4>&1 | Where-Object { "$_" -like 'Applied*' } | Should -BeNullOrEmpty
    }

    It 'takes a file from the pipeline' {
        $file = New-AmpConfiguration (Join-Path $deployment.Path fresh.toml) -Setting @{ 'metadata_db.url' = $url -replace '/amp$', '/postgres' }
        { $file | Initialize-AmpDatabase -ErrorAction Stop } | Should -Not -Throw
    }

    It 'reports what is wrong as its own errors' {
        Assert-CommandError { Initialize-AmpDatabase nowhere.toml } -Id AmpConfigurationNotFound -Category ObjectNotFound
        Assert-CommandError { Initialize-AmpDatabase $deployment.ConfigPath } -Id AmpMetadataDbNotConfigured -Category InvalidArgument
        Assert-CommandError { Initialize-AmpDatabase -MetadataDb postgresql://amp@127.0.0.1:1/amp } -Id AmpDatabaseUnavailable -Category ConnectionError
    }
}
