using System.Management.Automation;

namespace Amp.PowerShell.Common;

/// <summary>The progress bars of a cmdlet: each is drawn at most four times a second, and all are gone at its end. May be used from any thread.</summary>
internal sealed class ProgressBars(TimeProvider time)
{
    private static readonly TimeSpan DrawInterval = TimeSpan.FromMilliseconds(250);

    private readonly Lock _gate = new();
    private readonly Dictionary<int, (ProgressRecord Bar, long DrawnAt)> _standing = [];

    /// <summary>Whether a bar is to be drawn now; it stands from then on.</summary>
    public bool IsDue(ProgressRecord bar)
    {
        lock (_gate)
        {
            if (_standing.TryGetValue(bar.ActivityId, out var last) && time.GetElapsedTime(last.DrawnAt) < DrawInterval)
            {
                return false;
            }

            _standing[bar.ActivityId] = (bar, time.GetTimestamp());
            return true;
        }
    }

    /// <summary>What takes away the bars that stand.</summary>
    public IReadOnlyList<ProgressRecord> End()
    {
        lock (_gate)
        {
            ProgressRecord[] ends = [.. _standing.Values.Select(standing => new ProgressRecord(standing.Bar.ActivityId, standing.Bar.Activity, standing.Bar.StatusDescription)
            {
                RecordType = ProgressRecordType.Completed,
            })];
            _standing.Clear();
            return ends;
        }
    }
}
