using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Amp.MetadataDb;

/// <summary>
/// A private PostgreSQL server in a folder, for solo mode. It listens on loopback and on a socket, with a generated
/// password. The process that starts it owns it: the server ends with that process, however the process ends. A second
/// process of the same folder uses the running server and leaves it alone.
/// </summary>
public sealed class ManagedPostgres : IAsyncDisposable
{
    private const string User = "amp";
    private const string Database = "amp";

    /// <summary>
    /// Starts the server, says so, then waits for the end of its input, which only the owner's end can bring, and stops the
    /// server. Runs apart from the owner's terminal: Ctrl+C is not for it (pg_ctl gives the server a session of its own).
    /// </summary>
    private const string Watchdog =
        """
        trap '' INT QUIT HUP TERM
        "$1" start -D "$2" -l "$3" -o "$4" -w -t 60 -s || exit 1
        echo started
        while read -r line; do :; done
        exec "$1" stop -D "$2" -m fast -w -t 60 -s
        """;

    private static readonly TimeSpan ExitPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan OtherOwnerPatience = TimeSpan.FromSeconds(90);

    private static readonly Dictionary<string, string> DefaultSettings = new()
    {
        ["shared_buffers"] = "64MB",
        ["max_connections"] = "100",
        ["min_wal_size"] = "80MB",
        ["max_wal_size"] = "512MB",
        ["jit"] = "off",
        ["max_parallel_workers_per_gather"] = "0",
        ["timezone"] = "UTC",
        ["log_timezone"] = "UTC",
        ["log_line_prefix"] = "%m ",
    };

    private readonly ILogger _logger;
    private readonly ServerFolder _folder;
    private readonly ServerAccount _account;
    private readonly Lock _stopGate = new();
    private FileStream? _lock;
    private Process? _watchdog;
    private PostgresBinaries? _binaries;
    private Task? _stopped;

    private ManagedPostgres(ServerFolder folder, ServerAccount account, ILogger logger)
    {
        _folder = folder;
        _account = account;
        _logger = logger;
    }

    /// <summary>Address of the database <c>amp</c>, on loopback, password included: not for logs.</summary>
    public string ConnectionUrl { get; private set; } = "";

    /// <summary>Port on 127.0.0.1.</summary>
    public int Port { get; private set; }

    /// <summary>Folder of the server's socket; null on Windows.</summary>
    public string? SocketFolder { get; private set; }

    /// <summary>Whether this object started the server, and so will stop it.</summary>
    public bool IsOwner => _lock is not null;

    /// <summary>The server's log file.</summary>
    public string LogFile => _folder.LogFile;

    /// <summary>Folder of the cluster.</summary>
    internal string DataFolder => _folder.Data;

    /// <summary>Starts the server of a folder, or finds it running.</summary>
    /// <param name="folder">Its folder, such as <c>.amp/metadb</c>; made if need be.</param>
    /// <param name="loggerFactory">Where log lines go.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException">
    /// <c>PostgresBinariesNotFound</c>, <c>PostgresNeedsUser</c>, <c>PostgresStartFailed</c> with the server's last lines.
    /// </exception>
    public static Task<ManagedPostgres> StartAsync(
        string folder, ILoggerFactory loggerFactory, CancellationToken cancellationToken = default) =>
        StartAsync(folder, loggerFactory, new Dictionary<string, string>(), cancellationToken);

    /// <summary>As the public method, with server settings that replace ours when the cluster is made.</summary>
    internal static async Task<ManagedPostgres> StartAsync(
        string folder, ILoggerFactory loggerFactory, IReadOnlyDictionary<string, string> settings, CancellationToken cancellationToken)
    {
        var account = ServerAccount.Choose();
        var server = new ManagedPostgres(
            await ServerFolder.OpenAsync(folder, account, cancellationToken), account, loggerFactory.CreateLogger<ManagedPostgres>());
        try
        {
            await server.StartOrReuseAsync(settings, cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops the server if this object started it: sessions are ended, data is on disk when this returns.</summary>
    public Task StopAsync()
    {
        lock (_stopGate)
        {
            return _stopped ??= StopOwnedAsync();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await StopAsync();

    private async Task StartOrReuseAsync(IReadOnlyDictionary<string, string> settings, CancellationToken cancellationToken)
    {
        var patience = Stopwatch.StartNew();
        while (true)
        {
            _lock = _folder.TryLock();
            if (_lock is not null)
            {
                await StartOwnedAsync(settings, cancellationToken);
                return;
            }

            // A living process owns the server: it runs, or soon will.
            if (_folder.ReadPort() is { } port && _folder.ReadPassword() is { } password)
            {
                SetAddress(port, password);
                if (await TryConnectAsync(Database, cancellationToken))
                {
                    Log.ReusedServer(_logger, _folder.Root, port);
                    return;
                }
            }

            if (patience.Elapsed > OtherOwnerPatience)
            {
                throw StartFailed("another process owns the server, which does not answer");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken);
        }
    }

    private async Task StartOwnedAsync(IReadOnlyDictionary<string, string> settings, CancellationToken cancellationToken)
    {
        _binaries = await PostgresBinaries.FindAsync(_folder.Major, cancellationToken);
        if (_folder.Major is null)
        {
            await CreateClusterAsync(_binaries, settings, cancellationToken);
        }

        await EndLeftoversAsync(_binaries, cancellationToken);
        var password = _folder.ReadPassword()
            ?? throw StartFailed($"the file {Path.Combine(_folder.Root, "password")} is missing");
        SetAddress(_folder.ChoosePort(), password);
        SocketFolder = _folder.SocketFolder(_account, Port);
        var options = $"-p {Port} -c listen_addresses=127.0.0.1"
            + (SocketFolder is null ? "" : $" -c unix_socket_directories={SocketFolder}");
        if (OperatingSystem.IsWindows())
        {
            await RunAsync(_binaries.PgCtl, "", cancellationToken,
                "start", "-D", _folder.Data, "-l", _folder.LogFile, "-o", options, "-w", "-t", "60", "-s");
        }
        else
        {
            await StartWatchdogAsync(_binaries, options, cancellationToken);
        }

        if (!await TryConnectAsync(Database, cancellationToken))
        {
            await CreateDatabaseAsync(cancellationToken);
        }

        Log.StartedServer(_logger, _folder.Root, Port, _binaries.Major);
    }

    private async Task StartWatchdogAsync(PostgresBinaries binaries, string options, CancellationToken cancellationToken)
    {
        _watchdog = Process.Start(_account.Command(
            "/bin/sh", _folder.Home, "-c", Watchdog, "amp-metadb", binaries.PgCtl, _folder.Data, _folder.LogFile, options))!;
        if (await _watchdog.StandardOutput.ReadLineAsync(cancellationToken) != "started")
        {
            throw StartFailed(await _watchdog.StandardError.ReadToEndAsync(cancellationToken));
        }
    }

    /// <summary>Makes the cluster beside its place and moves it there when it is whole: an interrupted start leaves none.</summary>
    private async Task CreateClusterAsync(
        PostgresBinaries binaries, IReadOnlyDictionary<string, string> settings, CancellationToken cancellationToken)
    {
        var unfinished = _folder.Data + ".new";
        if (Directory.Exists(unfinished))
        {
            Directory.Delete(unfinished, recursive: true);
        }

        var password = _folder.CreatePassword();
        var passwordFile = Path.Combine(_folder.Home, "initial-password");
        if (OperatingSystem.IsWindows())
        {
            await File.WriteAllTextAsync(passwordFile, password, cancellationToken);
        }
        else
        {
            await RunAsync("/bin/sh", password, cancellationToken, "-c", "umask 077; cat > \"$1\"", "sh", passwordFile);
        }

        try
        {
            await RunAsync(binaries.InitDb, "", cancellationToken,
                "-D", unfinished, "-U", User, "--pwfile", passwordFile, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C");
        }
        finally
        {
            File.Delete(passwordFile);
        }

        var lines = DefaultSettings.Concat(settings).Select(setting => $"{setting.Key} = '{setting.Value}'");
        await File.AppendAllLinesAsync(Path.Combine(unfinished, "postgresql.conf"), lines, cancellationToken);
        Directory.Move(unfinished, _folder.Data);
    }

    /// <summary>
    /// Deals with what an earlier owner left: a server that its watchdog is about to stop, processes of a crashed one, and a
    /// postmaster.pid whose number now belongs to another program. (The file of a process that is gone is the server's own to
    /// judge: it checks for shared memory still in use.)
    /// </summary>
    private async Task EndLeftoversAsync(PostgresBinaries binaries, CancellationToken cancellationToken)
    {
        var patience = Stopwatch.StartNew();
        var asked = false;
        while (ServerProcesses.AnyOf(_folder.Data))
        {
            if (patience.Elapsed > TimeSpan.FromSeconds(30))
            {
                throw StartFailed("processes of an earlier server are still there and do not end");
            }

            if (!asked && patience.Elapsed > TimeSpan.FromSeconds(3))
            {
                asked = true;
                await ServerProgram.RunAsync(
                    _account.Command(binaries.PgCtl, _folder.Home, "stop", "-D", _folder.Data, "-m", "fast", "-W", "-s"), "", cancellationToken);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), cancellationToken);
        }

        var pidFile = Path.Combine(_folder.Data, "postmaster.pid");
        if (File.Exists(pidFile) && ServerProcesses.BelongsToAnother(pidFile, _folder.Data))
        {
            Log.RemovedStalePidFile(_logger, pidFile);
            File.Delete(pidFile);
        }
    }

    private async Task CreateDatabaseAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = new NpgsqlConnection(Address("postgres"));
            await connection.OpenAsync(cancellationToken);
            await connection.ExecuteAsync($"CREATE DATABASE {Database}", [], cancellationToken);
        }
        catch (Exception e) when (DatabaseErrors.IsDatabase(e))
        {
            throw DatabaseErrors.Translate(e, "creating the private database", $"127.0.0.1:{Port}/{Database}");
        }
    }

    private async Task<bool> TryConnectAsync(string database, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = new NpgsqlConnection(Address(database));
            await connection.OpenAsync(cancellationToken);
            return true;
        }
        catch (Exception e) when (DatabaseErrors.IsDatabase(e))
        {
            return false;
        }
    }

    private string Address(string database) =>
        new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1",
            Port = Port,
            Username = User,
            Password = _folder.ReadPassword(),
            Database = database,
            Pooling = false,
            Timeout = 5,
            GssEncryptionMode = GssEncryptionMode.Disable,
        }.ConnectionString;

    private void SetAddress(int port, string password)
    {
        Port = port;
        ConnectionUrl = string.Create(CultureInfo.InvariantCulture, $"postgresql://{User}:{password}@127.0.0.1:{port}/{Database}");
    }

    private async Task StopOwnedAsync()
    {
        if (_lock is null)
        {
            return;
        }

        try
        {
            if (_watchdog is not null)
            {
                _watchdog.StandardInput.Close();
                using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
                await _watchdog.WaitForExitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (!_watchdog.HasExited)
                {
                    // As after a power cut: nothing that was committed is lost, the next start recovers it.
                    await RunAsync(_binaries!.PgCtl, "", CancellationToken.None, "stop", "-D", _folder.Data, "-m", "immediate", "-w", "-s");
                }

                // pg_ctl comes back when the pid file is gone, which is a moment before the process is.
                for (var patience = Stopwatch.StartNew(); ServerProcesses.AnyOf(_folder.Data) && patience.Elapsed < ExitPatience;)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(10));
                }

                _watchdog.Dispose();
                Log.StoppedServer(_logger, _folder.Root);
            }
            else if (OperatingSystem.IsWindows() && _binaries is not null && File.Exists(Path.Combine(_folder.Data, "postmaster.pid")))
            {
                await RunAsync(_binaries.PgCtl, "", CancellationToken.None, "stop", "-D", _folder.Data, "-m", "fast", "-w", "-s");
                Log.StoppedServer(_logger, _folder.Root);
            }
        }
        finally
        {
            await _lock.DisposeAsync();
        }
    }

    private async Task RunAsync(string program, string input, CancellationToken cancellationToken, params string[] arguments)
    {
        var (exitCode, output) = await ServerProgram.RunAsync(
            _account.Command(program, _folder.Home, arguments), input, cancellationToken);
        if (exitCode != 0)
        {
            throw StartFailed($"{Path.GetFileName(program)} ended with {exitCode}: {output}");
        }
    }

    private AmpException StartFailed(string reason)
    {
        var tail = File.Exists(_folder.LogFile) ? File.ReadLines(_folder.LogFile).TakeLast(10).ToArray() : [];
        var quoted = tail.Length == 0 ? "" : $"{Environment.NewLine}{string.Join(Environment.NewLine, tail)}";
        return new AmpException("PostgresStartFailed", AmpErrorKind.Unavailable,
            $"The private PostgreSQL server in {_folder.Root} did not start: {reason.Trim()}{quoted}")
        {
            Target = _folder.Root,
            RecommendedAction = $"Read {_folder.LogFile}, or give metadata_db.url of another server.",
        };
    }
}
