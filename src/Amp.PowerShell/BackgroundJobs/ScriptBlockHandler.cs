using Amp.BackgroundJobs;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Does jobs by a script block, in one of the session's runspaces for handlers.</summary>
internal sealed class ScriptBlockHandler(ScriptText script, object[] arguments, ScriptRunspacePool runspaces) : IThreadedJobHandler
{
    public ScriptText Script => script;

    public object[] Arguments => arguments;

    public Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken) => runspaces.RunAsync(this, context, cancellationToken);
}
