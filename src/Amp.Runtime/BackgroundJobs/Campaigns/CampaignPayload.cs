using System.Text.Json;

namespace Amp.BackgroundJobs.Campaigns;

/// <summary>The payload of a job. A member that is null counts as missing; one that cannot be used refuses the job.</summary>
internal sealed class CampaignPayload(AmpBackgroundJob job)
{
    private readonly JsonElement _members = JsonElement.Parse(job.PayloadJson);

    /// <summary>A UUID that must be there.</summary>
    public Guid Id(string name) => IdOrNull(name) ?? throw Unusable($"has no {name}");

    /// <summary>A UUID; null when it is missing.</summary>
    public Guid? IdOrNull(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } text when text.TryGetGuid(out var id) => id,
        _ => throw Unusable($"has a {name} that is no UUID"),
    };

    /// <summary>An integer of a range; null when it is missing.</summary>
    public int? Integer(string name, int min, int max) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } number when number.TryGetInt32(out var value) && value >= min && value <= max => value,
        _ => throw Unusable($"has a {name} that is no integer from {min} to {max}"),
    };

    /// <summary>A text; null when it is missing.</summary>
    public string? Text(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } text => text.GetString(),
        _ => throw Unusable($"has a {name} that is no text"),
    };

    /// <summary>Members that can be written into a text: texts, numbers, true and false.</summary>
    public IEnumerable<(string Name, string Value)> Values() =>
        from member in _members.EnumerateObject()
        where member.Value.ValueKind is JsonValueKind.String or JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False
        select (member.Name, member.Value.ToString());

    private JsonElement? Find(string name) =>
        _members.TryGetProperty(name, out var value) && value.ValueKind is not JsonValueKind.Null ? value : null;

    private JobRefusal Unusable(string what) => new($"The payload of {job.Type} {what}.");
}
