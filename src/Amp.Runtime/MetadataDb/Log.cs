using Microsoft.Extensions.Logging;

namespace Amp.MetadataDb;

/// <summary>What this folder logs; event ids 1000–1099.</summary>
internal static partial class Log
{
    [LoggerMessage(1000, LogLevel.Information, "Applied migration {Migration} to {Database}")]
    public static partial void AppliedMigration(ILogger logger, string migration, string database);

    [LoggerMessage(1001, LogLevel.Information, "Found the tables of an ampd deployment in {Database}; migrated nothing")]
    public static partial void FoundAmpdDatabase(ILogger logger, string database);

    [LoggerMessage(1002, LogLevel.Information, "Started a private PostgreSQL {Major} server in {Folder} on port {Port}")]
    public static partial void StartedServer(ILogger logger, string folder, int port, int major);

    [LoggerMessage(1003, LogLevel.Information, "Reused the private PostgreSQL server in {Folder} on port {Port}, which another process owns")]
    public static partial void ReusedServer(ILogger logger, string folder, int port);

    [LoggerMessage(1004, LogLevel.Information, "Stopped the private PostgreSQL server in {Folder}")]
    public static partial void StoppedServer(ILogger logger, string folder);

    [LoggerMessage(1005, LogLevel.Warning, "Removed {PidFile}: its process number belongs to another program")]
    public static partial void RemovedStalePidFile(ILogger logger, string pidFile);
}
