using Microsoft.Extensions.Logging;

namespace Amp.MetadataDb;

/// <summary>What this folder logs; event ids 1000–1099.</summary>
internal static partial class Log
{
    [LoggerMessage(1000, LogLevel.Information, "Applied migration {Migration} to {Database}")]
    public static partial void AppliedMigration(ILogger logger, string migration, string database);

    [LoggerMessage(1001, LogLevel.Information, "Found the tables of an ampd deployment in {Database}; migrated nothing")]
    public static partial void FoundAmpdDatabase(ILogger logger, string database);
}
