using System.Diagnostics;
using Amp.MetadataDb;
using Amp.Workers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Support;

/// <summary>A process that a test can kill: this assembly, started as a program.</summary>
internal sealed class HelperProcess : IDisposable
{
    private const string Ready = "ready";
    private readonly Process _process;

    private HelperProcess(Process process) => _process = process;

    /// <summary>Its number.</summary>
    public int Id => _process.Id;

    /// <summary>Whether it has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Starts a role of <see cref="Main"/>.</summary>
    public static HelperProcess Start(params string[] arguments) => Start([], arguments);

    /// <summary>Starts a role of <see cref="Main"/> with some environment variables.</summary>
    public static HelperProcess Start((string Name, string Value)[] environment, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(HelperProcess).Assembly.Location, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new(Process.Start(start)!);
    }

    /// <summary>Waits until the process has done what its role begins with.</summary>
    public async Task ReadyAsync() =>
        Assert.Equal(Ready, await _process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60)));

    /// <summary>Kills it with SIGKILL.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Kills it with SIGKILL and waits until it is gone.</summary>
    public Task KillAsync()
    {
        Kill();
        return _process.WaitForExitAsync();
    }

    /// <summary>Stops it in its tracks, with SIGSTOP.</summary>
    public void Freeze() => AmpdProcess.Freeze(_process.Id);

    /// <summary>Lets it go on.</summary>
    public void Thaw() => AmpdProcess.Thaw(_process.Id);

    public void Dispose()
    {
        _process.Kill();
        _process.Dispose();
    }

    /// <summary>The program: does its role, says so, and lives until it is killed.</summary>
    public static async Task<int> Main(string[] arguments)
    {
        switch (arguments)
        {
            case ["own-postgres", var folder]:
                await ManagedPostgres.StartAsync(folder, NullLoggerFactory.Instance);
                break;
            case ["run-worker", var url, var nodeId]:
                var database = await MetadataDatabase.ConnectAsync(url, 5, NullLoggerFactory.Instance);
                var build = new AmpBuildInfo(null, null, null, null);
                await new WorkerService(database, nodeId, build, new FakeExecutor(), NullLoggerFactory.Instance).StartAsync();
                break;
            case ["job-worker", var url, .. var brokers]:
                await JobWorkerProcess.StartAsync(url, brokers);
                break;
            case ["job-relay", var url, var brokers]:
                await JobWorkerProcess.StartRelayAsync(url, brokers);
                break;
            default:
                return 2;
        }

        await Console.Out.WriteLineAsync(Ready);
        await Task.Delay(Timeout.Infinite);
        return 0;
    }
}
