using System.Management.Automation;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Gets dead letters: background jobs that are not tried any more. The oldest first.</summary>
[Cmdlet(VerbsCommon.Get, "AmpDeadLetter")]
[OutputType(typeof(AmpDeadLetter))]
public sealed class GetAmpDeadLetterCommand : BackgroundJobCmdlet
{
    /// <summary>Only dead letters of these types of jobs; wildcards are allowed.</summary>
    [Parameter(Position = 0)]
    [ArgumentCompleter(typeof(BackgroundJobTypeCompleter))]
    [SupportsWildcards]
    public string[] Type { get; set; } = [];

    /// <summary>Only dead letters of these tenants.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TenantCompleter))]
    public Guid[] TenantId { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(async (jobs, pipeline, cancellationToken) =>
    {
        foreach (var letter in await jobs.GetDeadLettersAsync(Type, TenantId, cancellationToken))
        {
            await pipeline.OutputAsync(letter);
        }
    });
}
