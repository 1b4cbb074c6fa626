using System.Diagnostics.CodeAnalysis;
using Amp.Events;

namespace Amp.Support;

/// <summary>A test that needs librdkafka, and programs perhaps; where one is missing it is skipped by name, never passed.</summary>
[AttributeUsage(AttributeTargets.Method)]
[SuppressMessage("Design", "CA1019:Define accessors for attribute arguments", Justification = "the base class keeps what it needs")]
internal sealed class KafkaFactAttribute : ToolFactAttribute
{
    private static readonly string? Missing = FindOut();

    /// <summary>Marks a test that needs librdkafka and <paramref name="tools"/>.</summary>
    public KafkaFactAttribute(params string[] tools)
        : base(tools) => Skip = Missing ?? Skip;

    internal static string? FindOut()
    {
        try
        {
            KafkaNative.EnsureLoaded();
            return null;
        }
        catch (AmpException e) when (e.ErrorCode == "KafkaLibraryMissing")
        {
            return $"needs librdkafka: {e.Message} (./build.sh test gets it)";
        }
    }
}

/// <summary>A theory whose cases need librdkafka, and programs perhaps.</summary>
[AttributeUsage(AttributeTargets.Method)]
[SuppressMessage("Design", "CA1019:Define accessors for attribute arguments", Justification = "the base class keeps what it needs")]
internal sealed class KafkaTheoryAttribute : TheoryAttribute
{
    /// <summary>Marks a theory that needs librdkafka and <paramref name="tools"/>.</summary>
    public KafkaTheoryAttribute(params string[] tools) => Skip = KafkaFactAttribute.FindOut() ?? TestTools.WhyNot(tools);
}
