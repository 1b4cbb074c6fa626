BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 50
    $done = Start-AmpJob demo/devnet 49 | Wait-AmpJob
    $folder = (New-Item (Join-Path $deployment.Path reports) -ItemType Directory).FullName
    $path = Join-Path $folder report.html

    # A page is well-formed XML, so that PowerShell can read it.
    function Read-Report([string] $Path = $path) { [xml](Get-Content $Path -Raw) }

    # The cells of a section's table, one array of texts for each row.
    function Get-ReportRow([xml] $Page, [string] $Section) {
        foreach ($row in $Page.SelectNodes("//section[@id='$Section']//tbody/tr")) { , @($row.ChildNodes | ForEach-Object InnerText) }
    }
}

AfterAll {
    $null = Connect-Amp $deployment.ConfigPath
    Remove-TestDeployment $deployment
}

Describe 'Export-AmpReport' {
    BeforeEach {
        Get-ChildItem $folder | Remove-Item -Force
    }

    It 'writes what the cmdlets say, and nothing into the pipeline' {
        Export-AmpReport $path | Should -BeNullOrEmpty
        Get-ChildItem $folder -Force | ForEach-Object Name | Should -Be report.html
        $page = Read-Report
        $page.html.head.title | Should -Be 'Amp report'
        (Get-ReportRow $page workers)[0] | Should -Be worker-01
        $job = @(Get-ReportRow $page jobs)[0]
        $job[0, 1, 2, 3, 5] | Should -Be "$($done.JobId)", demo/devnet, Completed, worker-01, '50 of 50'
        $tables = $page.SelectNodes('//article')
        $tables.ForEach({ $_.GetAttribute('aria-label') }) | Should -Be 'demo/devnet blocks', 'demo/devnet logs', 'demo/devnet transactions'
        foreach ($table in Get-AmpTable) {
            $figures = $page.SelectNodes("//article[@aria-label='demo/devnet $($table.Table)']//dl/div").ForEach({ $_.dt + ' ' + $_.dd })
            $rows = (Get-AmpFile demo/devnet $table.Table -IncludeRowCount | Measure-Object RowCount -Sum).Sum
            $figures | Should -Contain 'Blocks 50'
            $figures | Should -Contain "Rows $($rows.ToString('N0', [cultureinfo]::InvariantCulture))"
            $figures | Should -Contain "Files $($table.FilesCount)"
        }
        @(Get-ReportRow $page timeline).ForEach({ $_[3] }) | Should -Be Completed, Running, Scheduled
        $page.html.InnerText | Should -BeLike '*Nothing needs attention.*'
        $page.SelectNodes('//script').Count | Should -Be 0
    }

    It 'gives the file with -PassThru' {
        $file = Export-AmpReport $path -PassThru
        $file | Should -BeOfType System.IO.FileInfo
        $file.FullName | Should -Be $path
        $file.PSProvider.Name | Should -Be FileSystem
    }

    It 'takes paths from PowerShell''s location and drives' {
        Push-Location $folder
        try {
            (Export-AmpReport a.html -PassThru).FullName | Should -Be (Join-Path $folder a.html)
        }
        finally {
            Pop-Location
        }
        Export-AmpReport 'TestDrive:/b [1].html'
        Test-Path -LiteralPath 'TestDrive:/b [1].html' | Should -BeTrue
    }

    It 'replaces a file, but for -NoClobber' {
        Set-Content $path old
        Assert-CommandError { Export-AmpReport $path -NoClobber } -Id AmpReportExists -Category ResourceExists -Target $path
        Get-Content $path | Should -Be old
        Export-AmpReport $path
        (Read-Report).html.lang | Should -Be en
    }

    It 'replaces a read-only file with -Force only' {
        Set-Content $path old
        Set-ItemProperty $path IsReadOnly $true
        Assert-CommandError { Export-AmpReport $path } -Id AmpReportReadOnly -Category PermissionDenied -Target $path
        Get-Content $path | Should -Be old
        (Export-AmpReport $path -Force -PassThru).IsReadOnly | Should -BeTrue
        (Read-Report).html.lang | Should -Be en
    }

    It 'refuses <Path>' -ForEach @(
        @{ Path = 'none/report.html'; Id = 'AmpReportFolderNotFound'; Category = 'ObjectNotFound' }
        @{ Path = '.'; Id = 'AmpReportPathIsFolder'; Category = 'InvalidArgument' }
        @{ Path = 'Env:report.html'; Id = 'AmpReportPathInvalid'; Category = 'InvalidArgument' }
        @{ Path = 'Nowhere:/report.html'; Id = 'AmpReportPathInvalid'; Category = 'InvalidArgument' }
    ) {
        Push-Location $folder
        try {
            Assert-CommandError { Export-AmpReport $Path } -Id $Id -Category $Category
            # Before anything is read, also with -WhatIf.
            Assert-CommandError { Export-AmpReport $Path -WhatIf } -Id $Id -Category $Category
        }
        finally {
            Pop-Location
        }
        Get-ChildItem $folder -Force | Should -BeNullOrEmpty
        Test-Path Env:report.html | Should -BeFalse
    }

    It 'says where nobody may write' -Skip:(-not $IsLinux) {
        Assert-CommandError { Export-AmpReport /proc/report.html } -Id AmpReportNotWritable -Category PermissionDenied -Target /proc/report.html
    }

    It 'writes nothing with -WhatIf' {
        Export-AmpReport $path -WhatIf -PassThru | Should -BeNullOrEmpty
        Get-ChildItem $folder -Force | Should -BeNullOrEmpty
    }

    It 'keeps text text' {
        $title = '<script>alert(1)</script> & "more"'
        Export-AmpReport $path -Title $title
        (Read-Report).SelectSingleNode('//h1').InnerText | Should -Be $title
        Get-Content $path -Raw | Should -Not -Match '<script'
    }

    It 'is about some datasets only: <_>' -ForEach 'demo/devnet', 'demo/*' {
        Export-AmpReport $path -Dataset $_
        (Read-Report).html.InnerText | Should -BeLike "*Only datasets $_*"
        @(Get-ReportRow (Read-Report) jobs).Count | Should -Be 1
        Export-AmpReport $path -Dataset nothing*
        (Read-Report).html.InnerText | Should -BeLike '*There are no jobs.*'
    }

    It 'writes nothing about what is not there' {
        Assert-CommandError { Export-AmpReport $path -Dataset demo/nothing } -Id AmpDatasetNotFound -Category ObjectNotFound -Target demo/nothing
        Assert-CommandError { Export-AmpReport $path -JobId 4711 } -Id AmpJobNotFound -Category ObjectNotFound -Target 4711
        Get-ChildItem $folder -Force | Should -BeNullOrEmpty
    }

    It 'takes jobs from the pipeline, and none for none' {
        Get-AmpJob | Export-AmpReport $path
        (Read-Report).html.InnerText | Should -BeLike "*jobs $($done.JobId)*"
        Remove-Item $path
        Get-AmpJob -Status Fatal | Export-AmpReport $path -PassThru | Should -BeNullOrEmpty
        Get-ChildItem $folder -Force | Should -BeNullOrEmpty
        Get-AmpDataset demo/devnet | Export-AmpReport $path
        (Read-Report).html.InnerText | Should -BeLike '*Only datasets demo/devnet*'
    }

    It 'leaves out what was before -Since' {
        Export-AmpReport $path -Since (Get-Date).AddMinutes(1)
        $page = Read-Report
        Get-ReportRow $page jobs | Should -BeNullOrEmpty
        $page.SelectNodes('//article').Count | Should -Be 3
        $page.SelectNodes("//figure[@class='chart']").Count | Should -Be 0
    }

    It 'shows sync events when asked' {
        Wait-Until { @(Get-AmpSyncEvent sync.completed -JobId $done.JobId).Count -eq 3 }
        Export-AmpReport $path -IncludeSyncEvent
        @(Get-ReportRow (Read-Report) sync-events).ForEach({ $_[1] }) | Should -Contain sync.completed
        Export-AmpReport $path
        Get-ReportRow (Read-Report) sync-events | Should -BeNullOrEmpty
    }

    It 'shows background jobs, dead letters and workers' {
        Register-AmpBackgroundJobHandler job.fail { throw 'no such account' }
        $worker = Start-AmpBackgroundWorker
        $null = @{ secret = 's3cr3t' } | Submit-AmpBackgroundJob job.fail -MaxAttempts 1 | Wait-AmpBackgroundJob -ErrorAction Ignore
        Export-AmpReport $path
        $page = Read-Report
        $page.html.InnerText | Should -BeLike '*1 dead letter*'
        $page.html.InnerText | Should -BeLike '*no such account*'
        $page.html.InnerText | Should -Not -BeLike '*s3cr3t*'
        $page.SelectSingleNode("//th[@title='$($worker.WorkerId)']").InnerText | Should -Be ([Environment]::MachineName)
    }

    It 'works over HTTP with what is there' {
        $api = (Get-Content $deployment.ConfigPath | Select-String '^admin_api_addr = "(.*)"').Matches[0].Groups[1].Value
        $null = Connect-Amp -Uri "http://$api/"
        try {
            Export-AmpReport $path
            $page = Read-Report
            @(Get-ReportRow $page jobs)[0][5] | Should -Be '50 of 50'
            $page.SelectSingleNode("//section[@id='notes']").InnerText | Should -BeLike '*over HTTP*'
            Assert-CommandError { Export-AmpReport $path -IncludeSyncEvent } -Id AmpDatabaseConnectionRequired -Category InvalidOperation
        }
        finally {
            $null = Connect-Amp $deployment.ConfigPath
        }
    }

    It 'ends at Ctrl+C and leaves nothing' {
        # Nobody answers for the broker, which is waited for.
        $config = Join-Path $deployment.Path silent.toml
        (Get-Content $deployment.ConfigPath) -replace [regex]::Escape($deployment.Broker.BootstrapServers), '192.0.2.1:9092' | Set-Content $config
        $null = Connect-Amp $config
        try {
            [AppDomain]::CurrentDomain.SetData('AmpReportBegins', $false)
            $stopped = Invoke-Stoppable "[AppDomain]::CurrentDomain.SetData('AmpReportBegins', `$true); Export-AmpReport '$path' -IncludeSyncEvent" -When { [AppDomain]::CurrentDomain.GetData('AmpReportBegins') }
            $stopped.State | Should -Be Stopped
            $stopped.Errors | Should -BeNullOrEmpty
            Get-ChildItem $folder -Force | Should -BeNullOrEmpty
        }
        finally {
            $null = Connect-Amp $deployment.ConfigPath
        }
    }
}
