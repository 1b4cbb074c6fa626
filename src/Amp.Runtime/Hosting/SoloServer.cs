using Amp.MetadataDb;
using Microsoft.Extensions.Logging;

namespace Amp.Hosting;

/// <summary>
/// A hold on the private server of a solo folder. All holders in this process share one server, which ends when the
/// last lets go.
/// </summary>
internal sealed class SoloServer : IAsyncDisposable
{
    private static readonly SemaphoreSlim Gate = new(1, 1);
    private static readonly Dictionary<string, (ManagedPostgres Server, int Holders)> Running = new(StringComparer.Ordinal);

    private readonly string _folder;
    private bool _released;

    private SoloServer(string folder, ManagedPostgres server)
    {
        _folder = folder;
        ConnectionUrl = server.ConnectionUrl;
    }

    /// <summary>Address of the database, password included.</summary>
    public string ConnectionUrl { get; }

    /// <summary>Takes hold of a folder's server; starts it when this process has no hold on it yet.</summary>
    public static async Task<SoloServer> HoldAsync(string folder, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        await Gate.WaitAsync(cancellationToken);
        try
        {
            var (server, holders) = Running.GetValueOrDefault(folder);
            server ??= await ManagedPostgres.StartAsync(folder, loggers, cancellationToken);
            Running[folder] = (server, holders + 1);
            return new SoloServer(folder, server);
        }
        finally
        {
            Gate.Release();
        }
    }

    /// <summary>Lets go, and stops the server when nobody else in this process holds it.</summary>
    public async ValueTask DisposeAsync()
    {
        await Gate.WaitAsync();
        try
        {
            if (_released)
            {
                return;
            }

            _released = true;
            var (server, holders) = Running[_folder];
            Running[_folder] = (server, holders - 1);
            if (holders == 1)
            {
                Running.Remove(_folder);
                await server.DisposeAsync();
            }
        }
        finally
        {
            Gate.Release();
        }
    }
}
