BeforeAll {
    . $PSScriptRoot/common.ps1
    $folder = Join-Path ([IO.Path]::GetTempPath()) "amp-demo-$([guid]::NewGuid().ToString('n'))"
}

AfterAll {
    if (Test-Path $folder) { Remove-Item $folder -Recurse -Force }
}

Describe 'samples/Demo.ps1' {
    It 'extracts its blocks and reads back its events' {
        $output = pwsh -NoProfile -NonInteractive -File (Join-Path $PSScriptRoot '../../samples/Demo.ps1') -Blocks 1000 -Path $folder 2>&1 | Out-String
        $LASTEXITCODE | Should -Be 0 -Because $output
        foreach ($kind in 'sync.started', 'sync.progress', 'sync.completed') {
            $output | Should -Match "\d+ +$kind"
        }
        Get-ChildItem (Join-Path $folder data) -Recurse -Filter *.parquet | Should -Not -BeNullOrEmpty
    }
}
