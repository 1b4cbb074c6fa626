using System.Diagnostics.CodeAnalysis;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Threading.Channels;

namespace Amp.PowerShell.Common;

/// <summary>
/// What every cmdlet shares: asynchronous work runs on the thread pool and sends what it has to say through one
/// bounded channel, which is drained on the pipeline thread. Order is kept, a slow pipeline slows the work, and the
/// work is always cancelled and awaited before the cmdlet returns, for <see cref="Patience"/> at most, also after
/// <c>Select-Object -First</c>, which calls neither StopProcessing nor EndProcessing.
/// </summary>
public abstract class AmpCmdlet : PSCmdlet, IDisposable
{
    /// <summary>A database that does not answer holds up its driver, but not the prompt; the work keeps what it holds until it ends.</summary>
    private protected static readonly TimeSpan DatabasePatience = TimeSpan.FromMilliseconds(500);

    private const int ChannelCapacity = 512;

    private readonly CancellationTokenSource _stop = new();
    private readonly ProgressBars _bars = new(TimeProvider.System);

    /// <summary>The runspace that the cmdlet runs in; what the cmdlet starts belongs to it.</summary>
    private protected Guid RunspaceId { get; } = Runspace.DefaultRunspace?.InstanceId ?? Guid.Empty;

    /// <summary>How long the cmdlet waits for work that it has cancelled; without end unless a database may hold it up.</summary>
    private protected virtual TimeSpan Patience => Timeout.InfiniteTimeSpan;

    /// <summary>The manifest of this module.</summary>
    private protected static string ModulePath { get; } =
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(AmpCmdlet).Assembly.Location)!, "..", "Amp.psd1"));

    /// <summary>PowerShell's file system location: where relative paths start and <c>.amp</c> is looked for. Pipeline thread only.</summary>
    private protected string Location => SessionState.Path.CurrentFileSystemLocation.ProviderPath;

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the cmdlet holds; PowerShell calls it when the pipeline ends, however it ends.</summary>
    /// <param name="disposing">True when called by <see cref="Dispose()"/>.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            _stop.Cancel();
            _stop.Dispose();
        }
    }

    // Not at once: who is told may take long, since a database's driver calls its server.
    /// <inheritdoc/>
    protected override void StopProcessing() => _ = _stop.CancelAsync();

    /// <summary>
    /// Runs asynchronous work and writes what it sends. An <see cref="AmpException"/> that ends the work becomes a
    /// non-terminating error, so that the next pipeline item still has its turn.
    /// </summary>
    private protected void Run(Func<PipelineWriter, CancellationToken, Task> work)
    {
        try
        {
            Pump(work);
        }
        catch (AmpException e)
        {
            WriteError(AmpErrors.From(e));
        }
    }

    /// <summary>Runs asynchronous work; an error in it ends the pipeline.</summary>
    private protected void RunOrThrow(Func<PipelineWriter, CancellationToken, Task> work)
    {
        try
        {
            Pump(work);
        }
        catch (AmpException e)
        {
            ThrowTerminatingError(AmpErrors.From(e));
        }
    }

    /// <summary>Runs something short on the pipeline thread; an error in it ends the pipeline.</summary>
    private protected T OrThrow<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (AmpException e)
        {
            ThrowTerminatingError(AmpErrors.From(e));
            throw;
        }
    }

    /// <summary>The full form of a path typed by the user. Pipeline thread only.</summary>
    private protected string ResolvePath(string path) => SessionState.Path.GetUnresolvedProviderPathFromPSPath(path);

    [SuppressMessage(
        "Usage", "VSTHRD002:Avoid problematic synchronous waits",
        Justification = "the one place where the pipeline thread waits; the work never needs that thread")]
    private void Pump(Func<PipelineWriter, CancellationToken, Task> work)
    {
        var cancellation = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var token = cancellation.Token;
        var channel = Channel.CreateBounded<PipelineItem>(
            new BoundedChannelOptions(ChannelCapacity) { SingleReader = true });

        // Thread pool: from here to the end of work().
        var running = Task.Run(
            async () =>
            {
                try
                {
                    await work(new PipelineWriter(channel.Writer, _bars, token), token);
                }
                finally
                {
                    channel.Writer.Complete();
                }
            },
            CancellationToken.None);

        // Pipeline thread: emit.
        try
        {
            while (channel.Reader.WaitToReadAsync(_stop.Token).AsTask().GetAwaiter().GetResult())
            {
                while (channel.Reader.TryRead(out var item))
                {
                    Write(item);
                    item.Written?.SetResult();
                }
            }

            running.GetAwaiter().GetResult();
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            throw new PipelineStoppedException();
        }
        finally
        {
            _ = cancellation.CancelAsync();
            var ended = running.ContinueWith(static done => done.Exception, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            _ = ended.ContinueWith(_ => cancellation.Dispose(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            ended.Wait(Patience);

            // Also after Select-Object -First, which ends the pipeline but leaves its bars standing.
            foreach (var bar in _bars.End())
            {
                WriteProgress(bar);
            }
        }
    }

    private void Write(PipelineItem item)
    {
        switch (item.Kind)
        {
            case PipelineItemKind.Output:
                WriteObject(item.Value);
                break;
            case PipelineItemKind.Error:
                WriteError((ErrorRecord)item.Value);
                break;
            case PipelineItemKind.Warning:
                WriteWarning((string)item.Value);
                break;
            case PipelineItemKind.Verbose:
                WriteVerbose((string)item.Value);
                break;
            default:
                WriteProgress((ProgressRecord)item.Value);
                break;
        }
    }
}
