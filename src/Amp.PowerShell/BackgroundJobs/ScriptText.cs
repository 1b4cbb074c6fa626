using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>A script block on its way to other runspaces: its text, and the values of what it says <c>$using:</c> of.</summary>
internal sealed record ScriptText(string Text, IReadOnlyDictionary<string, object?> Variables)
{
    private static int _texts;

    /// <summary>Takes a script block apart. Pipeline thread only.</summary>
    public static ScriptText Of(ScriptBlock script, SessionState caller)
    {
        var block = script.Ast is FunctionDefinitionAst function ? function.Body : script.Ast;
        var text = script.ToString();
        var offset = block.Extent.Text.IndexOf(text, StringComparison.Ordinal) + block.Extent.StartOffset;

        // Script blocks share runspaces, so each has names of its own for what it took along.
        var prefix = string.Create(CultureInfo.InvariantCulture, $"__using_{Interlocked.Increment(ref _texts)}_");
        var variables = new Dictionary<string, object?>(StringComparer.OrdinalIgnoreCase);

        // From the end, so that what comes before stays where it is.
        foreach (var used in block.FindAll(ast => ast is UsingExpressionAst, searchNestedScriptBlocks: true).Cast<UsingExpressionAst>().OrderByDescending(ast => ast.Extent.StartOffset))
        {
            var variable = UsingExpressionAst.ExtractUsingVariable(used);
            var name = variable.VariablePath.UserPath;
            var own = prefix + name.Replace(':', '_');
            variables[own] = caller.PSVariable.GetValue(name);
            var at = variable.Extent.StartOffset - offset;
            text = $"{text[..at]}${{global:{own}}}{text[(at + variable.Extent.Text.Length)..]}";
        }

        return new ScriptText(text, variables);
    }
}
