using System.Text.Json.Nodes;

namespace Amp.Hosting.AdminApi;

/// <summary>Describes the routes as OpenAPI 3.1.</summary>
internal static class OpenApiDocument
{
    private static readonly ApiField[] ErrorFields =
    [
        new("error_code", "string", "Stable code.", IsRequired: true), new("error_message", "string", "What went wrong.", IsRequired: true),
        new("error_kind", "string", "What kind of thing it is, such as not_found."), new("target", "string", "The name, path or number it is about."),
        new("recommended_action", "string", "What can be done about it."),
    ];

    /// <summary>The document.</summary>
    public static JsonObject Create(IEnumerable<ApiRoute> routes)
    {
        var paths = new JsonObject();
        foreach (var path in routes.GroupBy(route => route.Template))
        {
            paths[path.Key] = new JsonObject(path.Select(route => KeyValuePair.Create(route.Method.ToLowerInvariant(), (JsonNode?)Operation(route))));
        }

        return new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject
            {
                ["title"] = "Amp Admin API",
                ["version"] = "1",
                ["description"] = "Workers, jobs, datasets and providers of an Amp deployment. Times are RFC 3339 in UTC.",
            },
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["securitySchemes"] = new JsonObject { ["token"] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer" } },
                ["schemas"] = new JsonObject { ["Error"] = Schema(ErrorFields) },
            },
            ["security"] = new JsonArray(new JsonObject(), new JsonObject { ["token"] = new JsonArray() }),
        };
    }

    private static JsonObject Operation(ApiRoute route)
    {
        var operation = new JsonObject
        {
            ["summary"] = route.Summary,
            ["parameters"] = new JsonArray([
                .. route.Places.Select(place => Parameter(new ApiField(place, "string", place.Replace('_', ' '), IsRequired: true), "path")),
                .. route.Query.Select(field => Parameter(field, "query")),
            ]),
            ["responses"] = new JsonObject
            {
                ["2XX"] = route.Fields.Count == 0
                    ? new JsonObject { ["description"] = "Done; no content." }
                    : new JsonObject { ["description"] = route.Summary, ["content"] = Content(Schema(route.Fields)) },
                ["default"] = new JsonObject
                {
                    ["description"] = "It was refused, or failed.",
                    ["content"] = Content(new JsonObject { ["$ref"] = "#/components/schemas/Error" }),
                },
            },
        };
        if (route.Body.Count > 0)
        {
            operation["requestBody"] = new JsonObject { ["required"] = route.Body.Any(field => field.IsRequired), ["content"] = Content(Schema(route.Body)) };
        }

        return operation;
    }

    private static JsonObject Parameter(ApiField field, string place) => new()
    {
        ["name"] = field.Name,
        ["in"] = place,
        ["required"] = field.IsRequired,
        ["description"] = field.Description,
        ["schema"] = new JsonObject { ["type"] = field.Type },
    };

    private static JsonObject Content(JsonObject schema) => new() { ["application/json"] = new JsonObject { ["schema"] = schema } };

    private static JsonObject Schema(IReadOnlyList<ApiField> fields) => new()
    {
        ["type"] = "object",
        ["required"] = new JsonArray([.. fields.Where(field => field.IsRequired).Select(field => (JsonNode)field.Name)]),
        ["properties"] = new JsonObject(fields.Select(field => KeyValuePair.Create(
            field.Name, (JsonNode?)new JsonObject { ["type"] = field.Type, ["description"] = field.Description }))),
    };
}
