using System.Globalization;
using System.Text.Json;
using Amp.Internal;

namespace Amp.Hosting.Reports;

/// <summary>Numbers, times and states as the page shows them.</summary>
internal static class ReportText
{
    /// <summary>A number such as <c>1,234,567</c>; a dash for none.</summary>
    public static string Number(long? number) => number?.ToString("N0", CultureInfo.InvariantCulture) ?? "–";

    /// <summary>As the other.</summary>
    public static string Number(ulong? number) => number?.ToString("N0", CultureInfo.InvariantCulture) ?? "–";

    /// <summary>A number and what it counts: <c>1 file</c>, <c>2,000 files</c>.</summary>
    public static string Count(long number, string one, string? many = null) => $"{Number(number)} {(number == 1 ? one : many ?? one + "s")}";

    /// <summary>Rows; an estimate in three digits, with a sign.</summary>
    public static string Rows(long? rows, bool isEstimate) => isEstimate && rows is > 0 and var estimate
        ? $"≈ {Number((long)(Math.Round(estimate / Magnitude(estimate)) * Magnitude(estimate)))}"
        : Number(rows);

    /// <summary>A number of blocks per second, with as many digits as matter.</summary>
    public static string Rate(double perSecond) => perSecond.ToString(perSecond < 10 ? "0.##" : "N0", CultureInfo.InvariantCulture) + " blocks/s";

    /// <summary>A share such as <c>42.5 %</c>; 100 only when nothing lacks, and 0 only when nothing is there.</summary>
    public static string Percent(ulong part, ulong whole) =>
        part >= whole ? "100 %" : part == 0 ? "0 %" : _Format.Percent(Math.Clamp(100.0 * part / whole, 0.1, 99.9));

    /// <summary>Blocks such as <c>1,200–1,399</c>.</summary>
    public static string Blocks(Extraction.BlockRange range) => range.Count == 1 ? Number(range.Start) : $"{Number(range.Start)}–{Number(range.End)}";

    /// <summary>A time to read, beside another one of the same day without the day.</summary>
    public static string Time(DateTimeOffset time, DateTimeOffset? beside = null) => beside?.UtcDateTime.Date == time.UtcDateTime.Date
        ? time.UtcDateTime.ToString("HH:mm:ss'Z'", CultureInfo.InvariantCulture)
        : _Format.Time(time);

    /// <summary>A time for machines, to the millisecond.</summary>
    public static string Iso(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>How a state is coloured.</summary>
    public static string Tone(AmpJobStatus status) => status switch
    {
        AmpJobStatus.Completed => "ok",
        AmpJobStatus.Running => "busy",
        AmpJobStatus.Error or AmpJobStatus.Fatal => "bad",
        AmpJobStatus.StopRequested or AmpJobStatus.Stopping or AmpJobStatus.Stopped => "warn",
        _ => "idle",
    };

    /// <summary>As the other.</summary>
    public static string Tone(AmpBackgroundJobStatus status) => status switch
    {
        AmpBackgroundJobStatus.Completed => "ok",
        AmpBackgroundJobStatus.Running => "busy",
        AmpBackgroundJobStatus.Failed or AmpBackgroundJobStatus.DeadLettered => "bad",
        AmpBackgroundJobStatus.Retrying or AmpBackgroundJobStatus.Cancelled => "warn",
        _ => "idle",
    };

    /// <summary>As the other, for the type of a sync event.</summary>
    public static string Tone(string eventType) => eventType switch
    {
        "sync.completed" => "ok",
        "sync.failed" => "bad",
        "sync.progress" => "busy",
        _ => "idle",
    };

    /// <summary>What a change of state was about: the error, or how far the job is to go.</summary>
    public static string Detail(AmpJobEvent change)
    {
        if (change.Detail is null)
        {
            return "";
        }

        using var detail = JsonDocument.Parse(change.Detail);
        return detail.RootElement.ValueKind != JsonValueKind.Object ? ""
            : Text("error_message") is { } message ? (Text("error_code") is { } code ? $"{code}: {message}" : message)
            : change.Status == AmpJobStatus.Scheduled && Text("end_block") is { } end ? $"up to block {(ulong.TryParse(end, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? Number(number) : end)}"
            : "";

        string? Text(string name) =>
            detail.RootElement.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;
    }

    private static double Magnitude(long number) => Math.Pow(10, Math.Max(0, Math.Floor(Math.Log10(number)) - 2));
}
