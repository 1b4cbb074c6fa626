using System.Text.Json;
using System.Text.RegularExpressions;

namespace Amp.BackgroundJobs;

/// <summary>Whether a submission can be queued at all, whatever its tenant may.</summary>
internal static partial class JobSubmissionCheck
{
    private const int MostAttempts = 100;

    /// <summary>Throws <c>JobTypeInvalid</c>, <c>JobPayloadInvalid</c> or <c>JobSettingInvalid</c>.</summary>
    public static void Require(JobSubmission job)
    {
        if (!TypePattern().IsMatch(job.Type))
        {
            throw Invalid("JobTypeInvalid", job.Type, $"'{job.Type}' is not a type of jobs", "Give words of letters, digits, _ and - with dots between, such as job.email.welcome.");
        }

        if (job.Priority is < JobSubmission.LowestPriority or > JobSubmission.HighestPriority)
        {
            throw Invalid("JobSettingInvalid", job.Priority, $"priority {job.Priority} is not {JobSubmission.LowestPriority} to {JobSubmission.HighestPriority}", "Higher ones run first.");
        }

        if (job.MaxAttempts is < 1 or > MostAttempts)
        {
            throw Invalid("JobSettingInvalid", job.MaxAttempts, $"{job.MaxAttempts} attempts are not 1 to {MostAttempts}", "Give how often it is tried.");
        }

        try
        {
            using var payload = JsonDocument.Parse(job.Payload);
            if (payload.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw Invalid("JobPayloadInvalid", job.Type, $"the payload of {job.Type} is a JSON {payload.RootElement.ValueKind}, not an object", "Give an object.");
            }

            if (job.Payload.Contains(@"\u", StringComparison.Ordinal))
            {
                // Halves of characters can be read, but not be written into an event.
                using var nowhere = new Utf8JsonWriter(Stream.Null);
                payload.RootElement.WriteTo(nowhere);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Invalid("JobPayloadInvalid", job.Type, $"the payload of {job.Type} is not JSON: {e.Message.TrimEnd('.')}", "Give a JSON object.");
        }
    }

    private static AmpException Invalid(string code, object target, string reason, string action) =>
        new(code, AmpErrorKind.InvalidInput, $"The job cannot be queued: {reason}.") { Target = target, RecommendedAction = action };

    [GeneratedRegex(@"^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}\z", RegexOptions.CultureInvariant)]
    private static partial Regex TypePattern();
}
