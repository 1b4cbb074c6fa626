using System.Text;
using System.Text.Json;

namespace Amp.Workers;

/// <summary>How a failure is stored with its job: the shape that ampd writes.</summary>
internal static class JobFailure
{
    /// <summary>
    /// Whether a retry would fail the same way. What nobody foresaw is not retried; a cancellation that nobody asked for
    /// is some call's time limit.
    /// </summary>
    public static bool IsFatal(Exception exception) =>
        exception is not (AmpException { IsTransient: true } or OperationCanceledException);

    /// <summary>Writes code, message, and the context: causes, attempt, dataset.</summary>
    public static string Describe(Exception exception, AmpJobDescriptor? descriptor, int attempt)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("error_code", (exception as AmpException)?.ApiErrorCode ?? "UNEXPECTED_ERROR");
            json.WriteString("error_message", exception.Message);
            json.WriteStartObject("error_context");
            json.WriteStartArray("stack_trace");
            for (var cause = exception.InnerException; cause is not null; cause = cause.InnerException)
            {
                json.WriteStringValue(cause.Message);
            }

            json.WriteEndArray();
            json.WriteNumber("attempt_index", attempt);
            if (descriptor is not null)
            {
                json.WriteString("dataset", $"{descriptor.DatasetNamespace}/{descriptor.DatasetName}");
                json.WriteString("manifest_hash", descriptor.ManifestHash);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
