using System.Globalization;
using System.Runtime.CompilerServices;
using Amp.Internal;

namespace Amp.Hosting.Dashboard;

/// <summary>A dashboard as it stands on a screen.</summary>
/// <param name="Lines">As many lines as the screen has, none wider than it.</param>
/// <param name="Scroll">How many lines of the middle part are above its first visible one.</param>
/// <param name="Page">How many lines the middle part has room for.</param>
public sealed record DashboardFrame(IReadOnlyList<string> Lines, int Scroll, int Page);

/// <summary>Draws what a <see cref="DashboardReader"/> saw. Pure: the same state, time, size and style give the same lines.</summary>
public static class DashboardView
{
    /// <summary>The narrowest screen it draws on, in columns.</summary>
    public const int LeastWidth = 40;

    /// <summary>The lowest screen it draws on, in lines.</summary>
    public const int LeastHeight = 10;

    private const int WideWidth = 110;
    private const int PercentWidth = 8;

    /// <summary>An answer that takes longer is remarked on.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Draws.</summary>
    /// <param name="state">What was seen.</param>
    /// <param name="now">The time.</param>
    /// <param name="width">Columns of the screen.</param>
    /// <param name="height">Lines of the screen.</param>
    /// <param name="scroll">How many lines of the middle part to leave out at its top; as many as there are, at most.</param>
    /// <param name="style">Its colours.</param>
    public static DashboardFrame Render(DashboardState state, DateTimeOffset now, int width, int height, int scroll, DashboardStyle style)
    {
        if (width < LeastWidth || height < LeastHeight)
        {
            return new DashboardFrame(
                [.. Enumerable.Repeat("", height).Select((_, line) => line == 0 ? new DashboardLine(width, style).Add("too small; q quits").ToString() : "")], 0, 1);
        }

        var top = Top(state, now, width, style);
        var page = height - top.Count - 1;
        var body = Body(state, now, width, page, style);
        scroll = Math.Clamp(scroll, 0, Math.Max(0, body.Count - page));
        var shown = body.Skip(scroll).Take(page).ToList();
        var below = body.Count - scroll - shown.Count;
        return new DashboardFrame(
            [.. top, .. shown, .. Enumerable.Repeat("", page - shown.Count), Footer(scroll, below, width, style)], scroll, page);
    }

    private static List<string> Top(DashboardState state, DateTimeOffset now, int width, DashboardStyle style)
    {
        var active = state.Workers.Count(worker => worker.IsActive);
        var failed = state.Jobs.Count(job => job.Job.Status.IsFailed());
        var atWork = state.Jobs.Count(job => !job.Job.IsTerminal);
        var rates = Text($"{(state.BlocksPerSecond is { } blocks ? PerSecond(blocks) : "–")} blocks/s · {(state.BytesPerSecond is { } bytes ? _Format.Size(bytes) : "– B")}/s · ");
        var totals = new DashboardLine(width, style)
            .Add(" ").Add(atWork > 0 ? rates : "")
            .Add(Text($"{active} of {state.Workers.Count} workers active"), active < state.Workers.Count ? style.Warning : "")
            .Add(Text($" · {atWork} {(atWork == 1 ? "job" : "jobs")} active"));
        if (failed > 0)
        {
            totals.Add(" · ").Add(Text($"{failed} failed"), style.Error);
        }

        var time = _Format.Time(now);
        List<string> lines =
        [
            new DashboardLine(width, style).Add(" Amp", style.Title).Add("  ").Cell(state.Connection, Math.Min(state.Connection.Length, width - time.Length - 8), style.Dim)
                .AtEnd(time, style.Dim).ToString(),
            state.ReadAt is null ? "" : totals.ToString(),
        ];
        if (state.Problem is not null || now - state.NextAt > Patience)
        {
            var since = state.ReadAt is { } read ? $"What you see is {_Format.Age(now - read)} old: " : "Nothing was read yet: ";
            lines.AddRange(Wrap($"{since}{state.Problem ?? "no answer yet."} Still trying.", width - 2, most: 3)
                .Select(line => new DashboardLine(width, style).Add(" ").Add(line, style.Error).ToString()));
        }

        return [.. lines, ""];
    }

    private static List<string> Body(DashboardState state, DateTimeOffset now, int width, int page, DashboardStyle style)
    {
        if (state.ReadAt is null)
        {
            return [" …"];
        }

        return [.. Workers(state, width, Math.Max(4, page / 3), style), "", .. Jobs(state, now, width, style)];
    }

    private static IEnumerable<string> Workers(DashboardState state, int width, int most, DashboardStyle style)
    {
        var name = Math.Clamp(state.Workers.Select(worker => worker.NodeId.Length).DefaultIfEmpty().Max(), 12, width / 3);
        yield return new DashboardLine(width, style).Add("   ").Cell("WORKER", name, style.Head).Cell("HEARTBEAT", 16, style.Head).Cell("JOBS", 5, style.Head).ToString();
        if (state.Workers.Count == 0)
        {
            yield return new DashboardLine(width, style).Add("   none has registered; Start-AmpWorker starts one", style.Dim).ToString();
        }

        // Silent ones with jobs come first: their jobs wait for somebody to move them.
        var workers = state.Workers.OrderBy(worker => worker.IsActive ? 1 : worker.ActiveJobs > 0 ? 0 : 2).ToList();
        var shown = workers.Count > most ? most - 1 : workers.Count;
        foreach (var worker in workers.Take(shown))
        {
            var jobs = state.Jobs.Where(job => !job.Job.IsTerminal && job.Job.NodeId == worker.NodeId).Select(job => job.Job.JobId).Order().Select(id => $"#{id}");
            yield return new DashboardLine(width, style)
                .Add(worker.IsActive ? " ● " : " ○ ", worker.IsActive ? style.Good : style.Warning)
                .Cell(worker.NodeId, name)
                .Cell(worker.IsActive ? $"{_Format.Age(worker.HeartbeatAge)} ago" : $"silent {_Format.Age(worker.HeartbeatAge)}", 16, worker.IsActive ? "" : style.Warning)
                .Cell(Text($"{worker.ActiveJobs}"), 5)
                .Add(string.Join(' ', jobs), style.Dim)
                .ToString();
        }

        if (shown < workers.Count)
        {
            var silent = workers.Skip(shown).Count(worker => !worker.IsActive);
            yield return new DashboardLine(width, style).Add(Text($"   … {workers.Count - shown} more, {silent} of them silent"), style.Dim).ToString();
        }
    }

    private static IEnumerable<string> Jobs(DashboardState state, DateTimeOffset now, int width, DashboardStyle style)
    {
        var columns = new Columns(state, width);
        yield return new DashboardLine(width, style).Add(" ").Number("JOB", columns.Job, style.Head).Cell("DATASET", columns.Dataset, style.Head)
            .Cell("STATUS", columns.Status, style.Head).Cell("PROGRESS", columns.Progress, style.Head).Number("BLOCKS/S", 8, style.Head).Number("LEFT", 7, style.Head)
            .Add(" ").Add(columns.IsWide ? "WORKER" : "", style.Head).ToString();
        if (state.Jobs.Count == 0)
        {
            yield return new DashboardLine(width, style).Add("   none to show; Start-AmpJob starts one", style.Dim).ToString();
        }

        foreach (var job in state.Jobs)
        {
            yield return Job(job, now, width, columns, style);
            foreach (var table in job.Tables)
            {
                yield return Table(table, width, columns, style);
            }

            if (job.Job.Status.IsFailed())
            {
                var indent = columns.Job + 2;
                foreach (var line in Wrap(_Format.Line(job.Job.ErrorMessage), width - indent - 1, most: 2))
                {
                    yield return new DashboardLine(width, style).Add(new string(' ', indent)).Add(line, style.Error).ToString();
                }
            }
        }
    }

    private static string Job(DashboardJob shown, DateTimeOffset now, int width, Columns columns, DashboardStyle style)
    {
        var job = shown.Job;
        var line = new DashboardLine(width, style).Add(" ").Number(job.ToString(), columns.Job)
            .Cell(job.Dataset, columns.Dataset).Cell(job.Status.ToString(), columns.Status, Colour(job.Status, style));
        var table = shown.Slowest;
        if (table?.PercentComplete is { } percent)
        {
            // Half a cell is the smallest step; what is not done yet never looks done.
            var size = columns.Progress - PercentWidth;
            var halves = (int)(percent / 100 * size * 2);
            var done = new string('━', halves / 2) + (halves % 2 == 1 ? "╸" : "");
            line.Add(done, style.Bar).Add(new string('─', size - done.Length), style.Dim).Number(_Format.Percent(percent), PercentWidth);
        }
        else
        {
            var note = job.IsTerminal ? $"{_Format.Age(now > job.UpdatedAt ? now - job.UpdatedAt : TimeSpan.Zero)} ago"
                : job.PartOf is { } whole ? $"part of #{whole}"
                : job.Status == AmpJobStatus.Scheduled ? $"waits for {job.NodeId}"
                : table?.CurrentBlock is { } block ? Text($"block {block} of {job.Descriptor?.EndBlock ?? "the chain"}")
                : job.Status == AmpJobStatus.Running ? "begins"
                : "";
            line.Cell(note, columns.Progress, style.Dim);
        }

        return Rate(line, table).Number(table?.PercentComplete < 100 ? _Format.Age(table.TimeLeft) : "", 7)
            .Add(" ").Add(columns.IsWide ? job.NodeId : "").ToString();
    }

    private static string Table(AmpTableProgress table, int width, Columns columns, DashboardStyle style)
    {
        var line = new DashboardLine(width, style).Add(" ").Number("", columns.Job).Cell($"  {table.Table}", columns.Dataset, style.Dim)
            .Cell(table.CurrentBlock is { } block ? Text($"{block}") : "", columns.Status, style.Dim)
            .Cell(table.FilesCount == 0 ? "no file yet" : $"{(table.FilesCount == 1 ? "1 file" : Text($"{table.FilesCount} files"))}, {_Format.Size(table.TotalSizeBytes)}", columns.Progress, style.Dim);
        return Rate(line, table).ToString();
    }

    private static DashboardLine Rate(DashboardLine line, AmpTableProgress? table) => line.Number(table?.BlocksPerSecond is { } rate ? PerSecond(rate) : "", 8);

    private static string PerSecond(double rate) => rate.ToString(rate < 10 ? "0.0" : "0", CultureInfo.InvariantCulture);

    private static string Footer(int above, int below, int width, DashboardStyle style)
    {
        var more = (above, below) switch
        {
            (0, 0) => "",
            (0, _) => Text($"↓ {below} more"),
            (_, 0) => Text($"↑ {above} more"),
            _ => Text($"↑ {above} ↓ {below} more"),
        };
        return new DashboardLine(width, style).Add(" q", style.Title).Add(" quit  ", style.Dim).Add("↑ ↓ PgUp PgDn Home End", style.Title).Add(" scroll ", style.Dim).AtEnd(more, style.Title).ToString();
    }

    private static string Colour(AmpJobStatus status, DashboardStyle style) => status switch
    {
        AmpJobStatus.Completed => style.Good,
        AmpJobStatus.StopRequested or AmpJobStatus.Stopping => style.Warning,
        _ when status.IsFailed() => style.Error,
        _ => "",
    };

    private static string Text(DefaultInterpolatedStringHandler text) => string.Create(CultureInfo.InvariantCulture, ref text);

    /// <summary>A text in lines, broken between words; what does not fit into the last one is cut off.</summary>
    private static IEnumerable<string> Wrap(string text, int width, int most)
    {
        for (var count = 1; text.Length > width && count < most; count++)
        {
            var end = text.LastIndexOf(' ', width);
            yield return end > 0 ? text[..end] : text[..width];
            text = end > 0 ? text[(end + 1)..] : text[width..];
        }

        yield return text;
    }

    /// <summary>Widths of the columns of jobs; what is left goes to the bar.</summary>
    private sealed record Columns
    {
        public Columns(DashboardState state, int width)
        {
            IsWide = width >= WideWidth;
            Job = Math.Max(3, state.Jobs.Select(job => job.Job.ToString().Length).DefaultIfEmpty().Max());
            Status = Math.Max(9, state.Jobs.Select(job => job.Job.Status.ToString().Length).DefaultIfEmpty().Max());
            Dataset = Math.Clamp(
                state.Jobs.Select(job => job.Job.Dataset.Length).Concat(state.Jobs.SelectMany(job => job.Tables).Select(table => table.Table.Length + 2)).DefaultIfEmpty().Max(),
                12, Math.Max(12, width / 4));
            var worker = IsWide ? state.Jobs.Select(job => job.Job.NodeId.Length).Append("WORKER".Length).Max() + 1 : 0;
            Progress = Math.Clamp(width - Job - Dataset - Status - 8 - 7 - worker - 6, PercentWidth + 4, 60);
        }

        public bool IsWide { get; }

        public int Job { get; }

        public int Dataset { get; }

        public int Status { get; }

        public int Progress { get; }
    }
}
