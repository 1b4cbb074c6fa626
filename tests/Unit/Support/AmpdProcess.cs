using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Amp.Support;

/// <summary>The program <c>ampd</c> as a process of its own. Disposing it kills it.</summary>
internal sealed partial class AmpdProcess : IDisposable
{
    private const int KillSignal = 9;
    private const int TerminateSignal = 15;
    private static readonly int StopSignal = OperatingSystem.IsMacOS() ? 17 : 19;
    private static readonly int ContinueSignal = OperatingSystem.IsMacOS() ? 19 : 18;

    private readonly Process _process;
    private readonly StringBuilder _output = new();

    private AmpdProcess(Process process) => _process = process;

    /// <summary>Whether it has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>What it has written so far, to standard output and standard error.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Starts it in a folder, without any of Amp's environment variables.</summary>
    public static AmpdProcess Start(string folder, params string[] arguments) => Start(folder, [], arguments);

    /// <summary>Starts it in a folder, with some environment variables, without any of Amp's.</summary>
    public static AmpdProcess Start(string folder, (string Name, string Value)[] environment, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Program, .. arguments])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("AMP_", StringComparison.Ordinal)).ToArray())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var ampd = new AmpdProcess(new Process { StartInfo = start });
        ampd._process.OutputDataReceived += ampd.Append;
        ampd._process.ErrorDataReceived += ampd.Append;
        ampd._process.Start();
        ampd._process.BeginOutputReadLine();
        ampd._process.BeginErrorReadLine();
        return ampd;
    }

    /// <summary>Starts a worker of a deployment.</summary>
    public static AmpdProcess StartWorker(TestDeployment deployment, string nodeId, params (string Name, string Value)[] environment) =>
        Start(deployment.Folder, environment, "worker", "--config", deployment.ConfigPath, "--node-id", nodeId);

    /// <summary>Starts a controller of a deployment, with its Admin API on a port.</summary>
    public static AmpdProcess StartController(TestDeployment deployment, int port) =>
        Start(deployment.Folder, [("AMP_CONFIG_ADMIN_API_ADDR", $"127.0.0.1:{port}")], "controller", "--config", deployment.ConfigPath);

    /// <summary>Runs it to its end and gives exit code and output.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(string folder, params string[] arguments)
    {
        using var ampd = Start(folder, arguments);
        return (await ampd.WaitForExitAsync(TimeSpan.FromSeconds(60)), ampd.Output);
    }

    /// <summary>Kills it with SIGKILL and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Asks it to end, with SIGTERM.</summary>
    public void Terminate() => Terminate(_process.Id);

    /// <summary>Asks any process to end, with SIGTERM.</summary>
    public static void Terminate(int process) => Assert.Equal(0, Signal(process, TerminateSignal));

    /// <summary>Stops it in its tracks, with SIGSTOP.</summary>
    public void Freeze() => Freeze(_process.Id);

    /// <summary>Lets it go on.</summary>
    public void Thaw() => Thaw(_process.Id);

    /// <summary>Stops any process in its tracks, with SIGSTOP.</summary>
    public static void Freeze(int process) => Assert.Equal(0, Signal(process, StopSignal));

    /// <summary>Lets any process go on.</summary>
    public static void Thaw(int process) => Assert.Equal(0, Signal(process, ContinueSignal));

    /// <summary>Kills any process with SIGKILL.</summary>
    public static void Kill(int process) => Assert.Equal(0, Signal(process, KillSignal));

    /// <summary>Waits until it has ended by itself and gives its exit code.</summary>
    public async Task<int> WaitForExitAsync(TimeSpan limit)
    {
        try
        {
            await _process.WaitForExitAsync().WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"ampd still runs after {limit}: {Output}");
        }

        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    /// <summary>Built with the tests, in the same configuration.</summary>
    private static string Program { get; } = Path.GetFullPath(
        Path.Combine(AppContext.BaseDirectory, "..", "..", "Amp.Daemon", new DirectoryInfo(AppContext.BaseDirectory).Name, "ampd.dll"));

    private void Append(object sender, DataReceivedEventArgs line)
    {
        lock (_output)
        {
            _output.AppendLine(line.Data);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Signal(int process, int signal);
}
