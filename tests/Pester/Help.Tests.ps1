BeforeDiscovery {
    . $PSScriptRoot/common.ps1
    $cmdlets = (Get-Command -Module Amp).Name
}

BeforeAll {
    . $PSScriptRoot/common.ps1
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

    It 'has examples that parse and name parameters that exist' {
        foreach ($example in $help.examples.example) {
            $faults = $null
            $tree = [System.Management.Automation.Language.Parser]::ParseInput($example.code, [ref]$null, [ref]$faults)
            $faults | Should -BeNullOrEmpty
            $tree.FindAll({ $args[0] -is [System.Management.Automation.Language.CommandAst] }, $true) | ForEach-Object {
                $command = Get-Command $_.GetCommandName() -Module Amp -ErrorAction Ignore
                if ($command) {
                    $_.CommandElements | Where-Object { $_ -is [System.Management.Automation.Language.CommandParameterAst] } | ForEach-Object {
                        $command.Parameters.Keys | Should -Contain $_.ParameterName
                    }
                }
            }
        }
    }

    It 'describes every parameter' {
        foreach ($parameter in $parameters) {
            "$((Get-Help $help.Name -Parameter $parameter).description.Text)" | Should -Not -BeNullOrEmpty -Because "-$parameter"
        }
    }
}

Describe 'Get-Help about_Amp' {
    It 'is found' {
        "$(Get-Help about_Amp)" | Should -BeLike '*Start-AmpWorker -NodeId worker-01 -Solo*'
        "$(Get-Help about_AmpBackgroundJobs)" | Should -BeLike '*Register-AmpBackgroundJobHandler job.email.** KAFKA_BROKERS *'
    }
}
