BeforeDiscovery {
    $analyzer = Get-Module PSScriptAnalyzer -ListAvailable | Select-Object -First 1
}

BeforeAll {
    $root = (Resolve-Path $PSScriptRoot/../..).Path
    $scripts = '', 'samples', 'src/Amp.PowerShell/Module', 'tests/Pester' | ForEach-Object { Get-ChildItem (Join-Path $root $_) -File } |
        Where-Object Extension -in .ps1, .psm1, .psd1 | ForEach-Object {
            $faults = $null
            $tree = [System.Management.Automation.Language.Parser]::ParseFile($_.FullName, [ref]$null, [ref]$faults)
            [pscustomobject]@{ Name = [IO.Path]::GetRelativePath($root, $_.FullName).Replace('\', '/'); Path = $_.FullName; Tree = $tree; Faults = $faults }
        }

    # Asserts that no script has what the script block finds in one.
    function Assert-Clean([scriptblock] $Find) {
        $scripts | ForEach-Object { $script = $_; $script | ForEach-Object $Find | ForEach-Object { "$($script.Name): $_" } } | Should -BeNullOrEmpty
    }

    function Find-Node($Tree, [type] $Type) {
        $Tree.FindAll({ $args[0] -is $Type }.GetNewClosure(), $true)
    }
}

# What the default rules of PSScriptAnalyzer look for, as far as it can be seen without it, and a little more.
Describe 'The scripts of the repository' {
    It 'parse' {
        $scripts.Count | Should -BeGreaterThan 20
        Assert-Clean { $_.Faults }
    }

    It 'are tidy text in UTF-8' {
        Assert-Clean {
            $text = [IO.File]::ReadAllText($_.Path)
            if ([IO.File]::ReadAllBytes($_.Path)[0] -eq 0xEF) { 'byte order mark' }
            if ($text -match '[ \t]+\n') { 'blanks at the end of a line' }
            if ($text -match '\t') { 'tab' }
            if ($text -match '\r') { 'carriage return' }
            if ($text -notmatch '[^\n]\n\z') { 'no line break at the end, or several' }
        }
    }

    It 'use no alias and nothing that hides what it does' {
        $shunned = @((Get-Alias).Name) + 'Write-Host', 'Invoke-Expression'
        Assert-Clean { (Find-Node $_.Tree ([System.Management.Automation.Language.CommandAst])) | ForEach-Object GetCommandName | Where-Object { $_ -in $shunned } }
        Assert-Clean { (Find-Node $_.Tree ([System.Management.Automation.Language.VariableExpressionAst])).VariablePath.UserPath | Where-Object { $_ -like 'global:*' } }
    }

    It 'name functions with approved verbs' {
        $verbs = (Get-Verb).Verb
        Assert-Clean { (Find-Node $_.Tree ([System.Management.Automation.Language.FunctionDefinitionAst])).Name | Where-Object { $_ -match '-' -and ($_ -split '-')[0] -notin $verbs } }
    }

    It 'set no variable that nothing reads' {
        # common.ps1 sets $ModulePath for the others; PowerShell reads preferences.
        Assert-Clean {
            Find-Node $_.Tree ([System.Management.Automation.Language.VariableExpressionAst]) |
                Where-Object { $_.VariablePath.UserPath -notmatch '^(env:.*|.*Preference|null|ModulePath)$' } |
                Group-Object { $_.VariablePath.UserPath -replace '^(script|using):' } |
                Where-Object { $_.Count -eq 1 -and $_.Group[0].Parent -is [System.Management.Automation.Language.AssignmentStatementAst] } |
                ForEach-Object { "`$$($_.Name)" }
        }
    }

    It 'that users run say what they do, describe each parameter and give an example' {
        $scripts = $scripts | Where-Object Name -match '^(build|samples/.*|tests/Pester/Invoke-Suite)\.ps1$'
        $scripts.Count | Should -BeGreaterThan 5
        Assert-Clean {
            $help = $_.Tree.GetHelpContent()
            if ("$($help.Synopsis)" -notmatch '^[A-Z][\s\S]*\.\s*$') { 'no synopsis' }
            if (-not $help.Examples) { 'no example' }
            foreach ($parameter in $_.Tree.ParamBlock.Parameters | Where-Object { $_.Extent.Text -notmatch 'DontShow' }) {
                $name = $parameter.Name.VariablePath.UserPath
                $comment = $_.Tree.Extent.Text -match "#[^\n]*\n[^\n]*\`$$name\b"
                if (-not $comment -and -not "$($help.Parameters[$name.ToUpperInvariant()])".Trim()) { "-$name is not described" }
            }
        }
    }

    It 'please PSScriptAnalyzer<because>' -Skip:($null -eq $analyzer) -ForEach @{ because = $analyzer ? '' : ' (needs the module PSScriptAnalyzer)' } {
        # In tests, Pester's blocks share variables that the analyzer takes for unused, handlers need not look at their job, helpers are
        # no cmdlets, positions are tested too, and the passwords are no secrets. Manifests are tested as they are packed.
        $inTests = 'PSUseDeclaredVarsMoreThanAssignments', 'PSReviewUnusedParameter', 'PSUseShouldProcessForStateChangingFunctions',
            'PSAvoidUsingConvertToSecureStringWithPlainText', 'PSUseBOMForUnicodeEncodedFile', 'PSAvoidUsingPositionalParameters'
        $scripts = $scripts | Where-Object Name -notlike *.psd1
        Assert-Clean {
            Invoke-ScriptAnalyzer $_.Path -ExcludeRule ($_.Name -like 'tests/*' ? $inTests : @()) | ForEach-Object { "$($_.Line): $($_.RuleName): $($_.Message)" }
        }
    }
}
