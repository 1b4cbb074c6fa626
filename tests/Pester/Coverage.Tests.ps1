# What the other test files must contain, found by reading them: nothing of the module runs here.

BeforeDiscovery {
    . $PSScriptRoot/common.ps1
    $cmdlets = Get-Command -Module Amp
}

BeforeAll {
    . $PSScriptRoot/common.ps1
    $optional = [System.Management.Automation.PSCmdlet]::CommonParameters + 'WhatIf', 'Confirm'
    # Their strings are code that runs elsewhere.
    $runners = 'Invoke-Stoppable', 'Invoke-WithBars', 'Invoke-ChildShell', 'Start-ChildShell'
    $language = 'System.Management.Automation.Language'

    function Test-Node($Node, [string] $Name) { $Node -is "$language.${Name}Ast" }

    # The last element of a pipeline, past what only chooses from its input.
    function Get-Source($Elements) {
        $Elements | Where-Object { -not ((Test-Node $_ Command) -and $_.GetCommandName() -in 'Where-Object', 'Sort-Object') } | Select-Object -Last 1
    }

    # What a pipeline element gives, as far as the text tells: names of properties, and whether it is a plain value.
    function Get-Output($Element) {
        $expression = $Element.Expression
        if ($expression -is "$language.VariableExpressionAst") {
            $name = $expression.VariablePath.UserPath
            $sources = $assignments | Where-Object { "$($_.Left)" -eq "`$$name" } | ForEach-Object { (Test-Node $_.Right Pipeline) ? (Get-Source $_.Right.PipelineElements) : $_.Right }
            $sources | Where-Object { $_.Expression -isnot "$language.VariableExpressionAst" } | ForEach-Object { Get-Output $_ } | Select-Object -First 1
        }
        elseif ($expression -is "$language.ConvertExpressionAst" -and $expression.Child -is "$language.HashtableAst") {
            @{ Properties = $expression.Child.KeyValuePairs.Item1.Value }
        }
        elseif ($expression -is "$language.ExpandableStringExpressionAst" -or ($expression -and -not $expression.Find({ Test-Node $args[0] VariableExpression }, $true))) {
            @{ IsValue = $true }
        }
        elseif ($expression -is "$language.MemberExpressionAst") {
            @{ Member = "$($expression.Member)" }
        }
        elseif ((Test-Node $Element Command) -and $Element.GetCommandName() -eq 'Get-Item') {
            @{ Properties = 'FullName', 'PSPath' }
        }
        elseif ($types = (Test-Node $Element Command) ? $known["$($Element.GetCommandName())"].OutputType.Type : $null) {
            @{ Types = $types; Properties = $types.ForEach({ $_.GetProperties().Name }) }
        }
    }

    # The calls of our cmdlets in a piece of code, also in code that it hands to another PowerShell.
    function Get-Call($Tree) {
        $assignments = @($assignments) + $Tree.FindAll({ Test-Node $args[0] AssignmentStatement }, $true)
        foreach ($command in $Tree.FindAll({ Test-Node $args[0] Command }, $true)) {
            $name = "$($command.GetCommandName())"
            if ($name -in $runners) {
                foreach ($text in $command.FindAll({ "$($args[0].StringConstantType)" -notin '', 'BareWord' }, $true)) {
                    Get-Call ([System.Management.Automation.Language.Parser]::ParseInput($text.Value, [ref]$null, [ref]$null))
                }
            }
            elseif ($cmdlet = $known[$name]) {
                $elements = @($command.Parent.PipelineElements)
                $source = Get-Source ($elements[0..$elements.IndexOf($command)] | Select-Object -SkipLast 1)
                $bound = @([System.Management.Automation.Language.StaticParameterBinder]::BindCommand($command, $true).BoundParameters.Keys)
                $output = $source ? (Get-Output $source) : $null

                # A set fits when it has all that is written, and what it demands is written or may come by the pipe.
                $sets = $cmdlet.ParameterSets | Where-Object {
                    $set = $_
                    -not ($bound | Where-Object { $_ -notin $set.Parameters.Name }) -and
                    -not ($set.Parameters | Where-Object { $_.IsMandatory -and $_.Name -notin $bound -and -not ($source -and ($_.ValueFromPipeline -or $_.ValueFromPipelineByPropertyName)) })
                }
                $free = $sets.Parameters | Where-Object { $source -and $_.Name -notin $bound }
                $byValue = $free | Where-Object {
                    $type = $_.ParameterType.HasElementType ? $_.ParameterType.GetElementType() : $_.ParameterType
                    $_.ValueFromPipeline -and ($output.IsValue -or $output.Member -eq $_.Name -or $output.Types -contains $type)
                }
                $byName = $free | Where-Object { $_.ValueFromPipelineByPropertyName -and (@($_.Name) + $_.Aliases | Where-Object { $_ -in $output.Properties }) }
                $likely = @($byValue ? ($sets | Where-Object { $_.Parameters | Where-Object { $_.ValueFromPipeline -and $_.Name -in $byValue.Name } }) :
                    $byName ? ($sets | Where-Object { $_.Parameters.Name -eq $byName[0].Name }) :
                    $source ? ($sets | Where-Object { $_.Parameters | Where-Object { $_.IsMandatory -and $_.Name -notin $bound } }) : $null)
                $sets = @($likely ? $likely : $sets)
                [pscustomobject]@{
                    Cmdlet = $name; Text = "$command"; Bound = $bound; ByValue = $byValue.Name; ByName = $byName.Name
                    Set = $sets.Count -eq 1 ? $sets[0].Name : ($sets.Name | Where-Object { $_ -eq $cmdlet.DefaultParameterSet })
                    IsSplatted = [bool]($command.CommandElements | Where-Object Splatted)
                }
            }
        }
    }

    # The parameters that are completed, as "Get-AmpJob JobId": by the line's last word.
    function Get-Completed($Tree) {
        foreach ($line in $Tree.FindAll({ "$($args[0].StringConstantType)" -like '*Quoted' -and $args[0].Value -match '^\w+-Amp\w* ' }, $true).Value) {
            $ends = ($line -replace "'\w*$") + 'x'
            $command = [System.Management.Automation.Language.Parser]::ParseInput($ends, [ref]$null, [ref]$null).Find({ Test-Node $args[0] Command }, $true)
            if (-not $known["$($command.GetCommandName())"]) { continue }
            foreach ($entry in [System.Management.Automation.Language.StaticParameterBinder]::BindCommand($command, $true).BoundParameters.GetEnumerator()) {
                if ($entry.Value.Value.Extent.EndOffset -eq $ends.Length) { "$($command.GetCommandName()) $($entry.Key)" }
            }
        }
    }

    $known = @{}
    Get-Command -Module Amp | ForEach-Object { $known[$_.Name] = $_ }
    $trees = Get-ChildItem $PSScriptRoot -Filter *.Tests.ps1 | ForEach-Object { [System.Management.Automation.Language.Parser]::ParseFile($_, [ref]$null, [ref]$null) }
    $calls = $trees | ForEach-Object { Get-Call $_ } | Group-Object Cmdlet -AsHashTable
    $completed = $trees | ForEach-Object { Get-Completed $_ }
}

Describe 'The tests of <_>' -ForEach $cmdlets {
    BeforeAll {
        $cmdlet = $_
        $mine = $calls[$cmdlet.Name]
        $own = $cmdlet.Parameters.Values | Where-Object Name -notin $optional
    }

    It 'spell its parameters out' {
        $mine | Where-Object IsSplatted | ForEach-Object Text | Should -BeNullOrEmpty
    }

    It 'call each parameter set' {
        $cmdlet.ParameterSets.Name | Where-Object { $_ -notin $mine.Set } | Should -BeNullOrEmpty
    }

    It 'use each parameter' {
        $own.Name | Where-Object { $_ -notin $mine.Bound -and $_ -notin $mine.ByValue -and $_ -notin $mine.ByName } | Should -BeNullOrEmpty
    }

    It 'use -WhatIf, where there is one' {
        if ($cmdlet.Parameters.ContainsKey('WhatIf')) { $mine.Bound | Should -Contain WhatIf }
    }

    It 'pipe values into it' {
        ($own | Where-Object { $_.ParameterSets.Values.ValueFromPipeline }).Name | Where-Object { $_ -notin $mine.ByValue } | Should -BeNullOrEmpty
    }

    It 'pipe objects with its parameters'' names into it' {
        ($own | Where-Object { $_.ParameterSets.Values.ValueFromPipelineByPropertyName }).Name | Where-Object { $_ -notin $mine.ByName } | Should -BeNullOrEmpty
    }

    It 'complete each parameter that can be completed' {
        ($own | Where-Object { $_.Attributes | Where-Object { $_ -is [System.Management.Automation.ArgumentCompleterAttribute] } }).Name |
            Where-Object { "$cmdlet $_" -notin $completed } | Should -BeNullOrEmpty
    }
}

Describe 'The tests of errors' {
    BeforeAll {
        # Codes of the errors that C# files make.
        function Get-ErrorCode([string] $Folder) {
            $pattern = '"(?<code>[A-Z]\w+)"\s*,\s*([^";]{0,80}\?\s*)?AmpErrorKind\.|NotFound\(\s*"(?<code>[A-Z]\w+)"|new ErrorRecord\(\w+, "Amp(?<code>\w+)"' +
                '|public const string (?<code>[A-Z]\w+) = "\k<code>"|ErrorCode : "(?<code>\w+)"|Throw\w*\("(?<code>[A-Z]\w+)"'
            Get-ChildItem (Join-Path $PSScriptRoot ../../src $Folder) -Recurse -Filter *.cs | Where-Object FullName -NotMatch '[\\/]obj[\\/]' |
                ForEach-Object { [regex]::Matches((Get-Content $_ -Raw), $pattern) } | ForEach-Object { $_.Groups['code'].Value } | Sort-Object -Unique
        }

        # What no test can bring about, with the reason; the others must be named.
        $untested = @{
            BackgroundJobEventReadFailed = 'brokers that answer, and then fail'
            SyncEventReadFailed          = 'brokers that answer, and then fail'
            SyncEventGroupNotCommitted   = 'brokers that answer, and then fail'
            DevBrokerFailed              = 'a librdkafka that refuses what it can do'
            CompressionLibraryMissing    = 'a module without one of its files'
            PostgresNeedsUser            = 'a machine with no account but root'
            HeartbeatFailed              = 'a defect'
            SyncEventActionFailed        = 'a defect'
            JobMessageMalformed          = 'nobody sees it: what is no job is passed over'
        }

        $words = [Collections.Generic.HashSet[string]] [regex]::Matches("$($trees.Extent.Text)", '\w+').Value
        # Tests of the Admin API name codes in its spelling.
        $units = [Collections.Generic.HashSet[string]]::new(
            [string[]] ([regex]::Matches("$(Get-ChildItem $PSScriptRoot/../Unit -Recurse -Filter *.cs | Get-Content -Raw)", '(?<=")\w+(?=\\?")').Value -replace '_'), [StringComparer]::OrdinalIgnoreCase)
    }

    It 'name each that a cmdlet makes' {
        $codes = Get-ErrorCode Amp.PowerShell
        $codes.Count | Should -BeGreaterThan 30
        # Those of handlers stand in events of jobs, as they are.
        $codes | Where-Object { ($_ -like 'JobHandler*' ? $_ : "Amp$_") -notin $words -and $_ -notin $untested.Keys } | Should -BeNullOrEmpty
    }

    It 'name each that the runtime makes, here or in tests/Unit' {
        $codes = Get-ErrorCode Amp.Runtime
        $codes.Count | Should -BeGreaterThan 120
        $codes | Where-Object { "Amp$_" -notin $words -and $_ -notin $units -and $_ -notin $untested.Keys } | Should -BeNullOrEmpty
    }

    It 'are missing only where they cannot be had' {
        $untested.Keys | Where-Object { "Amp$_" -in $words -or $_ -in $units } | Should -BeNullOrEmpty
    }
}
