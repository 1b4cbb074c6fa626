BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 50
    $uri = "http://$((Get-Content $deployment.ConfigPath | Select-String '^admin_api_addr = "(.*)"').Matches[0].Groups[1].Value)/"
    $done = Start-AmpJob demo/devnet 49 | Wait-AmpJob
}

AfterAll {
    $null = Connect-Amp $deployment.ConfigPath
    Remove-TestDeployment $deployment
}

Describe 'Connect-Amp -Uri' {
    It 'connects to the Admin API, and shows where it is' {
        $connection = Connect-Amp -Uri $uri
        $connection.Uri | Should -Be $uri
        $connection.MetadataDb | Should -BeNullOrEmpty
        ($connection | Out-String -Width 100).Trim() | Should -Be "Admin API : $uri"
    }

    It 'takes the address of a controller from the pipeline' {
        $env:AMP_CONFIG_ADMIN_API_ADDR = "127.0.0.1:$(Get-FreePort)"
        try {
            $controller = Start-AmpController -ConfigPath $deployment.ConfigPath
            ($controller | Connect-Amp).Uri | Should -Be $controller.AdminApi
        }
        finally {
            $env:AMP_CONFIG_ADMIN_API_ADDR = $null
            Stop-AmpController
        }
    }

    It 'wants the token that the controller asks for' {
        $env:AMP_CONFIG_ADMIN_API_ADDR = "127.0.0.1:$(Get-FreePort)"
        $env:AMP_CONFIG_ADMIN_API_TOKEN = 'a long random text'
        try {
            $address = (Start-AmpController -ConfigPath $deployment.ConfigPath).AdminApi
            Assert-CommandError { Connect-Amp -Uri $address } -Id AmpAdminApiAccessDenied -Category PermissionDenied -Target $address
            $token = ConvertTo-SecureString 'a long random text' -AsPlainText -Force
            (Connect-Amp -Uri $address -Token $token -WarningVariable warnings).Uri | Should -Be $address
            $warnings | Should -BeNullOrEmpty
        }
        finally {
            $env:AMP_CONFIG_ADMIN_API_ADDR = $env:AMP_CONFIG_ADMIN_API_TOKEN = $null
            Stop-AmpController
        }
    }

    It 'warns before a token goes over the network unencrypted' {
        # TEST-NET-1: nobody is there, and the warning comes first.
        $shell = [powershell]::Create()
        try {
            $null = $shell.AddScript("Import-Module '$ModulePath'").Invoke()
            $shell.Commands.Clear()
            $null = $shell.AddScript("Connect-Amp -Uri http://192.0.2.1:1610 -Token (ConvertTo-SecureString x -AsPlainText -Force)").BeginInvoke()
            Wait-Until { $shell.Streams.Warning.Count -gt 0 }
            "$($shell.Streams.Warning[0])" | Should -BeLike '*192.0.2.1 unencrypted*'
            $shell.Stop()
        }
        finally {
            $shell.Dispose()
        }
    }

    It 'keeps the connection it has when nobody answers' {
        $null = Connect-Amp -Uri $uri
        $nobody = "http://127.0.0.1:$(Get-FreePort)/"
        Assert-CommandError { Connect-Amp -Uri $nobody } -Id AmpAdminApiUnavailable -Category ConnectionError -Target $nobody
        Assert-CommandError { Connect-Amp -Uri file:///etc } -Id AmpAdminApiAddressInvalid -Category InvalidArgument
        Assert-CommandError { Connect-Amp -Uri amp.example } -Id AmpAdminApiAddressInvalid -Category InvalidArgument -Target amp.example
        (Get-AmpConnection).Uri | Should -Be $uri
    }
}

Describe 'Over HTTP' {
    It 'gives the objects that the database gives: <_>' -ForEach @(
        'Get-AmpJob', 'Get-AmpJob 1', 'Get-AmpJob -Status Completed -Dataset demo/*', 'Get-AmpJobEvent 1 | Select-Object * -ExcludeProperty Detail', 'Get-AmpJobProgress 1'
        'Get-AmpDataset', 'Get-AmpDataset demo/devnet', 'Get-AmpTable', 'Get-AmpTable demo/devnet logs', 'Get-AmpProvider', 'Get-AmpProvider dev'
        'Wait-AmpJob 1', 'Watch-AmpJobProgress 1'
        'Get-AmpWorker | Select-Object * -ExcludeProperty Heartbeat*', 'Get-AmpWorker worker-* | Select-Object NodeId, IsActive'
        'Test-AmpProvider dev | Select-Object * -ExcludeProperty Latency'
    ) {
        $script = [scriptblock]::Create($_)
        # The API tells times in whole seconds.
        $seconds = { (ConvertTo-Json @($args) -Depth 5) -replace '(T\d\d:\d\d:\d\d)\.\d+', '$1' }
        $null = Connect-Amp $deployment.ConfigPath
        $expected = & $script
        $null = Connect-Amp -Uri $uri
        $actual = & $script
        $actual | Should -Not -BeNullOrEmpty
        $actual[0].PSObject.TypeNames[0] | Should -Be $expected[0].PSObject.TypeNames[0]
        & $seconds $actual | Should -Be (& $seconds $expected)
    }

    It 'starts, stops, restarts and removes jobs' {
        $null = Connect-Amp -Uri $uri
        $null = New-AmpDatasetManifest devnet | Register-AmpDataset demo/web
        $job = Start-AmpJob demo/web -Worker worker-01
        $job | Should -BeOfType Amp.AmpJob
        ($job | Stop-AmpJob -PassThru).JobId | Should -Be $job.JobId
        ($job | Wait-AmpJob).Status | Should -Be Stopped
        ($job | Restart-AmpJob).IsTerminal | Should -BeFalse
        $job | Stop-AmpJob
        $null = $job | Wait-AmpJob
        $job | Remove-AmpJob
        Assert-CommandError { Get-AmpJob $job.JobId } -Id AmpJobNotFound -Category ObjectNotFound -Target $job.JobId
        Remove-AmpDataset demo/web -Confirm:$false
        Get-AmpDataset demo/w* | Should -BeNullOrEmpty
    }

    It 'registers and removes providers' {
        $null = Connect-Amp -Uri $uri
        $provider = Register-AmpProvider web webnet http://127.0.0.1:1 -AuthToken (ConvertTo-SecureString s3cr3t -AsPlainText -Force)
        $provider.Path | Should -FileContentMatch s3cr3t
        Assert-CommandError { Register-AmpProvider web webnet http://127.0.0.1:1 } -Id AmpProviderExists -Category ResourceExists -Target web
        (Test-AmpProvider web).Success | Should -BeFalse
        Remove-AmpProvider web
        Assert-CommandError { Get-AmpProvider web } -Id AmpProviderNotFound -Category ObjectNotFound -Target web
    }

    It 'refuses what the server refuses, in its words' {
        $null = Connect-Amp -Uri $uri
        Assert-CommandError { Stop-AmpJob $done.JobId } -Id AmpJobAlreadyTerminated -Category InvalidOperation -Target $done.JobId
        Assert-CommandError { Start-AmpJob demo/devnet 9 -Worker nobody } -Id AmpWorkerNotFound -Category ObjectNotFound -Target nobody
        Assert-CommandError { Start-AmpJob demo/nothing 9 } -Id AmpDatasetNotFound -Category ObjectNotFound -Target demo/nothing
    }

    It 'says which cmdlets need the database: <_>' -ForEach 'Get-AmpFile', 'Get-AmpTableRow', 'Test-AmpTable demo/devnet', 'Repair-AmpTable demo/devnet', 'Get-AmpSyncEvent' {
        $null = Connect-Amp -Uri $uri
        Assert-CommandError ([scriptblock]::Create($_)) -Id AmpDatabaseConnectionRequired -Category InvalidOperation -Target $uri
    }

    It 'completes names' {
        $null = Connect-Amp -Uri $uri
        (Get-Completion 'Get-AmpWorker ').ListItemText | Should -Contain worker-01
        (Get-Completion 'Get-AmpProvider ').ListItemText | Should -Contain dev
        (Get-Completion 'Start-AmpJob ').ListItemText | Should -Contain demo/devnet
        (Get-Completion 'Get-AmpTable demo/devnet ').ListItemText | Should -Contain logs
    }

    It 'says where nobody answers any more' {
        $env:AMP_CONFIG_ADMIN_API_ADDR = "127.0.0.1:$(Get-FreePort)"
        $controller = Start-AmpController -ConfigPath $deployment.ConfigPath
        $env:AMP_CONFIG_ADMIN_API_ADDR = $null
        $null = $controller | Connect-Amp
        $null = Get-AmpWorker
        Stop-AmpController
        Assert-CommandError { Get-AmpWorker } -Id AmpAdminApiUnavailable -Category ConnectionError -Target $controller.AdminApi
        Get-Completion 'Get-AmpWorker wo' | Should -BeNullOrEmpty
    }
}
