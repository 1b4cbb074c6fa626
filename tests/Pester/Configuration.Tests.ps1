BeforeAll {
    . $PSScriptRoot/common.ps1
    $folder = (New-Item (Join-Path ([IO.Path]::GetTempPath()) "amp-pester-$([guid]::NewGuid().ToString('n'))") -ItemType Directory).FullName
    Push-Location $folder
}

AfterAll {
    Pop-Location
    Remove-Item $folder -Recurse -Force
}

Describe 'New-AmpConfiguration' {
    It 'writes .amp/config.toml below PowerShell''s location' {
        $file = New-AmpConfiguration
        $file | Should -BeOfType System.IO.FileInfo
        $file.FullName | Should -Be (Join-Path $folder .amp/config.toml)
        Test-AmpConfiguration $file.FullName | Should -BeTrue
    }

    It 'writes the settings it is given, of every type' {
        $file = New-AmpConfiguration set.toml -Setting @{
            'metadata_db.url' = 'postgresql://amp@localhost/amp'; 'metadata_db.pool_size' = 3; 'poll_interval_secs' = 0.5
            'worker_events.enabled' = $true; 'worker_events.kafka.brokers' = 'a:9092', 'b:9092'
        }
        $text = Get-Content $file -Raw
        $text | Should -Match '(?m)^pool_size = 3$'
        $text | Should -Match '(?m)^poll_interval_secs = 0\.5$'
        $text | Should -Match '(?m)^brokers = .*"a:9092", ?"b:9092"'
        Test-AmpConfiguration $file | Should -BeTrue
    }

    It 'refuses a file that is there, and overwrites it with -Force' {
        Set-Content there.toml '# mine'
        Assert-CommandError { New-AmpConfiguration there.toml } -Id AmpConfigurationExists -Category ResourceExists -Target (Join-Path $folder there.toml)
        Get-Content there.toml | Should -Be '# mine'
        New-AmpConfiguration there.toml -Force | Should -Not -BeNullOrEmpty
        Get-Content there.toml -Raw | Should -Not -Be '# mine'
    }

    It 'refuses an unknown key and leaves no file' {
        $record = Get-CommandError { New-AmpConfiguration wrong.toml -Setting @{ 'metadata_db.ulr' = 'x' } }
        $record.FullyQualifiedErrorId | Should -BeExactly 'AmpInvalidConfiguration,Amp.PowerShell.Connect.NewAmpConfigurationCommand'
        $record.Exception.Message | Should -BeLike '*metadata_db.ulr*'
        'wrong.toml' | Should -Not -Exist
    }

    It 'refuses a folder that cannot be written' {
        Set-Content file 'not a folder'
        Assert-CommandError { New-AmpConfiguration file/config.toml } -Id AmpConfigurationNotWritable -Category PermissionDenied
    }

    It 'writes nothing with -WhatIf' {
        New-AmpConfiguration whatif.toml -WhatIf | Should -BeNullOrEmpty
        'whatif.toml' | Should -Not -Exist
    }
}

Describe 'Test-AmpConfiguration' {
    It 'takes files from the pipeline' {
        $null = New-AmpConfiguration good.toml
        Get-Item good.toml | Test-AmpConfiguration | Should -BeTrue
        'good.toml' | Test-AmpConfiguration | Should -BeTrue
    }

    It 'names file, line and nearest key, and says false' {
        Set-Content bad.toml "data_dir = 'x'`n[metadata_db]`nurll = 'y'"
        $answer = Test-AmpConfiguration bad.toml -ErrorAction SilentlyContinue -ErrorVariable problem
        $answer | Should -BeFalse
        $problem[0].FullyQualifiedErrorId | Should -BeLike 'AmpInvalidConfiguration,*'
        $problem[0].Exception.Message | Should -BeLike '*bad.toml*3*urll*url*'
    }

    It 'goes on after a file that is not there' {
        $null = New-AmpConfiguration good2.toml
        Test-AmpConfiguration nowhere.toml, good2.toml -ErrorAction SilentlyContinue -ErrorVariable problem | Should -Be $false, $true
        $problem[0].FullyQualifiedErrorId | Should -BeLike 'AmpConfigurationNotFound,*'
    }
}
