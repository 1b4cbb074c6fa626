using System.Management.Automation;
using Amp.Configuration;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Connect;

/// <summary>Checks a configuration file without connecting to anything: true, or errors that name file, line and key.</summary>
[Cmdlet(VerbsDiagnostic.Test, "AmpConfiguration")]
[OutputType(typeof(bool))]
public sealed class TestAmpConfigurationCommand : AmpCmdlet
{
    /// <summary>The configuration file.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName", "ConfigPath")]
    [ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var path in Path)
        {
            try
            {
                AmpConfiguration.Load(ResolvePath(path));
                WriteObject(true);
            }
            catch (AmpException e)
            {
                WriteError(AmpErrors.From(e));
                WriteObject(false);
            }
        }
    }
}
