using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Npgsql;

namespace Amp.MetadataDb;

/// <summary>The fleet: table <c>workers</c>.</summary>
public sealed class WorkersTable
{
    private const string Select =
        """
        SELECT w.node_id, w.heartbeat_at, clock_timestamp() - w.heartbeat_at, w.created_at, w.registered_at,
               w.info->>'version', w.info->>'commit_sha', w.info->>'commit_timestamp', w.info->>'build_date',
               (SELECT count(*) FROM jobs_status s WHERE s.node_id = w.node_id
                   AND s.status IN ('SCHEDULED', 'RUNNING', 'STOP_REQUESTED', 'STOPPING'))::int
        FROM workers w
        """;

    /// <summary>Characters that may stand in a wildcard's set, as in <c>[0-9]</c>.</summary>
    private static readonly SearchValues<char> PatternSetCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.");

    private readonly MetadataDatabase _database;

    internal WorkersTable(MetadataDatabase database) => _database = database;

    /// <summary>Registers a worker, or registers it anew: build information, registration and heartbeat are renewed.</summary>
    /// <returns>The time of registration by the database's clock, which tells this run of the worker from earlier ones.</returns>
    internal Task<DateTimeOffset> RegisterAsync(string nodeId, AmpBuildInfo build, CancellationToken cancellationToken) =>
        _database.RunAsync($"registering worker {nodeId}", async connection =>
        {
            await using var command = RegisterCommand(connection, nodeId, build);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            await reader.ReadAsync(cancellationToken);
            return reader.Time(0);
        }, null, cancellationToken);

    /// <summary>The statement of <see cref="RegisterAsync"/>, for a connection of the caller's.</summary>
    internal static NpgsqlCommand RegisterCommand(NpgsqlConnection connection, string nodeId, AmpBuildInfo build) =>
        connection.Command(
            """
            INSERT INTO workers (node_id, info, created_at, registered_at, heartbeat_at)
            VALUES ($1, $2, now(), now(), now())
            ON CONFLICT (node_id) DO UPDATE
            SET info = EXCLUDED.info, registered_at = now(), heartbeat_at = now()
            RETURNING registered_at
            """, nodeId, Sql.Json(WriteInfo(build)));

    /// <summary>The statement that renews the heartbeat of one run of a worker; touches no row when a later run registered.</summary>
    internal static NpgsqlCommand HeartbeatCommand(NpgsqlConnection connection, string nodeId, DateTimeOffset registeredAt) =>
        connection.Command("UPDATE workers SET heartbeat_at = clock_timestamp() WHERE node_id = $1 AND registered_at = $2",
            nodeId, Sql.Time(registeredAt));

    /// <summary>The statement by which a run of a worker that ends stops counting as active, so that it is given no more jobs.</summary>
    internal static NpgsqlCommand ResignCommand(NpgsqlConnection connection, string nodeId, DateTimeOffset registeredAt) =>
        connection.Command("UPDATE workers SET heartbeat_at = heartbeat_at - interval '5 seconds' WHERE node_id = $1 AND registered_at = $2",
            nodeId, Sql.Time(registeredAt));

    /// <summary>Lists workers by name.</summary>
    /// <param name="patterns">Names, with the wildcards <c>*</c>, <c>?</c> and <c>[a-z]</c>, in any case; null for all.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<List<AmpWorker>> ListAsync(IReadOnlyCollection<string>? patterns = null, CancellationToken cancellationToken = default) =>
        _database.RunAsync("listing workers", connection => connection.QueryAsync(
            $"{Select} WHERE $1::text[] IS NULL OR w.node_id ~* ANY($1) ORDER BY w.node_id",
            [Sql.TextArray(patterns?.Select(ToRegex))], Map, cancellationToken), null, cancellationToken);

    /// <summary>Gives one worker by its exact name; null when nobody registered under it.</summary>
    public Task<AmpWorker?> GetAsync(string nodeId, CancellationToken cancellationToken = default) =>
        _database.RunAsync($"reading worker {nodeId}", async connection =>
            (await connection.QueryAsync($"{Select} WHERE w.node_id = $1", [nodeId], Map, cancellationToken)).SingleOrDefault(),
            null, cancellationToken);

    /// <summary>Whether a name is a wildcard pattern.</summary>
    internal static bool HasWildcards(string name) => name.AsSpan().IndexOfAny('*', '?', '[') >= 0;

    /// <summary>Turns a wildcard pattern into a regular expression that PostgreSQL and .NET both read.</summary>
    internal static string ToRegex(string pattern)
    {
        var regex = new StringBuilder("^");
        for (var i = 0; i < pattern.Length; i++)
        {
            var close = pattern[i] == '[' ? pattern.IndexOf(']', i) : -1;
            if (close > i + 1 && IsSet(pattern.AsSpan(i + 1, close - i - 1)))
            {
                regex.Append(pattern, i, close - i + 1);
                i = close;
                continue;
            }

            regex.Append(pattern[i] switch
            {
                '*' => ".*",
                '?' => ".",
                var c => Regex.Escape(c.ToString()),
            });
        }

        return regex.Append('$').ToString();
    }

    private static bool IsSet(ReadOnlySpan<char> set)
    {
        if (set.IndexOfAnyExcept(PatternSetCharacters) >= 0)
        {
            return false;
        }

        for (var dash = 1; dash < set.Length - 1; dash++)
        {
            if (set[dash] == '-' && set[dash - 1] > set[dash + 1])
            {
                return false;
            }
        }

        return true;
    }

    private static AmpWorker Map(NpgsqlDataReader reader) => new()
    {
        NodeId = reader.GetString(0),
        HeartbeatAt = reader.Time(1),
        HeartbeatAge = Max(TimeSpan.Zero, reader.GetFieldValue<TimeSpan>(2)),
        CreatedAt = reader.Time(3),
        RegisteredAt = reader.Time(4),
        Version = reader.TextOrNull(5),
        CommitSha = reader.TextOrNull(6),
        CommitTimestamp = ParseTime(reader.TextOrNull(7)),
        BuildDate = ParseTime(reader.TextOrNull(8)),
        ActiveJobs = reader.GetInt32(9),
    };

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private static DateTimeOffset? ParseTime(string? text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? time
            : null;

    private static string WriteInfo(AmpBuildInfo build)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("version", build.Version);
            json.WriteString("commit_sha", build.CommitSha);
            json.WriteString("commit_timestamp", FormatTime(build.CommitTimestamp));
            json.WriteString("build_date", FormatTime(build.BuildDate));
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static string? FormatTime(DateTimeOffset? time) =>
        time?.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.FFFFFFFK", CultureInfo.InvariantCulture);
}
