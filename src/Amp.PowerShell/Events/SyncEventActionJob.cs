using System.Diagnostics.CodeAnalysis;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using Amp.Events;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Events;

/// <summary>
/// A job of the shell that runs a script block for each event that comes, one after the other, in a runspace of its own. What the script
/// block writes is the job's output; an error in it is the job's error, and the next event has its turn.
/// </summary>
internal sealed class SyncEventActionJob : Job, IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly string _action;
    private readonly string _module;
    private readonly string _location;
    private Task _running = Task.CompletedTask;

    public SyncEventActionJob(string? name, ScriptBlock action, string module, string source, string location)
        : base(action.ToString(), name)
    {
        Name = name ?? $"AmpSyncEventAction{Id}";

        // A script block belongs to its runspace; its text does not.
        _action = action.ToString();
        _module = module;
        _location = location;
        Location = source;
        PSJobTypeName = "AmpSyncEventAction";
    }

    /// <inheritdoc/>
    public override bool HasMoreData => Output.Count > 0 || Error.Count > 0 || Warning.Count > 0 || Verbose.Count > 0 || Information.Count > 0;

    /// <inheritdoc/>
    public override string Location { get; }

    /// <inheritdoc/>
    public override string StatusMessage => JobStateInfo.Reason?.Message ?? "";

    /// <summary>Begins to read.</summary>
    public void Start(SyncEventReader reader, SyncEventReadOptions options)
    {
        SetJobState(JobState.Running);
        _running = Task.Run(() => RunAsync(reader, options));
    }

    /// <inheritdoc/>
    [SuppressMessage("Usage", "VSTHRD002:Avoid problematic synchronous waits", Justification = "PowerShell calls this synchronously; the work never needs its thread")]
    public override void StopJob()
    {
        if (!IsFinishedState(JobStateInfo.State))
        {
            SetJobState(JobState.Stopping);
            _stop.Cancel();
            _running.Wait();
        }
    }

    /// <summary>Stops it; what it has written can still be received.</summary>
    public async ValueTask DisposeAsync() => await Task.Run(StopJob);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            StopJob();
            _stop.Dispose();
        }

        base.Dispose(disposing);
    }

    private static bool IsFinishedState(JobState state) => state is JobState.Completed or JobState.Failed or JobState.Stopped;

    private async Task RunAsync(SyncEventReader reader, SyncEventReadOptions options)
    {
        try
        {
            using var runspace = OpenRunspace();
            await foreach (var read in reader.ReadAsync(options, _stop.Token))
            {
                // What was read ahead is not run any more.
                _stop.Token.ThrowIfCancellationRequested();
                if (read.Event is { } told)
                {
                    Invoke(runspace, told);

                    // Stopped in the middle, it is not finished: with a group, it comes again.
                    _stop.Token.ThrowIfCancellationRequested();
                }
                else
                {
                    Error.Add(AmpErrors.From(read.Error!));
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            SetJobState(JobState.Stopped);
        }
        catch (Exception e)
        {
            Error.Add(e is AmpException amp ? AmpErrors.From(amp) : new ErrorRecord(e, "AmpSyncEventActionFailed", ErrorCategory.NotSpecified, Name));
            SetJobState(JobState.Failed);
        }
    }

    private Runspace OpenRunspace()
    {
        var state = InitialSessionState.CreateDefault();
        state.ImportPSModule([_module]);
        var runspace = RunspaceFactory.CreateRunspace(state);
        runspace.Open();
        runspace.SessionStateProxy.Path.SetLocation(WildcardPattern.Escape(_location));
        return runspace;
    }

    private void Invoke(Runspace runspace, AmpSyncEvent told)
    {
        using var shell = System.Management.Automation.PowerShell.Create();
        shell.Runspace = runspace;
        shell.AddScript("param($Action, $Event) $Event | ForEach-Object ([scriptblock]::Create($Action))").AddArgument(_action).AddArgument(told);
        shell.Streams.Error.DataAdded += (_, added) => Error.Add(shell.Streams.Error[added.Index]);
        shell.Streams.Warning.DataAdded += (_, added) => Warning.Add(shell.Streams.Warning[added.Index]);
        shell.Streams.Verbose.DataAdded += (_, added) => Verbose.Add(shell.Streams.Verbose[added.Index]);
        shell.Streams.Information.DataAdded += (_, added) => Information.Add(shell.Streams.Information[added.Index]);
        using var stopping = _stop.Token.Register(shell.Stop);
        try
        {
            shell.Invoke(null, Output);
        }
        catch (PipelineStoppedException)
        {
            // Looking at the token ends it.
        }
        catch (RuntimeException e)
        {
            Error.Add(e.ErrorRecord);
        }
    }
}
