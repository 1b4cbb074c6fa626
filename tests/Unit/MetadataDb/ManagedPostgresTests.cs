using System.Diagnostics;
using System.Globalization;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.MetadataDb;

public sealed class ManagedPostgresTests : IDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"amp-managed-{Guid.NewGuid():N}");

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [ToolFact("postgres")]
    public async Task Start_OfAMadeCluster_IsQuickAndKeepsDataPortAndSecret()
    {
        string url;
        await using (var server = await StartAsync())
        {
            url = server.ConnectionUrl;
            await using var database = await ConnectAsync(url);
            await database.InitializeAsync(autoMigrate: true);
            await database.Workers.RegisterAsync("worker-01", TestData.Build, default);
            if (!OperatingSystem.IsWindows())
            {
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, "password")));
            }
        }

        var watch = Stopwatch.StartNew();
        await using var again = await StartAsync();

        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"start took {watch.Elapsed}");
        Assert.Equal(url, again.ConnectionUrl);
        await using var second = await ConnectAsync(url);
        Assert.NotNull(await second.Workers.GetAsync("worker-01"));
        await using var overSocket = await ConnectAsync($"{url}?host={Uri.EscapeDataString(again.SocketFolder!)}&port={again.Port}");
        Assert.NotNull(await overSocket.Workers.GetAsync("worker-01"));
    }

    [ToolFact("postgres")]
    public async Task Start_WhileAnotherOwnsTheServer_UsesItAndLeavesItRunning()
    {
        await using var owner = await StartAsync();

        await using (var guest = await StartAsync())
        {
            Assert.Equal((true, false, owner.ConnectionUrl), (owner.IsOwner, guest.IsOwner, guest.ConnectionUrl));
        }

        await using var database = await ConnectAsync(owner.ConnectionUrl);
        await owner.StopAsync();
        Assert.False(ServerProcesses.AnyOf(owner.DataFolder));
    }

    [ToolFact("postgres")]
    public async Task Start_AfterThePostmasterWasKilled_RecoversTheData()
    {
        var first = await StartAsync();
        await using (var database = await ConnectAsync(first.ConnectionUrl))
        {
            await database.InitializeAsync(autoMigrate: true);
            await database.Workers.RegisterAsync("worker-01", TestData.Build, default);
            using var postmaster = Postmaster(first);
            postmaster.Kill();
        }

        await first.StopAsync();
        await using var second = await StartAsync();

        await using var recovered = await ConnectAsync(second.ConnectionUrl);
        Assert.NotNull(await recovered.Workers.GetAsync("worker-01"));
    }

    [ToolFact("postgres")]
    public async Task Start_WithAPidFileOfAnotherLivingProgram_RemovesItAndStarts()
    {
        string pidFile;
        await using (var first = await StartAsync())
        {
            pidFile = Path.Combine(first.DataFolder, "postmaster.pid");
        }

        await File.WriteAllLinesAsync(pidFile, [Environment.ProcessId.ToString(CultureInfo.InvariantCulture), "/elsewhere", "1", "5432", "/tmp", "localhost", "  1 1"]);

        await using var second = await StartAsync();

        await using var database = await ConnectAsync(second.ConnectionUrl);
    }

    [ToolFact("postgres")]
    public async Task Start_WithTheRememberedPortTaken_ListensElsewhere()
    {
        int port;
        await using (var first = await StartAsync())
        {
            port = first.Port;
        }

        using var squatter = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, port);
        squatter.Start();
        await using var second = await StartAsync();

        Assert.NotEqual(port, second.Port);
        await using var database = await ConnectAsync(second.ConnectionUrl);
    }

    [ToolFact("postgres")]
    public async Task Start_WithABrokenConfiguration_QuotesTheServer()
    {
        string data;
        await using (var first = await StartAsync())
        {
            data = first.DataFolder;
        }

        await File.AppendAllTextAsync(Path.Combine(data, "postgresql.conf"), "no_such_setting = 1\n");

        var e = await Assert.ThrowsAsync<AmpException>(StartAsync);

        Assert.Equal("PostgresStartFailed", e.ErrorCode);
        Assert.Contains("no_such_setting", e.Message, StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Server_WhenItsOwnerIsKilled_EndsToo()
    {
        using var owner = HelperProcess.Start("own-postgres", _folder);
        await owner.ReadyAsync();
        await using var guest = await StartAsync();
        Assert.False(guest.IsOwner);
        using var postmaster = Postmaster(guest);

        owner.Kill();

        await Eventually.TrueAsync(() => postmaster.HasExited, "the server to end");
        await using var next = await StartAsync();
        Assert.True(next.IsOwner);
    }

    [ToolFact("postgres")]
    public async Task Start_InAFolderWhosePathIsLongOrOdd_PutsTheSocketElsewhere()
    {
        var folder = Path.Combine(_folder, new string('x', 100), "it's, odd");

        await using var server = await ManagedPostgres.StartAsync(folder, NullLoggerFactory.Instance);

        Assert.StartsWith("/tmp/amp-", server.SocketFolder, StringComparison.Ordinal);
        await using var database = await ConnectAsync(server.ConnectionUrl);
        await server.StopAsync();
        Directory.Delete(server.SocketFolder!, recursive: true);
    }

    private static Process Postmaster(ManagedPostgres server) =>
        Process.GetProcessById(int.Parse(File.ReadLines(Path.Combine(server.DataFolder, "postmaster.pid")).First(), CultureInfo.InvariantCulture));

    private Task<ManagedPostgres> StartAsync() => ManagedPostgres.StartAsync(_folder, NullLoggerFactory.Instance);

    private static Task<MetadataDatabase> ConnectAsync(string url) => MetadataDatabase.ConnectAsync(url, 2, NullLoggerFactory.Instance);
}
