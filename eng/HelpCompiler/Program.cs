// HelpCompiler DOCS ASSEMBLY OUTPUT [FOLDER…]
// Compiles the pages DOCS/<Cmdlet>.md and the metadata of the cmdlets in ASSEMBLY into the MAML file OUTPUT. What the
// assembly needs is looked for in the FOLDERs. Ends with 1, having named every fault, when a cmdlet or parameter has
// no text, or a page describes one that does not exist.
using System.Xml.Linq;
using Amp.HelpCompiler;

if (args is not [var docs, var assembly, var output, .. var folders])
{
    Console.Error.WriteLine("usage: HelpCompiler DOCS ASSEMBLY OUTPUT [FOLDER...]");
    return 2;
}

var faults = new List<string>();
var pages = Directory.GetFiles(docs, "*-*.md").Order(StringComparer.Ordinal)
    .ToDictionary(path => Path.GetFileNameWithoutExtension(path), path => HelpPage.Read(path, faults), StringComparer.Ordinal);
using var metadata = new CmdletMetadata(assembly, folders);
var help = new List<XElement>();
foreach (var cmdlet in metadata.Cmdlets.OrderBy(cmdlet => cmdlet.Name, StringComparer.Ordinal))
{
    if (!pages.Remove(cmdlet.Name, out var page))
    {
        faults.Add($"{docs}: error HELP001: there is no page {cmdlet.Name}.md");
        continue;
    }

    page.Check(cmdlet, faults);
    help.Add(Maml.Command(cmdlet, page));
}

faults.AddRange(pages.Values.Select(page => $"{page.Path}: error HELP002: no cmdlet has this name"));
foreach (var fault in faults)
{
    Console.Error.WriteLine(fault);
}

if (faults.Count > 0)
{
    return 1;
}

Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(output))!);
Maml.Document(help).Save(output);
Console.WriteLine($"{output}: help of {help.Count} cmdlets");
return 0;
