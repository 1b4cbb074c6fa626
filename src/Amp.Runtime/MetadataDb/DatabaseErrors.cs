using System.Net.Sockets;
using Npgsql;

namespace Amp.MetadataDb;

/// <summary>The one place where PostgreSQL's errors get their meaning: by SQLSTATE, never by text.</summary>
internal static class DatabaseErrors
{
    private const string IdleInTransaction = "25P03";

    /// <summary>
    /// Whether an exception is the database's or its driver's. The latter calls it a wrong use of a connection when that broke while nobody used it.
    /// </summary>
    public static bool IsDatabase(Exception exception) => exception
        is NpgsqlException or TimeoutException or SocketException or (InvalidOperationException { Source: nameof(Npgsql) } and not ObjectDisposedException);

    /// <summary>Says what failed and whether a retry may cure it.</summary>
    /// <param name="exception">What the driver threw.</param>
    /// <param name="action">What was being done, as in "registering worker worker-01".</param>
    /// <param name="database">Host, port and name of the database.</param>
    public static AmpException Translate(Exception exception, string action, string database) => exception switch
    {
        PostgresException postgres => TranslateServer(postgres, action, database),
        NpgsqlException { InnerException: System.Security.Authentication.AuthenticationException } =>
            new AmpException("DatabaseTlsFailed", AmpErrorKind.Denied,
                $"Failed {action}: no trusted encrypted connection to {database} could be made: {exception.InnerException.Message}", exception)
            {
                Target = database,
                RecommendedAction = "Check sslmode and sslrootcert in the database's address.",
            },
        _ => Unavailable(exception, action, database),
    };

    private static AmpException TranslateServer(PostgresException e, string action, string database)
    {
        var (code, kind, transient, advice) = e.SqlState switch
        {
            PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification =>
                ("DatabaseAccessDenied", AmpErrorKind.Denied, false, "Check user and password in the database's address."),
            PostgresErrorCodes.InsufficientPrivilege =>
                ("DatabaseAccessDenied", AmpErrorKind.Denied, false, "Grant the database's user access to Amp's tables."),
            PostgresErrorCodes.InvalidCatalogName =>
                ("DatabaseNotFound", AmpErrorKind.NotFound, false, "Create the database (createdb), or correct its name."),
            PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn =>
                ("DatabaseSchemaMismatch", AmpErrorKind.InvalidState, false, "Run Initialize-AmpDatabase or `ampd migrate`."),
            PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.LockNotAvailable =>
                ("DatabaseBusy", AmpErrorKind.Unavailable, true, null),
            PostgresErrorCodes.QueryCanceled => ("DatabaseTimeout", AmpErrorKind.Unavailable, true, null),
            ['5', '7', 'P', ..] or ['0', '8', ..] or IdleInTransaction => ("DatabaseUnavailable", AmpErrorKind.Unavailable, true, (string?)null),
            ['5', '3', ..] => ("DatabaseOutOfResources", AmpErrorKind.LimitReached, true,
                "Free disk space, memory or connections on the database's server."),
            ['2', '3', ..] => ("DatabaseConstraintViolated", AmpErrorKind.Conflict, false, null),
            _ => ("DatabaseError", AmpErrorKind.Internal, false, null),
        };
        return new AmpException(code, kind, $"Failed {action} in {database}: {e.MessageText} (SQLSTATE {e.SqlState}).", e)
        {
            IsTransient = transient,
            Target = database,
            RecommendedAction = advice,
        };
    }

    private static AmpException Unavailable(Exception e, string action, string database) =>
        new("DatabaseUnavailable", AmpErrorKind.Unavailable,
            $"Failed {action}: the database {database} did not answer: {(e.InnerException ?? e).Message}", e)
        {
            IsTransient = true,
            Target = database,
            RecommendedAction = "Check that PostgreSQL runs there and can be reached, or use -Solo for a private one.",
        };
}
