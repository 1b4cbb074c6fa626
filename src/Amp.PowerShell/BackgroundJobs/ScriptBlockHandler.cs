using System.Globalization;
using Amp.BackgroundJobs;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Does jobs by a script block, in one of the session's runspaces for handlers.</summary>
internal sealed class ScriptBlockHandler(ScriptText script, object[] arguments, ScriptRunspacePool runspaces) : IJobHandler
{
    private static int _handlers;

    /// <summary>Name of the script block's function in the runspaces.</summary>
    public string Function { get; } = string.Create(CultureInfo.InvariantCulture, $"__amp_handler_{Interlocked.Increment(ref _handlers)}");

    public ScriptText Script => script;

    public object[] Arguments => arguments;

    public Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken) => runspaces.RunAsync(this, context, cancellationToken);
}
