# Loads Amp.Contracts.dll, which opens a load context of its own for the cmdlets and everything they need.
$isReload = $null -ne ('Amp.ModuleLoadContext' -as [type])
if (-not $isReload) {
    # Not by Add-Type: it is in a module that takes longer to import than all of this one.
    $null = [System.Reflection.Assembly]::LoadFrom("$PSScriptRoot/Amp.Contracts.dll")
}

$assembly = [Amp.ModuleLoadContext]::LoadModule()
$cmdlets = Import-Module -Assembly $assembly -PassThru

# When the assembly was imported before in this process, PowerShell does not add its cmdlets to this module's exports
# again (PowerShell issue 20710).
$addExportedCmdlet = [System.Management.Automation.PSModuleInfo].GetMethod(
    'AddExportedCmdlet', [System.Reflection.BindingFlags]'Instance, NonPublic')
if ($isReload -and $null -ne $addExportedCmdlet) {
    foreach ($cmdlet in $cmdlets.ExportedCmdlets.Values) {
        $null = $addExportedCmdlet.Invoke($ExecutionContext.SessionState.Module, @(, $cmdlet))
    }
}

# Type literals of the assembly no longer resolve while the module is being removed.
$cleanup = $assembly.GetType('Amp.PowerShell.Common.ModuleCleanup')
$ExecutionContext.SessionState.Module.OnRemove = { $cleanup::Stop() }
