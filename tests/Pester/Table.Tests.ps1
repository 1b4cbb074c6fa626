BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 120
    foreach ($end in 39, 79, $deployment.LastBlock) { $null = Start-AmpJob demo/devnet $end | Wait-AmpJob }

    # Takes a file away and gives it, to be damaged or put back.
    function Get-FirstFile([string] $Table) { @(Get-AmpFile demo/devnet $Table)[0] }
}

AfterAll {
    Remove-TestDeployment $deployment
}

Describe 'Test-AmpTable' {
    It 'says that nothing is wrong with what a job wrote' {
        $tests = Test-AmpTable demo/devnet
        $LASTEXITCODE | Should -Be 0
        $tests.Table | Should -Be blocks, logs, transactions
        $tests | ForEach-Object {
            $_ | Should -BeOfType Amp.AmpTableTest
            $_.Success | Should -BeTrue
            $_.CurrentBlock | Should -Be $deployment.LastBlock
        }
    }

    It 'binds <Name>' -ForEach @(
        @{ Name = 'dataset and table'; Command = { Test-AmpTable demo/devnet blocks } }
        @{ Name = 'wildcards'; Command = { Test-AmpTable demo/* bl* } }
        @{ Name = 'names from the pipeline'; Command = { 'demo/devnet' | Test-AmpTable -Table blocks } }
        @{ Name = 'tables from the pipeline'; Command = { Get-AmpTable demo/devnet blocks | Test-AmpTable } }
        @{ Name = 'its own output'; Command = { Test-AmpTable demo/devnet blocks | Test-AmpTable } }
    ) {
        @(& $Command).Table | Should -Be blocks
    }

    It 'takes a table from the pipeline for its own manifest only' {
        Get-AmpTable demo/devnet blocks | Select-Object Dataset, Table, @{ n = 'ManifestHash'; e = { 'f' * 64 } } | Test-AmpTable | Should -BeNullOrEmpty
    }

    It 'names what is missing, in objects, in $LASTEXITCODE and as a yes or no' {
        $file = Get-FirstFile logs
        Move-Item $file.FullName "$($file.FullName).away"
        try {
            $test = Test-AmpTable demo/devnet logs
            $LASTEXITCODE | Should -Be 1
            $test.Success | Should -BeFalse
            $missing = $test.Problems | Where-Object Kind -EQ FileMissing
            $missing.File | Should -Be $file.Name
            $missing.StartBlock | Should -Be $file.StartBlock
            $missing.EndBlock | Should -Be $file.EndBlock
            "$missing" | Should -BeLike "FileMissing: *$($file.Name)*"
            Test-AmpTable -Quiet | Should -BeFalse
            Test-AmpTable demo/devnet blocks -Quiet | Should -BeTrue
            $LASTEXITCODE | Should -Be 0
        }
        finally {
            Move-Item "$($file.FullName).away" $file.FullName
        }
    }

    It 'says which literal name is not there, and counts that as not sound' {
        Assert-CommandError { Test-AmpTable demo/nothing } -Id AmpDatasetNotFound -Category ObjectNotFound -Target demo/nothing
        Test-AmpTable demo/nothing -Quiet -ErrorAction Ignore | Should -BeFalse
        Test-AmpTable nothing* -Quiet | Should -BeTrue
    }

    It 'gives a script its exit code' {
        $file = Get-FirstFile logs
        Move-Item $file.FullName "$($file.FullName).away"
        try {
            $null = Invoke-ChildShell "Import-Module '$ModulePath'; Connect-Amp -ConfigPath '$($deployment.ConfigPath)'; Test-AmpTable; exit `$LASTEXITCODE"
            $LASTEXITCODE | Should -Be 1
        }
        finally {
            Move-Item "$($file.FullName).away" $file.FullName
        }
    }

    It 'looks like this' {
        Assert-View (Test-AmpTable demo/devnet) Dataset, Table, Ok, Current, Files, Problems
    }
}

Describe 'Progress of <Name>' -ForEach @(
    @{ Name = 'Test-AmpTable'; Command = 'Test-AmpTable demo/devnet'; Results = 3 }
    @{ Name = 'Repair-AmpTable'; Command = 'Repair-AmpTable demo/devnet'; Results = 0 }
) {
    It 'is a bar for each table' {
        Invoke-WithBars $Command -Bars 3 | Should -HaveCount $Results
    }
}

Describe 'Repair-AmpTable' {
    It 'leaves sound tables alone, and says so' {
        Repair-AmpTable demo/devnet | Should -BeNullOrEmpty
        Repair-AmpTable demo/devnet blocks -Verbose 4>&1 | Should -Be 'demo/devnet blocks: nothing is wrong.'
    }

    It 'changes nothing with -WhatIf' {
        $file = Get-FirstFile logs
        Move-Item $file.FullName "$($file.FullName).away"
        try {
            Repair-AmpTable demo/devnet -WhatIf | Should -BeNullOrEmpty
            Get-AmpFile demo/devnet logs | Where-Object FileId -EQ $file.FileId | Should -Not -BeNullOrEmpty
        }
        finally {
            Move-Item "$($file.FullName).away" $file.FullName
        }
    }

    It 'extracts again what is missing and damaged, in one job, from the pipeline' {
        Remove-Item (Get-FirstFile logs).FullName
        $damaged = (Get-FirstFile transactions).FullName
        Set-Content $damaged 'not a table'
        $job = Test-AmpTable demo/devnet | Repair-AmpTable
        @($job).Count | Should -Be 1
        $job | Should -BeOfType Amp.AmpJob
        ($job | Wait-AmpJob).Status | Should -Be Completed
        Test-AmpTable -Quiet | Should -BeTrue
        Test-Path $damaged | Should -BeFalse
        (Get-AmpFile demo/devnet blocks -IncludeRowCount | Measure-Object RowCount -Sum).Sum | Should -Be 120
    }

    It 'refuses a table that a job writes' {
        $job = Start-AmpJob demo/devnet
        try {
            Remove-Item (Get-FirstFile logs).FullName
            Assert-CommandError { Repair-AmpTable demo/devnet } -Id AmpTableInUse -Category InvalidOperation -Target $job.JobId
        }
        finally {
            $null = $job | Stop-AmpJob -PassThru | Wait-AmpJob
        }
        Assert-CommandError { 'demo/devnet' | Repair-AmpTable -Worker nobody } -Id AmpWorkerNotFound -Category ObjectNotFound -Target nobody
        $null = 'demo/devnet' | Repair-AmpTable -Worker worker-0* | Wait-AmpJob
        Test-AmpTable -Quiet | Should -BeTrue
    }

    It 'says which literal name is not there' {
        Assert-CommandError { Repair-AmpTable demo/nothing } -Id AmpDatasetNotFound -Category ObjectNotFound -Target demo/nothing
    }
}

Describe 'Restore-AmpTable' {
    BeforeAll {
        # The same files, and a database that knows nothing.
        $files = (Get-AmpFile demo/devnet).FullName | Sort-Object
        $dataDir = (Get-AmpConnection).DataDir
        Stop-AmpWorker *
        Disconnect-Amp
        $empty = (New-Item (Join-Path $deployment.Path empty) -ItemType Directory).FullName
        $null = New-AmpConfiguration (Join-Path $empty config.toml) -Setting @{ 'data_dir' = $dataDir }
        $null = Start-AmpWorker worker-02 -Solo -AmpDir $empty
    }

    It 'wants the dataset to be registered' {
        Assert-CommandError { Restore-AmpTable demo/devnet } -Id AmpDatasetNotFound -Category ObjectNotFound
    }

    It 'registers nothing with -WhatIf' {
        New-AmpDatasetManifest devnet | Register-AmpDataset demo/devnet | Restore-AmpTable -WhatIf | Should -BeNullOrEmpty
        Get-AmpTable | Should -BeNullOrEmpty
    }

    It 'makes tables of the files of a registered dataset' {
        $tables = Get-AmpDataset demo/devnet | Restore-AmpTable
        $tables | ForEach-Object { $_ | Should -BeOfType Amp.AmpTable; $_.CurrentBlock | Should -Be $deployment.LastBlock }
        (Get-AmpFile demo/devnet).FullName | Sort-Object | Should -Be $files
        Test-AmpTable -Quiet | Should -BeTrue
    }

    It 'draws a bar for each table' {
        Invoke-WithBars 'Restore-AmpTable demo/devnet' -Bars 3 | Should -HaveCount 3
    }

    It 'takes another folder only with -Force' {
        $folder = Split-Path (Get-AmpTable demo/devnet logs | Get-AmpFile)[0].FullName
        $other = Join-Path (Split-Path $folder) ([guid]::CreateVersion7())
        Copy-Item $folder $other -Recurse
        $path = [IO.Path]::GetRelativePath($dataDir, $other)
        Assert-CommandError { Restore-AmpTable demo/devnet logs -Path $path } -Id AmpTableAlreadyRegistered -Category ResourceExists
        $table = 'demo/devnet' | Restore-AmpTable -Table logs -Path $path -Force
        $table.CurrentBlock | Should -Be $deployment.LastBlock
        Split-Path (Get-AmpFile demo/devnet logs)[0].FullName | Should -Be $other
        $folder | Should -Exist
        Test-AmpTable -Quiet | Should -BeTrue
    }

    It 'says which table the dataset does not have' {
        Assert-CommandError { Restore-AmpTable demo/devnet traces } -Id AmpTableNotFound -Category ObjectNotFound -Target traces
    }

    It 'refuses a folder without files' {
        Assert-CommandError { Restore-AmpTable demo/devnet logs -Path devnet/nothing } -Id AmpTableFolderNotFound -Category ObjectNotFound -Target logs
    }
}

Describe 'Get-AmpFile -Orphaned' {
    It 'gives none where there was no reorg' {
        Get-AmpFile -Orphaned | Should -BeNullOrEmpty
        (Get-AmpFile).Count | Should -Be (Get-AmpTable | Measure-Object FilesCount -Sum).Sum
    }
}
