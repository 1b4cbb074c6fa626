using System.Globalization;
using System.Xml.Linq;

namespace Amp.HelpCompiler;

/// <summary>Writes MAML, the format of Get-Help.</summary>
internal static class Maml
{
    private static readonly XNamespace Msh = "http://msh";
    private static readonly XNamespace Text = "http://schemas.microsoft.com/maml/2004/10";
    private static readonly XNamespace Cmd = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private static readonly XNamespace Dev = "http://schemas.microsoft.com/maml/dev/2004/10";

    private static readonly (CmdletParameter Parameter, string[] Prose)[] ShouldProcess =
    [
        (Common("Confirm", "cf"), ["Asks before it does anything."]),
        (Common("WhatIf", "wi"), ["Shows what it would do, and does nothing."]),
    ];

    public static XDocument Document(IEnumerable<XElement> commands) => new(
        new XElement(Msh + "helpItems", new XAttribute("schema", "maml"), commands));

    public static XElement Command(Cmdlet cmdlet, HelpPage page)
    {
        var common = cmdlet.SupportsShouldProcess ? ShouldProcess : [];
        return new XElement(
            Cmd + "command",
            new XAttribute(XNamespace.Xmlns + "maml", Text),
            new XAttribute(XNamespace.Xmlns + "command", Cmd),
            new XAttribute(XNamespace.Xmlns + "dev", Dev),
            new XElement(
                Cmd + "details",
                new XElement(Cmd + "name", cmdlet.Name),
                new XElement(Cmd + "verb", cmdlet.Verb),
                new XElement(Cmd + "noun", cmdlet.Noun),
                Description(page.Synopsis)),
            Description(page.Description),
            new XElement(
                Cmd + "syntax",
                cmdlet.ParameterSets.Select(set => new XElement(
                    Cmd + "syntaxItem",
                    new XElement(Text + "name", cmdlet.Name),
                    set.Select(parameter => Parameter(parameter, page.Parameters[parameter.Name])),
                    common.Select(parameter => Parameter(parameter.Parameter, parameter.Prose))))),
            new XElement(
                Cmd + "parameters",
                cmdlet.Parameters.Select(parameter => Parameter(parameter, page.Parameters[parameter.Name])),
                common.Select(parameter => Parameter(parameter.Parameter, parameter.Prose))),
            new XElement(Cmd + "inputTypes", cmdlet.InputTypes.Select(type => new XElement(Cmd + "inputType", Type(type)))),
            new XElement(Cmd + "returnValues", cmdlet.OutputTypes.Select(type => new XElement(Cmd + "returnValue", Type(type)))),
            new XElement(Cmd + "examples", page.Examples.Select((example, index) => new XElement(
                Cmd + "example",
                new XElement(Text + "title", string.Create(CultureInfo.InvariantCulture, $"-------- Example {index + 1}: {example.Title} --------")),
                new XElement(Dev + "code", example.Code),
                new XElement(Dev + "remarks", Paragraphs([.. example.Remarks, ""]))))));
    }

    private static XElement Parameter(CmdletParameter parameter, IReadOnlyList<string> prose) => new(
        Cmd + "parameter",
        new XAttribute("required", parameter.IsMandatory ? "true" : "false"),
        new XAttribute("variableLength", "true"),
        new XAttribute("globbing", parameter.TakesWildcards ? "true" : "false"),
        new XAttribute("pipelineInput", parameter.PipelineInput),
        new XAttribute("position", parameter.Position?.ToString(CultureInfo.InvariantCulture) ?? "named"),
        new XAttribute("aliases", parameter.Aliases.Count == 0 ? "none" : string.Join(", ", parameter.Aliases)),
        new XElement(Text + "name", parameter.Name),
        Description(parameter.Values.Count == 0 ? prose : [.. prose, $"One of: {string.Join(", ", parameter.Values)}."]),
        parameter.IsSwitch
            ? null
            : new XElement(
                Cmd + "parameterValue",
                new XAttribute("required", "true"),
                new XAttribute("variableLength", parameter.TypeName.EndsWith("[]", StringComparison.Ordinal) ? "true" : "false"),
                parameter.TypeName),
        Type(parameter.TypeName));

    private static XElement Type(string name) => new(Dev + "type", new XElement(Text + "name", name));

    private static XElement Description(IEnumerable<string> prose) => new(Text + "description", Paragraphs(prose));

    private static IEnumerable<XElement> Paragraphs(IEnumerable<string> prose) => prose.Select(paragraph => new XElement(Text + "para", paragraph));

    private static CmdletParameter Common(string name, string alias) => new(
        name, "SwitchParameter", IsSwitch: true, IsMandatory: false, Position: null, "False", TakesWildcards: false, [alias], []);
}
