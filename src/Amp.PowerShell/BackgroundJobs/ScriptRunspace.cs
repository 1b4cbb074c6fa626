using System.Management.Automation;
using System.Management.Automation.Runspaces;
using Amp.BackgroundJobs;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>
/// A runspace with a thread of its own, which runs handlers' script blocks one after the other. They run in one pipeline, since a pipeline
/// for each costs several times what a short script block does; it is begun anew after a script block that was stopped, or that left it.
/// </summary>
internal sealed class ScriptRunspace : IDisposable
{
    // A script block's exit, or a break that is in no loop of its own, ends this loop.
    private const string Loop = """
        foreach ($__amp in $args[0].Take($ExecutionContext)) {
            try {
                $__amp_arguments = $__amp.Arguments
                $__amp.Read(@(& $__amp.Script $__amp.Job @__amp_arguments))
                if ($null -ne $__amp.Result) { $__amp.Json = Microsoft.PowerShell.Utility\ConvertTo-Json -InputObject $__amp.Result -Compress -Depth 20 }
                $__amp.End()
            } catch { $__amp.Fail($_) }
        }
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly object _lock = new();
    private readonly Thread _thread;
    private readonly string _module;
    private readonly string _location;
    private ScriptCall? _next;
    private bool _isEnding;

    // The runspace's thread's own.
    private readonly Dictionary<ScriptBlockHandler, ScriptBlock> _scripts = [];
    private System.Management.Automation.PowerShell? _shell;
    private ScriptCall? _current;

    public ScriptRunspace(string module, string location)
    {
        (_module, _location) = (module, location);
        _thread = new Thread(Run) { IsBackground = true, Name = "Amp job handler" };
        _thread.Start();
    }

    /// <summary>Runs a script block for a job; only one at a time.</summary>
    public Task<AmpJobAnswer> RunAsync(ScriptBlockHandler handler, JobContext context, CancellationToken cancellationToken)
    {
        var call = new ScriptCall(handler, context.Job, cancellationToken);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isEnding, this);
            _next = call;
            Monitor.Pulse(_lock);
        }

        return call.Answer;
    }

    /// <summary>Closes it, after what it runs.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isEnding = true;
            Monitor.Pulse(_lock);
        }

        _thread.Join(Patience);
    }

    /// <summary>The calls that come, each ready to run: what the loop goes through.</summary>
    public IEnumerable<ScriptCall> Take(EngineIntrinsics engine)
    {
        while (Wait(_shell!.Runspace))
        {
            var call = Next();
            if (!TryPrepare(call, engine))
            {
                continue;
            }

            yield return call;
            _shell!.Streams.ClearStreams();
            if (!call.IsOver || call.IsStopping)
            {
                // It left the loop by a continue, or its stop ends the pipeline at any moment.
                yield break;
            }
        }
    }

    // The runspace's own thread, from here on.
    private void Run()
    {
        while (Wait())
        {
            _current = null;
            try
            {
                _shell ??= Open();
                _shell.AddScript(Loop).AddArgument(this).Invoke();
                _current?.Fail(new AmpException("JobHandlerExited", AmpErrorKind.Internal, "the script block called exit, so nobody knows whether the job is done") { IsTransient = true });
            }
            catch (Exception e)
            {
                // Without a current one, the next one is what it could not even begin.
                (_current ?? Next()).Fail(e);
            }
            finally
            {
                Reset();
            }
        }

        Close();
    }

    /// <summary>Waits for a call; false when there will be none, or when the runspace given is closed, as at the end of the shell.</summary>
    private bool Wait(Runspace? runspace = null)
    {
        lock (_lock)
        {
            while (_next is null && !_isEnding && runspace?.RunspaceStateInfo.State is null or RunspaceState.Opened)
            {
                Monitor.Wait(_lock);
            }

            return _next is not null;
        }
    }

    private void Pulse()
    {
        lock (_lock)
        {
            Monitor.Pulse(_lock);
        }
    }

    private ScriptCall Next()
    {
        lock (_lock)
        {
            (_current, _next) = (_next!, null);
            return _current;
        }
    }

    private bool TryPrepare(ScriptCall call, EngineIntrinsics engine)
    {
        try
        {
            if (!_scripts.TryGetValue(call.Handler, out var script))
            {
                foreach (var (name, value) in call.Handler.Script.Variables)
                {
                    engine.SessionState.PSVariable.Set("global:" + name, value);
                }

                _scripts[call.Handler] = script = engine.InvokeCommand.NewScriptBlock(call.Handler.Script.Text);
            }

            GoHome(engine.SessionState.Path);
            call.Begin(script, _shell!);
            return true;
        }
        catch (Exception e)
        {
            call.Fail(e);
            return false;
        }
    }

    /// <summary>Goes where handlers begin, also after one that went elsewhere.</summary>
    private void GoHome(PathIntrinsics path)
    {
        var at = path.CurrentLocation;
        var isFileSystem = at.Provider.Name == "FileSystem";
        if (!isFileSystem || at.ProviderPath != _location)
        {
            // A path without its provider is one of the present drive's.
            path.SetLocation((isFileSystem ? "" : "FileSystem::") + WildcardPattern.Escape(_location));
        }
    }

    private System.Management.Automation.PowerShell Open()
    {
        var state = InitialSessionState.CreateDefault();
        state.ImportPSModule([_module]);
        state.ThreadOptions = PSThreadOptions.UseCurrentThread;
        state.Variables.Add(new SessionStateVariableEntry("ErrorActionPreference", ActionPreference.Stop, null));
        state.Variables.Add(new SessionStateVariableEntry("ProgressPreference", ActionPreference.SilentlyContinue, null));
        var shell = System.Management.Automation.PowerShell.Create();
        shell.Runspace = RunspaceFactory.CreateRunspace(state);
        shell.Runspace.StateChanged += (_, _) => Pulse();
        shell.Runspace.Open();
        return shell;
    }

    /// <summary>Makes it ready for the next pipeline.</summary>
    private void Reset()
    {
        if (_shell is null)
        {
            return;
        }

        _current?.AwaitStop(_shell);
        if (_shell.Runspace.RunspaceStateInfo.State is not RunspaceState.Opened)
        {
            // A script can break its runspace; the next job gets a new one.
            Close();
            return;
        }

        _shell.Commands.Clear();
        _shell.Streams.ClearStreams();
    }

    private void Close()
    {
        _shell?.Runspace.Dispose();
        _shell?.Dispose();
        _shell = null;
        _scripts.Clear();
    }
}
