BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 5
}

AfterAll {
    Remove-TestDeployment $deployment
}

Describe 'Register-AmpProvider' {
    It 'writes a file that Get-AmpProvider reads, secrets redacted' {
        $secret = ConvertTo-SecureString 's3cr3t' -AsPlainText
        $provider = Register-AmpProvider full devnet -Kind evm-rpc 'https://me:pass@rpc.example/v2/key?token=abc' -AuthHeader X-Key -AuthToken $secret -ConcurrentRequestLimit 4 -RpcBatchSize 10 -RateLimitPerMinute 60 -FetchReceiptsPerTx
        $provider | Should -BeOfType Amp.AmpProvider
        $provider.Path | Should -Be (Join-Path $deployment.Path providers/full.toml)
        $text = Get-Content $provider.Path -Raw
        $text | Should -BeLike '*concurrent_request_limit = 4*'
        $text | Should -BeLike '*rpc_batch_size = 10*'
        $text | Should -BeLike '*rate_limit_per_minute = 60*'
        $text | Should -BeLike '*fetch_receipts_per_tx = true*'
        $shown = Get-AmpProvider full | Format-List * | Out-String
        $shown | Should -Not -BeLike '*s3cr3t*'
        $shown | Should -Not -BeLike '*pass@*'
    }

    It 'takes the address of a chain from the pipeline' {
        ($deployment.Chain | Register-AmpProvider piped devnet).Url | Should -Be $deployment.Chain.Url
    }

    It 'refuses a name that is taken, and overwrites it with -Force' {
        Assert-CommandError { Register-AmpProvider dev other http://127.0.0.1:1 } -Id AmpProviderExists -Category ResourceExists
        (Get-AmpProvider dev).Network | Should -Be devnet
        $null = Register-AmpProvider again devnet http://127.0.0.1:1
        (Register-AmpProvider again other http://127.0.0.1:2 -Force).Network | Should -Be other
    }

    It 'refuses <Name>, and writes nothing' -ForEach @(
        @{ Name = 'a name that is no file name'; Command = { Register-AmpProvider '../refused' devnet http://127.0.0.1:1 }; Id = 'AmpInvalidProviderName' }
        @{ Name = 'an address that is none'; Command = { Register-AmpProvider refused devnet 'nonsense' }; Id = 'AmpInvalidProvider' }
        @{ Name = 'an address of another scheme'; Command = { Register-AmpProvider refused devnet 'ftp://node' }; Id = 'AmpInvalidProvider' }
    ) {
        Assert-CommandError $Command -Id $Id -Category InvalidArgument
        Get-AmpProvider *refused* | Should -BeNullOrEmpty
    }

    It 'says which file it cannot write' {
        $path = (New-Item (Join-Path $deployment.Path providers/blocked.toml/content) -ItemType Directory -Force).Parent.FullName
        try {
            Assert-CommandError { Register-AmpProvider blocked devnet http://127.0.0.1:1 -Force } -Id AmpProviderNotWritable -Category PermissionDenied
        }
        finally {
            Remove-Item $path -Recurse
        }
    }

    It 'refuses numbers out of range' {
        { Register-AmpProvider refused devnet http://127.0.0.1:1 -ConcurrentRequestLimit 0 } | Should -Throw -ErrorId 'ParameterArgumentValidationError,*'
    }

    It 'writes nothing with -WhatIf' {
        Register-AmpProvider whatif devnet http://127.0.0.1:1 -WhatIf | Should -BeNullOrEmpty
        Get-AmpProvider whatif* | Should -BeNullOrEmpty
    }
}

Describe 'Get-AmpProvider' {
    It 'binds <Name>' -ForEach @(
        @{ Name = 'a name'; Command = { Get-AmpProvider dev } }
        @{ Name = 'a wildcard'; Command = { Get-AmpProvider de[v] } }
        @{ Name = 'names from the pipeline'; Command = { 'dev' | Get-AmpProvider } }
        @{ Name = 'providers from the pipeline'; Command = { Get-AmpProvider dev | Get-AmpProvider } }
    ) {
        (& $Command).Name | Should -Be dev
    }

    It 'says which literal name is not there' {
        Assert-CommandError { Get-AmpProvider nothing } -Id AmpProviderNotFound -Category ObjectNotFound -Target nothing
        Get-CommandError { Get-AmpProvider nothing* } | Should -BeNullOrEmpty
    }

    It 'reports a broken file, and goes on' {
        $path = Join-Path $deployment.Path providers/broken.toml
        Set-Content $path 'kind = '
        try {
            $found = Get-AmpProvider broken, dev -ErrorAction SilentlyContinue -ErrorVariable problem
            $found.Name | Should -Be dev
            $problem[0].FullyQualifiedErrorId | Should -BeExactly 'AmpInvalidToml,Amp.PowerShell.Providers.GetAmpProviderCommand'
            $problem[0].Exception.Message | Should -BeLike '*broken.toml*'
        }
        finally {
            Remove-Item $path
        }
    }

    It 'says which file it cannot read' -Skip:(-not $IsLinux) {
        # What is there may be read by nobody, root included.
        $path = Join-Path $deployment.Path providers/unreadable.toml
        $null = New-Item $path -ItemType SymbolicLink -Target /proc/self/mem
        try {
            Assert-CommandError { Get-AmpProvider unreadable } -Id AmpProvidersUnreadable -Category PermissionDenied
        }
        finally {
            Remove-Item $path
        }
    }

    It 'looks like this' {
        Assert-View (Get-AmpProvider) Name, Kind, Network, Url
    }
}

Describe 'Test-AmpProvider' {
    It 'says who answers' {
        $test = Test-AmpProvider dev
        $test | Should -BeOfType Amp.AmpProviderTest
        $test.Success | Should -BeTrue
        $test.ChainId | Should -Be 31337
        $test.Head | Should -Be 4
        $test.SupportsBlockReceipts | Should -BeTrue
        (Get-AmpProvider dev | Test-AmpProvider).Success | Should -BeTrue
        ('dev' | Test-AmpProvider).Success | Should -BeTrue
    }

    It 'says why a provider is not usable: <Name>' -ForEach @(
        @{ Name = 'nobody answers'; Network = 'devnet'; Url = { 'http://127.0.0.1:1' }; Message = '*127.0.0.1:1*' }
        @{ Name = 'it is no node'; Network = 'devnet'; Url = { "http://$($deployment.Broker.BootstrapServers)" }; Message = '*' }
        @{ Name = 'it serves another network'; Network = 'mainnet'; Url = { $deployment.Chain.Url }; Message = '*mainnet*chain id 31337*' }
    ) {
        $null = Register-AmpProvider wrong $Network (& $Url) -Force
        $test = Test-AmpProvider wrong
        $test.Success | Should -BeFalse
        $test.ErrorMessage | Should -BeLike $Message
        $test.ErrorMessage | Should -Not -BeNullOrEmpty
    }

    It 'says which literal name is not there' {
        Assert-CommandError { Test-AmpProvider nothing } -Id AmpProviderNotFound -Category ObjectNotFound -Target nothing
        Get-CommandError { Test-AmpProvider nothing* } | Should -BeNullOrEmpty
    }

    It 'ends within a second of Ctrl+C' {
        # A socket that is listened to but never answered.
        $silent = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, 0)
        $silent.Start()
        try {
            $null = Register-AmpProvider silent devnet "http://127.0.0.1:$($silent.LocalEndpoint.Port)"
            $stopped = Invoke-Stoppable 'Test-AmpProvider silent' -When { $silent.Pending() }
            $stopped.State | Should -Be Stopped
            $stopped.Milliseconds | Should -BeLessThan 1000
        }
        finally {
            $silent.Stop()
        }
    }

    It 'looks like this' {
        Assert-View (Test-AmpProvider dev, wrong) Name, Ok, Network, ChainId, Head, Latency, Client
    }
}

Describe 'Start-AmpDevChain, Stop-AmpDevChain' {
    It 'serves the blocks it was asked for, the same for the same seed' {
        $chains = 7, 7, 8 | ForEach-Object { Start-AmpDevChain -Seed $_ -BlockCount 3 }
        $hashes = $chains | ForEach-Object {
            (Invoke-RestMethod $_.Url -Method Post -ContentType application/json -Body '{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x2",false]}').result.hash
        }
        $hashes[0] | Should -Match '^0x[0-9a-f]{64}$'
        $hashes[1] | Should -Be $hashes[0]
        $hashes[2] | Should -Not -Be $hashes[0]
        $chains | Stop-AmpDevChain
        { Invoke-RestMethod $chains[0].Url -Method Post -Body '{}' -TimeoutSec 2 } | Should -Throw
    }

    It 'takes chain id and port, and grows' {
        $chain = Start-AmpDevChain -BlockCount 1 -ChainId 1 -BlockTime 00:00:00.050 -TransactionsPerBlock 0
        $chain.ChainId | Should -Be 1
        $null = $chain | Register-AmpProvider growing mainnet -Force
        Wait-Until { (Test-AmpProvider growing).Head -gt 2 }
        $chain.Url | Stop-AmpDevChain
        $port = ([uri]$chain.Url).Port
        (Start-AmpDevChain -BlockCount 1 -Port $port).Url | Should -Be $chain.Url
        Assert-CommandError { Start-AmpDevChain -BlockCount 1 -Port $port } -Id AmpDevChainPortUnavailable -Category ResourceExists
        Stop-AmpDevChain "*:$port/"
    }

    It 'replays recorded blocks' {
        $chain = Start-AmpDevChain -BlockCount 2 -ReplayPath (Join-Path $PSScriptRoot ../fixtures/evm/mainnet-15000000.block.json)
        $block = (Invoke-RestMethod $chain.Url -Method Post -ContentType application/json -Body '{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x1",false]}').result
        $block.transactions.Count | Should -Be 348
        $chain | Stop-AmpDevChain
        Assert-CommandError { Start-AmpDevChain -ReplayPath nowhere } -Id AmpReplayNotFound -Category ObjectNotFound
    }

    It 'starts and stops nothing with -WhatIf' {
        Start-AmpDevChain -WhatIf | Should -BeNullOrEmpty
        Stop-AmpDevChain -WhatIf
        (Test-AmpProvider dev).Success | Should -BeTrue
    }

    It 'says which literal address is not there' {
        Assert-CommandError { Stop-AmpDevChain http://127.0.0.1:1/ } -Id AmpDevChainNotInSession -Category ObjectNotFound -Target http://127.0.0.1:1/
        Get-CommandError { Stop-AmpDevChain nothing* } | Should -BeNullOrEmpty
    }

    It 'ends within a second of Ctrl+C while it makes blocks' {
        $stopped = Invoke-Stoppable "'begin'; Start-AmpDevChain -BlockCount 5000000"
        $stopped.State | Should -Be Stopped
        $stopped.Milliseconds | Should -BeLessThan 1000
    }

    It 'looks like this' {
        Assert-View $deployment.Chain Url, ChainId, Head, Seed
    }
}

Describe 'Remove-AmpProvider' {
    It 'removes the file of a provider from the pipeline' {
        $provider = Register-AmpProvider gone devnet http://127.0.0.1:1
        $provider | Remove-AmpProvider -WhatIf
        $provider.Path | Should -Exist
        $provider | Remove-AmpProvider
        $provider.Path | Should -Not -Exist
        $null = Register-AmpProvider gone devnet http://127.0.0.1:1
        'gone' | Remove-AmpProvider
        $provider.Path | Should -Not -Exist
        Assert-CommandError { Remove-AmpProvider gone } -Id AmpProviderNotFound -Category ObjectNotFound -Target gone
    }
}
