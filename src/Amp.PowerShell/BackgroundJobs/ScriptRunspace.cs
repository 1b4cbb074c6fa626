using System.Collections.Concurrent;
using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Text.Json;
using Amp.BackgroundJobs;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>
/// A runspace with a thread of its own, which runs handlers' script blocks one after the other. A script block becomes a function of the
/// runspace when it is first run there, so it is compiled once.
/// </summary>
internal sealed class ScriptRunspace : IDisposable
{
    private const string DoneVariable = "__amp_done";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly BlockingCollection<Call> _calls = new(boundedCapacity: 1);
    private readonly HashSet<string> _functions = [];
    private readonly Thread _thread;
    private readonly string _module;
    private readonly string _location;

    public ScriptRunspace(string module, string location)
    {
        (_module, _location) = (module, location);
        _thread = new Thread(Run) { IsBackground = true, Name = "Amp job handler" };
        _thread.Start();
    }

    /// <summary>Runs a script block for a job; only one at a time.</summary>
    public Task<AmpJobAnswer> RunAsync(ScriptBlockHandler handler, JobContext context, CancellationToken cancellationToken)
    {
        var call = new Call(handler, context, cancellationToken);
        _calls.Add(call, CancellationToken.None);
        return call.Answer.Task;
    }

    /// <summary>Closes it, after what it runs.</summary>
    public void Dispose()
    {
        if (!_calls.IsAddingCompleted)
        {
            _calls.CompleteAdding();
        }

        _thread.Join(Patience);
    }

    // The runspace's own thread, from here on.
    private void Run()
    {
        Runspace? runspace = null;
        System.Management.Automation.PowerShell? shell = null;
        foreach (var call in _calls.GetConsumingEnumerable())
        {
            try
            {
                runspace ??= Open();
                shell ??= Shell(runspace);
                call.Answer.SetResult(Invoke(shell, call));
            }
            catch (Exception e)
            {
                call.Answer.SetException(call.CancellationToken.IsCancellationRequested ? new OperationCanceledException(e.Message, e, call.CancellationToken) : e);
                if (runspace?.RunspaceStateInfo.State is not RunspaceState.Opened)
                {
                    // A script can break its runspace; the next job gets a new one.
                    (runspace, shell) = (null, null);
                    _functions.Clear();
                }
            }
        }

        shell?.Dispose();
        runspace?.Dispose();
    }

    private Runspace Open()
    {
        var state = InitialSessionState.CreateDefault();
        state.ImportPSModule([_module]);
        state.ThreadOptions = PSThreadOptions.UseCurrentThread;
        state.Variables.Add(new SessionStateVariableEntry("ErrorActionPreference", ActionPreference.Stop, null));
        state.Variables.Add(new SessionStateVariableEntry("ProgressPreference", ActionPreference.SilentlyContinue, null));
        var runspace = RunspaceFactory.CreateRunspace(state);
        runspace.Open();
        return runspace;
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

    private static System.Management.Automation.PowerShell Shell(Runspace runspace)
    {
        var shell = System.Management.Automation.PowerShell.Create();
        shell.Runspace = runspace;
        return shell;
    }

    private AmpJobAnswer Invoke(System.Management.Automation.PowerShell shell, Call call)
    {
        call.CancellationToken.ThrowIfCancellationRequested();
        Define(shell, call.Handler);
        var variables = shell.Runspace.SessionStateProxy;
        variables.SetVariable(DoneVariable, false);
        GoHome(variables.Path);
        using var stopping = call.CancellationToken.Register(() => shell.BeginStop(null, null));
        try
        {
            var output = shell.AddCommand(call.Handler.Function + "_run").AddArgument(call.Context.Job).AddArgument(call.Handler.Arguments).Invoke();
            call.CancellationToken.ThrowIfCancellationRequested();
            Reset(shell);
            if (variables.GetVariable(DoneVariable) is not true)
            {
                throw new AmpException("JobHandlerExited", AmpErrorKind.Internal, "the script block called exit, so nobody knows whether the job is done") { IsTransient = true };
            }

            return ToAnswer(shell, output);
        }
        catch (RuntimeException e) when (e is not PipelineStoppedException)
        {
            throw new AmpException("JobHandlerFailed", AmpErrorKind.Internal, $"{e.ErrorRecord.Exception.Message}{Place(e.ErrorRecord.InvocationInfo, call.Handler)}", e.ErrorRecord.Exception) { IsTransient = true };
        }
        finally
        {
            Reset(shell);
        }
    }

    /// <summary>Where an error is from; nothing where that is not known, as for <c>Write-Error</c>, which tells its caller's caller.</summary>
    private static string Place(InvocationInfo? at, ScriptBlockHandler handler) =>
        at is not { ScriptLineNumber: > 0 } || at.Line.Contains(handler.Function, StringComparison.Ordinal) ? ""
        : string.IsNullOrEmpty(at.ScriptName) ? $" (line {at.ScriptLineNumber} of the script block)"
        : $" (line {at.ScriptLineNumber} of {Path.GetFileName(at.ScriptName)})";

    private void Define(System.Management.Automation.PowerShell shell, ScriptBlockHandler handler)
    {
        if (!_functions.Add(handler.Function))
        {
            return;
        }

        foreach (var (name, value) in handler.Script.Variables)
        {
            shell.Runspace.SessionStateProxy.SetVariable(name, value);
        }

        shell.AddScript($$"""
            param($Text)
            Set-Item -LiteralPath 'function:global:{{handler.Function}}' -Value ([scriptblock]::Create($Text))
            function global:{{handler.Function}}_run { $more = $args[1]; {{handler.Function}} $args[0] @more; $global:{{DoneVariable}} = $true }
            """).AddArgument(handler.Script.Text).Invoke();
        Reset(shell);
    }

    private static void Reset(System.Management.Automation.PowerShell shell)
    {
        shell.Commands.Clear();
        shell.Streams.ClearStreams();
    }

    /// <summary>An answer that the script block wrote, else what it wrote as the job's result.</summary>
    private static AmpJobAnswer ToAnswer(System.Management.Automation.PowerShell shell, Collection<PSObject?> output)
    {
        var answer = output.LastOrDefault()?.BaseObject as AmpJobAnswer;
        object? result = answer is not null ? answer.Result : output.Count switch
        {
            0 => null,
            1 => Bare(output.First()),
            _ => output.Select(Bare).ToArray(),
        };
        if (answer is not null and not { Kind: AmpJobAnswerKind.Complete })
        {
            return answer;
        }

        if (result is null)
        {
            return AmpJobAnswer.Complete();
        }

        var json = shell.AddCommand("ConvertTo-Json").AddParameter("InputObject", result).AddParameter("Compress").AddParameter("Depth", 20).Invoke<string>()[0];
        using var document = JsonDocument.Parse(json);
        return AmpJobAnswer.Complete(document.RootElement.Clone());
    }

    /// <summary>A text, number or the like without what PowerShell adds to it, which JSON would show.</summary>
    private static object? Bare(PSObject? value) => value?.BaseObject is ValueType or string ? value.BaseObject : value;

    private sealed record Call(ScriptBlockHandler Handler, JobContext Context, CancellationToken CancellationToken)
    {
        public TaskCompletionSource<AmpJobAnswer> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
