using System.Text;
using Amp.Configuration;

namespace Amp.Datasets;

/// <summary><c>${NAME}</c> in the texts of a provider file.</summary>
internal static class EnvironmentReferences
{
    /// <summary>Whether a text refers to a variable.</summary>
    public static bool Any(string text) => text.Contains("${", StringComparison.Ordinal);

    /// <summary>The value with every reference replaced; values that are put in are not searched again.</summary>
    /// <param name="value">The value of a key; only texts, also those in arrays, are searched.</param>
    /// <param name="environment">The variables.</param>
    /// <param name="fail">Called with what is wrong with a reference: a missing variable, a missing brace.</param>
    public static TomlValue Replace(TomlValue value, IReadOnlyDictionary<string, string> environment, Action<string> fail) => value switch
    {
        TomlString text => text with { Value = Replace(text.Value, environment, fail) },
        TomlArray array => array with { Items = [.. array.Items.Select(item => Replace(item, environment, fail))] },
        _ => value,
    };

    private static string Replace(string text, IReadOnlyDictionary<string, string> environment, Action<string> fail)
    {
        var result = new StringBuilder();
        var position = 0;
        while (text.IndexOf("${", position, StringComparison.Ordinal) is >= 0 and var start)
        {
            var end = text.IndexOf('}', start);
            var name = end < 0 ? "" : text[(start + 2)..end];
            if (name.Length == 0)
            {
                fail(end < 0 ? "has '${' without a closing '}'" : "has '${}' without a name in it");
                return text;
            }

            if (!environment.TryGetValue(name, out var variable))
            {
                fail($"refers to the environment variable {name}, which is not set");
                return text;
            }

            result.Append(text, position, start - position).Append(variable);
            position = end + 1;
        }

        return result.Append(text, position, text.Length - position).ToString();
    }
}
