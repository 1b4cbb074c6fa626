using System.Collections;
using System.Globalization;
using System.Management.Automation;
using Amp.Configuration;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Connect;

/// <summary>Writes a configuration file with every setting, its default and what it means.</summary>
[Cmdlet(VerbsCommon.New, "AmpConfiguration", SupportsShouldProcess = true)]
[OutputType(typeof(FileInfo))]
public sealed class NewAmpConfigurationCommand : AmpCmdlet
{
    /// <summary>The file to write.</summary>
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = System.IO.Path.Combine(".amp", "config.toml");

    /// <summary>
    /// Values by key, such as <c>@{ 'metadata_db.url' = 'postgresql://…' }</c>; keys that are left out stand in the file as
    /// comments with their defaults.
    /// </summary>
    [Parameter(Position = 1)]
    public Hashtable Setting { get; set; } = [];

    /// <summary>Overwrites a file that is already there.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var path = ResolvePath(Path);
        if (File.Exists(path) && !Force)
        {
            WriteError(AmpErrors.From(new AmpException(
                "ConfigurationExists", AmpErrorKind.Conflict, $"The configuration file '{path}' exists already; it was left as it is.")
            {
                Target = path,
                RecommendedAction = "Add -Force to overwrite it, or give another -Path.",
            }));
            return;
        }

        if (ShouldProcess(path, "Write configuration file"))
        {
            try
            {
                using var text = new StringWriter();
                AmpConfiguration.WriteTemplate(text, Setting.Cast<DictionaryEntry>().ToDictionary(
                    entry => entry.Key.ToString()!, entry => Text(entry.Value), StringComparer.Ordinal));
                Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
                File.WriteAllText(path, text.ToString());
                WriteObject(new FileInfo(path));
            }
            catch (AmpException e)
            {
                WriteError(AmpErrors.From(e));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                WriteError(AmpErrors.From(new AmpException(
                    "ConfigurationNotWritable", AmpErrorKind.Denied, $"The configuration file '{path}' cannot be written: {e.Message}", e)
                {
                    Target = path,
                    RecommendedAction = "Give another -Path.",
                }));
            }
        }
    }

    private static string Text(object? value) => value switch
    {
        PSObject wrapped => Text(wrapped.BaseObject),
        bool flag => flag ? "true" : "false",
        object[] items => string.Join(',', items.Select(Text)),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value?.ToString() ?? "",
    };
}
