using System.Management.Automation;
using Amp.Configuration;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Connect;

/// <summary>Creates or updates the tables of the metadata database.</summary>
[Cmdlet(VerbsData.Initialize, "AmpDatabase", SupportsShouldProcess = true)]
public sealed class InitializeAmpDatabaseCommand : AmpCmdlet
{
    /// <summary>The configuration file that names the database; see <c>Connect-Amp</c>.</summary>
    [Parameter(Position = 0)]
    public string? ConfigPath { get; set; }

    /// <summary>Address of the database, instead of a configuration file.</summary>
    [Parameter]
    public string? MetadataDb { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var location = SessionState.Path.CurrentFileSystemLocation.ProviderPath;
        var path = ConfigPath is null ? null : ResolvePath(ConfigPath);
        var configuration = MetadataDb is null
            ? AmpDeployment.FindConfiguration(path, location)
            : AmpConfiguration.ForDatabase(MetadataDb, location);
        if (ShouldProcess(AmpDeployment.DatabaseName(configuration), "Create or update Amp's tables"))
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
