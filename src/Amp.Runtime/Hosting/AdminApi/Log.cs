using Microsoft.Extensions.Logging;

namespace Amp.Hosting.AdminApi;

/// <summary>What the Admin API logs; event ids 1300 to 1399.</summary>
internal static partial class Log
{
    [LoggerMessage(1300, LogLevel.Information, "Admin API listens at {Url}")]
    public static partial void ListensForAdmins(ILogger logger, Uri url);

    [LoggerMessage(1301, LogLevel.Error, "Failed to answer {Method} {Path}")]
    public static partial void FailedRequest(ILogger logger, Exception exception, string method, string path);

    [LoggerMessage(1302, LogLevel.Debug, "Lost a client of the Admin API: {Error}")]
    public static partial void LostClient(ILogger logger, string error);

    [LoggerMessage(1303, LogLevel.Warning, "Solo mode does without an Admin API: {Error}")]
    public static partial void DoesWithout(ILogger logger, string error);
}
