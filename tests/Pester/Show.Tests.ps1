BeforeDiscovery {
    # util-linux's script makes a terminal, stty changes the size of its window.
    $noTerminal = -not $IsLinux -or @(Get-Command script, stty -CommandType Application -ErrorAction Ignore).Count -lt 2
}

BeforeAll {
    . $PSScriptRoot/common.ps1
    $deployment = New-TestDeployment -Blocks 300
    $null = Register-SlowDataset $deployment
    $done = Start-AmpJob demo/devnet $deployment.LastBlock | Wait-AmpJob
    $slow = Start-AmpJob demo/slow 299

    # An interactive PowerShell with the module in a terminal of its own.
    function Start-Terminal {
        param([string] $Connect = "`$null = Connect-Amp '$($deployment.ConfigPath)'", [hashtable] $Environment = @{})

        $path = Join-Path $deployment.Path "terminal-$([guid]::NewGuid().ToString('n'))"
        Set-Content "$path.ps1" "Remove-Module PSReadLine -ErrorAction Ignore; function prompt { 'ready> ' }; tty > '$path.tty'; stty rows 24 cols 80; Import-Module '$ModulePath'; $Connect"
        $start = [Diagnostics.ProcessStartInfo]::new('script')
        '-q', '-f', '-e', '-c', "'$((Get-Process -Id $PID).Path)' -NoProfile -NoLogo -NoExit -File '$path.ps1'", '/dev/null' | ForEach-Object { $start.ArgumentList.Add($_) }
        $start.RedirectStandardInput = $start.RedirectStandardOutput = $true
        $start.StandardOutputEncoding = [Text.UTF8Encoding]::new($false)
        $start.Environment['TERM'] = 'xterm-256color'
        $null = $start.Environment.Remove('NO_COLOR')
        $Environment.GetEnumerator() | ForEach-Object { $start.Environment[$_.Key] = $_.Value }
        $terminal = @{ Process = [Diagnostics.Process]::Start($start); Text = [Text.StringBuilder]::new(); Buffer = [char[]]::new(65536); Device = "$path.tty" }
        $terminal.Reading = $terminal.Process.StandardOutput.ReadAsync($terminal.Buffer, 0, $terminal.Buffer.Length)
        Wait-Screen $terminal { Test-Prompt $terminal }
        $terminal
    }

    # Presses keys.
    function Send-Key {
        param($Terminal, [string] $Keys)

        $Terminal.Process.StandardInput.Write($Keys)
        $Terminal.Process.StandardInput.Flush()
    }

    # All that was written to the terminal since the last Clear-Text. Where the cursor is, programs ask terminals; this one says: top left.
    function Get-Text {
        param($Terminal)

        while ($Terminal.Reading.IsCompleted -and $Terminal.Reading.Result -gt 0) {
            $text = [string]::new($Terminal.Buffer, 0, $Terminal.Reading.Result)
            $null = $Terminal.Text.Append($text)
            [regex]::Matches($text, "\e\[6n") | ForEach-Object { Send-Key $Terminal "`e[1;1R" }
            $Terminal.Reading = $Terminal.Process.StandardOutput.ReadAsync($Terminal.Buffer, 0, $Terminal.Buffer.Length)
        }
        $Terminal.Text.ToString()
    }

    # Whether the prompt waits for a command.
    function Test-Prompt {
        param($Terminal)

        ((Get-Text $Terminal) -replace '\e\[[\d;?]*[A-Za-z]|\e[=>]').EndsWith('ready> ')
    }

    function Clear-Text {
        param($Terminal)

        $null = Get-Text $Terminal
        $null = $Terminal.Text.Clear()
    }

    # The lines that were drawn last, without colours.
    function Get-Screen {
        param($Terminal)

        $frames = @((Get-Text $Terminal) -split '\e\[H' | Where-Object { $_.Contains("`e[J") })
        if ($frames) { ($frames[-1] -split '\e\[J')[0] -replace '\e\[[\d;?]*[A-Za-z]' -split '\r+\n' }
    }

    function Wait-Screen {
        param($Terminal, [scriptblock] $Condition)

        try {
            Wait-Until $Condition
        }
        catch {
            throw "$_`nscreen:`n$((Get-Screen $Terminal) -join "`n")`nend of what was written:`n$((Get-Text $Terminal) -replace '\e', '␛' -replace '^[\s\S]*(?=[\s\S]{500}$)')"
        }
    }

    # Types a command and waits until it has drawn.
    function Show-Progress {
        param($Terminal, [string] $Command = 'Show-AmpProgress')

        Clear-Text $Terminal
        Send-Key $Terminal "$Command`r"
        Wait-Screen $Terminal { (Get-Screen $Terminal) -match 'demo/slow' }
    }

    # Asserts that the first screen and the cursor are back, and that the prompt works.
    function Assert-Left {
        param($Terminal)

        Wait-Screen $Terminal { (Get-Text $Terminal).Contains("`e[?1049l") -and (Test-Prompt $Terminal) }
        $text = Get-Text $Terminal
        [regex]::Matches($text, '\e\[\?1049[hl]').Value | Should -Be "`e[?1049h", "`e[?1049l"
        [regex]::Matches($text, '\e\[\?25[hl]').Value | Select-Object -Last 1 | Should -Be "`e[?25h"
        [regex]::Matches($text, '\e\[\?7[hl]').Value | Select-Object -Last 1 | Should -Be "`e[?7h"
        Clear-Text $Terminal
        Send-Key $Terminal "'after-' + (6 * 7)`r"
        Wait-Screen $Terminal { (Get-Text $Terminal) -match 'after-42' -and (Test-Prompt $Terminal) }
    }

    function Stop-Terminal {
        param($Terminal)

        Send-Key $Terminal "exit`r"
        if (-not $Terminal.Process.WaitForExit(10000)) { $Terminal.Process.Kill($true) }
        $Terminal.Process.Dispose()
    }
}

AfterAll {
    Remove-TestDeployment $deployment
}

Describe 'Show-AmpProgress' {
    Context 'without a terminal' {
        It 'refuses <Name>, and names what to use instead' -ForEach @(
            @{ Name = 'a host without a screen'; Command = { $shell = [powershell]::Create(); try { $null = $shell.AddScript("Import-Module '$ModulePath'; Show-AmpProgress").Invoke(); $shell.Streams.Error } catch { $_.Exception.InnerException.ErrorRecord } finally { $shell.Dispose() } } }
            @{ Name = 'this host, whose output may go to a file'; Command = { Get-CommandError { Show-AmpProgress } } }
        ) {
            if (-not [Console]::IsOutputRedirected -and $Name -like 'this host*') { Set-ItResult -Skipped -Because 'the suite runs in a terminal'; return }
            $record = & $Command
            $record.FullyQualifiedErrorId | Should -BeExactly 'AmpTerminalRequired,Amp.PowerShell.Jobs.ShowAmpProgressCommand'
            $record.CategoryInfo.Category | Should -Be InvalidOperation
            $record.TargetObject | Should -Not -BeNullOrEmpty
            $record.ErrorDetails.RecommendedAction | Should -BeLike '*Watch-AmpJobProgress*Get-AmpJobProgress*'
        }

        It 'draws nothing into redirected output' {
            "$(Invoke-ChildShell "Import-Module '$ModulePath'; try { Show-AmpProgress } catch { `$_.FullyQualifiedErrorId }")" |
                Should -BeExactly 'AmpTerminalRequired,Amp.PowerShell.Jobs.ShowAmpProgressCommand'
        }

        It 'refuses an interval out of range' -ForEach '00:00:00.1', '01:00:01' {
            Assert-CommandError { Show-AmpProgress -RefreshInterval $_ } -Id AmpRefreshIntervalInvalid -Category InvalidArgument -Target ([timespan]$_)
        }
    }

    Context 'in a terminal' -Skip:$noTerminal {
        BeforeAll {
            $terminal = Start-Terminal
        }

        AfterAll {
            Stop-Terminal $terminal
        }

        It 'shows workers, jobs and tables until <Name> is pressed' -ForEach @(
            @{ Name = 'q'; Key = 'q' }
            @{ Name = 'Esc'; Key = "`e" }
            @{ Name = 'Ctrl+C'; Key = "`u{3}" }
        ) {
            Show-Progress $terminal
            Wait-Screen $terminal { (Get-Screen $terminal) -match 'blocks .* files?,' }
            $screen = Get-Screen $terminal
            $screen | Should -HaveCount 24
            $screen[0] | Should -Match '^ Amp  127\.0\.0\.1:\d+/amp +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$'
            $screen[1] | Should -BeLike '*1 of 1 workers active*1 job active*'
            $screen | Should -Contain ($screen -match '^ ● worker-01 +\d\.\ds ago +1 +#\d')[0]
            $screen -match "^ +$($slow.JobId) demo/slow +Running +[━╸─]+ +\d+\.\d %" | Should -HaveCount 1
            $screen -match "^ +$($done.JobId) demo/devnet +Completed +.* ago$" | Should -HaveCount 1
            $screen[-1] | Should -BeLike ' q quit*'
            $screen | Where-Object Length -gt 79 | Should -BeNullOrEmpty
            Send-Key $terminal $Key
            Assert-Left $terminal
            (Get-AmpJob $slow.JobId).IsTerminal | Should -BeFalse
        }

        It 'follows the size of the window, and scrolls when it is small' {
            Show-Progress $terminal
            stty -F (Get-Content $terminal.Device) rows 12 cols 130
            Wait-Screen $terminal { $screen = Get-Screen $terminal; $screen.Count -eq 12 -and $screen[-1] -match '↓ \d+ more' -and $screen -match 'LEFT  WORKER$' }
            (Get-Screen $terminal) -match 'Completed' | Should -BeNullOrEmpty
            Send-Key $terminal "`e[F"
            Wait-Screen $terminal { (Get-Screen $terminal) -match 'Completed' }
            Send-Key $terminal "`e[5~"
            Wait-Screen $terminal { (Get-Screen $terminal) -match 'worker-01 .* ago' }
            stty -F (Get-Content $terminal.Device) rows 24 cols 80
            Wait-Screen $terminal { (Get-Screen $terminal).Count -eq 24 }
            Send-Key $terminal q
            Assert-Left $terminal
        }

        It 'shows only <Name>' -ForEach @(
            @{ Name = 'some datasets'; Command = { Show-AmpProgress -Dataset demo/s* -RefreshInterval 00:00:00.25 } }
            @{ Name = 'a job'; Command = { Show-AmpProgress 2 } }
            @{ Name = 'a number from the pipeline'; Command = { 2 | Show-AmpProgress } }
            @{ Name = 'jobs from the pipeline'; Command = { Get-AmpJob -Dataset demo/slow | Show-AmpProgress } }
        ) {
            Show-Progress $terminal $Command
            (Get-Screen $terminal) -match 'demo/devnet' | Should -BeNullOrEmpty
            Send-Key $terminal q
            Assert-Left $terminal
        }

        It 'says which job is not there, without drawing' {
            Clear-Text $terminal
            Send-Key $terminal "Show-AmpProgress 999; `$Error[0].FullyQualifiedErrorId`r"
            Wait-Screen $terminal { (Get-Text $terminal) -match 'AmpJobNotFound,Amp.PowerShell.Jobs.ShowAmpProgressCommand' }
            Get-Text $terminal | Should -Not -Match '\e\[\?1049h'
        }

        It 'has colours unless $PSStyle or NO_COLOR says otherwise' {
            Show-Progress $terminal
            $frame = ((Get-Text $terminal) -split '\e\[H')[-1]
            $frame.Contains($PSStyle.Foreground.Green) | Should -BeTrue
            Send-Key $terminal q
            Assert-Left $terminal
            foreach ($plain in "`$PSStyle.OutputRendering = 'PlainText'", "`$PSStyle.OutputRendering = 'Host'; `$env:NO_COLOR = '1'") {
                Show-Progress $terminal "$plain; Show-AmpProgress"
                ((Get-Text $terminal) -split '\e\[H', 2)[1] | Should -Not -Match '\e\[[\d;]*m'
                Send-Key $terminal q
                Assert-Left $terminal
            }
        }
    }

    It 'refuses a terminal that does not understand it' -Skip:$noTerminal {
        $terminal = Start-Terminal -Environment @{ TERM = 'dumb' }
        try {
            Send-Key $terminal "Show-AmpProgress; `$Error[0].FullyQualifiedErrorId`r"
            Wait-Screen $terminal { (Get-Text $terminal) -match 'AmpTerminalRequired,Amp.PowerShell.Jobs.ShowAmpProgressCommand' }
            Get-Text $terminal | Should -Not -Match '\e\[\?1049h'
        }
        finally {
            Stop-Terminal $terminal
        }
    }

    It 'goes on over HTTP when the Admin API goes away, and when it comes back' -Skip:$noTerminal {
        $env:AMP_CONFIG_ADMIN_API_ADDR = "127.0.0.1:$(Get-FreePort)"
        $controller = Start-AmpController -ConfigPath $deployment.ConfigPath
        $terminal = Start-Terminal -Connect "`$null = Connect-Amp -Uri $($controller.AdminApi)"
        try {
            Show-Progress $terminal
            Stop-AmpController
            Wait-Screen $terminal { (Get-Screen $terminal) -match 'What you see is .* old: The Admin API at ' }
            (Get-Screen $terminal) -match 'demo/slow' | Should -Not -BeNullOrEmpty
            $null = Start-AmpController -ConfigPath $deployment.ConfigPath
            Wait-Screen $terminal { -not ((Get-Screen $terminal) -match 'What you see is') }
            Send-Key $terminal q
            Assert-Left $terminal
        }
        finally {
            $env:AMP_CONFIG_ADMIN_API_ADDR = $null
            Stop-AmpController
            Stop-Terminal $terminal
        }
    }

    It 'says so when the database does not answer, and leaves all the same' -Skip:$noTerminal {
        $terminal = Start-Terminal
        try {
            Show-Progress $terminal
            Invoke-Frozen $deployment.Path {
                Wait-Screen $terminal { (Get-Screen $terminal) -match 'What you see is .* old: no answer yet' }
                Send-Key $terminal q
                Assert-Left $terminal
            }
        }
        finally {
            Stop-Terminal $terminal
        }
    }
}
