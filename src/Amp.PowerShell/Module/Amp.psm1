# Loads Amp.Contracts.dll, which opens a load context of its own for the cmdlets and everything they need.
$isReload = $null -ne ('Amp.ModuleLoadContext' -as [type])
if (-not $isReload) {
    Add-Type -LiteralPath (Join-Path $PSScriptRoot 'Amp.Contracts.dll')
}

$cmdlets = Import-Module -Assembly ([Amp.ModuleLoadContext]::LoadModule()) -PassThru

# When the assembly was imported before in this process, PowerShell does not add its cmdlets to this module's exports
# again (PowerShell issue 20710).
$addExportedCmdlet = [System.Management.Automation.PSModuleInfo].GetMethod(
    'AddExportedCmdlet', [System.Reflection.BindingFlags]'Instance, NonPublic')
if ($isReload -and $null -ne $addExportedCmdlet) {
    foreach ($cmdlet in $cmdlets.ExportedCmdlets.Values) {
        $null = $addExportedCmdlet.Invoke($ExecutionContext.SessionState.Module, @(, $cmdlet))
    }
}

$ExecutionContext.SessionState.Module.OnRemove = { [Amp.PowerShell.Common.ModuleCleanup]::Stop() }
