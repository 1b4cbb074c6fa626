using System.Collections.Concurrent;
using Amp.BackgroundJobs;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Runspaces that handlers share: as many as jobs run at once, each opened when it is first needed.</summary>
internal sealed class ScriptRunspacePool(string module, string location) : IAsyncDisposable
{
    private readonly ConcurrentBag<ScriptRunspace> _free = [];
    private readonly ConcurrentDictionary<ScriptRunspace, bool> _all = new();
    private volatile bool _isDisposed;

    /// <summary>Runs a handler's script block for a job.</summary>
    public async Task<AmpJobAnswer> RunAsync(ScriptBlockHandler handler, JobContext context, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (!_free.TryTake(out var runspace))
        {
            _all[runspace = new ScriptRunspace(module, location)] = true;
        }

        try
        {
            return await runspace.RunAsync(handler, context, cancellationToken);
        }
        finally
        {
            // One whose script does not end is not waited for either: it comes back when it has.
            if (_isDisposed)
            {
                runspace.Dispose();
            }
            else
            {
                _free.Add(runspace);
            }
        }
    }

    /// <summary>Closes the runspaces.</summary>
    public async ValueTask DisposeAsync()
    {
        _isDisposed = true;
        await Task.Run(() => Parallel.ForEach(_all.Keys, runspace => runspace.Dispose()));
    }
}
