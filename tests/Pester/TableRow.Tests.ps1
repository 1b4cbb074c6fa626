BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 120
    foreach ($end in 39, 79, $deployment.LastBlock) { $null = Start-AmpJob demo/devnet $end | Wait-AmpJob }
    $files = @(Get-AmpFile demo/devnet blocks)
}

AfterAll {
    Remove-TestDeployment $deployment
}

Describe 'Get-AmpTableRow' {
    It 'previews the first ten rows of each table, by block' {
        (Get-AmpTableRow demo/devnet blocks).block_num | Should -Be (0..9)
        $rows = Get-AmpTableRow demo/devnet
        $rows.Count | Should -Be 30
        ($rows | Group-Object { $_.PSTypeNames[0] }).Name | Should -Be 'Amp.TableRow#blocks', 'Amp.TableRow#logs', 'Amp.TableRow#transactions'
        Get-AmpTableRow demo/devnet blocks -Verbose 4>&1 | Select-Object -Last 1 | Should -BeLike 'demo/devnet blocks: the first 10 rows;*-All*'
    }

    It 'binds <Name>' -ForEach @(
        @{ Name = 'dataset and table'; Command = { Get-AmpTableRow demo/devnet blocks } }
        @{ Name = 'wildcards'; Command = { Get-AmpTableRow demo/* bl* } }
        @{ Name = 'datasets from the pipeline by value'; Command = { 'demo/devnet' | Get-AmpTableRow -Table blocks } }
        @{ Name = 'datasets from the pipeline'; Command = { Get-AmpDataset demo/devnet | Select-Object Dataset | Get-AmpTableRow -Table blocks } }
        @{ Name = 'tables from the pipeline'; Command = { Get-AmpTable demo/devnet blocks | Get-AmpTableRow } }
        @{ Name = 'tables by property name'; Command = { [pscustomobject]@{ Dataset = 'demo/devnet'; Table = 'blocks' } | Get-AmpTableRow } }
        @{ Name = 'a file from the pipeline'; Command = { Get-AmpFile demo/devnet blocks | Select-Object -First 1 | Get-AmpTableRow } }
        @{ Name = 'files'; Command = { Get-AmpTableRow -InputObject $files[0] } }
        @{ Name = 'a path'; Command = { Get-AmpTableRow -Path $files[0].FullName } }
        @{ Name = 'a path with wildcards'; Command = { Get-AmpTableRow -Path (Join-Path (Split-Path $files[0].FullName) '000000000-*.parquet') } }
        @{ Name = 'a literal path'; Command = { Get-AmpTableRow -LiteralPath $files[0].FullName } }
        @{ Name = 'a file of the file system'; Command = { Get-Item $files[0].FullName | Get-AmpTableRow } }
    ) {
        $rows = & $Command
        $rows.block_num | Should -Be (0..9)
        $rows[0].PSTypeNames | Should -Be 'Amp.TableRow#blocks', 'Amp.TableRow', 'System.Management.Automation.PSCustomObject', 'System.Object'
    }

    It 'takes a table from the pipeline for its own manifest only' {
        Get-AmpTable demo/devnet blocks | Select-Object Dataset, Table, @{ n = 'ManifestHash'; e = { 'f' * 64 } } | Get-AmpTableRow | Should -BeNullOrEmpty
    }

    It 'gives one row a file for files from the pipeline' {
        (Get-AmpFile demo/devnet blocks | Get-AmpTableRow -First 1).block_num | Should -Be $files.StartBlock
    }

    It 'gives every column with its type' {
        $block = Get-AmpTableRow demo/devnet blocks -Block 5
        $names = @($block.PSObject.Properties.Name)
        $names.Count | Should -Be 24
        $names[0..4] | Should -Be _block_num, block_num, timestamp, hash, parent_hash
        $names[-1] | Should -Be requests_hash
        $block.block_num | Should -BeOfType ulong
        $block.timestamp | Should -Be ([DateTimeOffset]'2025-01-01T00:01:00Z')
        $block.timestamp | Should -BeOfType DateTimeOffset
        $block.hash | Should -MatchExactly '^0x[0-9a-f]{64}$'
        $block.parent_hash | Should -Be (Get-AmpTableRow demo/devnet blocks -Block 4).hash
        $block.difficulty | Should -BeOfType bigint
        $block.total_difficulty | Should -BeNullOrEmpty

        $transactions = Get-AmpTableRow demo/devnet transactions -All
        $transactions.value | Should -BeOfType bigint
        ($transactions | Where-Object value -GT 1e18).Count | Should -BeGreaterThan 0
        $transactions.status | Should -BeOfType bool
        $transactions.tx_index | Should -BeOfType uint
        $transactions.type | Should -BeOfType int
        $listed = @($transactions | Where-Object access_list)[0]
        , $listed.access_list | Should -BeOfType object[]
        $listed.access_list[0].PSObject.Properties.Name | Should -Be address, storage_keys
        $listed.access_list[0].address | Should -MatchExactly '^0x[0-9a-f]{40}$'
        @($transactions | Where-Object { $null -eq $_.to }).Count | Should -BeGreaterThan 0
    }

    It 'goes through ConvertTo-Json and Export-Csv whole' {
        $row = Get-AmpTableRow demo/devnet transactions -Last 1
        $json = $row | ConvertTo-Json -Depth 5 | ConvertFrom-Json -DateKind Offset
        $json.PSObject.Properties.Name | Should -Be $row.PSObject.Properties.Name
        $json.tx_hash | Should -Be $row.tx_hash
        $json.value | Should -Be $row.value
        $path = Join-Path $deployment.Path rows.csv
        Get-AmpTableRow demo/devnet logs -All | Export-Csv $path
        $csv = Import-Csv $path
        $csv.Count | Should -Be (Get-AmpFile demo/devnet logs -IncludeRowCount | Measure-Object RowCount -Sum).Sum
        $csv[-1].data | Should -Be (Get-AmpTableRow demo/devnet logs -Last 1).data
    }

    It 'chooses blocks: <Block>' -ForEach @(
        @{ Block = 70; Expected = 70 }
        @{ Block = '70'; Expected = 70 }
        @{ Block = '35..45'; Expected = 35..45 }
        @{ Block = 3, '5..6', 81; Expected = 3, 5, 6, 81 }
        @{ Block = 35..45; Expected = 35..45 }
        @{ Block = '..2'; Expected = 0..2 }
        @{ Block = '118..'; Expected = 118, 119 }
    ) {
        (Get-AmpTableRow demo/devnet blocks -Block $Block).block_num | Should -Be $Expected
        (Get-AmpFile demo/devnet blocks | Get-AmpTableRow -Block $Block).block_num | Should -Be $Expected
        Get-AmpTableRow demo/devnet logs -Block $Block | ForEach-Object { $_.block_num | Should -BeIn $Expected }
    }

    It 'takes a range as it is typed' {
        (Get-AmpTableRow demo/devnet blocks -Block 35..45).block_num | Should -Be (35..45)
        (Get-AmpTableRow demo/devnet blocks -Block 35..45 -First 2).block_num | Should -Be 35, 36
        $last = Get-AmpTableRow demo/devnet blocks -Last 1
        (Get-AmpTableRow demo/devnet blocks -Block $last.block_num).hash | Should -Be $last.hash
    }

    It 'chooses columns, in the order of the table' {
        $row = Get-AmpTableRow demo/devnet transactions -Column value, TX_*, block_num -First 1
        $row.PSObject.Properties.Name | Should -Be block_num, tx_index, tx_hash, value
        $row.PSTypeNames[0] | Should -Be Amp.TableRow
        Get-AmpTableRow demo/devnet blocks -Column nothing* | Should -BeNullOrEmpty
        @(Get-AmpTableRow demo/devnet logs -Column data -Block 70).data | Should -Be (Get-AmpTableRow demo/devnet logs -Block 70).data
    }

    It 'chooses the end, and all' {
        (Get-AmpTableRow demo/devnet blocks -Last 3).block_num | Should -Be 117, 118, 119
        (Get-AmpTableRow demo/devnet blocks -Last 50).block_num | Should -Be (70..119)
        (Get-AmpTableRow demo/devnet blocks -All).block_num | Should -Be (0..119)
        (Get-AmpTableRow demo/devnet blocks -First 45).block_num | Should -Be (0..44)
    }

    It 'touches no file after the last that is needed' {
        $later = $files[1].FullName
        Move-Item $later "$later.away"
        Set-Content $later 'not a table'
        try {
            (Get-AmpTableRow demo/devnet blocks -First 40).block_num | Should -Be (0..39)
            (Get-AmpTableRow demo/devnet blocks -Block 90).block_num | Should -Be 90
            (Get-AmpTableRow demo/devnet blocks -Last 40).block_num | Should -Be (80..119)

            # What was read before the damage comes first.
            $rows = Get-AmpTableRow demo/devnet blocks -All -ErrorVariable problems -ErrorAction SilentlyContinue
            $rows.block_num | Should -Be (0..39)
            $problems.Count | Should -Be 1
            Assert-CommandError { Get-AmpTableRow demo/devnet blocks -All } -Id AmpParquetFileInvalid -Category InvalidData -Target $later
            (Get-CommandError { Get-AmpTableRow demo/devnet blocks -All }).ErrorDetails.RecommendedAction | Should -BeLike '*Test-AmpTable demo/devnet blocks*Repair-AmpTable demo/devnet blocks*'

            # The next table has its turn.
            @(Get-AmpTableRow demo/devnet blocks, logs -First 60 -ErrorAction SilentlyContinue | Where-Object log_index).Count | Should -BeGreaterThan 0
        }
        finally {
            Move-Item "$later.away" $later -Force
        }
    }

    It 'names a file that is gone' {
        Move-Item $files[2].FullName "$($files[2].FullName).away"
        try {
            Assert-CommandError { Get-AmpTableRow demo/devnet blocks -All } -Id AmpStorageFileMissing -Category ObjectNotFound -Target $files[2].FullName
            Assert-CommandError { $files[2] | Get-AmpTableRow } -Id AmpStorageFileMissing -Category ObjectNotFound -Target $files[2].FullName
            (Get-CommandError { $files[2] | Get-AmpTableRow }).ErrorDetails.RecommendedAction | Should -BeLike '*Repair-AmpTable demo/devnet blocks*'
            Assert-CommandError { Get-AmpTableRow -LiteralPath $files[2].FullName } -Id AmpStorageFileMissing -Category ObjectNotFound -Target $files[2].FullName
        }
        finally {
            Move-Item "$($files[2].FullName).away" $files[2].FullName
        }
    }

    It 'says which literal name is not there' {
        Assert-CommandError { Get-AmpTableRow demo/nothing } -Id AmpDatasetNotFound -Category ObjectNotFound -Target demo/nothing
        Assert-CommandError { Get-AmpTableRow demo/devnet traces } -Id AmpTableNotFound -Category ObjectNotFound -Target traces
        Assert-CommandError { Get-AmpTableRow demo/devnet blocks -Column hash, tx_hash } -Id AmpColumnNotFound -Category ObjectNotFound -Target tx_hash
        Assert-CommandError { Get-AmpTableRow -Path nowhere.parquet } -Id AmpStorageFileMissing -Category ObjectNotFound -Target (Join-Path $PWD.ProviderPath nowhere.parquet)
        Get-CommandError { Get-AmpTableRow nothing* } | Should -BeNullOrEmpty
        Get-CommandError { Get-AmpTableRow -Path nothing*.parquet } | Should -BeNullOrEmpty
    }

    It 'says which blocks there are' {
        Assert-CommandError { Get-AmpTableRow demo/devnet blocks -Block 500 } -Id AmpBlockNotFound -Category ObjectNotFound -Target demo/devnet
        (Get-CommandError { Get-AmpTableRow demo/devnet blocks -Block 500 }).Exception.Message | Should -Be 'In demo/devnet blocks there are blocks 0 to 119, and not 500.'
        $rows = Get-AmpTableRow demo/devnet blocks -Block 118..130 -ErrorVariable problems -ErrorAction SilentlyContinue
        $rows.block_num | Should -Be 118, 119
        "$problems" | Should -BeLike '*not 120..130.'
        Assert-CommandError { Get-AmpFile demo/devnet blocks | Get-AmpTableRow -Block 500 } -Id AmpBlockNotFound -Category ObjectNotFound
        Assert-CommandError { Get-AmpTableRow -Path $files[1].FullName -Block 500 } -Id AmpBlockNotFound -Category ObjectNotFound -Target $files[1].FullName
    }

    It 'refuses <Name>' -ForEach @(
        @{ Name = 'two counts'; Command = { Get-AmpTableRow demo/devnet -First 1 -All } }
        @{ Name = 'the end of blocks'; Command = { Get-AmpTableRow demo/devnet -Last 1 -Block 5 } }
    ) {
        Assert-CommandError $Command -Id AmpRowSelectionAmbiguous -Category InvalidArgument
    }

    It 'refuses what is no range of blocks: <_>' -ForEach 'abc', '5..3', '-1', '..', '1...2' {
        { Get-AmpTableRow demo/devnet -Block $_ } | Should -Throw -ErrorId 'CannotConvertArgumentNoMessage,*'
    }

    It 'refuses a file that is not of Amp' {
        $path = Join-Path $deployment.Path 'it is [no] table.parquet'
        Set-Content -LiteralPath $path 'not a table'
        Assert-CommandError { Get-AmpTableRow -LiteralPath $path } -Id AmpParquetFileInvalid -Category InvalidData -Target $path
        Assert-CommandError { Get-Item -LiteralPath $path | Get-AmpTableRow } -Id AmpParquetFileInvalid -Category InvalidData -Target $path
        Assert-CommandError { Get-AmpTableRow -LiteralPath $deployment.Path } -Id AmpStorageNotReadable -Category PermissionDenied -Target $deployment.Path
    }

    It 'reads files without a connection' {
        $output = Invoke-ChildShell "Import-Module '$ModulePath'; Set-Location /; (Get-AmpTableRow -Path '$($files[1].FullName)' -First 2).block_num; Get-AmpConnection"
        $output | Should -Be 40, 41
    }

    It 'ends when the pipeline has enough, and at Ctrl+C' {
        (Get-AmpTableRow demo/devnet logs -All | Select-Object -First 3).Count | Should -Be 3
        $stopped = Invoke-Stoppable "Connect-Amp '$($deployment.ConfigPath)' | Out-Null; 1..100000 | ForEach-Object { Get-AmpTableRow demo/devnet -All }"
        $stopped.State | Should -Be Stopped
        $stopped.Errors | Should -BeNullOrEmpty
        $stopped.Milliseconds | Should -BeLessThan 5000
    }

    It 'completes <Line>' -ForEach @(
        @{ Line = 'Get-AmpTableRow demo/d'; Expected = 'demo/devnet' }
        @{ Line = 'Get-AmpTableRow demo/devnet '; Expected = 'blocks', 'logs', 'transactions' }
        @{ Line = 'Get-AmpTableRow demo/devnet logs -Column top'; Expected = 'topic0', 'topic1', 'topic2', 'topic3' }
        @{ Line = 'Get-AmpTableRow demo/devnet blocks -Column tx'; Expected = @() }
        @{ Line = 'Get-AmpTableRow demo/devnet -Table blocks, transactions -Column hash, gas_u'; Expected = 'gas_used' }
        @{ Line = 'Get-AmpTable | Get-AmpTableRow -Column _'; Expected = '_block_num' }
        @{ Line = "Get-AmpTableRow -Column '["; Expected = @() }
    ) {
        @((Get-Completion $Line).ListItemText) | Should -Be $Expected
    }

    It 'looks like this' {
        Assert-View (Get-AmpTableRow demo/devnet blocks -Last 5) block_num, timestamp, hash, miner, gas_used, gas_limit
        Assert-View (Get-AmpTableRow demo/devnet transactions -Last 5) block_num, tx_index, tx_hash, from, to, value
        Assert-View (Get-AmpTableRow demo/devnet logs -Last 5) block_num, log_index, tx_hash, address, topic0, data
        $hash = (Get-AmpTableRow demo/devnet blocks -First 1).hash
        $text = Get-AmpTableRow demo/devnet blocks -First 1 | Out-String -Width 100
        $text | Should -BeLike "*$($hash.Substring(0, 6))…$($hash.Substring(62))*"
        Get-AmpTableRow demo/devnet blocks -First 1 | Format-List | Out-String -Width 100 | Should -BeLike "*hash * : $hash*requests_hash *"
    }
}
