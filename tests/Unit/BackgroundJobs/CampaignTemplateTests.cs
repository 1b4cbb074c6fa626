using Amp.BackgroundJobs.Campaigns;

namespace Amp.BackgroundJobs;

public sealed class CampaignTemplateTests : IDisposable
{
    private static readonly Dictionary<string, string> Values = new() { ["name"] = "Ada & <Bob>", ["position"] = "5" };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("amp-templates-");
    private readonly EmailTemplates _templates;

    public CampaignTemplateTests() => _templates = new EmailTemplates(_folder.FullName);

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Templates_OfTheFolder_AreReadAnew_AndFilledAsTheyStand()
    {
        var text = Write("welcome.txt", "\uFEFFsubject:  Hi {{ name }}!\r\n\r\n{{name}} is {{position}}{{position}}: {a} }} {{{position}}}\r\n");
        Write("welcome.html", "<p title=\"{{name}}\">\n{{name}}</p>");

        var email = await RenderAsync();
        Assert.Equal(("Hi Ada & <Bob>!", "Ada & <Bob> is 55: {a} }} {5}\r\n"), (email.Subject, email.Text));
        Assert.Equal("<p title=\"Ada &amp; &lt;Bob&gt;\">\r\nAda &amp; &lt;Bob&gt;</p>", email.Html);

        await File.WriteAllTextAsync(text, "Subject: Bye");
        Assert.Equal(("Bye", ""), ((await RenderAsync()).Subject, (await RenderAsync()).Text));
    }

    [Theory]
    [InlineData("welcome.txt", "Subject: a\n\n\nDear {{nmae}},", "welcome.txt, line 4: there is no value for {{nmae}}. There are: name, position.")]
    [InlineData("welcome.txt", "Subject: {{}}\n", "welcome.txt, line 1: there is no value for {{}}.")]
    [InlineData("welcome.txt", "Subject: a\r\nDear {{name,\r\n", "welcome.txt, line 2: {{name, is not closed by }}.")]
    [InlineData("welcome.html", "<p>\n\n{{Name}}</p>", "welcome.html, line 3: there is no value for {{Name}}.")]
    [InlineData("welcome.txt", "Dear {{name}},", "welcome.txt, line 1: it must be the subject")]
    [InlineData("welcome.txt", "Subject: \nDear {{name}},", "welcome.txt, line 1: it must be the subject")]
    [InlineData("welcome.txt", "", "welcome.txt, line 1: it must be the subject")]
    public async Task Template_ThatCannotBeFilled_IsRefusedWithFileLineAndPlaceholder(string file, string text, string expected)
    {
        Write("welcome.txt", "Subject: a");
        Write(file, text);

        var refusal = await Assert.ThrowsAsync<JobRefusal>(RenderAsync);

        Assert.StartsWith($"Template {Path.Combine(_folder.FullName, expected)}", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WriteTemplates_PutsTheBuiltInOnesThere_AndLeavesWhatIsEdited()
    {
        var edited = Write("welcome.txt", "Subject: mine");

        var written = await CampaignHandlers.WriteTemplatesAsync(_folder.FullName);

        Assert.Equal(9, written.Count);
        Assert.Equal("Subject: mine", await File.ReadAllTextAsync(edited));
        Assert.Empty(await CampaignHandlers.WriteTemplatesAsync(_folder.FullName));
        foreach (var kind in EmailTemplates.Kinds.Where(kind => kind != "welcome"))
        {
            Assert.Equal(await RenderAsync(new EmailTemplates(null), kind), await RenderAsync(_templates, kind));
        }

        var builtIn = await CampaignHandlers.WriteTemplatesAsync(Path.Combine(_folder.FullName, "new", "folder"));
        Assert.Equal(10, builtIn.Count);
    }

    [Fact]
    public async Task BuiltInHtml_GoesWithTheBuiltInTextOnly()
    {
        Assert.NotNull((await RenderAsync(_templates, "milestone")).Html);
        Write("milestone.txt", "Subject: mine\nwords");

        Assert.Null((await RenderAsync(_templates, "milestone")).Html);

        Write("milestone.html", "<p>mine</p>");
        Assert.Equal("<p>mine</p>", (await RenderAsync(_templates, "milestone")).Html);
    }

    private Task<EmailContent> RenderAsync() => _templates.RenderAsync("welcome", Values, CancellationToken.None);

    private static Task<EmailContent> RenderAsync(EmailTemplates templates, string kind) => templates.RenderAsync(
        kind,
        ((string[])["campaign_name", "campaign_url", "user_id", "user_name", "position", "original_position", "verified_referrals", "verification_token", "reward_name"])
            .ToDictionary(name => name, name => $"<{name}>"),
        CancellationToken.None);

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder.FullName, name);
        File.WriteAllText(path, text);
        return path;
    }
}
