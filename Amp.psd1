@{
    RootModule           = 'Amp.psm1'
    ModuleVersion        = '0.1.0'
    GUID                 = 'b3f6f0a4-5f0e-4f5b-9a43-6d5f0f2a7c19'
    Author               = 'The Amp for PowerShell contributors'
    CompanyName          = 'The Amp for PowerShell contributors'
    Copyright            = '(c) The Amp for PowerShell contributors. MIT licence.'
    Description          = 'Workers that extract blockchain data into Parquet files, coordinate through PostgreSQL and stream sync events to Kafka.'
    PowerShellVersion    = '7.6'
    CompatiblePSEditions = @('Core')
    FormatsToProcess     = @('Amp.Format.ps1xml')
    FunctionsToExport    = @()
    VariablesToExport    = @()
    AliasesToExport      = @()
    CmdletsToExport      = @(
        'Connect-Amp', 'Disconnect-Amp', 'Get-AmpConnection', 'New-AmpConfiguration', 'Test-AmpConfiguration', 'Initialize-AmpDatabase'
        'Start-AmpWorker', 'Stop-AmpWorker', 'Get-AmpWorker'
        'Start-AmpController', 'Stop-AmpController', 'Register-AmpWorkerService', 'Unregister-AmpWorkerService'
        'New-AmpDatasetManifest', 'Register-AmpDataset', 'Get-AmpDataset', 'Remove-AmpDataset', 'Get-AmpTable', 'Get-AmpFile', 'Get-AmpTableRow'
        'Test-AmpTable', 'Repair-AmpTable', 'Restore-AmpTable'
        'Register-AmpProvider', 'Get-AmpProvider', 'Test-AmpProvider', 'Remove-AmpProvider', 'Start-AmpDevChain', 'Stop-AmpDevChain'
        'Start-AmpJob', 'Get-AmpJob', 'Wait-AmpJob', 'Stop-AmpJob', 'Restart-AmpJob', 'Remove-AmpJob', 'Get-AmpJobEvent'
        'Get-AmpJobProgress', 'Watch-AmpJobProgress', 'Show-AmpProgress', 'Export-AmpReport'
        'Get-AmpSyncEvent', 'Register-AmpSyncEventAction', 'Start-AmpDevBroker', 'Stop-AmpDevBroker'
        'Submit-AmpBackgroundJob', 'Get-AmpBackgroundJob', 'Wait-AmpBackgroundJob', 'Stop-AmpBackgroundJob', 'Restart-AmpBackgroundJob'
        'Start-AmpBackgroundWorker', 'Stop-AmpBackgroundWorker', 'Get-AmpBackgroundWorker'
        'Register-AmpBackgroundJobHandler', 'Unregister-AmpBackgroundJobHandler', 'Get-AmpBackgroundJobEvent'
        'Get-AmpDeadLetter', 'Restart-AmpDeadLetter', 'Clear-AmpDeadLetter'
        'Get-AmpQuota', 'Set-AmpQuota', 'Reset-AmpQuota', 'Suspend-AmpTenant', 'Resume-AmpTenant'
    )
    PrivateData          = @{
        PSData = @{
            Tags         = @('blockchain', 'ethereum', 'evm', 'parquet', 'kafka', 'postgresql', 'etl', 'PSEdition_Core', 'Linux', 'MacOS', 'Windows')
            License      = 'MIT'
            ReleaseNotes = '{from CHANGELOG.md by the build}'
        }
    }
}
