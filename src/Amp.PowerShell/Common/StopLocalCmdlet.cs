using System.Management.Automation;

namespace Amp.PowerShell.Common;

/// <summary>Stops things that run in this process, by name.</summary>
public abstract class StopLocalCmdlet : AmpCmdlet
{
    /// <summary>Stops all whose name matches; a literal name that nothing has is an error, wildcards may match nothing.</summary>
    private protected void Stop<T>(Owned<T> running, IEnumerable<string> names, string action, Func<string, AmpException> notFound)
        where T : class, IAsyncDisposable
    {
        foreach (var name in names)
        {
            var matches = running.Match(name);
            if (matches.Count == 0 && !WildcardPattern.ContainsWildcardCharacters(name))
            {
                WriteError(AmpErrors.From(notFound(name)));
            }

            foreach (var match in matches)
            {
                if (ShouldProcess(match, action))
                {
                    Run((_, _) => running.StopAsync(match));
                }
            }
        }
    }
}
