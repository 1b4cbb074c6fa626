namespace Amp.HelpCompiler;

/// <summary>One example: its title, its code, what it does.</summary>
internal sealed record HelpExample(string Title, string Code, IReadOnlyList<string> Remarks);

/// <summary>
/// A page of help: <c># Name</c>, <c>## SYNOPSIS</c>, <c>## DESCRIPTION</c>, <c>## EXAMPLES</c> with <c>### Title</c>, a code
/// fence and prose each, <c>## PARAMETERS</c> with <c>### -Name</c> and prose each.
/// </summary>
internal sealed class HelpPage
{
    private static readonly string[] Sections = ["SYNOPSIS", "DESCRIPTION", "EXAMPLES", "PARAMETERS"];

    private HelpPage(string path, Dictionary<string, List<Block>> sections)
    {
        Path = path;
        Synopsis = Prose(sections["SYNOPSIS"]);
        Description = Prose(sections["DESCRIPTION"]);
        Examples = [.. sections["EXAMPLES"].Where(block => block.Heading.Length > 0)
            .Select(block => new HelpExample(block.Heading, block.Code.ToString().Trim('\n'), block.Paragraphs))];
        Parameters = sections["PARAMETERS"].Where(block => block.Heading.Length > 0)
            .ToDictionary(block => block.Heading.TrimStart('-'), block => (IReadOnlyList<string>)block.Paragraphs, StringComparer.Ordinal);
    }

    public string Path { get; }

    public IReadOnlyList<string> Synopsis { get; }

    public IReadOnlyList<string> Description { get; }

    public IReadOnlyList<HelpExample> Examples { get; }

    /// <summary>Prose by parameter name.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Parameters { get; }

    public static HelpPage Read(string path, List<string> faults)
    {
        var sections = Sections.ToDictionary(name => name, _ => new List<Block> { new("") }, StringComparer.Ordinal);
        List<Block>? section = null;
        var name = System.IO.Path.GetFileNameWithoutExtension(path);
        var inCode = false;
        var number = 0;
        foreach (var line in File.ReadLines(path))
        {
            number++;
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                inCode = !inCode;
            }
            else if (inCode)
            {
                section?[^1].Code.Append(line).Append('\n');
            }
            else if (line.StartsWith("### ", StringComparison.Ordinal))
            {
                section?.Add(new Block(line[4..].Trim()));
            }
            else if (line.StartsWith("## ", StringComparison.Ordinal))
            {
                if (!sections.TryGetValue(line[3..].Trim(), out section))
                {
                    faults.Add($"{path}({number}): error HELP003: a page has the sections {string.Join(", ", Sections)} and no other");
                }
            }
            else if (line.StartsWith("# ", StringComparison.Ordinal))
            {
                if (line[2..].Trim() != name)
                {
                    faults.Add($"{path}({number}): error HELP004: the title is not the cmdlet's name, {name}");
                }
            }
            else
            {
                section?[^1].Add(line.Replace("`", "", StringComparison.Ordinal).Trim());
            }
        }

        return new HelpPage(path, sections);
    }

    /// <summary>Names what is missing for a cmdlet, and what is described but not there.</summary>
    public void Check(Cmdlet cmdlet, List<string> faults)
    {
        Require(Synopsis.Count == 1, "HELP005", "the synopsis is one paragraph");
        Require(Description.Count > 0, "HELP006", "the description is empty");
        Require(Examples.Count >= 2, "HELP007", "there are fewer than two examples");
        foreach (var example in Examples)
        {
            Require(example.Code.Length > 0 && example.Remarks.Count > 0, "HELP008", $"the example '{example.Title}' lacks its code or its explanation");
        }

        foreach (var parameter in cmdlet.Parameters)
        {
            Require(Parameters.GetValueOrDefault(parameter.Name) is { Count: > 0 }, "HELP009", $"the parameter -{parameter.Name} has no text");
        }

        foreach (var described in Parameters.Keys.Except(cmdlet.Parameters.Select(parameter => parameter.Name)))
        {
            Require(false, "HELP010", $"{cmdlet.Name} has no parameter -{described}");
        }

        void Require(bool condition, string code, string otherwise)
        {
            if (!condition)
            {
                faults.Add($"{Path}: error {code}: {otherwise}");
            }
        }
    }

    private static List<string> Prose(List<Block> section) => section[0].Paragraphs;

    /// <summary>What stands below one heading; lines are joined to paragraphs, list items stay apart.</summary>
    private sealed class Block(string heading)
    {
        private bool _open;

        public string Heading => heading;

        public System.Text.StringBuilder Code { get; } = new();

        public List<string> Paragraphs { get; } = [];

        public void Add(string line)
        {
            if (line.Length == 0)
            {
                _open = false;
            }
            else if (_open && !line.StartsWith("- ", StringComparison.Ordinal))
            {
                Paragraphs[^1] += " " + line;
            }
            else
            {
                Paragraphs.Add(line);
                _open = true;
            }
        }
    }
}
