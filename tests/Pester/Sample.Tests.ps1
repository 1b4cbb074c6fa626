BeforeDiscovery {
    $missing = @('bash', 'curl', 'jq' | Where-Object { -not (Get-Command $_ -CommandType Application -ErrorAction Ignore) })
}

BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 10
    $samples = Join-Path $PSScriptRoot ../../samples
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
