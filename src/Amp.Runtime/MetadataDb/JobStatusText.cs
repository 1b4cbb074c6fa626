namespace Amp.MetadataDb;

/// <summary>How job states are spelled in the database.</summary>
internal static class JobStatusText
{
    private static readonly Dictionary<AmpJobStatus, string> Texts = new()
    {
        [AmpJobStatus.Scheduled] = "SCHEDULED",
        [AmpJobStatus.Running] = "RUNNING",
        [AmpJobStatus.Completed] = "COMPLETED",
        [AmpJobStatus.StopRequested] = "STOP_REQUESTED",
        [AmpJobStatus.Stopping] = "STOPPING",
        [AmpJobStatus.Stopped] = "STOPPED",
        [AmpJobStatus.Error] = "ERROR",
        [AmpJobStatus.Fatal] = "FATAL",
    };

    private static readonly Dictionary<string, AmpJobStatus> Statuses =
        Texts.ToDictionary(pair => pair.Value, pair => pair.Key, StringComparer.OrdinalIgnoreCase);

    /// <summary>States of a job that a worker has to do something about.</summary>
    public static readonly AmpJobStatus[] Active =
        [AmpJobStatus.Scheduled, AmpJobStatus.Running, AmpJobStatus.StopRequested, AmpJobStatus.Stopping];

    /// <summary>States of a job that is to be stopped.</summary>
    public static readonly AmpJobStatus[] Stopping = [AmpJobStatus.StopRequested, AmpJobStatus.Stopping];

    /// <summary>States of a job that has ended.</summary>
    public static readonly AmpJobStatus[] Terminal =
        [AmpJobStatus.Completed, AmpJobStatus.Stopped, AmpJobStatus.Error, AmpJobStatus.Fatal];

    public static string ToText(this AmpJobStatus status) => Texts.GetValueOrDefault(status, "UNKNOWN");

    /// <summary>Reads a state; one that this version does not know is <see cref="AmpJobStatus.Unknown"/>.</summary>
    public static AmpJobStatus Parse(string text) => Statuses.GetValueOrDefault(text, AmpJobStatus.Unknown);
}
