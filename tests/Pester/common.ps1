# What the test files share. Dot-source it in BeforeAll.

# The module that Invoke-Suite.ps1 installed from the package; without it, the one that was built.
$ModulePath = $env:AMP_TEST_MODULE ?? (Resolve-Path "$PSScriptRoot/../../artifacts/module/Amp/Amp.psd1").Path
$modules = Split-Path (Split-Path $ModulePath)
if ($modules -notin $env:PSModulePath.Split([IO.Path]::PathSeparator)) { $env:PSModulePath = $modules + [IO.Path]::PathSeparator + $env:PSModulePath }
Import-Module $ModulePath

# Waits for a condition; tests never sleep for a fixed time.
function Wait-Until {
    param([Parameter(Mandatory)][scriptblock] $Condition, [int] $TimeoutSeconds = 30)

    $deadline = [DateTime]::UtcNow.AddSeconds($TimeoutSeconds)
    while (-not (& $Condition)) {
        if ([DateTime]::UtcNow -gt $deadline) { throw "not within $TimeoutSeconds s: {$Condition}" }
        [Threading.Thread]::Sleep(50)
    }
}

# A TCP port on loopback that nobody uses.
function Get-FreePort {
    $listener = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, 0)
    $listener.Start()
    $listener.LocalEndpoint.Port
    $listener.Stop()
}

# A solo deployment in a folder of its own: a chain as provider 'dev', a broker, worker 'worker-01', dataset 'demo/devnet'.
function New-TestDeployment {
    param([int] $Blocks = 200)

    $path = (New-Item (Join-Path ([IO.Path]::GetTempPath()) "amp-pester-$([guid]::NewGuid().ToString('n'))") -ItemType Directory).FullName
    $chain = Start-AmpDevChain -BlockCount $Blocks
    $broker = Start-AmpDevBroker
    $null = New-AmpConfiguration (Join-Path $path config.toml) -Setting @{
        'writer.segment_flush_interval_secs' = 1
        'admin_api_addr'                     = "127.0.0.1:$(Get-FreePort)"
        'worker_events.enabled'              = $true
        'worker_events.progress_interval'    = 1
        'worker_events.kafka.brokers'        = $broker.BootstrapServers
    }
    $null = Start-AmpWorker worker-01 -Solo -AmpDir $path
    $null = $chain | Register-AmpProvider dev devnet
    $null = New-AmpDatasetManifest devnet | Register-AmpDataset demo/devnet
    [pscustomobject]@{ Path = $path; Chain = $chain; Broker = $broker; ConfigPath = Join-Path $path config.toml; LastBlock = $Blocks - 1 }
}

# A dataset whose job takes minutes: its provider is asked once a second at most.
function Register-SlowDataset {
    param([Parameter(Mandatory)] $Deployment)

    $null = Register-AmpProvider slow slownet $Deployment.Chain.Url -RateLimitPerMinute 60 -Force
    New-AmpDatasetManifest slownet | Register-AmpDataset demo/slow
}

# A solo deployment in a folder of its own for background jobs, with or without a broker.
function New-TestJobDeployment {
    param([switch] $Kafka)

    $path = (New-Item (Join-Path ([IO.Path]::GetTempPath()) "amp-pester-$([guid]::NewGuid().ToString('n'))") -ItemType Directory).FullName
    $broker = $Kafka ? (Start-AmpDevBroker -Partitions 4) : $null
    $env:KAFKA_BROKERS = $broker.BootstrapServers
    try {
        $null = Start-AmpWorker worker-01 -Solo -AmpDir $path
    }
    finally {
        Remove-Item Env:KAFKA_BROKERS -ErrorAction Ignore
    }
    [pscustomobject]@{ Path = $path; Broker = $broker; ConfigPath = Join-Path $path config.toml }
}

function Remove-TestDeployment {
    param($Deployment)

    Stop-AmpBackgroundWorker *
    Stop-AmpWorker *
    Disconnect-Amp
    Stop-AmpDevChain
    Stop-AmpDevBroker
    if ($Deployment) { Remove-Item $Deployment.Path -Recurse -Force }
}

# Processes of the private PostgreSQL server of a folder.
function Get-ServerProcess {
    param([Parameter(Mandatory)][string] $Path)

    Get-Process -Name postgres -ErrorAction Ignore | Where-Object { $_.CommandLine -like "*$Path*" }
}

# Runs something while the private PostgreSQL server of a folder answers nobody: all its processes are frozen.
function Invoke-Frozen {
    param([Parameter(Mandatory)][string] $Path, [Parameter(Mandatory)][scriptblock] $ScriptBlock)

    $server = @(Get-ServerProcess $Path)
    $server += Get-Process | Where-Object { $_.Parent.Id -in $server.Id }
    $processes = $server.Id | Sort-Object -Unique
    sh -c "kill -STOP $processes"
    try {
        & $ScriptBlock
    }
    finally {
        sh -c "kill -CONT $processes"
    }
}

# The first error of a command, whether it ended the pipeline or not.
function Get-CommandError {
    param([Parameter(Mandatory)][scriptblock] $Command)

    $ErrorActionPreference = 'Continue'
    try {
        & $Command 2>&1 | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] } | Select-Object -First 1
    }
    catch {
        $_
    }
}

# Asserts that a command fails with a certain error, and that the error says what to do.
function Assert-CommandError {
    param(
        [Parameter(Mandatory, Position = 0)][scriptblock] $Command,
        [Parameter(Mandatory)][string] $Id,
        [Parameter(Mandatory)][System.Management.Automation.ErrorCategory] $Category,
        [object] $Target)

    $record = Get-CommandError $Command
    $record | Should -Not -BeNullOrEmpty -Because "{$Command} must fail"
    ($record.FullyQualifiedErrorId -split ',')[0] | Should -BeExactly $Id -Because $record.Exception.Message
    $record.CategoryInfo.Category | Should -Be $Category
    $record.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
    $record.TargetObject | Should -Not -BeNullOrEmpty
    if ($PSBoundParameters.ContainsKey('Target')) { $record.TargetObject | Should -Be $Target }
}

# Asserts that a command fails with a certain error that has no target, or does not fail.
function Assert-CommandErrorId {
    param([Parameter(Mandatory, Position = 0)][scriptblock] $Command, [Parameter(Position = 1)][string] $Id)

    $record = Get-CommandError $Command
    ("$($record.FullyQualifiedErrorId)" -split ',')[0] | Should -BeExactly $Id
    if ($Id) { $record.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty }
}

# Runs a command in a runspace of its own, waits until it is ready, presses Ctrl+C, and says how long it took to end.
function Invoke-Stoppable {
    param(
        [Parameter(Mandatory)][string] $Command,
        # When the command is to be stopped; at its first output when left out.
        [scriptblock] $When)

    $shell = [powershell]::Create()
    try {
        $null = $shell.AddScript("Import-Module '$ModulePath'").Invoke()
        $shell.Commands.Clear()
        $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
        $running = $shell.AddScript($Command).BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
        Wait-Until { $running.IsCompleted -or $(if ($When) { & $When } else { $output.Count -gt 0 }) }
        if ($running.IsCompleted) { throw "'$Command' ended by itself: $($shell.Streams.Error)" }
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $shell.Stop()
        [pscustomobject]@{ Milliseconds = $watch.ElapsedMilliseconds; State = $shell.InvocationStateInfo.State; Errors = @($shell.Streams.Error); Output = $output }
    }
    finally {
        $shell.Dispose()
    }
}

# Runs a command in a runspace of its own and gives what it writes. Asserts that it drew so many progress bars, none more often
# than four times a second, and that all of them are gone.
function Invoke-WithBars {
    param([Parameter(Mandatory)][string] $Command, [Parameter(Mandatory)][int] $Bars)

    $shell = [powershell]::Create()
    try {
        $null = $shell.AddScript("Import-Module '$ModulePath'").Invoke()
        $shell.Commands.Clear()
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $shell.AddScript($Command).Invoke()
        $most = 1 + [Math]::Floor($watch.Elapsed.TotalSeconds * 4)
        $shell.Streams.Error | Should -BeNullOrEmpty
        $drawn = @($shell.Streams.Progress | Group-Object ActivityId)
        $drawn.Count | Should -Be $Bars
        foreach ($bar in $drawn) {
            $bar.Group[-1].RecordType | Should -Be Completed
            @($bar.Group | Where-Object RecordType -eq Processing).Count | Should -BeIn (1..$most)
        }
    }
    finally {
        $shell.Dispose()
    }
}

# Starts a PowerShell with the module; its output goes to a file.
function Start-ChildShell {
    param([Parameter(Mandatory)][string] $Command, [Parameter(Mandatory)][string] $OutputPath)

    Start-Process (Get-Process -Id $PID).Path -PassThru -RedirectStandardOutput $OutputPath -RedirectStandardError "$OutputPath.err" -ArgumentList @(
        '-NoProfile', '-NonInteractive', '-OutputFormat', 'Text', '-EncodedCommand'
        [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes("`$ProgressPreference = 'SilentlyContinue'; Import-Module '$ModulePath'; $Command")))
}

# Runs a command in a PowerShell of its own and gives what it writes, but no warnings: another process may have the address of an Admin API.
function Invoke-ChildShell {
    param([Parameter(Mandatory)][string] $Command)

    $encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes("`$ProgressPreference = `$WarningPreference = 'SilentlyContinue'; `$PSStyle.OutputRendering = 'PlainText'; $Command"))
    & (Get-Process -Id $PID).Path -NoProfile -NonInteractive -OutputFormat Text -EncodedCommand $encoded
}

# What tab completion offers for a line.
function Get-Completion {
    param([Parameter(Mandatory)][string] $Line)

    [System.Management.Automation.CommandCompletion]::CompleteInput($Line, $Line.Length, $null).CompletionMatches
}

# Asserts that objects look as meant at 100 columns.
function Assert-View {
    param([Parameter(Mandatory)][object[]] $InputObject, [Parameter(Mandatory)][string[]] $Header)

    $before = $PSStyle.OutputRendering
    $PSStyle.OutputRendering = 'PlainText'
    try {
        $lines = @($InputObject | Format-Table | Out-String -Width 100) -split '\r?\n' | Where-Object { $_.Trim() }
    }
    finally {
        $PSStyle.OutputRendering = $before
    }
    -split $lines[0] | Should -Be $Header
    $lines | Where-Object Length -gt 100 | Should -BeNullOrEmpty
    $lines.Count | Should -BeGreaterOrEqual ($InputObject.Count + 2)
}
