using System.Management.Automation;
using Amp.BackgroundJobs;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>
/// Registers a script block that does the work of some types of background jobs, for the workers of this process. What it writes is the
/// job's result, an error is a failed attempt, an answer of <c>[Amp.AmpJobAnswer]</c> says what shall become of the job.
/// </summary>
[Cmdlet(VerbsLifecycle.Register, "AmpBackgroundJobHandler", SupportsShouldProcess = true)]
public sealed class RegisterAmpBackgroundJobHandlerCommand : AmpCmdlet
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(30);

    /// <summary>Types of jobs; wildcards are allowed. Where several match, the most special one is used.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] Type { get; set; } = [];

    /// <summary>
    /// What to run: <c>{ param($Job) … }</c>. It runs in runspaces of its own, so of the caller's variables it sees those written as
    /// <c>$using:name</c> only.
    /// </summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNull]
    public ScriptBlock ScriptBlock { get; set; } = null!;

    /// <summary>Further arguments of the script block, after the job.</summary>
    [Parameter]
    public object[] ArgumentList { get; set; } = [];

    /// <summary>How long an attempt may take, at most 30 days.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan TimeLimit { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Pauses before the second attempt, the third and so on, the last one repeated; a pause that doubles from 2 seconds when left out.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan[] Backoff { get; set; } = [];

    /// <summary>
    /// Lets a job that the script block gives up, by the answer Fail, just fail, instead of keeping it as a dead letter. One whose attempts
    /// are used up becomes a dead letter all the same.
    /// </summary>
    [Parameter]
    public SwitchParameter NoDeadLetter { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (TimeLimit <= TimeSpan.Zero || TimeLimit > Longest)
        {
            ThrowTerminatingError(AmpErrors.From(new AmpException(
                "JobTimeLimitInvalid", AmpErrorKind.InvalidInput, TimeLimit > Longest ? $"A time limit of {TimeLimit} is longer than {Longest.Days} days." : $"A time limit of {TimeLimit} leaves a job no time.")
            {
                Target = TimeLimit,
                RecommendedAction = $"Give more than zero and at most {Longest.Days} days, such as -TimeLimit 00:05:00.",
            }));
        }

        foreach (var pause in Backoff.Where(pause => pause < TimeSpan.Zero || pause > Longest))
        {
            ThrowTerminatingError(AmpErrors.From(new AmpException("JobBackoffInvalid", AmpErrorKind.InvalidInput, $"A pause of {pause} is not between none and {Longest.Days} days.")
            {
                Target = pause,
                RecommendedAction = "Give pauses such as -Backoff 00:00:01, 00:00:10, 00:01:00.",
            }));
        }

        foreach (var type in Type)
        {
            if (ShouldProcess(type, "Register background job handler"))
            {
                var handler = new ScriptBlockHandler(ScriptText.Of(ScriptBlock, SessionState), ArgumentList, AmpSession.Runspaces(RunspaceId, ModulePath, Location));
                AmpSession.SetHandler(type, handler, new JobHandlerOptions { TimeLimit = TimeLimit, Backoff = Backoff, UsesDeadLetters = !NoDeadLetter }, RunspaceId);
            }
        }
    }
}
