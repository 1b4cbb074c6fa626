namespace Amp.Hosting.Dashboard;

/// <summary>Escape sequences that colour the parts of a dashboard; empty ones leave them plain.</summary>
public sealed record DashboardStyle
{
    /// <summary>No colours.</summary>
    public static readonly DashboardStyle Plain = new();

    /// <summary>The name of the program.</summary>
    public string Title { get; init; } = "";

    /// <summary>Heads of columns.</summary>
    public string Head { get; init; } = "";

    /// <summary>What is well.</summary>
    public string Good { get; init; } = "";

    /// <summary>What somebody should look at.</summary>
    public string Warning { get; init; } = "";

    /// <summary>What failed.</summary>
    public string Error { get; init; } = "";

    /// <summary>The part of a bar that is done.</summary>
    public string Bar { get; init; } = "";

    /// <summary>What matters less.</summary>
    public string Dim { get; init; } = "";

    /// <summary>Ends any of the others.</summary>
    public string Reset { get; init; } = "";
}
