BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 50
}

AfterAll {
    Stop-AmpController
    Remove-TestDeployment $deployment
}

Describe 'Start-AmpController' {
    BeforeAll {
        # A second one of the machine needs an address of its own.
        $env:AMP_CONFIG_ADMIN_API_ADDR = "127.0.0.1:$(Get-FreePort)"
    }

    AfterAll {
        $env:AMP_CONFIG_ADMIN_API_ADDR = $null
    }

    It 'waits where another one leads: solo mode has its own' {
        $controller = Start-AmpController -ConfigPath $deployment.ConfigPath
        $controller | Should -BeOfType Amp.AmpController
        $controller.State | Should -Be Waiting
        $controller.IsLeader | Should -BeFalse
        $controller.MetadataDb | Should -Be (Get-AmpConnection).MetadataDb
        (Invoke-RestMethod "$($controller.AdminApi)workers").workers.node_id | Should -Be worker-01
        Assert-View $controller MetadataDb, State, AdminApi, LastError
        Assert-CommandError { Start-AmpController -ConfigPath $deployment.ConfigPath } -Id AmpControllerAlreadyRunning -Category ResourceExists -Target $controller.MetadataDb
        (Get-Completion 'Stop-AmpController ').ListItemText | Should -Contain $controller.MetadataDb
        Stop-AmpController -WhatIf
        (Invoke-RestMethod "$($controller.AdminApi)workers").workers.node_id | Should -Be worker-01
        $controller | Stop-AmpController
        $again = Get-AmpConnection | Start-AmpController
        $again.MetadataDb | Should -Be $controller.MetadataDb
        $again | Stop-AmpController
    }

    It 'refuses an address that is in use' {
        $listener = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, ([uri] "http://$env:AMP_CONFIG_ADMIN_API_ADDR").Port)
        $listener.Start()
        try {
            Assert-CommandError { Start-AmpController -ConfigPath $deployment.ConfigPath } -Id AmpAdminApiAddressUnavailable -Category ResourceExists
        }
        finally {
            $listener.Stop()
        }
    }

    It 'starts none with -WhatIf' {
        Start-AmpController -WhatIf | Should -BeNullOrEmpty
        { Stop-AmpController } | Should -Not -Throw
    }

    It 'says where it found no configuration' {
        Assert-CommandError { Start-AmpController -ConfigPath nowhere.toml } -Id AmpConfigurationNotFound -Category ObjectNotFound
    }

    It 'ends within a second when it is stopped, and leaves none behind' {
        $stopped = Invoke-Stoppable "Start-AmpController -ConfigPath '$($deployment.ConfigPath)' -Wait"
        $stopped.Milliseconds | Should -BeLessThan 3000
        $stopped.Errors | Should -BeNullOrEmpty
    }
}

Describe 'Stop-AmpController' {
    It 'says which one does not run here' {
        Assert-CommandError { Stop-AmpController elsewhere } -Id AmpControllerNotInSession -Category ObjectNotFound -Target elsewhere
        Get-CommandError { Stop-AmpController else* } | Should -BeNullOrEmpty
    }
}

Describe 'Solo mode' {
    It 'starts a failed job again by itself, which then completes' {
        # Nobody listens there yet; once somebody does, the retry finds it.
        $chain = Start-AmpDevChain -BlockCount 20
        $url = [uri] $chain.Url
        Stop-AmpDevChain $chain.Url
        $null = Register-AmpProvider late latenet $chain.Url
        $null = New-AmpDatasetManifest latenet | Register-AmpDataset demo/late
        $job = Start-AmpJob demo/late 19
        Wait-Until { (Get-AmpJob $job.JobId).Status -eq 'Error' } -TimeoutSeconds 90
        $null = Start-AmpDevChain -BlockCount 20 -Port $url.Port
        Wait-Until { (Get-AmpJob $job.JobId).Status -eq 'Completed' } -TimeoutSeconds 90
        (Get-AmpJob $job.JobId).Attempts | Should -BeGreaterThan 1
    }
}
