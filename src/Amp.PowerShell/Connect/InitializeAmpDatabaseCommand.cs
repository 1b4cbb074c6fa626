using System.Management.Automation;
using Amp.Configuration;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Connect;

/// <summary>Creates or updates the tables of the metadata database.</summary>
[Cmdlet(VerbsData.Initialize, "AmpDatabase", SupportsShouldProcess = true, DefaultParameterSetName = ByConfiguration)]
public sealed class InitializeAmpDatabaseCommand : AmpCmdlet
{
    private const string ByConfiguration = "Configuration";
    private const string ByDatabase = "Database";

    /// <summary>The configuration file that names the database; see <c>Connect-Amp</c>.</summary>
    [Parameter(ParameterSetName = ByConfiguration, Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("Path", "FullName", "PSPath")]
    [ValidateNotNullOrEmpty]
    public string? ConfigPath { get; set; }

    /// <summary>Address of the database, instead of a configuration file.</summary>
    [Parameter(ParameterSetName = ByDatabase, Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public string MetadataDb { get; set; } = "";

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var path = ConfigPath is null ? null : ResolvePath(ConfigPath);
        var configuration = OrThrow(() => ParameterSetName == ByDatabase
            ? AmpConfiguration.ForDatabase(MetadataDb, Location)
            : AmpDeployment.FindConfiguration(path, Location));
        if (ShouldProcess(OrThrow(() => AmpDeployment.DatabaseName(configuration)), "Create or update Amp's tables"))
        {
            RunOrThrow(async (pipeline, cancellationToken) =>
            {
                foreach (var migration in await AmpDeployment.MigrateAsync(configuration, cancellationToken))
                {
                    await pipeline.VerboseAsync($"Applied migration {migration}.");
                }
            });
        }
    }
}
