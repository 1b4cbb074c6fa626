BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 120
    $null = Start-AmpJob demo/devnet $deployment.LastBlock | Wait-AmpJob
}

AfterAll {
    Remove-TestDeployment $deployment
}

Describe 'New-AmpDatasetManifest' {
    It 'makes JSON with all tables from block 0' {
        $manifest = New-AmpDatasetManifest devnet | ConvertFrom-Json
        $manifest.kind | Should -Be evm-rpc
        $manifest.network | Should -Be devnet
        $manifest.start_block | Should -Be 0
        $manifest.tables.PSObject.Properties.Name | Sort-Object | Should -Be blocks, logs, transactions
    }

    It 'takes start block, finality and tables' {
        $manifest = New-AmpDatasetManifest devnet -StartBlock 7 -FinalizedBlocksOnly -Table logs | ConvertFrom-Json
        $manifest.start_block | Should -Be 7
        $manifest.finalized_blocks_only | Should -BeTrue
        $manifest.tables.PSObject.Properties.Name | Should -Be logs
    }

    It 'takes the network from the pipeline' {
        (Get-AmpProvider dev | New-AmpDatasetManifest | ConvertFrom-Json).network | Should -Be devnet
    }

    It 'refuses a table that there is not' {
        { New-AmpDatasetManifest devnet -Table traces } | Should -Throw -ErrorId 'ParameterArgumentValidationError,*'
    }
}

Describe 'Register-AmpDataset' {
    It 'registers a manifest from the pipeline as dev' {
        $dataset = New-AmpDatasetManifest devnet -StartBlock 1 | Register-AmpDataset test/pipeline
        $dataset | Should -BeOfType Amp.AmpDataset
        "$dataset" | Should -Be test/pipeline@dev
        $dataset.ManifestHash | Should -Match '^[0-9a-f]{64}$'
        $dataset.StartBlock | Should -Be 1
    }

    It 'registers a file as a version, and gives the same hash for the same manifest' {
        $path = Join-Path $deployment.Path manifest.json
        New-AmpDatasetManifest devnet -StartBlock 1 | Set-Content $path
        $first = Register-AmpDataset test/file@1.0.0 -Path $path
        $second = Get-Item $path | Register-AmpDataset test/file@1.0.1
        $second.ManifestHash | Should -Be $first.ManifestHash
        (Get-AmpDataset test/file@latest).ManifestHash | Should -Be $first.ManifestHash
        $rows = 'a', 'b' | ForEach-Object { [pscustomobject]@{ Dataset = "test/row_$_"; Path = $path } } | Register-AmpDataset
        $rows.Dataset | Should -Be test/row_a, test/row_b
        $rows.ManifestHash | Should -Be $first.ManifestHash, $first.ManifestHash
        (Get-AmpDataset test/pipeline | Register-AmpDataset -Path $path).ManifestHash | Should -Be $first.ManifestHash
    }

    It 'refuses <Name>' -ForEach @(
        @{ Name = 'a bad name'; Command = { New-AmpDatasetManifest devnet | Register-AmpDataset 'Not A Name' }; Id = 'AmpInvalidDatasetReference'; Category = 'InvalidArgument' }
        @{ Name = 'what is no manifest'; Command = { '{}' | Register-AmpDataset test/refused }; Id = 'AmpInvalidManifest'; Category = 'InvalidArgument' }
        @{ Name = 'a file that is not there'; Command = { Register-AmpDataset test/refused -Path nowhere.json }; Id = 'AmpManifestNotReadable'; Category = 'ObjectNotFound' }
        @{ Name = 'the version latest'; Command = { New-AmpDatasetManifest devnet | Register-AmpDataset test/refused@latest }; Id = 'AmpDatasetVersionInvalid'; Category = 'InvalidArgument' }
    ) {
        Assert-CommandError $Command -Id $Id -Category $Category
        Get-AmpDataset test/refused* | Should -BeNullOrEmpty
    }

    It 'registers nothing with -WhatIf' {
        New-AmpDatasetManifest devnet | Register-AmpDataset test/whatif -WhatIf | Should -BeNullOrEmpty
        Get-AmpDataset test/whatif* | Should -BeNullOrEmpty
    }
}

Describe 'A manifest' {
    It 'that cannot be read is named by who needs it' {
        $dataset = New-AmpDatasetManifest devnet -StartBlock 2 | Register-AmpDataset test/unreadable
        $path = (Get-Item (Join-Path $deployment.Path "manifests/$($dataset.ManifestHash)*")).FullName
        Remove-Item $path
        Assert-CommandError { Start-AmpJob test/unreadable 10 } -Id AmpManifestNotFound -Category ObjectNotFound -Target $dataset.ManifestHash
        $null = New-Item $path -ItemType Directory
        try {
            Assert-CommandError { Start-AmpJob test/unreadable 10 } -Id AmpManifestUnreadable -Category PermissionDenied -Target $path
        }
        finally {
            Remove-Item $path
            Remove-AmpDataset test/unreadable -Confirm:$false
        }
    }
}

Describe 'Get-AmpDataset' {
    It 'binds <Name>' -ForEach @(
        @{ Name = 'a name'; Command = { Get-AmpDataset demo/devnet } }
        @{ Name = 'a name with version'; Command = { Get-AmpDataset demo/devnet@dev } }
        @{ Name = 'a wildcard'; Command = { Get-AmpDataset demo/d* } }
        @{ Name = 'names from the pipeline'; Command = { 'demo/devnet' | Get-AmpDataset } }
        @{ Name = 'datasets from the pipeline'; Command = { Get-AmpDataset demo/devnet | Get-AmpDataset } }
        @{ Name = 'jobs from the pipeline'; Command = { Get-AmpJob 1 | Get-AmpDataset } }
    ) {
        (& $Command).Dataset | Should -Be demo/devnet
    }

    It 'says which literal name is not there' {
        Assert-CommandError { Get-AmpDataset demo/nothing } -Id AmpDatasetNotFound -Category ObjectNotFound -Target demo/nothing
        Get-CommandError { Get-AmpDataset nothing* } | Should -BeNullOrEmpty
    }

    It 'looks like this' {
        Assert-View (Get-AmpDataset) Dataset, Version, Kind, Network, Start, Manifest
    }
}

Describe 'Get-AmpTable' {
    It 'gives the tables with what they hold' {
        $tables = Get-AmpTable demo/devnet
        $tables.Table | Should -Be blocks, logs, transactions
        $tables | ForEach-Object { $_.CurrentBlock | Should -Be $deployment.LastBlock; $_.TotalSizeBytes | Should -BeGreaterThan 0 }
    }

    It 'binds <Name>' -ForEach @(
        @{ Name = 'dataset and table'; Command = { Get-AmpTable demo/devnet blocks } }
        @{ Name = 'wildcards'; Command = { Get-AmpTable demo/* bl* } }
        @{ Name = 'names from the pipeline'; Command = { 'demo/devnet' | Get-AmpTable -Table blocks } }
        @{ Name = 'datasets from the pipeline'; Command = { Get-AmpDataset demo/devnet | Get-AmpTable -Table blocks } }
        @{ Name = 'tables from the pipeline'; Command = { Get-AmpTable demo/devnet blocks | Get-AmpTable -Table blocks } }
    ) {
        (& $Command).Table | Should -Be blocks
    }

    It 'says which literal name is not there' {
        Assert-CommandError { Get-AmpTable demo/nothing } -Id AmpDatasetNotFound -Category ObjectNotFound -Target demo/nothing
        Assert-CommandError { Get-AmpTable demo/devnet traces } -Id AmpTableNotFound -Category ObjectNotFound -Target traces
        Get-CommandError { Get-AmpTable no*, demo/* tr* } | Should -BeNullOrEmpty
    }

    It 'looks like this' {
        Assert-View (Get-AmpTable) Dataset, Table, Start, Current, Files, Size
    }
}

Describe 'Get-AmpFile' {
    It 'gives the files of tables from the pipeline, and their sum' {
        $files = Get-AmpTable demo/devnet | Get-AmpFile
        $files | ForEach-Object { (Get-Item $_.FullName).Length | Should -Be $_.Size }
        (Get-AmpTable demo/devnet | Get-AmpFile | Measure-Object Size -Sum).Sum | Should -Be (Get-AmpTable demo/devnet | Measure-Object TotalSizeBytes -Sum).Sum
    }

    It 'counts rows on request' {
        Get-AmpFile demo/devnet blocks | ForEach-Object RowCount | Should -BeNullOrEmpty
        (Get-AmpFile demo/devnet blocks -IncludeRowCount | Measure-Object RowCount -Sum).Sum | Should -Be 120
    }

    It 'links each file to the one before' {
        $files = @(Get-AmpFile demo/devnet blocks)
        $files[0].StartBlock | Should -Be 0
        $files[-1].EndBlock | Should -Be $deployment.LastBlock
        for ($i = 1; $i -lt $files.Count; $i++) { $files[$i].PrevHash | Should -Be $files[$i - 1].Hash }
    }

    It 'says which literal name is not there' {
        Assert-CommandError { Get-AmpFile demo/nothing } -Id AmpDatasetNotFound -Category ObjectNotFound -Target demo/nothing
        Assert-CommandError { Get-AmpFile demo/devnet traces } -Id AmpTableNotFound -Category ObjectNotFound -Target traces
        Get-CommandError { Get-AmpFile nothing* } | Should -BeNullOrEmpty
    }

    It 'reports a file that is gone, and goes on' {
        $gone = @(Get-AmpFile demo/devnet logs)[0]
        Move-Item $gone.FullName "$($gone.FullName).away"
        try {
            Assert-CommandError { Get-AmpFile demo/devnet logs -IncludeRowCount } -Id AmpStorageFileMissing -Category ObjectNotFound -Target $gone.FullName
        }
        finally {
            Move-Item "$($gone.FullName).away" $gone.FullName
        }
    }

    It 'looks like this' {
        Assert-View (Get-AmpFile) Name, Table, Start, End, Size, Canonical
    }
}

Describe 'Remove-AmpDataset' {
    It 'removes names and versions, and keeps tables, files and manifest' {
        $hash = (Get-AmpDataset demo/devnet).ManifestHash
        Remove-AmpDataset demo/devnet -WhatIf
        Get-AmpDataset demo/devnet | Should -Not -BeNullOrEmpty
        Get-AmpDataset demo/devnet | Remove-AmpDataset -Confirm:$false
        Get-AmpDataset demo/d* | Should -BeNullOrEmpty
        $null = New-AmpDatasetManifest devnet -StartBlock 1 | Register-AmpDataset test/gone
        'test/gone' | Remove-AmpDataset -Confirm:$false
        Get-AmpDataset test/gone* | Should -BeNullOrEmpty
        Get-AmpFile demo/devnet | ForEach-Object { $_.FullName | Should -Exist }
        (New-AmpDatasetManifest devnet | Register-AmpDataset demo/devnet).ManifestHash | Should -Be $hash
        Test-AmpTable demo/devnet -Quiet | Should -BeTrue
    }

    It 'refuses <Name>' -ForEach @(
        @{ Name = 'a dataset that there is not'; Command = { Remove-AmpDataset demo/nothing -Confirm:$false }; Id = 'AmpDatasetNotFound'; Category = 'ObjectNotFound' }
        @{ Name = 'a single version'; Command = { Remove-AmpDataset demo/devnet@dev -Confirm:$false }; Id = 'AmpDatasetVersionInvalid'; Category = 'InvalidArgument' }
    ) {
        Assert-CommandError $Command -Id $Id -Category $Category
    }
}
