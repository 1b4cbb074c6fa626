using System.Management.Automation;
using Amp.Configuration;
using Amp.Hosting;
using Amp.PowerShell.Common;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.PowerShell.Connect;

/// <summary>Connects the session to an Amp deployment.</summary>
[Cmdlet(VerbsCommunications.Connect, "Amp", DefaultParameterSetName = ByConfiguration)]
[OutputType(typeof(AmpConnection))]
public sealed class ConnectAmpCommand : AmpCmdlet
{
    private const string ByConfiguration = "Configuration";
    private const string ByDatabase = "Database";

    /// <summary>The configuration file; without it <c>AMP_CONFIG</c> and then <c>.amp/config.toml</c> are tried.</summary>
    [Parameter(ParameterSetName = ByConfiguration, Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("Path", "FullName", "PSPath")]
    public string? ConfigPath { get; set; }

    /// <summary>Address of the metadata database, <c>postgresql://user:password@host:port/database</c>.</summary>
    [Parameter(ParameterSetName = ByDatabase, Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public string MetadataDb { get; set; } = "";

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var location = Location;
        var path = ConfigPath is null ? null : ResolvePath(ConfigPath);
        RunOrThrow(async (pipeline, cancellationToken) =>
        {
            var configuration = ParameterSetName == ByDatabase
                ? AmpConfiguration.ForDatabase(MetadataDb, location)
                : AmpDeployment.FindConfiguration(path, location);
            await using var deployment = new DeploymentHold(
                await AmpDeployment.OpenAsync(configuration, NullLoggerFactory.Instance, cancellationToken));
            await AmpSession.SetAsync(deployment, RunspaceId, cancellationToken);
            await pipeline.OutputAsync(deployment.Deployment.Connection);
        });
    }
}
