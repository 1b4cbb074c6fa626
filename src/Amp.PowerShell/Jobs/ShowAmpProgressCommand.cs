using System.Management.Automation;
using System.Management.Automation.Host;
using Amp.Hosting.Dashboard;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Jobs;

/// <summary>Shows workers, jobs and their tables on the whole terminal, again and again, until q, Esc or Ctrl+C is pressed.</summary>
[Cmdlet(VerbsCommon.Show, "AmpProgress", DefaultParameterSetName = ByFilter)]
public sealed class ShowAmpProgressCommand : AmpDeploymentCmdlet
{
    private const string ByFilter = "Filter";
    private const string ById = "Id";

    private static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestInterval = TimeSpan.FromHours(1);

    /// <summary>How often keys are looked for.</summary>
    private static readonly TimeSpan KeyInterval = TimeSpan.FromMilliseconds(40);

    /// <summary>The screen is drawn no more often than this.</summary>
    private static readonly TimeSpan DrawInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>The screen is drawn at least so often: the clock on it goes on.</summary>
    private static readonly TimeSpan ClockInterval = TimeSpan.FromSeconds(1);

    /// <summary>How long the last look may take to end once the view was left.</summary>
    private static readonly TimeSpan LeaveTimeout = TimeSpan.FromSeconds(1);

    private readonly List<long> _jobIds = [];
    private PSHostUserInterface _ui = null!;

    /// <summary>Numbers of the jobs; parts of them are shown as well.</summary>
    [Parameter(ParameterSetName = ById, Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(JobIdCompleter))]
    public long[] JobId { get; set; } = [];

    /// <summary>Only jobs of these datasets, as <c>namespace/name</c>; wildcards are allowed.</summary>
    [Parameter(ParameterSetName = ByFilter)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [SupportsWildcards]
    public string[]? Dataset { get; set; }

    /// <summary>Pause between two looks at the deployment, from 0.25 seconds to an hour.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan RefreshInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (RefreshInterval < ShortestInterval || RefreshInterval > LongestInterval)
        {
            ThrowTerminatingError(AmpErrors.From(new AmpException("RefreshIntervalInvalid", AmpErrorKind.InvalidInput, $"A refresh interval of {RefreshInterval} is not between {ShortestInterval:g} and {LongestInterval:g}.")
            {
                Target = RefreshInterval,
                RecommendedAction = "Give one such as -RefreshInterval 00:00:02.",
            }));
        }

        _ui = OrThrow(() => FullScreen.Require(Host));
    }

    /// <inheritdoc/>
    protected override void ProcessRecord() => _jobIds.AddRange(JobId);

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        var jobIds = new List<long>();
        foreach (var jobId in _jobIds.Distinct())
        {
            Run(async (deployment, _, cancellationToken) => jobIds.Add((await deployment.Client.GetJobAsync(jobId, cancellationToken)).JobId));
        }

        if (ParameterSetName == ById && jobIds.Count == 0)
        {
            return;
        }

        var style = Style();
        var datasets = new NameFilter(Dataset);
        Run(async (deployment, _, cancellationToken) =>
        {
            var connection = deployment.Connection.Uri?.ToString() ?? deployment.Connection.MetadataDb ?? "";
            var reader = new DashboardReader(deployment.Client, connection, job => datasets.IsMatch(job.Dataset), jobIds, RefreshInterval, TimeProvider.System);
            await ShowAsync(reader, style, cancellationToken);
        });
    }

    private async Task ShowAsync(DashboardReader reader, DashboardStyle style, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reading = reader.ReadAsync(stop.Token);
        try
        {
            using var screen = new FullScreen(_ui);
            var time = TimeProvider.System;
            var (drawnAt, size, scroll, page, isNews) = (0L, default(Size), 0, 1, true);
            while (true)
            {
                if (reading.IsCompleted)
                {
                    await reading;
                    isNews = true;
                    reading = reader.ReadAgainAsync(stop.Token);
                }

                while (screen.ReadKey() is { } key)
                {
                    if (key is ConsoleKey.Q or ConsoleKey.Escape)
                    {
                        return;
                    }

                    var before = scroll;
                    scroll = key switch
                    {
                        ConsoleKey.UpArrow => scroll - 1,
                        ConsoleKey.DownArrow => scroll + 1,
                        ConsoleKey.PageUp => scroll - page,
                        ConsoleKey.PageDown => scroll + page,
                        ConsoleKey.Home => 0,
                        ConsoleKey.End => int.MaxValue / 2,
                        _ => scroll,
                    };
                    isNews |= scroll != before;
                }

                if (time.GetElapsedTime(drawnAt) >= (isNews || screen.Size != size ? DrawInterval : ClockInterval))
                {
                    size = screen.Size;
                    var frame = DashboardView.Render(reader.State, time.GetUtcNow(), size.Width, size.Height, scroll, style);
                    screen.Draw(frame.Lines);
                    (drawnAt, scroll, page, isNews) = (time.GetTimestamp(), frame.Scroll, frame.Page, false);
                }

                await Task.Delay(KeyInterval, cancellationToken);
            }
        }
        finally
        {
            // A database that is frozen does not even answer that it gave up; a look changes nothing, so it may end later.
            stop.Cancel();
            await Task.WhenAny(reading, Task.Delay(LeaveTimeout, CancellationToken.None));
        }
    }

    /// <summary>The colours of <c>$PSStyle</c>; none when it or <c>NO_COLOR</c> says so. Pipeline thread only.</summary>
    private DashboardStyle Style()
    {
        var style = new PSObject(SessionState.PSVariable.GetValue("PSStyle"));
        return !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) || Text("OutputRendering") == "PlainText"
            ? DashboardStyle.Plain
            : new DashboardStyle
            {
                Title = Text("Bold"),
                Head = Text("Formatting", "TableHeader"),
                Good = Text("Foreground", "Green"),
                Warning = Text("Formatting", "Warning"),
                Error = Text("Formatting", "Error"),
                Bar = Text("Progress", "Style"),
                Dim = Text("Dim"),
                Reset = Text("Reset"),
            };

        string Text(params ReadOnlySpan<string> path)
        {
            object? value = style;
            foreach (var name in path)
            {
                value = value is null ? null : new PSObject(value).Properties[name]?.Value;
            }

            return value?.ToString() ?? "";
        }
    }
}
