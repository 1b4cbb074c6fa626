using System.Globalization;
using System.Management.Automation;
using Amp.Internal;

namespace Amp.PowerShell.Jobs;

/// <summary>The progress bar of a table that a job writes.</summary>
internal static class TableBar
{
    public static ProgressRecord Of(AmpTableProgress table) =>
        new(HashCode.Combine(table.JobId, table.Table) & int.MaxValue, $"Job {table.JobId} {table.Table}", Status(table))
        {
            PercentComplete = (int)(table.PercentComplete ?? -1),
            SecondsRemaining = (int)(table.TimeLeft?.TotalSeconds ?? -1),
        };

    private static string Status(AmpTableProgress table)
    {
        if (table.CurrentBlock is not { } current)
        {
            return "waiting for the first file";
        }

        var end = table.EndBlock is { } last ? string.Create(CultureInfo.InvariantCulture, $" of {last}") : "";
        var rate = table.BlocksPerSecond is { } perSecond ? string.Create(CultureInfo.InvariantCulture, $", {perSecond:0} blocks/s") : "";
        var files = table.FilesCount == 1 ? "1 file" : $"{table.FilesCount} files";
        return $"block {current}{end}{rate}, {files}, {_Format.Size(table.TotalSizeBytes)}";
    }
}
