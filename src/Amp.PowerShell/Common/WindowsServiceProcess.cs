using System.Runtime.Versioning;
using System.ServiceProcess;

namespace Amp.PowerShell.Common;

/// <summary>
/// This process as the program of a Windows service. It says so within the 30 seconds that Windows gives a program for it, which is
/// why it comes before the work begins.
/// </summary>
[SupportedOSPlatform("windows")]
internal sealed class WindowsServiceProcess : ServiceBase
{
    /// <summary>The environment variable that a service is started with: its name.</summary>
    public const string NameVariable = "AMP_WINDOWS_SERVICE";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly Action _stop;
    private readonly ManualResetEventSlim _ended = new();

    private WindowsServiceProcess(string name, Action stop)
    {
        ServiceName = name;
        CanShutdown = true;
        AutoLog = false;
        _stop = stop;
    }

    /// <summary>Tells Windows that the service runs; null when this process was not started as one.</summary>
    /// <param name="stop">Called when Windows wants it to stop; it is waited for <see cref="End"/> then.</param>
    public static WindowsServiceProcess? Start(Action stop)
    {
        if (Environment.GetEnvironmentVariable(NameVariable) is not { Length: > 0 } name)
        {
            return null;
        }

        var service = new WindowsServiceProcess(name, stop);
        new Thread(() => Run(service)) { IsBackground = true, Name = "amp-windows-service" }.Start();
        return service;
    }

    /// <summary>Tells Windows that the service has ended.</summary>
    /// <param name="failed">Whether it ended without having been told to; Windows starts it again then.</param>
    public void End(bool failed)
    {
        ExitCode = failed ? 1 : 0;
        _ended.Set();
        Stop();
    }

    // A thread of Windows's service dispatcher.
    protected override void OnStop()
    {
        if (!_ended.IsSet)
        {
            RequestAdditionalTime(Patience);
            _stop();
            _ended.Wait(Patience);
        }
    }

    protected override void OnShutdown() => OnStop();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _ended.Dispose();
        }

        base.Dispose(disposing);
    }
}
