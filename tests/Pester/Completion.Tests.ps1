BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 5
    $null = Start-AmpJob demo/devnet 4 | Wait-AmpJob
    $null = Register-AmpProvider "it's" devnet http://127.0.0.1:1 -ErrorAction Ignore
}

AfterAll {
    Remove-TestDeployment $deployment
}

Describe 'Tab completion' {
    It 'of <Line> offers <Expected>' -ForEach @(
        @{ Line = 'Get-AmpWorker '; Expected = 'worker-01' }
        @{ Line = 'Get-AmpWorker WORK'; Expected = 'worker-01' }
        @{ Line = "Get-AmpWorker 'work"; Expected = 'worker-01' }
        @{ Line = 'Stop-AmpWorker '; Expected = 'worker-01' }
        @{ Line = 'Start-AmpJob '; Expected = 'demo/devnet' }
        @{ Line = 'Start-AmpJob demo/d'; Expected = 'demo/devnet' }
        @{ Line = 'Start-AmpJob demo/devnet -Worker w'; Expected = 'worker-01' }
        @{ Line = 'Get-AmpDataset '; Expected = 'demo/devnet' }
        @{ Line = 'Get-AmpTable demo/devnet '; Expected = 'blocks', 'logs', 'transactions' }
        @{ Line = 'Get-AmpFile -Dataset demo/devnet -Table l'; Expected = 'logs' }
        @{ Line = 'Get-AmpJob '; Expected = '1' }
        @{ Line = 'Wait-AmpJob 1'; Expected = '1' }
        @{ Line = 'Export-AmpReport ./r.html -Dataset d'; Expected = 'demo/devnet' }
        @{ Line = 'Export-AmpReport ./r.html -JobId '; Expected = '1' }
        @{ Line = 'Test-AmpProvider d'; Expected = 'dev' }
        @{ Line = 'Remove-AmpProvider d'; Expected = 'dev' }
        @{ Line = 'Get-AmpFile demo/d'; Expected = 'demo/devnet' }
        @{ Line = 'Get-AmpTable demo/d'; Expected = 'demo/devnet' }
        @{ Line = 'Test-AmpTable demo/devnet l'; Expected = 'logs' }
        @{ Line = 'Repair-AmpTable demo/devnet l'; Expected = 'logs' }
        @{ Line = 'Repair-AmpTable demo/devnet -Worker w'; Expected = 'worker-01' }
        @{ Line = 'Restore-AmpTable demo/devnet l'; Expected = 'logs' }
        @{ Line = 'Register-AmpDataset demo/d'; Expected = 'demo/devnet' }
        @{ Line = 'Remove-AmpDataset demo/d'; Expected = 'demo/devnet' }
        @{ Line = 'Get-AmpJob -NodeId w'; Expected = 'worker-01' }
        @{ Line = 'Get-AmpJobEvent '; Expected = '1' }
        @{ Line = 'Remove-AmpJob '; Expected = '1' }
        @{ Line = 'Restart-AmpJob '; Expected = '1' }
        @{ Line = 'Restart-AmpJob 1 -Worker w'; Expected = 'worker-01' }
        @{ Line = 'Stop-AmpJob '; Expected = '1' }
        @{ Line = 'Show-AmpProgress '; Expected = '1' }
        @{ Line = 'Show-AmpProgress -Dataset '; Expected = 'demo/devnet' }
        @{ Line = 'Get-AmpSyncEvent -Dataset '; Expected = 'demo/devnet' }
        @{ Line = 'Get-AmpSyncEvent -Table l'; Expected = 'logs' }
        @{ Line = 'Get-AmpSyncEvent -JobId '; Expected = '1' }
        @{ Line = 'Get-AmpSyncEvent -WorkerId '; Expected = 'worker-01' }
        @{ Line = 'Register-AmpSyncEventAction -Dataset '; Expected = 'demo/devnet' }
        @{ Line = 'Register-AmpSyncEventAction -Table l'; Expected = 'logs' }
        @{ Line = 'Register-AmpSyncEventAction -JobId '; Expected = '1' }
        @{ Line = 'Register-AmpSyncEventAction -WorkerId '; Expected = 'worker-01' }
        @{ Line = 'Get-AmpJob -Status Comp'; Expected = 'Completed' }
        @{ Line = 'Get-AmpSyncEvent -EventType sync.f'; Expected = 'sync.failed' }
        @{ Line = 'New-AmpDatasetManifest devnet -Table tr'; Expected = 'transactions' }
    ) {
        (Get-Completion $Line).ListItemText | Should -Be $Expected
        (Get-Completion $Line).ToolTip | Should -Not -BeNullOrEmpty
    }

    It 'offers what runs in this process' {
        (Get-Completion 'Stop-AmpDevChain ').CompletionText | Should -Be $deployment.Chain.Url
        (Get-Completion 'Stop-AmpDevBroker ').CompletionText | Should -Be $deployment.Broker.BootstrapServers
        (Get-Completion 'Get-AmpSyncEvent -BootstrapServers ').CompletionText | Should -Be $deployment.Broker.BootstrapServers
        (Get-Completion 'Register-AmpSyncEventAction -BootstrapServers ').CompletionText | Should -Be $deployment.Broker.BootstrapServers
    }

    It 'takes special characters as they are: <_>' -ForEach '[', '*', "'", '"', '$x', '(', ']', '`' {
        # PowerShell itself may offer something for such a word; it must not be one of our names, and nothing may throw.
        { Get-Completion "Get-AmpWorker $_" } | Should -Not -Throw
        (Get-Completion "Get-AmpWorker '[").ListItemText | Should -Not -Contain worker-01
    }

    It 'is empty, quick and silent when the database is away' {
        Disconnect-Amp
        $before = $Error.Count
        $watch = [Diagnostics.Stopwatch]::StartNew()
        (Get-Completion 'Get-AmpWorker ').ListItemText | Should -Not -Contain worker-01
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 2
        $Error.Count | Should -Be $before
        Get-AmpConnection | Should -BeNullOrEmpty
        $null = Connect-Amp $deployment.ConfigPath
    }
}
