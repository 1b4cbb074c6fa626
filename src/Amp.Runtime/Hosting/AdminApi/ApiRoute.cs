using System.Text.Json;

namespace Amp.Hosting.AdminApi;

/// <summary>A request as far as a route needs it.</summary>
/// <param name="Values">What stands in the places of the template, in order, unescaped.</param>
/// <param name="Query">The query's values, by name.</param>
/// <param name="Body">The body; undefined where the route has none.</param>
internal sealed record ApiRequest(IReadOnlyList<string> Values, IReadOnlyDictionary<string, string> Query, JsonElement Body)
{
    /// <summary>A place that holds a job's number; throws <c>InvalidJobId</c>.</summary>
    public long JobId() => long.TryParse(Values[0], System.Globalization.CultureInfo.InvariantCulture, out var id) && id > 0
        ? id
        : throw new AmpException("InvalidJobId", AmpErrorKind.InvalidInput, $"'{Values[0]}' is not a job's number.") { Target = Values[0] };
}

/// <summary>An answer: a status, and what becomes JSON; null for none.</summary>
internal sealed record ApiAnswer(int Status, object? Content)
{
    public static ApiAnswer Ok(object content) => new(200, content);

    public static ApiAnswer Created(object content) => new(201, content);

    public static ApiAnswer Done { get; } = new(204, null);
}

/// <summary>A field of a body, a query's value, or a field of an answer, for the OpenAPI document.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type, as JSON schema names it.</param>
/// <param name="Description">What it means.</param>
/// <param name="IsRequired">Whether it must be given.</param>
internal sealed record ApiField(string Name, string Type, string Description, bool IsRequired = false);

/// <summary>One thing that can be asked of the Admin API, and how it is described.</summary>
internal sealed record ApiRoute(string Method, string Template, string Summary, Func<ApiRequest, CancellationToken, Task<ApiAnswer>> Answer)
{
    private readonly string[] _parts = Template.Split('/');

    /// <summary>Fields of the body; none when the route takes no body.</summary>
    public IReadOnlyList<ApiField> Body { get; init; } = [];

    /// <summary>Values of the query.</summary>
    public IReadOnlyList<ApiField> Query { get; init; } = [];

    /// <summary>Fields of the answer.</summary>
    public IReadOnlyList<ApiField> Fields { get; init; } = [];

    /// <summary>Names of the template's places, in order.</summary>
    public IEnumerable<string> Places => _parts.Where(IsPlace).Select(part => part[1..^1]);

    /// <summary>What stands in the places, when a path is of this template; else null.</summary>
    public IReadOnlyList<string>? Match(string path)
    {
        var parts = path.Split('/');
        if (parts.Length != _parts.Length)
        {
            return null;
        }

        var values = new List<string>();
        foreach (var (part, expected) in parts.Zip(_parts))
        {
            if (IsPlace(expected) && part.Length > 0)
            {
                values.Add(Uri.UnescapeDataString(part));
            }
            else if (part != expected)
            {
                return null;
            }
        }

        return values;
    }

    private static bool IsPlace(string part) => part.StartsWith('{');
}
