using System.Globalization;
using Npgsql;

namespace Amp.MetadataDb;

/// <summary>Reads what people give as a database's address: a <c>postgresql://</c> URL or an ADO.NET connection string.</summary>
internal static class PostgresUrl
{
    /// <summary>Turns an address into connection settings.</summary>
    /// <exception cref="AmpException"><c>DatabaseUrlInvalid</c>; the message never repeats the address, which may hold a password.</exception>
    public static NpgsqlConnectionStringBuilder Parse(string address)
    {
        try
        {
            var settings = SchemeLength(address) is { } length
                ? ParseUrl(address[length..])
                : new NpgsqlConnectionStringBuilder(address);
            if (string.IsNullOrEmpty(settings.Host))
            {
                settings.Host = "127.0.0.1";
            }

            if (string.IsNullOrEmpty(settings.Database))
            {
                settings.Database = settings.Username;
            }

            return settings;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException or KeyNotFoundException)
        {
            // Npgsql's text may quote the value it refused: only the parameter's name is safe to show.
            var reason = e is UrlFormatException ? e.Message : "it has a setting that the PostgreSQL driver does not accept";
            throw new AmpException("DatabaseUrlInvalid", AmpErrorKind.InvalidInput,
                $"The metadata database's address cannot be used: {reason}.")
            {
                RecommendedAction = "Give an address such as postgresql://user:password@host:5432/database.",
            };
        }
    }

    private static int? SchemeLength(string address) =>
        address.StartsWith("postgresql://", StringComparison.OrdinalIgnoreCase) ? 13
        : address.StartsWith("postgres://", StringComparison.OrdinalIgnoreCase) ? 11
        : null;

    private static NpgsqlConnectionStringBuilder ParseUrl(string rest)
    {
        var settings = new NpgsqlConnectionStringBuilder();
        var question = rest.IndexOf('?', StringComparison.Ordinal);
        var query = question < 0 ? "" : rest[(question + 1)..];
        rest = question < 0 ? rest : rest[..question];
        var slash = rest.IndexOf('/', StringComparison.Ordinal);
        var authority = slash < 0 ? rest : rest[..slash];
        var database = slash < 0 ? "" : rest[(slash + 1)..];

        var at = authority.LastIndexOf('@');
        if (at >= 0)
        {
            var user = authority[..at];
            var colon = user.IndexOf(':', StringComparison.Ordinal);
            settings.Username = Uri.UnescapeDataString(colon < 0 ? user : user[..colon]);
            settings.Password = colon < 0 ? null : Uri.UnescapeDataString(user[(colon + 1)..]);
        }

        SetHost(settings, authority[(at + 1)..]);
        settings.Database = Uri.UnescapeDataString(database);
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0)
            {
                throw new UrlFormatException($"the parameter '{pair}' has no value");
            }

            SetParameter(settings, pair[..equals], Uri.UnescapeDataString(pair[(equals + 1)..].Replace('+', ' ')));
        }

        return settings;
    }

    private static void SetHost(NpgsqlConnectionStringBuilder settings, string hosts)
    {
        // Several hosts keep their ports in the list; a single one gives its port apart, as Npgsql wants it.
        var colon = hosts.LastIndexOf(':');
        if (hosts.Contains(',', StringComparison.Ordinal) || colon < 0 || hosts.EndsWith(']'))
        {
            settings.Host = Uri.UnescapeDataString(hosts).Trim('[', ']');
            return;
        }

        settings.Host = Uri.UnescapeDataString(hosts[..colon]).Trim('[', ']');
        if (hosts[(colon + 1)..] is { Length: > 0 } port)
        {
            settings.Port = ParsePort(port);
        }
    }

    private static int ParsePort(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and < 65536
            ? port
            : throw new UrlFormatException($"the port '{text}' is not a number from 1 to 65535");

    private static void SetParameter(NpgsqlConnectionStringBuilder settings, string name, string value)
    {
        switch (name.ToLowerInvariant())
        {
            case "host": settings.Host = value; break;
            case "port": settings.Port = ParsePort(value); break;
            case "user": settings.Username = value; break;
            case "password": settings.Password = value; break;
            case "dbname": settings.Database = value; break;
            case "sslmode":
                settings.SslMode = Enum.TryParse<SslMode>(value.Replace("-", "", StringComparison.Ordinal), true, out var mode)
                    ? mode
                    : throw new UrlFormatException($"sslmode '{value}' is not known");
                break;
            case "sslrootcert": settings.RootCertificate = value; break;
            case "sslcert": settings.SslCertificate = value; break;
            case "sslkey": settings.SslKey = value; break;
            case "sslpassword": settings.SslPassword = value; break;
            case "application_name": settings.ApplicationName = value; break;
            case "connect_timeout": settings.Timeout = int.Parse(value, CultureInfo.InvariantCulture); break;
            case "options": settings.Options = value; break;
            case "statement-cache-capacity": break;
            default: throw new UrlFormatException($"the parameter '{name}' is not known");
        }
    }

    private sealed class UrlFormatException(string message) : FormatException(message);
}
