BeforeDiscovery {
    . $PSScriptRoot/common.ps1
    $cmdlets = (Get-Command -Module Amp).Name
    # Examples of nothing but cmdlets that look, at this deployment, and end.
    $looks = foreach ($code in ($cmdlets | ForEach-Object { (Get-Help $_ -Full).examples.example.code })) {
        $tree = [System.Management.Automation.Language.Parser]::ParseInput($code, [ref]$null, [ref]$null)
        $names = $tree.FindAll({ $args[0] -is [System.Management.Automation.Language.CommandAst] }, $true).GetCommandName()
        if (-not ($names -notmatch '^((Get|Test)-Amp|Get-Date$|ConvertTo-|Format-)|-Object$') -and $code -notmatch '-Follow|-Uri|/etc/|kafka-1') { $code }
    }
}

BeforeAll {
    . $PSScriptRoot/common.ps1

    # Asserts that code parses, and that its parameters bind to what our cmdlets take.
    function Assert-Code([string] $Code) {
        $faults = $null
        $tree = [System.Management.Automation.Language.Parser]::ParseInput($Code, [ref]$null, [ref]$faults)
        $faults | Should -BeNullOrEmpty -Because $Code
        foreach ($command in $tree.FindAll({ $args[0] -is [System.Management.Automation.Language.CommandAst] }, $true) | Where-Object { $_.GetCommandName() -match '-Amp' }) {
            Get-Command $command.GetCommandName() -Module Amp -ErrorAction Ignore | Should -Not -BeNullOrEmpty -Because $command
            $bound = [System.Management.Automation.Language.StaticParameterBinder]::BindCommand($command, $true)
            $bound.BindingExceptions.Values | ForEach-Object { $_.BindingException.Message } | Should -BeNullOrEmpty -Because $command
        }
    }
}

Describe 'Get-Help <_>' -ForEach $cmdlets {
    BeforeAll {
        $help = Get-Help $_ -Full
        $parameters = (Get-Command $_).Parameters.Values.Name | Where-Object {
            $_ -notin [System.Management.Automation.PSCmdlet]::CommonParameters -and $_ -notin 'WhatIf', 'Confirm'
        }
    }

    It 'has a synopsis and a description' {
        $help.Synopsis | Should -Match '^[A-Z].*\.$'
        $help.description.Text | Should -Not -BeNullOrEmpty
    }

    It 'has two examples with code and explanation' {
        @($help.examples.example).Count | Should -BeGreaterOrEqual 2
        foreach ($example in $help.examples.example) {
            $example.code | Should -Not -BeNullOrEmpty
            "$($example.remarks.Text)".Trim() | Should -Not -BeNullOrEmpty
        }
    }

    It 'has examples that parse and fit the parameters' {
        foreach ($example in $help.examples.example) { Assert-Code $example.code }
    }

    It 'describes every parameter' {
        foreach ($parameter in $parameters) {
            "$((Get-Help $help.Name -Parameter $parameter).description.Text)" | Should -Not -BeNullOrEmpty -Because "-$parameter"
        }
    }
}

Describe 'Examples that only look' {
    BeforeAll {
        $deployment = New-TestDeployment -Blocks 5
        $null = New-AmpDatasetManifest devnet | Register-AmpDataset ethereum/mainnet@1.0.0
        $job = Start-AmpJob ethereum/mainnet 4 | Wait-AmpJob
        $null = New-AmpConfiguration (Join-Path $deployment.Path amp.toml)
        Push-Location $deployment.Path
    }

    AfterAll {
        Pop-Location
        Remove-TestDeployment $deployment
    }

    It 'run: <_>' -ForEach $looks {
        { & ([scriptblock]::Create("`$ErrorActionPreference = 'Stop'; " + ($_ -replace '\b42\b', $job.JobId))) | Out-String } | Should -Not -Throw
    }
}

Describe 'Get-Help <_>' -ForEach about_Amp, about_AmpWorkers, about_AmpSyncEvents, about_AmpBackgroundJobs {
    BeforeAll {
        $text = "$(Get-Help $_)".Replace("`r", '')
        # Code stands eight columns to the right.
        $blocks = [regex]::Matches($text, '(?m)^        \S.*(\n(        .*|\s*(?=\n        )))*').Value | Where-Object { $_ -match '-Amp' }
    }

    It 'is found, and names the others' {
        $text | Should -BeLike "TOPIC*$_*SHORT DESCRIPTION*LONG DESCRIPTION*EXAMPLES*SEE ALSO*about_Amp*"
        ($text -split '\n' | Measure-Object Length -Maximum).Maximum | Should -BeLessOrEqual 93
    }

    It 'shows code that parses and fits the parameters' {
        $blocks.Count | Should -BeGreaterOrEqual 4
        $blocks | ForEach-Object { Assert-Code $_ }
    }

    # The workers of about_AmpWorkers need a deployment.
    It 'shows what runs on a machine with nothing else' -ForEach ($_ -ne 'about_AmpWorkers' ? $_ : @()) {
        $path = (New-Item (Join-Path ([IO.Path]::GetTempPath()) "amp-pester-$([guid]::NewGuid().ToString('n'))") -ItemType Directory).FullName
        $block = $blocks | Where-Object { $_ -match 'Start-AmpWorker.* -Solo' } | Select-Object -Last 1
        try {
            $output = Invoke-ChildShell "
                Set-Location '$path'
                `$env:AMP_CONFIG_ADMIN_API_ADDR = '127.0.0.1:$(Get-FreePort)'
                Import-Module Amp
                try { & { $block } | Out-String; 'done' } finally { Remove-Module Amp }" 2>&1
            $output[-1] | Should -Be done -Because "$output"
            $output | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] } | Should -BeNullOrEmpty
        }
        finally {
            Remove-Item $path -Recurse -Force
        }
    }
}
