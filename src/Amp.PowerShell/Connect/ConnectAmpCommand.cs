using System.Management.Automation;
using System.Security;
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
    private const string ByUri = "Uri";

    /// <summary>The configuration file; without it <c>AMP_CONFIG</c> and then <c>.amp/config.toml</c> are tried.</summary>
    [Parameter(ParameterSetName = ByConfiguration, Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("Path", "FullName", "PSPath")]
    public string? ConfigPath { get; set; }

    /// <summary>Address of the metadata database, <c>postgresql://user:password@host:port/database</c>.</summary>
    [Parameter(ParameterSetName = ByDatabase, Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public string MetadataDb { get; set; } = "";

    /// <summary>Address of a controller's Admin API, such as <c>http://127.0.0.1:1610</c>.</summary>
    [Parameter(ParameterSetName = ByUri, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("AdminApi")]
    [ValidateNotNull]
    public Uri Uri { get; set; } = null!;

    /// <summary>Bearer token of the Admin API.</summary>
    [Parameter(ParameterSetName = ByUri)]
    public SecureString? Token { get; set; }

    private protected override TimeSpan Patience => DatabasePatience;

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var location = Location;
        var path = ConfigPath is null ? null : ResolvePath(ConfigPath);
        if (Token is not null && Uri is { IsAbsoluteUri: true, Scheme: "http", IsLoopback: false })
        {
            WriteWarning($"The token goes to {Uri.Host} unencrypted, and whoever sees it on its way can use it; better reach the Admin API through a proxy that speaks https.");
        }

        RunOrThrow(async (pipeline, cancellationToken) =>
        {
            await using var deployment = new DeploymentHold(ParameterSetName switch
            {
                ByUri => await AmpDeployment.OpenRemoteAsync(Uri, Token is null ? null : Secret.From(Token), cancellationToken),
                ByDatabase => await AmpDeployment.OpenAsync(AmpConfiguration.ForDatabase(MetadataDb, location), NullLoggerFactory.Instance, cancellationToken),
                _ => await AmpDeployment.OpenAsync(AmpDeployment.FindConfiguration(path, location), NullLoggerFactory.Instance, cancellationToken),
            });
            await AmpSession.SetAsync(deployment, RunspaceId, cancellationToken);
            await pipeline.OutputAsync(deployment.Deployment.Connection);
        });
    }
}
