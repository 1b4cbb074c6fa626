using System.Reflection;
using System.Text;

namespace Amp.BackgroundJobs.Campaigns;

/// <summary>
/// The templates of e-mails: <c>welcome.txt</c> and, beside it, <c>welcome.html</c> for those who shall get HTML too. They are read for each
/// e-mail, so that an edited one counts at once.
/// </summary>
/// <param name="folder">Where they are; null for the built-in ones, which also stand in for those that the folder does not have.</param>
internal sealed class EmailTemplates(string? folder)
{
    private const string ResourcePrefix = "Amp.BackgroundJobs.Campaigns.Templates.";

    /// <summary>Kinds of e-mails, the last words of their jobs' types.</summary>
    public static IReadOnlyList<string> Kinds { get; } = ["verification", "welcome", "position_update", "reward_earned", "milestone"];

    /// <summary>Writes the built-in templates into a folder, to be edited there. Files that are there stay as they are.</summary>
    /// <returns>Paths of the files that were written.</returns>
    public static async Task<IReadOnlyList<string>> WriteDefaultsAsync(string folder, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        var written = new List<string>();
        foreach (var name in from kind in Kinds from extension in (string[])[".txt", ".html"] select kind + extension)
        {
            var path = Path.Combine(folder, name);
            if (!File.Exists(path))
            {
                await File.WriteAllTextAsync(path, await ReadDefaultAsync(name, cancellationToken), cancellationToken);
                written.Add(path);
            }
        }

        return written;
    }

    /// <summary>Makes an e-mail.</summary>
    /// <param name="kind">One of <see cref="Kinds"/>.</param>
    /// <param name="values">What stands for placeholders.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="JobRefusal">A template cannot be used with these values.</exception>
    public async Task<EmailContent> RenderAsync(string kind, IReadOnlyDictionary<string, string> values, CancellationToken cancellationToken)
    {
        var own = await FindAsync($"{kind}.txt", cancellationToken);
        var plain = own ?? await DefaultAsync($"{kind}.txt", cancellationToken);

        // The built-in HTML says what the built-in text says, and not what another text does.
        var html = await FindAsync($"{kind}.html", cancellationToken) ?? (own is null ? await DefaultAsync($"{kind}.html", cancellationToken) : null);
        var (subject, text) = plain.FillPlain(values);
        return new EmailContent(subject, text.ReplaceLineEndings("\r\n"), html?.FillHtml(values).ReplaceLineEndings("\r\n"));
    }

    private async Task<EmailTemplate?> FindAsync(string name, CancellationToken cancellationToken) =>
        folder is not null && Path.Combine(folder, name) is var path && File.Exists(path)
            ? new EmailTemplate(path, (await File.ReadAllTextAsync(path, cancellationToken)).ReplaceLineEndings("\n"))
            : null;

    private static async Task<EmailTemplate> DefaultAsync(string name, CancellationToken cancellationToken) =>
        new($"{name} (built in)", (await ReadDefaultAsync(name, cancellationToken)).ReplaceLineEndings("\n"));

    private static async Task<string> ReadDefaultAsync(string name, CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream(ResourcePrefix + name)!, Encoding.UTF8);
        return await reader.ReadToEndAsync(cancellationToken);
    }
}
