using System.Management.Automation;
using System.Threading.Channels;

namespace Amp.PowerShell.Common;

internal enum PipelineItemKind
{
    Output,
    Error,
    Warning,
    Verbose,
    Progress,
}

internal readonly record struct PipelineItem(PipelineItemKind Kind, object Value, TaskCompletionSource? Written = null);

/// <summary>How a cmdlet's asynchronous work talks to the pipeline; may be used from any thread.</summary>
internal sealed class PipelineWriter(ChannelWriter<PipelineItem> channel, ProgressBars bars, CancellationToken cancellationToken)
{
    public ValueTask OutputAsync(object value) => WriteAsync(PipelineItemKind.Output, value);

    /// <summary>Writes something, and ends when the rest of the pipeline is done with it.</summary>
    public async Task OutputAndWaitAsync(object value)
    {
        var written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await channel.WriteAsync(new PipelineItem(PipelineItemKind.Output, value, written), cancellationToken);
        await written.Task.WaitAsync(cancellationToken);
    }

    public ValueTask ErrorAsync(AmpException exception) => WriteAsync(PipelineItemKind.Error, AmpErrors.From(exception));

    public ValueTask WarningAsync(string message) => WriteAsync(PipelineItemKind.Warning, message);

    public ValueTask VerboseAsync(string message) => WriteAsync(PipelineItemKind.Verbose, message);

    /// <summary>Draws a progress bar, unless it was drawn just now or the pipeline is busy: nothing waits for a bar.</summary>
    public void Progress(ProgressRecord bar)
    {
        if (bars.IsDue(bar))
        {
            channel.TryWrite(new PipelineItem(PipelineItemKind.Progress, bar));
        }
    }

    private ValueTask WriteAsync(PipelineItemKind kind, object value) =>
        channel.WriteAsync(new PipelineItem(kind, value), cancellationToken);
}
