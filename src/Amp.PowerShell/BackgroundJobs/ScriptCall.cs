using System.Management.Automation;
using System.Text.Json;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>One run of a handler's script block. But for its answer, it belongs to the runspace's thread; public members are the loop's in <see cref="ScriptRunspace"/>.</summary>
internal sealed class ScriptCall(ScriptBlockHandler handler, AmpBackgroundJob job, CancellationToken cancellationToken)
{
    private readonly TaskCompletionSource<AmpJobAnswer> _answer = new();
    private CancellationTokenRegistration _stopping;
    private IAsyncResult? _stop;
    private AmpJobAnswer? _given;

    public AmpBackgroundJob Job => job;

    public object[] Arguments => handler.Arguments;

    public ScriptBlock? Script { get; private set; }

    /// <summary>What the script block wrote, as the job's result; null for none.</summary>
    public object? Result { get; private set; }

    /// <summary>The result as JSON.</summary>
    public string? Json { get; set; }

    internal ScriptBlockHandler Handler => handler;

    internal Task<AmpJobAnswer> Answer => _answer.Task;

    internal bool IsOver => _answer.Task.IsCompleted;

    internal bool IsStopping => _stop is not null;

    /// <summary>Takes an answer that the script block wrote, else what it wrote as the job's result.</summary>
    public void Read(object[] output)
    {
        var values = Array.ConvertAll(output, Bare);
        _given = values.LastOrDefault() as AmpJobAnswer;
        Result = _given switch
        {
            null => values.Length > 1 ? values : values.FirstOrDefault(),
            { Kind: AmpJobAnswerKind.Complete } => _given.Result,
            _ => null,
        };
    }

    /// <summary>Gives the answer.</summary>
    public void End()
    {
        _stopping.Dispose();
        if (cancellationToken.IsCancellationRequested)
        {
            _answer.TrySetCanceled(cancellationToken);
        }
        else if (Json is null)
        {
            _answer.TrySetResult(_given ?? AmpJobAnswer.Complete());
        }
        else
        {
            using var document = JsonDocument.Parse(Json);
            _answer.TrySetResult(AmpJobAnswer.Complete(document.RootElement.Clone()));
        }
    }

    /// <summary>Says that the script block failed.</summary>
    public void Fail(ErrorRecord error) => Fail(new AmpException(
        "JobHandlerFailed", AmpErrorKind.Internal, $"{error.Exception.Message}{Place(error.InvocationInfo)}", error.Exception) { IsTransient = true });

    /// <summary>Says that it failed, unless it is over already.</summary>
    internal void Fail(Exception cause)
    {
        _stopping.Dispose();
        _answer.TrySetException(cancellationToken.IsCancellationRequested ? new OperationCanceledException(cause.Message, cause, cancellationToken) : cause);
    }

    /// <summary>From here on, its cancellation stops the pipeline.</summary>
    internal void Begin(ScriptBlock script, System.Management.Automation.PowerShell shell)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Script = script;
        _stopping = cancellationToken.Register(() => _stop = shell.BeginStop(null, null));
    }

    /// <summary>Waits until a stop that was begun has ended, so that it does not stop what comes next.</summary>
    internal void AwaitStop(System.Management.Automation.PowerShell shell)
    {
        if (_stop is not null)
        {
            shell.EndStop(_stop);
            _stop = null;
        }
    }

    /// <summary>Where an error is from; nothing where that is not known, as for <c>Write-Error</c>, which tells its caller's caller.</summary>
    private static string Place(InvocationInfo? at) =>
        at is not { ScriptLineNumber: > 0 } || at.Line.Contains("$__amp", StringComparison.Ordinal) ? ""
        : string.IsNullOrEmpty(at.ScriptName) ? $" (line {at.ScriptLineNumber} of the script block)"
        : $" (line {at.ScriptLineNumber} of {Path.GetFileName(at.ScriptName)})";

    /// <summary>A text, number or the like without what PowerShell adds to it, which JSON would show.</summary>
    private static object? Bare(object? value) => value is PSObject { BaseObject: ValueType or string or AmpJobAnswer } extended ? extended.BaseObject : value;
}
